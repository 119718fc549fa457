import type { ReferenceRun } from "../payloads.ts";
import type { RunCheck } from "./client.ts";

/** How far a logit may be from the stored one, relative to max(1, |stored|): the last bits differ between machines. */
export const LOGIT_TOLERANCE = 1e-3;

/** Compares the tokens chosen here, and the logits of the last step, with those that the build stored. */
export function compareRun(run: ReferenceRun, tokens: readonly number[], logits: Float32Array): RunCheck {
  let largest = 0;
  for (const [id, stored] of run.logits) {
    const difference = Math.abs((logits[id] ?? NaN) - stored) / Math.max(1, Math.abs(stored));
    // Written so that what is no number counts as infinitely far.
    largest = difference <= largest ? largest : Number.isNaN(difference) ? Infinity : difference;
  }
  const same = tokens.length === run.new_tokens.length && run.new_tokens.every((id, at) => id === tokens[at]);
  return { name: run.name, match: same && largest <= LOGIT_TOLERANCE, largest };
}
