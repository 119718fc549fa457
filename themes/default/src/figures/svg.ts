/** A colour as SVG programs everywhere read it. */
export interface Colour {
  /** `#rrggbb`. */
  hex: string;
  /** 0..1. */
  alpha: number;
}

/** Colours of what surrounds the data. */
export interface Palette {
  paper: Colour;
  ink: Colour;
  soft: Colour;
}

/** A run of a strip's text. */
export interface FigureRun {
  text: string;
  colour: Colour;
  /** Behind the text; null for none. */
  heat: Colour | null;
  /** Under the text, for the example's own token; null for others. */
  line: Colour | null;
}

/** A stretch of one line of a strip. */
interface Span extends FigureRun {
  /** Columns before it. */
  column: number;
  /** Columns it takes. */
  width: number;
}

/** Font of corpus text and numbers; the last name is one that every program has. */
const MONO = "ui-monospace, 'SF Mono', 'Cascadia Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace";
const SANS = "ui-sans-serif, system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif";
const SIZE = 13;
/** Width of a column: fonts of one width advance by six tenths of their size. */
const COLUMN = 0.6 * SIZE;
const LINE = 21;
const SMALL_LINE = 15;
const PAD = 14;
const TAB = 4;

/** `text` for the inside of an SVG element or attribute; what XML cannot hold becomes U+FFFD. */
export function xml(text: string): string {
  const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  return text
    .replace(/\p{Surrogate}/gu, "\ufffd")
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "\ufffd")
    .replace(/[&<>"']/g, (sign) => entities[sign] ?? sign);
}

/** Columns that a character takes in a font of one width. */
export function columnsOf(character: string): number {
  const code = character.codePointAt(0) ?? 0;
  if (/\p{Mn}|\p{Me}|\u200d|[\ufe00-\ufe0f]/u.test(character)) return 0;
  const isWide =
    /\p{Emoji_Presentation}/u.test(character) ||
    (code >= 0x1100 && code <= 0x115f) ||
    (code >= 0x2e80 && code <= 0xa4cf) ||
    (code >= 0xac00 && code <= 0xd7a3) ||
    (code >= 0xf900 && code <= 0xfaff) ||
    (code >= 0xfe30 && code <= 0xfe6f) ||
    (code >= 0xff00 && code <= 0xff60) ||
    (code >= 0xffe0 && code <= 0xffe6) ||
    (code >= 0x20000 && code <= 0x3fffd);
  return isWide ? 2 : 1;
}

/** `runs` broken into lines of at most `columns`, at newlines and where a line is full. */
export function layOut(runs: readonly FigureRun[], columns: number): Span[][] {
  let line: Span[] = [];
  const lines = [line];
  let column = 0;
  const turn = () => {
    line = [];
    lines.push(line);
    column = 0;
  };
  for (const run of runs) {
    // A token begins a run of its own even beside one of the same colours.
    let first = true;
    for (const character of run.text) {
      if (character === "\n") {
        turn();
        continue;
      }
      const width = character === "\t" ? TAB - (column % TAB) : columnsOf(character);
      if (column + width > columns) turn();
      const text = character === "\t" ? " ".repeat(width) : character;
      const last = line.at(-1);
      // A mark belongs to the character before it, whichever token that is of.
      const stands = last === undefined || (first && width > 0);
      if (stands) line.push({ ...run, text, column, width });
      else {
        last.text += text;
        last.width += width;
      }
      first = first && width === 0;
      column += width;
    }
  }
  return lines;
}

/** What is written around a strip. */
export interface StripCaption {
  /** Above it, "" for nothing. */
  title: string;
  /** Lines below it. */
  source: string[];
}

const COLUMNS = 84;

/** A strip as a picture that needs nothing else: text stays text, every run keeps its width in any font. */
export function stripSvg(runs: readonly FigureRun[], caption: StripCaption, palette: Palette): string {
  const lines = layOut(runs, COLUMNS);
  const top = caption.title === "" ? PAD : PAD + LINE + 4;
  const width = Math.ceil(COLUMNS * COLUMN + 2 * PAD);
  const end = top + lines.length * LINE + LINE;
  const height = Math.ceil(end + caption.source.length * SMALL_LINE);
  const body = lines.map((line, at) => line.map((span) => spanSvg(span, top + at * LINE)).join("")).join("\n");
  const title = caption.title === "" ? "" : label(PAD, PAD + 13, caption.title, palette.ink, 14);
  return frame(width, height, palette, `${title}\n${body}\n${captionSvg(caption, end, palette)}`);
}

function captionSvg({ source }: StripCaption, top: number, palette: Palette): string {
  return source.map((line, at) => label(PAD, top + at * SMALL_LINE, line, palette.soft, 11)).join("\n");
}

function spanSvg({ text, colour, heat, line, column, width: columns }: Span, top: number): string {
  const [x, width] = [round(PAD + column * COLUMN), round(columns * COLUMN)];
  const box = (y: number, height: number, fill: Colour) =>
    `<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="1.5" ${paint(fill)}/>`;
  const back = heat === null || width === 0 ? "" : box(top + 1, LINE - 3, heat);
  const under = line === null || width === 0 ? "" : box(top + LINE - 4, 2, line);
  if (text.trim() === "") return back + under;
  const size = width === 0 ? "" : `textLength="${width}" lengthAdjust="spacingAndGlyphs" `;
  const fixed = `${size}xml:space="preserve"`;
  return `${back}${under}<text x="${x}" y="${top + 15}" ${fixed} font-family="${MONO}" font-size="${SIZE}" ${paint(colour)}>${xml(text)}</text>`;
}

/** A bar of a histogram, in the units of the picture it was taken from. */
export interface FigureBar {
  x: number;
  y: number;
  width: number;
  height: number;
  colour: Colour;
}

/** A histogram as the page draws it. */
export interface Histogram extends StripCaption {
  /** Size of the picture the bars were taken from. */
  width: number;
  height: number;
  bars: FigureBar[];
  /** Values along the axis, each at its share of the width. */
  ticks: { text: string; at: number }[];
  /** What is along the axis and what is counted. */
  axis: string;
}

const CHART_WIDTH = 480;
const CHART_HEIGHT = 150;

/** A histogram as a picture that needs nothing else. */
export function histogramSvg(histogram: Histogram, palette: Palette): string {
  const { bars, ticks, axis, title, source } = histogram;
  const top = title === "" ? PAD : PAD + LINE + 4;
  const [across, up] = [CHART_WIDTH / (histogram.width || 1), CHART_HEIGHT / (histogram.height || 1)];
  const drawn = bars.map(
    ({ x, y, width, height, colour }) =>
      `<rect x="${round(PAD + x * across)}" y="${round(top + y * up)}" width="${round(width * across)}" height="${round(height * up)}" ${paint(colour)}/>`,
  );
  const base = top + CHART_HEIGHT;
  const marks = ticks.map(({ text, at }) => {
    const anchor = at === 0 ? "start" : at === 1 ? "end" : "middle";
    return label(PAD + CHART_WIDTH * at, base + 15, text, palette.soft, 11, MONO, anchor);
  });
  const body = [
    title === "" ? "" : label(PAD, PAD + 13, title, palette.ink, 14),
    ...drawn,
    `<path d="M${PAD} ${base + 0.5}H${PAD + CHART_WIDTH}" fill="none" stroke="${palette.soft.hex}"/>`,
    ...marks,
    label(PAD + CHART_WIDTH / 2, base + 30, axis, palette.soft, 11, SANS, "middle"),
    captionSvg({ title, source }, base + 48, palette),
  ];
  const height = base + 48 + source.length * SMALL_LINE;
  return frame(CHART_WIDTH + 2 * PAD, height, palette, body.join("\n"));
}

function label(x: number, y: number, text: string, fill: Colour, size: number, font = SANS, anchor = "start"): string {
  const where = anchor === "start" ? "" : ` text-anchor="${anchor}"`;
  return `<text x="${round(x)}" y="${round(y)}"${where} font-family="${font}" font-size="${size}" ${paint(fill)}>${xml(text)}</text>`;
}

function frame(width: number, height: number, palette: Palette, body: string): string {
  const start = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">`;
  // A browser prints it on a page of its own size: a PDF for papers, without another program.
  const sheet = `<style>@page { size: ${width}px ${height}px; margin: 0; }</style>`;
  return `${start}\n${sheet}\n<rect width="${width}" height="${height}" ${paint(palette.paper)}/>\n${body}\n</svg>\n`;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

/** Alpha as an attribute of its own: not every program reads `rgba()`. */
function paint({ hex, alpha }: Colour): string {
  return alpha === 1 ? `fill="${hex}"` : `fill="${hex}" fill-opacity="${round(alpha)}"`;
}

/** A computed colour (`rgb(…)`, `rgba(…)`, `color(srgb …)`); null for one that cannot be seen or read. */
export function readColour(computed: string): Colour | null {
  const parts = /^(rgba?|color)\((?:srgb )?([\d.e+-]+)[, ]+([\d.e+-]+)[, ]+([\d.e+-]+)(?:[, /]+([\d.e+-]+%?))?\)$/.exec(computed);
  if (parts === null) return null;
  const scale = parts[1] === "color" ? 255 : 1;
  const channel = (text = "0") => Math.max(0, Math.min(255, Math.round(Number(text) * scale)));
  const [red, green, blue] = [channel(parts[2]), channel(parts[3]), channel(parts[4])];
  const alpha = parts[5] === undefined ? 1 : Number.parseFloat(parts[5]) / (parts[5].endsWith("%") ? 100 : 1);
  const hex = `#${[red, green, blue].map((value) => value.toString(16).padStart(2, "0")).join("")}`;
  return alpha > 0 ? { hex, alpha: Math.min(1, alpha) } : null;
}
