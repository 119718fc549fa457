import { columnIndex, fulfils, parseQuery } from "../core/query.ts";
import type { TableData } from "./data.ts";

/** Rows that pass a filter. */
export interface Filtered {
  /** Feature numbers, ascending. */
  rows: number[];
  /** Column names that were typed but do not exist. */
  unknown: string[];
}

type Test = (feature: number) => boolean;

/** The rows of `data` that have arrived and pass `typed` (the words and conditions of `parseQuery`). */
export function filterRows(data: TableData, typed: string): Filtered {
  const { tests, unknown } = testsOf(data, typed);
  const rows: number[] = [];
  for (let feature = 0; feature < data.size; feature++) {
    if (data.has(feature) && tests.every((test) => test(feature))) rows.push(feature);
  }
  return { rows, unknown };
}

function testsOf(data: TableData, typed: string): { tests: Test[]; unknown: string[] } {
  const { words, tokens, comparisons, feature: number } = parseQuery(typed);
  const tests: Test[] = words.map(
    (word) => (feature) => feature === number || data.text(feature).includes(word),
  );
  for (const token of tokens) tests.push((feature) => data.tokens[feature]?.includes(token) ?? false);
  const unknown: string[] = [];
  const names = data.columns.map(({ name }) => name);
  for (const comparison of comparisons) {
    const at = columnIndex(names, comparison.column);
    if (at < 0) unknown.push(comparison.column);
    else tests.push((feature) => fulfils(data.value(at, feature), comparison));
  }
  return { tests, unknown };
}
