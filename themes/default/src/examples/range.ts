import type { Example } from "../payloads.ts";
import type { Reach } from "../feature/model.ts";

/** How much of a window is shown. */
export type Context = "short" | "sentence" | "full";

const SHORT_BEFORE = 12;
const SHORT_AFTER = 8;

/** The pieces to show of a window, as [first, one past the last]; `texts` is the shard's table of pieces. */
export function contextRange(example: Example, texts: readonly string[], context: Context): [number, number] {
  const count = example.pieces.length;
  if (context === "full") return [0, count];
  if (context === "sentence") return sentenceRange(example, texts);
  return [Math.max(0, example.peak - SHORT_BEFORE), Math.min(count, example.peak + SHORT_AFTER + 1)];
}

/** The pieces of the sentence around the example's own, as Unicode bounds them (UAX #29): at signs and line ends. */
function sentenceRange({ pieces, peak }: Example, texts: readonly string[]): [number, number] {
  const words = pieces.map((piece) => texts[piece] ?? "");
  const own = words[peak] ?? "";
  const before = words.slice(0, peak).join("").length;
  const found = own.search(/\S/);
  const place = before + Math.max(0, found);
  const segmenter = new Intl.Segmenter("en", { granularity: "sentence" });
  const sentence = segmenter.segment(words.join("")).containing(place);
  if (sentence === undefined) return [peak, peak + 1];
  // The space after a sentence is mostly a part of the next one's first token.
  const end = sentence.index + sentence.segment.replace(/[^\S\n]+$/, "").length;
  const [first, last] = coveringRange(words, sentence.index, end);
  return [Math.min(first, peak), Math.max(last, peak + 1)];
}

/** The pieces that hold a character of [from, to); `texts` joined is the whole. */
function coveringRange(texts: readonly string[], from: number, to: number): [number, number] {
  let [at, first, last] = [0, texts.length, 0];
  for (const [number, text] of texts.entries()) {
    const next = at + text.length;
    if (next > from && at < to) {
      first = Math.min(first, number);
      last = number + 1;
    }
    at = next;
  }
  return [first, last];
}

/** Where a window is shorter than the site keeps them, because its text begins or ends there. */
export interface Edges {
  /** "document", "context" (which may begin within one), or "" where the text goes on. */
  start: "" | "document" | "context";
  /** Whether the document, or the context it was read in, ends after the window. */
  end: boolean;
}

/** The edges of a window that reaches as far as `before` and `after` say, where there is so much text. */
export function edgesOf(
  { pieces, peak, position }: Example,
  texts: readonly string[],
  { before, after }: Reach,
): Edges {
  // Only pieces beyond ASCII may stand for several tokens; where there are such, nothing can be told from the count.
  const whole = (from: number, to: number) => pieces.slice(from, to).every((piece) => isAscii(texts[piece] ?? ""));
  const starts = peak < before && whole(0, peak);
  const begin = position === peak ? "context" : "document";
  return {
    start: starts ? begin : "",
    end: pieces.length - 1 - peak < after && whole(peak + 1, pieces.length),
  };
}

function isAscii(text: string): boolean {
  return !/[^\u0000-\u007f]/.test(text);
}
