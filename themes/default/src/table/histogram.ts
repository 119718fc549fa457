import type { TableColumn } from "../payloads.ts";
import type { TableData } from "./data.ts";
import { EVERYTHING } from "./conditions.ts";
import type { Range } from "./conditions.ts";

/** First and last bin of a stretch of a histogram. */
export type Bins = readonly [first: number, last: number];

/** Features of `rows` per bin of `column`. */
export function countIn(column: TableColumn, data: TableData, rows: Uint32Array): number[] {
  const counts = column.counts.map(() => 0);
  const values = data.valuesOf(column.name);
  if (values === undefined) return counts;
  for (const feature of rows) {
    const bin = binOf(column.edges, values[feature] ?? Number.NaN);
    if (bin >= 0) counts[bin] = (counts[bin] ?? 0) + 1;
  }
  return counts;
}

/** The bin [edges[i], edges[i + 1]) of `value`, the last one with its upper bound; -1 for none. */
export function binOf(edges: readonly number[], value: number): number {
  const last = edges.length - 2;
  if (last < 0 || !(value >= (edges[0] ?? 0)) || value > (edges[last + 1] ?? 0)) return -1;
  let [low, high] = [0, last];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (value >= (edges[middle] ?? 0)) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** The range that holds exactly `bins`; an end of the histogram is no bound. */
export function rangeOfBins({ name, edges }: TableColumn, [first, last]: Bins): Range {
  if (edges.length === 0) return EVERYTHING;
  const [low = 0, high = 0] = [edges[first], edges[last + 1]];
  return {
    low: first <= 0 ? null : { column: name, operator: ">=", value: low },
    high: last >= edges.length - 2 ? null : { column: name, operator: "<", value: high },
  };
}

/** The bins that hold a value within `range`; null where there is no bound or no such bin. */
export function binsOfRange({ edges }: TableColumn, { low, high }: Range): Bins | null {
  if ((low === null && high === null) || edges.length < 2) return null;
  const count = edges.length - 1;
  const fits = (bin: number) => {
    const [from = 0, to = 0] = [edges[bin], edges[bin + 1]];
    // A bin ends before its upper bound, but for the last one.
    const above = low === null || low.value < to || (bin === count - 1 && low.value === to);
    const below = high === null || (high.operator === "<" ? high.value > from : high.value >= from);
    return above && below;
  };
  const fitting = Array.from({ length: count }, (_, bin) => bin).filter(fits);
  const [first, last] = [fitting[0], fitting.at(-1)];
  return first === undefined || last === undefined ? null : [first, last];
}

/** The bin at `share` (0 … 1) of a histogram's width. */
export function binAt(share: number, bins: number): number {
  return Math.max(0, Math.min(bins - 1, Math.floor(share * bins)));
}

/** Height of a bar, 0 … 1: the square root of its share, so that a rare value is not invisible; 0 only for nothing. */
export function barHeight(count: number, most: number): number {
  return count <= 0 || most <= 0 ? 0 : Math.max(0.04, Math.sqrt(count / most));
}
