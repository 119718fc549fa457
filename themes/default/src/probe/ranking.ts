import type { TextActivations } from "../model/client.ts";
import type { Order } from "../table/sort.ts";
import type { Scored } from "./aggregate.ts";
import type { Analysis } from "./analysis.ts";
import { grouped } from "./groups.ts";
import type { Group } from "./groups.ts";
import type { TextView } from "./view.ts";

/** What a ranking needs to know of features besides their activations; NaN where unknown. */
export interface Known {
  value: (column: string, feature: number) => number;
}

/** Names of the dataset's columns that a ranking uses. */
export const DENSITY = "activation_density";
export const LARGEST = "max_activation";
export const CLUSTER = "cluster";

/** The features that fire on the tokens looked at. */
export interface Ranking {
  groups: Group[];
  /** Features listed, in all groups. */
  count: number;
  /** Features that fire, but more often than asked for. */
  denser: number;
  /** Tokens looked at. */
  tokens: number;
}

/** The features that fire on the pieces `looked` at (none is the whole text), as `view` asks for them. */
export function rank(analysis: Analysis, view: TextView, looked: readonly number[], known: Known): Ranking {
  const { features, tokens } = analysis.firingOn(view, looked);
  const kept = features.filter(({ feature }) => !isDenser(feature, view, known));
  const sorted = kept.sort(comparing(view.order, known));
  const keyOf = (one: Scored) =>
    view.grouping === "token" ? analysis.pieceOf(one.token) : clusterOf(known.value(CLUSTER, one.feature));
  return {
    groups: grouped(sorted, view.grouping, keyOf),
    count: kept.length,
    denser: features.length - kept.length,
    tokens,
  };
}

/** Whether `feature` fires on more of the corpus than `view` lists; of unknown density it is listed. */
export function isDenser(feature: number, { densest }: TextView, known: Known): boolean {
  return densest < 1 && known.value(DENSITY, feature) > densest;
}

/** Number of the piece that each token is in. */
export function piecesOf({ ids, pieces }: Pick<TextActivations, "ids" | "pieces">): Int32Array {
  const found = new Int32Array(ids.length).fill(-1);
  pieces.forEach(({ start, stop }, at) => found.fill(at, start, stop));
  return found;
}

/** The share that the largest activation has of the largest of the corpus; NaN where that is unknown. */
export function shareOf({ feature, largest }: Scored, known: Known): number {
  return largest / known.value(LARGEST, feature);
}

function clusterOf(value: number): number {
  return value >= 0 ? value : -1;
}

function comparing({ by, descending }: Order, known: Known): (a: Scored, b: Scored) => number {
  const key = (one: Scored): number => {
    if (by === "feature") return one.feature;
    if (by === "share") return shareOf(one, known);
    return by === "density" ? known.value(DENSITY, one.feature) : one.value;
  };
  const sign = descending ? -1 : 1;
  return (a, b) => {
    const [left, right] = [key(a), key(b)];
    // What is unknown comes last either way.
    if (Number.isNaN(left) || Number.isNaN(right)) return Number(Number.isNaN(left)) - Number(Number.isNaN(right)) || a.feature - b.feature;
    return sign * (left - right) || a.feature - b.feature;
  };
}
