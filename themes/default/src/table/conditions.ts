// The filter field is the one place where conditions are written; histograms and number fields edit its text.
import { parseQuery, piecesOf, writeComparison } from "../core/query.ts";
import type { Comparison } from "../core/query.ts";
import type { TableData } from "./data.ts";

/** The values of a column that a filter lets through; null is no bound. */
export interface Range {
  low: Comparison | null;
  high: Comparison | null;
}

/** No bounds. */
export const EVERYTHING: Range = { low: null, high: null };

/** The tightest bounds that `typed` sets to the column called `name`; `=` is both. */
export function rangeOf(data: TableData, typed: string, name: string): Range {
  const range: Range = { ...EVERYTHING };
  for (const comparison of comparisonsOf(data, typed, name)) {
    const { operator, value } = comparison;
    const isLow = operator !== "<" && operator !== "<=";
    const isHigh = operator !== ">" && operator !== ">=";
    if (isLow && value >= (range.low?.value ?? -Infinity)) range.low = comparison;
    if (isHigh && value <= (range.high?.value ?? Infinity)) range.high = comparison;
  }
  return range;
}

function comparisonsOf(data: TableData, typed: string, name: string): Comparison[] {
  return parseQuery(typed).comparisons.filter(({ column }) => data.meant(column)?.name === name);
}

/** `typed` with its conditions on the column called `name` replaced by `comparisons`. */
export function withComparisons(
  data: TableData,
  typed: string,
  name: string,
  comparisons: readonly Comparison[],
): string {
  const kept = piecesOf(typed).filter((piece) => comparisonsOf(data, piece, name).length === 0);
  return [...kept, ...comparisons.map(writeComparison)].join(" ");
}

/** `typed` with the bounds of the column called `name` replaced by `range`. */
export function withRange(data: TableData, typed: string, name: string, { low, high }: Range): string {
  const both = low !== null && low === high ? [low] : [low, high].filter((bound) => bound !== null);
  return withComparisons(
    data,
    typed,
    name,
    both.map((bound) => ({ ...bound, column: name })),
  );
}

/** A bound as a number field says it: "" is none, anything that is no number is undefined. */
export function boundOf(typed: string, name: string, operator: ">=" | "<="): Comparison | null | undefined {
  const text = typed.trim();
  if (text === "") return null;
  const value = Number(text);
  return Number.isFinite(value) ? { column: name, operator, value } : undefined;
}

/** `typed` without its piece number `at` (see `piecesOf`). */
export function withoutPiece(typed: string, at: number): string {
  return piecesOf(typed)
    .filter((_, number) => number !== at)
    .join(" ");
}
