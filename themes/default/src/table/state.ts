import type { ViewState } from "../core/state.ts";
import type { TableColumn } from "../payloads.ts";
import { orderText, parseOrder } from "./sort.ts";
import type { Order } from "./sort.ts";

/** Everything about the table's view that its address says. */
export interface TableView {
  /** Typed filter. */
  filter: string;
  order: Order;
  /** Names of the columns shown, in order; null is the default choice. */
  columns: string[] | null;
}

/** Columns of text, which every table has. */
export const TEXT_COLUMNS = ["explanation", "tokens"];

/** Columns that say most about a feature, shown at first where the dataset has them. */
const TELLING = ["activation_density", "max_activation", "score", "cluster"];

/** The view that an address says. */
export function viewOf({ f = "", sort = "", cols }: ViewState): TableView {
  return {
    filter: f,
    order: parseOrder(sort),
    columns: cols === undefined ? null : [...new Set(cols.split(","))].filter((name) => name !== ""),
  };
}

/** The address parameters of a view. */
export function stateOf({ filter, order, columns }: TableView): ViewState {
  // A comma alone is "no columns": empty values are left out of addresses.
  return { f: filter, sort: orderText(order), cols: columns === null ? "" : columns.join(",") || "," };
}

/** Names of the columns to show, in their order; one that the table is sorted by is always among them. */
export function shownColumns(columns: readonly TableColumn[], { columns: chosen, order }: TableView): string[] {
  const known = new Set([...TEXT_COLUMNS, ...columns.map(({ name }) => name)]);
  const shown = (chosen ?? firstColumns(columns)).filter((name) => known.has(name));
  return shown.includes(order.by) || !known.has(order.by) ? shown : [...shown, order.by];
}

/** Names of the few columns shown before anyone has chosen. */
export function firstColumns(columns: readonly TableColumn[]): string[] {
  const names = columns.filter(({ counts }) => counts.length > 0).map(({ name }) => name);
  const telling = TELLING.filter((name) => names.includes(name));
  return [...TEXT_COLUMNS, ...(telling.length > 0 ? telling : names.slice(0, TELLING.length))];
}

/** `shown` with `name` at its end, or without it. */
export function toggled(shown: readonly string[], name: string): string[] {
  return shown.includes(name) ? shown.filter((other) => other !== name) : [...shown, name];
}

/** `shown` with `name` moved `by` places; it stops at the ends. */
export function moved(shown: readonly string[], name: string, by: number): string[] {
  const from = shown.indexOf(name);
  const to = from + by;
  if (from < 0 || to < 0 || to >= shown.length) return [...shown];
  const others = shown.filter((other) => other !== name);
  return [...others.slice(0, to), name, ...others.slice(to)];
}
