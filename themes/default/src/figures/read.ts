import { loadSite } from "../core/data.ts";
import { page } from "../core/page.ts";
import { inlineText } from "../core/text.ts";
import { readColour } from "./svg.ts";
import type { Colour, FigureBar, FigureRun, Histogram, Palette } from "./svg.ts";

/** `data-at` of a tick is in thousandths of the width. */
const THOUSAND = 1000;
const BLACK: Colour = { hex: "#000000", alpha: 1 };

/** Runs `read` while the page has the light colours, which are made for paper; nothing is painted in between. */
export function inLight<Result>(read: () => Result): Result {
  const { dataset } = document.documentElement;
  const theme = dataset["theme"];
  dataset["theme"] = "light";
  try {
    return read();
  } finally {
    if (theme === undefined) delete dataset["theme"];
    else dataset["theme"] = theme;
  }
}

function colourOf(element: Element, property: string): Colour | null {
  return readColour(window.getComputedStyle(element).getPropertyValue(property));
}

/** The page's colours. */
export function readPalette(): Palette {
  const root = document.documentElement;
  const named = (name: string) => colourOf(root, `--atlas-${name}`) ?? BLACK;
  return { paper: named("card"), ink: named("ink"), soft: named("soft") };
}

/** A strip as it is shown: every stretch of text with its colours. */
export function readStrip(strip: Element): FigureRun[] {
  const runs: FigureRun[] = [];
  const walker = document.createTreeWalker(strip, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
    const text = node.nodeValue ?? "";
    const parent = node.parentElement ?? strip;
    const token = parent.closest(".token");
    const peak = parent.closest(".peak");
    if (text === "") continue;
    runs.push({
      text,
      colour: colourOf(parent, "color") ?? BLACK,
      heat: token === null ? null : colourOf(token, "background-color"),
      line: peak === null ? null : colourOf(peak, "text-decoration-color"),
    });
  }
  return runs;
}

/** A histogram as it is shown. */
export function readHistogram(figure: Element, title: string, source: string): Histogram | null {
  const picture = figure.querySelector("svg");
  if (picture === null) return null;
  const { width, height } = picture.viewBox.baseVal;
  const bars = [...picture.querySelectorAll("rect")].map((bar): FigureBar => {
    const at = (name: string) => Number(bar.getAttribute(name));
    const size = { x: at("x"), y: at("y"), width: at("width"), height: at("height") };
    return { ...size, colour: colourOf(bar, "fill") ?? BLACK };
  });
  const ticks = [...figure.querySelectorAll<HTMLElement>(".axis span")].map((tick) => ({
    text: tick.textContent?.trim() ?? "",
    at: Number(tick.dataset["at"] ?? 0) / THOUSAND,
  }));
  return { width, height, bars, ticks, axis: "", title, source: [source] };
}

/** Where the data is from: the feature, the atlas and its build. */
export async function sourceLine(): Promise<string> {
  const { sae, feature } = page();
  const { title, build_id } = await loadSite();
  return `${sae}/${feature ?? 0} · ${inlineText(title)} · build ${build_id}`;
}
