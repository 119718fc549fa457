import type { ViewState } from "../core/state.ts";
import { orderText, parseOrder } from "../table/sort.ts";
import type { Order } from "../table/sort.ts";
import type { Measure } from "./compare.ts";

/** Whether each side is one text, or a set of lines of which each is a text. */
export type Kind = "texts" | "lines";

/** Which features are listed: all, those stronger on one side, or those that fire on that side alone. */
export type Shown = "all" | "a" | "b" | "only-a" | "only-b";

/** What values are in: activation, or shares of each feature's largest activation in the corpus. */
export type Unit = "activation" | "share";

/** Everything about the view but the texts. */
export interface ContrastView {
  /** Slug of the SAE; "" for the first. */
  sae: string;
  kind: Kind;
  measure: Measure;
  /** Whether BOS counts. */
  bos: boolean;
  unit: Unit;
  show: Shown;
  /** Features that fire on a larger share of tokens are left out; 1 leaves out none. */
  densest: number;
  order: Order;
  /** Most relabellings of the permutation test. */
  relabellings: number;
  /** Rows shown. */
  rows: number;
}

/** The order a view opens with: by the size of the difference, whichever way it goes. */
export const BY_SIZE: Order = { by: "size", descending: true };

/** Densities that can be chosen as the largest. */
export const DENSITIES: readonly number[] = [1, 0.5, 0.1, 0.01, 0.001];

/** Numbers of relabellings that can be chosen. */
export const RELABELLINGS: readonly number[] = [9_999, 99_999];

/** Rows shown at first, and added at a time. */
export const ROWS = 50;

const MOST_ROWS = 100_000;
const MEASURES: readonly Measure[] = ["max", "mean", "sum"];
const SHOWN: readonly Shown[] = ["all", "a", "b", "only-a", "only-b"];
const ORDERS = ["size", "difference", "feature", "density", "a", "b", "p"];

/** The view that an address says; what it does not know counts as plain. */
export function readView(state: ViewState): ContrastView {
  const order = parseOrder(state["sort"] ?? "");
  const pick = <Value>(from: readonly Value[], wanted: unknown, plain: Value) =>
    from.find((value) => value === wanted) ?? plain;
  return {
    sae: state["sae"] ?? "",
    kind: pick<Kind>(["texts", "lines"], state["kind"], "texts"),
    measure: pick(MEASURES, state["by"], "max"),
    bos: state["bos"] === "1",
    unit: pick<Unit>(["activation", "share"], state["in"], "activation"),
    show: pick(SHOWN, state["show"], "all"),
    densest: pick(DENSITIES, Number(state["densest"] ?? 1), 1),
    order: (state["sort"] ?? "") !== "" && ORDERS.includes(order.by) ? order : BY_SIZE,
    relabellings: pick(RELABELLINGS, Number(state["relabellings"]), RELABELLINGS[0] ?? 0),
    rows: Math.max(ROWS, Math.min(MOST_ROWS, Math.floor(Number(state["rows"])) || ROWS)),
  };
}

/** `view` for the address: what is plain is left out. */
export function viewState(view: ContrastView): ViewState {
  const { order } = view;
  const unless = (plain: unknown, value: number | string) => (value === plain ? "" : String(value));
  return {
    sae: view.sae,
    kind: unless("texts", view.kind),
    by: unless("max", view.measure),
    bos: view.bos ? "1" : "",
    in: unless("activation", view.unit),
    show: unless("all", view.show),
    densest: unless(1, view.densest),
    sort: order.by === BY_SIZE.by && order.descending ? "" : orderText(order) || "feature",
    relabellings: unless(RELABELLINGS[0], view.relabellings),
    rows: unless(ROWS, view.rows),
  };
}

/** The order after a click on a heading. That of the difference goes round: either way, A first, B first. */
export function clickedOrder({ by, descending }: Order, clicked: string): Order {
  if (clicked === "difference") {
    if (by === "size") return { by: "difference", descending: true };
    return by === "difference" && descending ? { by: "difference", descending: false } : BY_SIZE;
  }
  if (by === clicked) return { by, descending: !descending };
  return { by: clicked, descending: clicked !== "feature" && clicked !== "p" };
}
