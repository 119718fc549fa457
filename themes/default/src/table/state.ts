import type { ColumnPayload } from "../payloads.ts";
import type { ViewState } from "../core/state.ts";
import { orderText, parseOrder } from "./sort.ts";
import type { Order } from "./sort.ts";

/** Everything about the table's view that its address says. */
export interface TableView {
  /** Typed filter. */
  filter: string;
  order: Order;
  /** Names of the scalar columns shown; null is the default choice. */
  columns: string[] | null;
}

/** Columns that say most about a feature, shown at first where the dataset has them. */
const TELLING = ["activation_density", "max_activation", "mean_activation"];

/** Columns shown at first; more than this needs sideways scrolling on most screens. */
const FIRST_COLUMNS = 3;

/** The view that an address says. */
export function viewOf({ f = "", sort = "", cols }: ViewState): TableView {
  return {
    filter: f,
    order: parseOrder(sort),
    columns: cols === undefined ? null : cols.split(",").filter((name) => name !== ""),
  };
}

/** The address parameters of a view. */
export function stateOf({ filter, order, columns }: TableView): ViewState {
  // A comma alone is "no columns": empty values are left out of addresses.
  return { f: filter, sort: orderText(order), cols: columns === null ? "" : columns.join(",") || "," };
}

/** Positions of the columns to show, in table order. */
export function shownColumns(
  columns: readonly ColumnPayload[],
  { columns: chosen, order }: TableView,
): number[] {
  const shown = chosen ?? firstColumns(columns);
  return columns.flatMap(({ name }, at) => (shown.includes(name) || name === order.by ? [at] : []));
}

/** Names of the few columns shown before anyone has chosen. */
export function firstColumns(columns: readonly ColumnPayload[]): string[] {
  const names = columns.map(({ name }) => name);
  const telling = TELLING.filter((name) => names.includes(name));
  return [...telling, ...names.filter((name) => !telling.includes(name))].slice(0, FIRST_COLUMNS);
}
