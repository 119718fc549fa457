import { percent } from "../core/numbers.ts";
import type { Bin } from "../panels/bars.ts";

/** Where an activation lies among a feature's firings, as its histogram tells. */
export interface Standing {
  /** Share of the firings that are weaker; within its own bin they count as spread evenly. */
  weaker: number;
  /** Share that is weaker for certain: the firings of the bins below. */
  least: number;
  /** Share that is not stronger for certain: those of its own bin too. */
  most: number;
}

/** The standing of an activation above 0 of a feature whose largest is `max`; null without a histogram. */
export function standingOf(bins: readonly Bin[], max: number, value: number): Standing | null {
  if (bins.length > 0 && value >= max) return { weaker: 1, least: 1, most: 1 };
  let [all, below, here, within] = [0, 0, 0, 0];
  for (const { lower, upper, count } of bins) {
    all += count;
    if (upper <= value) below += count;
    else if (lower < value) {
      here += count;
      within += (count * (value - lower)) / (upper - lower);
    }
  }
  if (all === 0) return null;
  return { weaker: (below + within) / all, least: below / all, most: (below + here) / all };
}

/** A standing in words: `stronger than 99.2 % of its firings`. */
export function tellStanding({ weaker, least, most }: Standing): string {
  if (least >= 1) return "at least as strong as every one of its firings in the corpus";
  if (most <= 0) return "weaker than every one of its firings in the corpus";
  return `stronger than ${share(weaker)} of its firings`;
}

/** How exact a standing is: a histogram knows no more than its bins. */
export function tellExactness({ least, most }: Standing): string {
  if (least === most) return "From its histogram, exactly.";
  return `From its histogram, exact to the width of a bin: between ${share(least)} and ${share(most)}.`;
}

/** Near the ends the digits that matter are those of the rest. */
function share(fraction: number): string {
  const rest = Math.min(fraction, 1 - fraction);
  if (rest <= 0 || fraction <= 0.5) return percent(fraction, 3);
  return percent(fraction, Math.min(7, Math.max(3, -Math.floor(Math.log10(rest)))));
}
