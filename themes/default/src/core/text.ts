// The display policy of atlas/text.py; both sides meet tests/support/text_cases.json.

/** Characters that change text without being seen, as inclusive ranges; shown as badges. */
export const INVISIBLE_RANGES: readonly (readonly [number, number])[] = [
  [0x0080, 0x009f],
  [0x00ad, 0x00ad],
  [0x034f, 0x034f],
  [0x061c, 0x061c],
  [0x115f, 0x1160],
  [0x17b4, 0x17b5],
  [0x180b, 0x180f],
  [0x200b, 0x200f],
  [0x2028, 0x202e],
  [0x2060, 0x206f],
  [0x2800, 0x2800],
  [0x3164, 0x3164],
  [0xfdd0, 0xfdef],
  [0xfe00, 0xfe0d],
  [0xfeff, 0xfeff],
  [0xffa0, 0xffa0],
  [0xfff0, 0xfffb],
  [0x1bca0, 0x1bca3],
  [0x1d173, 0x1d17a],
  [0xe0000, 0xe0fff],
];

/** Blocks of right-to-left scripts and all bidi controls, as inclusive ranges. */
export const RTL_RANGES: readonly (readonly [number, number])[] = [
  [0x0590, 0x08ff],
  [0x200e, 0x200f],
  [0x202a, 0x202e],
  [0x2066, 0x2069],
  [0xfb1d, 0xfdff],
  [0xfe70, 0xfefe],
  [0x10800, 0x10fff],
  [0x1e800, 0x1efff],
];

const CONTROL_PICTURES = 0x2400;
const DELETE_PICTURE = "\u2421";
const NEWLINE_MARK = "\u21b5";
const SPACE_MARK = "\u2423";
const REPLACEMENT = "\ufffd";

const NONCHARACTERS = Array.from({ length: 17 }, (_, plane) => {
  const last = plane * 0x10000 + 0xfffe;
  return [last, last + 1] as const;
});
const INVISIBLE = new RegExp(`[${characterClass([...INVISIBLE_RANGES, ...NONCHARACTERS])}]`, "gu");
const RTL = new RegExp(`[${characterClass(RTL_RANGES)}]`, "u");
const UNSHOWABLE = /[\u0000-\u001f\u007f]|\p{Surrogate}/gu;

function characterClass(ranges: readonly (readonly [number, number])[]): string {
  return ranges.map(([low, high]) => `\\u{${low.toString(16)}}-\\u{${high.toString(16)}}`).join("");
}

/** How `displayText` treats white space. */
export interface Shown {
  /** Leading and trailing spaces become ␣. */
  visibleSpaces?: boolean;
  /** A newline becomes ↵ and a line break, and a tab stays one: for preformatted blocks. */
  newlines?: boolean;
}

/** `text` with nothing hidden: control pictures, ↵ for a newline, U+FFFD for a lone surrogate. */
export function displayText(text: string, { visibleSpaces = false, newlines = false }: Shown = {}): string {
  const shown = text.replace(UNSHOWABLE, (character) => picture(character, newlines));
  if (!visibleSpaces) return shown;
  return shown.replace(/^ +| +$/g, (spaces) => SPACE_MARK.repeat(spaces.length));
}

function picture(character: string, newlines: boolean): string {
  const code = character.charCodeAt(0);
  if (code === 0x0a) return newlines ? `${NEWLINE_MARK}\n` : NEWLINE_MARK;
  if (code === 0x09 && newlines) return character;
  if (code === 0x7f) return DELETE_PICTURE;
  return code < 0x20 ? String.fromCharCode(CONTROL_PICTURES + code) : REPLACEMENT;
}

/** `text` cut into runs `["text", as it is]` and `["badge", "U+202E"]` for each invisible character. */
export function badges(text: string): ["text" | "badge", string][] {
  const runs: ["text" | "badge", string][] = [];
  let reached = 0;
  for (const match of text.matchAll(INVISIBLE)) {
    if (match.index > reached) runs.push(["text", text.slice(reached, match.index)]);
    runs.push(["badge", codePoint(match[0])]);
    reached = match.index + match[0].length;
  }
  if (reached < text.length) runs.push(["text", text.slice(reached)]);
  return runs;
}

/** `displayText` for places that hold no elements (titles, canvas): badges as `[U+202E]`. */
export function inlineText(text: string, shown: Shown = {}): string {
  return displayText(text, shown).replace(INVISIBLE, (character) => `[${codePoint(character)}]`);
}

/** Whether `text` holds a right-to-left character or a bidi control. */
export function isBidi(text: string): boolean {
  return RTL.test(text);
}

function codePoint(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
}
