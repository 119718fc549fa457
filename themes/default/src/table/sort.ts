import type { TableData } from "./data.ts";
import { TITLES } from "./data.ts";

/** What a table is sorted by. */
export interface Order {
  /** `feature`, `explanation`, or the name of a column. */
  by: string;
  descending: boolean;
}

/** The order a table opens with. */
export const NATURAL: Order = { by: "feature", descending: false };

/** `-max_activation` as an `Order`; "" is `NATURAL`. */
export function parseOrder(text: string): Order {
  if (text === "") return NATURAL;
  return text.startsWith("-") ? { by: text.slice(1), descending: true } : { by: text, descending: false };
}

/** The inverse of `parseOrder`. */
export function orderText({ by, descending }: Order): string {
  if (by === NATURAL.by && descending === NATURAL.descending) return "";
  return descending ? `-${by}` : by;
}

/** The order after a click on the heading of `by`: numbers start with the largest, text and ids with the smallest. */
export function clickOrder(current: Order, by: string): Order {
  if (current.by === by) return { by, descending: !current.descending };
  return { by, descending: by !== "feature" && by !== "explanation" };
}

/** What must have arrived of all rows before they can be sorted. */
export function neededForOrder(data: TableData, { by }: Order): string[] {
  if (by === "explanation") return [TITLES];
  return data.column(by) === undefined ? [] : [by];
}

/** `rows` in `order`; rows without a value come last either way, ties by feature number. */
export function sortRows(data: TableData, rows: Uint32Array, { by, descending }: Order): Uint32Array {
  if (by === "feature") return descending ? rows.slice().sort().reverse() : rows.slice().sort();
  if (by === "explanation") return sortTexts(data, rows, descending);
  const values = data.valuesOf(by);
  if (values === undefined) return rows.slice();
  const sign = descending ? -1 : 1;
  return withLast(
    rows,
    (feature) => Number.isNaN(values[feature] ?? Number.NaN),
    (a, b) => sign * ((values[a] ?? 0) - (values[b] ?? 0)) || a - b,
  );
}

function sortTexts(data: TableData, rows: Uint32Array, descending: boolean): Uint32Array {
  const { compare } = new Intl.Collator("en");
  const sign = descending ? -1 : 1;
  return withLast(
    rows,
    (feature) => data.explanation(feature) === "",
    (a, b) => sign * compare(data.explanation(a), data.explanation(b)) || a - b,
  );
}

/** Sorts those of `rows` that are not `missing`; the missing follow by feature number. */
function withLast(
  rows: Uint32Array,
  missing: (feature: number) => boolean,
  compare: (a: number, b: number) => number,
): Uint32Array {
  const present = rows.filter((feature) => !missing(feature)).sort(compare);
  const sorted = new Uint32Array(rows.length);
  sorted.set(present);
  sorted.set(rows.filter(missing).sort(), present.length);
  return sorted;
}
