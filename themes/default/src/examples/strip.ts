import type { Example } from "../payloads.ts";
import { isBidi } from "../core/text.ts";

/** How much of a window is shown. */
export type Context = "short" | "full";

/** A stretch of a strip: one piece that stands alone, or all the cold text between two of them. */
export interface Run {
  text: string;
  /** Heat class 1..9, linear in the activation; 0 is none. */
  step: number;
  /** Activation; 0 for cold text. */
  value: number;
  /** The example's own piece. */
  peak: boolean;
  /** Whether it needs an element of its own. */
  alone: boolean;
}

const HEAT_STEPS = 9;
const STRONGEST = 255;
const SHORT_BEFORE = 12;
const SHORT_AFTER = 8;

/** Heat class of a strength of 1..255; 0 for none. */
export function heatStep(strength: number): number {
  return Math.min(HEAT_STEPS, Math.ceil((HEAT_STEPS * strength) / STRONGEST));
}

/** The pieces to show, as [first, one past the last]. */
export function contextRange(example: Example, context: Context): [number, number] {
  const count = example.pieces.length;
  if (context === "full") return [0, count];
  return [Math.max(0, example.peak - SHORT_BEFORE), Math.min(count, example.peak + SHORT_AFTER + 1)];
}

/** The window of `example` as runs, as atlas/render/strips.py cuts it; `texts` is the shard's table of pieces. */
export function stripRuns(example: Example, texts: readonly string[], max: number, context: Context): Run[] {
  const [start, stop] = contextRange(example, context);
  const pieces = example.pieces.slice(start, stop).map((piece) => texts[piece] ?? "");
  const strengths = strengthsOf(example);
  const isolate = isBidi(pieces.join(""));
  const runs: Run[] = [];
  for (const [offset, text] of pieces.entries()) {
    const at = start + offset;
    const strength = strengths.get(at) ?? 0;
    const peak = at === example.peak;
    const alone = isolate || peak || strength > 0;
    const value = peak ? example.activation : (max * strength) / STRONGEST;
    const last = runs.at(-1);
    if (!alone && last?.alone === false) last.text += text;
    else runs.push({ text, step: heatStep(strength), value: strength > 0 || peak ? value : 0, peak, alone });
  }
  return runs;
}

function strengthsOf({ heat }: Example): Map<number, number> {
  const strengths = new Map<number, number>();
  for (let at = 0; at + 1 < heat.length; at += 2) strengths.set(heat[at] ?? 0, heat[at + 1] ?? 0);
  return strengths;
}
