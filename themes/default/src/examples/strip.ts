import type { Example } from "../payloads.ts";
import { isBidi } from "../core/text.ts";
import type { Context } from "./range.ts";

/** How one piece of a strip is coloured, and the number behind that. */
export interface Paint {
  /** Class of its colour; "" leaves it as it is. */
  css: string;
  value: number;
}

/** A stretch of a strip: one piece that stands alone, or all the text between two of them. */
export interface Run {
  text: string;
  /** How the piece is coloured; null for text with nothing to tell. */
  paint: Paint | null;
  /** The example's own piece. */
  peak: boolean;
  /** Whether it needs an element of its own. */
  alone: boolean;
}

const HEAT_STEPS = 9;
const STRONGEST = 255;
const LOSS_STEPS = 5;

/** Heat class of a strength of 1..255; 0 for none. */
export function heatStep(strength: number): number {
  return Math.min(HEAT_STEPS, Math.ceil((HEAT_STEPS * strength) / STRONGEST));
}

/** Colours of the pieces that fired, and of the example's own one, by place in the window. `max` is full heat. */
export function heatPaints({ heat, peak, activation }: Example, max: number): Map<number, Paint> {
  const paints = new Map<number, Paint>([[peak, { css: "", value: activation }]]);
  for (let at = 0; at + 1 < heat.length; at += 2) {
    const [place, strength] = [heat[at] ?? 0, heat[at + 1] ?? 0];
    const value = place === peak ? activation : (max * strength) / STRONGEST;
    if (strength > 0) paints.set(place, { css: `a${heatStep(strength)}`, value });
  }
  return paints;
}

/** Class of a loss effect: helps1..5 or hurts1..5, linear up to `scale`; "" near zero. */
export function lossClass(effect: number, scale: number): string {
  const step = scale > 0 ? Math.min(LOSS_STEPS, Math.round((LOSS_STEPS * Math.abs(effect)) / scale)) : 0;
  if (step === 0) return "";
  return `${effect > 0 ? "helps" : "hurts"}${step}`;
}

/** Colours of the pieces whose loss effect is known, by place in the window. `scale` is the strongest colour. */
export function lossPaints(effects: readonly (number | null)[], scale: number): Map<number, Paint> {
  const paints = new Map<number, Paint>();
  for (const [place, value] of effects.entries()) {
    if (value !== null) paints.set(place, { css: lossClass(value, scale), value });
  }
  return paints;
}

/** Pieces [start, stop) of the window as runs; `texts` is the shard's table of pieces. */
export function stripRuns(
  { pieces, peak: own }: Example,
  texts: readonly string[],
  paints: ReadonlyMap<number, Paint>,
  [start, stop]: readonly [number, number],
): Run[] {
  const shown = pieces.slice(start, stop).map((piece) => texts[piece] ?? "");
  // Next to right-to-left text every piece is isolated, so that none moves its neighbours.
  const isolate = isBidi(shown.join(""));
  const runs: Run[] = [];
  for (const [offset, text] of shown.entries()) {
    const at = start + offset;
    const paint = paints.get(at) ?? null;
    const peak = at === own;
    const alone = isolate || peak || paint !== null;
    const last = runs.at(-1);
    if (!alone && last?.alone === false) last.text += text;
    else runs.push({ text, paint, peak, alone });
  }
  return runs;
}

/**
 * `runs` without the white space at their ends: in a sentence all of it, in a short context empty lines. The example's
 * own piece stays as it is, and so does a whole window.
 */
export function trimmed(runs: readonly Run[], context: Context): Run[] {
  if (context === "full") return [...runs];
  const start = context === "sentence" ? /^\s+/ : /^\s*\n/;
  const rest = [...runs];
  trimEnd(rest, 0, start);
  trimEnd(rest, -1, context === "sentence" ? /\s+$/ : /\n\s*$/);
  return rest;
}

/** Cuts `space` off the run at the end `at` (0 or -1), and takes runs away that were nothing else. */
function trimEnd(runs: Run[], at: 0 | -1, space: RegExp): void {
  for (let run = runs.at(at); run !== undefined && !run.peak; run = runs.at(at)) {
    const text = run.text.replace(space, "");
    if (text !== "") {
      runs.splice(at, 1, { ...run, text });
      return;
    }
    runs.splice(at, 1);
  }
}

/** The text of pieces [start, stop) as it stands in the corpus. */
export function windowText(
  { pieces }: Example,
  texts: readonly string[],
  [start, stop]: readonly [number, number],
): string {
  return pieces
    .slice(start, stop)
    .map((piece) => texts[piece] ?? "")
    .join("");
}
