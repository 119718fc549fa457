import { compareAs } from "../core/columns.ts";
import { columnsAsked, conditionsOf, holds, parseQuery, unknownFlags } from "../core/query.ts";
import type { Condition } from "../core/query.ts";
import type { TableData } from "./data.ts";
import { TITLES } from "./data.ts";

/** Rows that pass a filter. */
export interface Filtered {
  /** Feature numbers, ascending. */
  rows: Uint32Array;
  /** What was typed and means nothing here: names of columns, `is:` words. */
  unknown: string[];
}

type Test = (feature: number) => boolean;

/** What must have arrived of all rows before `typed` can be answered. */
export function neededForFilter(data: TableData, typed: string): string[] {
  const query = parseQuery(typed);
  const asked = columnsAsked(conditionsOf(query)).flatMap((column) => data.meant(column)?.name ?? []);
  const reads = query.words.length + query.tokens.length > 0;
  return [...new Set(reads ? [...asked, TITLES] : asked)];
}

/** The rows of `data` that pass `typed` (the words and conditions of `parseQuery`); `sae` is the slug of the table's own. */
export function filterRows(data: TableData, typed: string, sae = ""): Filtered {
  const query = parseQuery(typed);
  const tests: Test[] = query.words.map(
    (word) => (feature) => feature === query.feature || data.text(feature).includes(word),
  );
  for (const token of query.tokens) tests.push((feature) => data.tokens(feature).includes(token));
  const unknown = unknownFlags(query).map((flag) => `is:${flag}`);
  for (const condition of conditionsOf(query)) {
    const strange = condition.all.filter(({ column }) => data.meant(column) === undefined);
    if (strange.length === 0) tests.push(testOf(data, condition));
    else unknown.push(...strange.map(({ column }) => column));
  }
  if (query.saes.length > 0 && !query.saes.includes(sae)) tests.push(() => false);
  const rows = new Uint32Array(data.size);
  let count = 0;
  for (let feature = 0; feature < data.size; feature++) {
    if (tests.every((test) => test(feature))) rows[count++] = feature;
  }
  return { rows: rows.slice(0, count), unknown };
}

/** Bounds are rounded as the column's values are: 0.1 is not exactly any float32. */
function testOf(data: TableData, condition: Condition): Test {
  const names = new Map(columnsAsked([condition]).map((typed) => [typed, data.meant(typed)] as const));
  const all = condition.all.map((comparison) => {
    const column = names.get(comparison.column);
    return column === undefined ? comparison : { ...comparison, value: compareAs(column, comparison.value) };
  });
  const exact = { ...condition, all };
  return (feature) => holds(exact, (typed) => data.value(names.get(typed)?.name ?? "", feature));
}
