import type { TableData } from "./data.ts";

/** What a table is sorted by. */
export interface Order {
  /** `feature`, `explanation`, or the name of a scalar column. */
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

/** `rows` in `order`; rows without a value come last either way, ties by feature number. */
export function sortRows(data: TableData, rows: readonly number[], { by, descending }: Order): number[] {
  const sign = descending ? -1 : 1;
  if (by === "feature") return [...rows].sort((a, b) => sign * (a - b));
  if (by === "explanation") return sortTexts(data, rows, sign);
  const column = data.values[data.columns.findIndex(({ name }) => name === by)];
  if (column === undefined) return [...rows];
  return [...rows].sort((a, b) => {
    const left = column[a] ?? Number.NaN;
    const right = column[b] ?? Number.NaN;
    if (Number.isNaN(left) || Number.isNaN(right))
      return Number(Number.isNaN(left)) - Number(Number.isNaN(right)) || a - b;
    return sign * (left - right) || a - b;
  });
}

function sortTexts(data: TableData, rows: readonly number[], sign: number): number[] {
  const { compare } = new Intl.Collator("en");
  const text = (feature: number) => data.explanations[feature] ?? "";
  return [...rows].sort((a, b) => {
    const left = text(a);
    const right = text(b);
    if (left === "" || right === "") return Number(left === "") - Number(right === "") || a - b;
    return sign * compare(left, right) || a - b;
  });
}
