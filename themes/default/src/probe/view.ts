import type { Order } from "../table/sort.ts";
import type { Joining } from "./aggregate.ts";
import type { Grouping } from "./groups.ts";

/** What is shown of a text's features, and how. */
export interface TextView {
  joining: Joining;
  /** Largest density of the features listed; 1 lists all. */
  densest: number;
  /** Whether BOS counts where no token is locked. */
  bos: boolean;
  grouping: Grouping;
  /** By "value", "share", "density" or "feature". */
  order: Order;
  /** Numbers of the locked pieces, ascending; none means the whole text. */
  locks: readonly number[];
  /** Feature whose activation colours the text; null for the strongest one at each token. */
  feature: number | null;
}

/** How a text is shown first. */
export const PLAIN_TEXT: TextView = {
  joining: "max",
  // What fires almost everywhere would fill the top of every list.
  densest: 0.1,
  bos: false,
  grouping: "",
  order: { by: "value", descending: true },
  locks: [],
  feature: null,
};

export const JOININGS: readonly Joining[] = ["max", "sum", "mean"];
export const GROUPINGS: readonly Grouping[] = ["", "token", "cluster"];
export const DENSITIES: readonly number[] = [0.1, 0.01, 1];
export const COLUMNS: readonly string[] = ["feature", "value", "share", "density"];
