import type { ViewState } from "../core/state.ts";
import type { Sampling } from "../model/client.ts";
import { parseChosen, writeChosen } from "./chosen.ts";
import type { Chosen } from "./chosen.ts";

/** Everything about the view but the prompt. */
export interface SteerView {
  /** Slug of the SAE; "" for the first. */
  sae: string;
  chosen: Chosen[];
  sampling: Sampling;
}

/** Most tokens of a continuation. */
export const MOST_TOKENS = 200;

/** Highest temperature. */
export const HOTTEST = 5;

/** Largest seed: 2^32 - 1. */
export const LAST_SEED = 0xffff_ffff;

/** How a continuation is chosen where the address says nothing. */
export const PLAIN: Sampling = { tokens: 20, temperature: 0, seed: 0 };

/** The view that an address says; what it does not know counts as plain. */
export function readView(state: ViewState): SteerView {
  return {
    sae: state["sae"] ?? "",
    chosen: parseChosen(state["f"] ?? ""),
    sampling: bounded({
      tokens: numberOf(state["n"], PLAIN.tokens),
      temperature: numberOf(state["t"], PLAIN.temperature),
      seed: numberOf(state["seed"], PLAIN.seed),
    }),
  };
}

function numberOf(text: string | undefined, plain: number): number {
  const value = text === undefined || text.trim() === "" ? Number.NaN : Number(text);
  return Number.isFinite(value) ? value : plain;
}

/** `sampling` within the bounds, tokens and seed whole. */
export function bounded({ tokens, temperature, seed }: Sampling): Sampling {
  const within = (value: number, least: number, most: number) => Math.max(least, Math.min(most, value));
  return {
    tokens: within(Math.round(tokens), 1, MOST_TOKENS),
    temperature: within(temperature, 0, HOTTEST),
    seed: within(Math.round(seed), 0, LAST_SEED),
  };
}

/** `view` for the address: what is plain is left out. */
export function viewState({ sae, chosen, sampling }: SteerView): ViewState {
  const unless = (plain: number, value: number) => (value === plain ? "" : String(value));
  return {
    sae,
    f: writeChosen(chosen),
    n: unless(PLAIN.tokens, sampling.tokens),
    t: unless(PLAIN.temperature, sampling.temperature),
    seed: unless(PLAIN.seed, sampling.seed),
  };
}
