import type { ActivationCheck, ReferenceRun } from "../payloads.ts";
import type { RunCheck } from "./client.ts";

/** How far a logit or an activation may be from the stored one, relative to max(1, |stored|): the last bits differ between machines. */
export const TOLERANCE = 1e-3;

/** As many activations of a token does the build store, where so many fire. */
const STRONGEST = 8;

/** The larger of `largest` and of `difference` relative to max(1, |stored|); what is no number is infinitely far. */
function further(largest: number, difference: number, stored: number): number {
  const relative = difference / Math.max(1, Math.abs(stored));
  return relative <= largest ? largest : Number.isNaN(relative) ? Infinity : relative;
}

/** Compares the tokens chosen here, and the logits of the last step, with those that the build stored. */
export function compareRun(run: ReferenceRun, tokens: readonly number[], logits: Float32Array): RunCheck {
  let largest = 0;
  for (const [id, stored] of run.logits) {
    largest = further(largest, Math.abs((logits[id] ?? NaN) - stored), stored);
  }
  const same = tokens.length === run.new_tokens.length && run.new_tokens.every((id, at) => id === tokens[at]);
  return { name: run.name, match: same && largest <= TOLERANCE, largest };
}

/** What became of numbers that the build stored. */
export interface NumbersCheck {
  match: boolean;
  /** Largest |difference|, relative to max(1, |stored|). */
  largest: number;
}

/** Compares activations, rows of `width`, with the strongest ones that the build stored; nothing else may be stronger. */
export function compareActivations(check: ActivationCheck, values: Float32Array, width: number): NumbersCheck {
  let largest = values.length === check.ids.length * width ? 0 : Infinity;
  for (const [token, stored] of check.strongest.entries()) {
    const row = values.subarray(token * width, (token + 1) * width);
    for (const [feature, activation] of stored)
      largest = further(largest, Math.abs((row[feature] ?? NaN) - activation), activation);
    const least = stored.at(-1)?.[1];
    const known = new Set(stored.map(([feature]) => feature));
    // Where fewer are stored all are, and one at its threshold may fire here and not there.
    if (least === undefined || stored.length < STRONGEST) continue;
    for (const [feature, activation] of row.entries())
      if (!known.has(feature)) largest = further(largest, Math.max(0, activation - least), least);
  }
  return { match: largest <= TOLERANCE, largest };
}
