import type { Order } from "../table/sort.ts";
import { benjaminiHochberg } from "./adjust.ts";
import type { Comparison } from "./compare.ts";
import type { Permutation } from "./permute.ts";
import type { Shown } from "./state.ts";

/** One feature of a comparison. */
export interface Row {
  feature: number;
  /** Share of the corpus' tokens on which it fires; NaN where unknown. */
  density: number;
  a: number;
  b: number;
  difference: number;
  /** Texts of either side in which it fires. */
  firesA: number;
  firesB: number;
  peak: string;
  /** NaN where nothing was tested. */
  p: number;
  q: number;
}

/** Numbers of the features by number; null where the dataset has none. */
export interface Known {
  densities: Float64Array | null;
  /** Largest activations that values are divided by; null leaves them in activation. */
  maxima: Float64Array | null;
}

/** The features of a comparison, no denser than `densest`; their q-values count these features as the tests made. */
export function rowsOf(
  comparison: Comparison,
  { densities, maxima }: Known,
  densest: number,
  permutation: Permutation | null,
): Row[] {
  // What never fired in the corpus has no largest activation to be a share of.
  const unitOf = (feature: number) => (maxima === null ? 1 : maxima[feature] || Number.NaN);
  const rows = Array.from(comparison.features, (feature, at): Row => ({
    feature,
    density: densities?.[feature] ?? Number.NaN,
    a: (comparison.a[at] ?? 0) / unitOf(feature),
    b: (comparison.b[at] ?? 0) / unitOf(feature),
    difference: (comparison.difference[at] ?? 0) / unitOf(feature),
    firesA: comparison.firesA[at] ?? 0,
    firesB: comparison.firesB[at] ?? 0,
    peak: comparison.peak[at] ?? "",
    p: permutation?.p[at] ?? Number.NaN,
    q: Number.NaN,
  })).filter(({ density }) => !(density > densest));
  if (permutation === null) return rows;
  const q = benjaminiHochberg(Float64Array.from(rows, ({ p }) => p));
  return rows.map((row, at) => ({ ...row, q: q[at] ?? Number.NaN }));
}

/** The side on which alone a feature fires; "" for both. */
export function onlyOn({ firesA, firesB }: Row): "" | "a" | "b" {
  if (firesB === 0) return "a";
  return firesA === 0 ? "b" : "";
}

/** Those of `rows` that `show` asks for. */
export function shownRows(rows: readonly Row[], show: Shown): Row[] {
  const tests: Record<Shown, (row: Row) => boolean> = {
    all: () => true,
    a: ({ difference }) => difference > 0,
    b: ({ difference }) => difference < 0,
    "only-a": (row) => onlyOn(row) === "a",
    "only-b": (row) => onlyOn(row) === "b",
  };
  return rows.filter(tests[show]);
}

const KEYS: Readonly<Record<string, (row: Row) => number>> = {
  size: ({ difference }) => Math.abs(difference),
  difference: ({ difference }) => difference,
  feature: ({ feature }) => feature,
  density: ({ density }) => density,
  a: ({ a }) => a,
  b: ({ b }) => b,
  p: ({ p }) => p,
};

/** `rows` in `order`; those without a value come last either way, ties by the size of the difference, then by number. */
export function sortedRows(rows: readonly Row[], { by, descending }: Order): Row[] {
  const sign = descending ? -1 : 1;
  const key = KEYS[by] ?? (() => Number.NaN);
  return [...rows].sort((one, other) => {
    const [x, y] = [key(one), key(other)];
    const missing = Number(Number.isNaN(x)) - Number(Number.isNaN(y));
    const ties = Math.abs(other.difference) - Math.abs(one.difference) || one.feature - other.feature;
    return missing || (Number.isNaN(x) ? 0 : sign * (x - y)) || ties;
  });
}
