import type { ViewState } from "../core/state.ts";
import type { Context } from "../examples/range.ts";

/** What the colour of a strip means. */
export type Colouring = "activation" | "loss";

/** How an axis runs. */
export type Scale = "linear" | "log";

/** A list of tokens: those it fires on, and their neighbours in the text. */
export type TokenList = "on" | "before" | "after";

/** Every switch of the feature page. */
export interface View {
  /** Tab of examples: top, interval, random or counter. */
  tab: string;
  /** Interval of strength whose examples alone are shown, from 0 for the weakest; null shows all. */
  interval: number | null;
  context: Context;
  /** Whether every space is shown as a dot and every tab as an arrow. */
  spaces: boolean;
  colouring: Colouring;
  /** Scale of the activations in their histogram. */
  strengths: Scale;
  /** Scale of the counts in the same. */
  counts: Scale;
  /** Whether the logit effects shown are those the dataset keeps beside its main ones. */
  otherLogits: boolean;
  tokens: TokenList;
}

/** What a page shows whose address says nothing. */
export const PLAIN: View = {
  tab: "top",
  interval: null,
  context: "full",
  spaces: false,
  colouring: "activation",
  strengths: "linear",
  counts: "linear",
  otherLogits: false,
  tokens: "on",
};

const CONTEXTS: readonly Context[] = ["short", "sentence", "full"];
const TOKEN_LISTS: readonly TokenList[] = ["on", "before", "after"];

/** The view that an address describes; what it does not know counts as plain. */
export function readView(state: ViewState, tabs: readonly string[]): View {
  const interval = /^\d{1,3}$/.test(state["interval"] ?? "") ? Number(state["interval"]) : null;
  const tab = tabs.find((id) => id === state["examples"]) ?? (interval === null ? PLAIN.tab : "interval");
  return {
    tab,
    interval: tab === "interval" ? interval : null,
    context: CONTEXTS.find((context) => context === state["context"]) ?? PLAIN.context,
    spaces: state["spaces"] === "1",
    colouring: state["colour"] === "loss" ? "loss" : "activation",
    strengths: state["x"] === "log" ? "log" : "linear",
    counts: state["y"] === "log" ? "log" : "linear",
    otherLogits: state["logits"] === "other",
    tokens: TOKEN_LISTS.find((list) => list === state["tokens"]) ?? PLAIN.tokens,
  };
}

/** `view` for the address: what is plain is left out. */
export function viewState(view: View): ViewState {
  return {
    examples: view.tab === PLAIN.tab ? "" : view.tab,
    interval: view.interval === null ? "" : String(view.interval),
    context: view.context === PLAIN.context ? "" : view.context,
    spaces: view.spaces ? "1" : "",
    colour: view.colouring === "loss" ? "loss" : "",
    x: view.strengths === "log" ? "log" : "",
    y: view.counts === "log" ? "log" : "",
    logits: view.otherLogits ? "other" : "",
    tokens: view.tokens === PLAIN.tokens ? "" : view.tokens,
  };
}

/** `view` after `changes`: only the tab of intervals shows one interval alone. */
export function changed(view: View, changes: Partial<View>): View {
  const next = { ...view, ...changes };
  return next.tab === "interval" ? next : { ...next, interval: null };
}
