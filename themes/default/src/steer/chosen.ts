import type { Steered } from "../model/client.ts";

/** What is done to a feature: added to what it is, held at a strength, or silenced. */
export type Mode = "add" | "clamp" | "ablate";

/** A feature that is steered. */
export interface Chosen {
  feature: number;
  mode: Mode;
  /** In units of the feature's largest activation; 0 where it is ablated. */
  strength: number;
}

/** Largest strength either way: far beyond it a model writes noise. */
export const STRONGEST = 20;

/** Most features at once. */
export const MOST_CHOSEN = 16;

const LETTERS: Readonly<Record<string, Mode>> = { a: "add", c: "clamp", x: "ablate" };
const ITEM = /^(\d{1,9})(?:([acx])(-?\d{1,3}(?:\.\d{1,4})?)?)?$/;
const PLACES = 4;

/** A feature as it is when it has just been chosen: its largest activation is added once. */
export function chosenNow(feature: number): Chosen {
  return { feature, mode: "add", strength: 1 };
}

/** The features in the text of an address, `12a1.5,40c0.5,77x`; what is none is left out, of a repeated one the first counts. */
export function parseChosen(text: string): Chosen[] {
  const items = text.split(",").flatMap((item) => {
    const [, feature, letter = "a", strength = letter === "x" ? "0" : "1"] = ITEM.exec(item) ?? [];
    if (feature === undefined) return [];
    return [withMode({ feature: Number(feature), mode: "add", strength: Number(strength) }, LETTERS[letter] ?? "add")];
  });
  const first = new Map<number, Chosen>();
  for (const item of items) if (!first.has(item.feature)) first.set(item.feature, item);
  return [...first.values()].slice(0, MOST_CHOSEN);
}

/** The inverse of `parseChosen`. */
export function writeChosen(chosen: readonly Chosen[]): string {
  const letter = (mode: Mode) => (mode === "ablate" ? "x" : mode.charAt(0));
  const strength = ({ mode, strength: value }: Chosen) => (mode === "ablate" ? "" : String(value));
  return chosen.map((item) => `${item.feature}${letter(item.mode)}${strength(item)}`).join(",");
}

/** `chosen` in another mode: an activation is never held below zero, and ablating has no strength. */
export function withMode(chosen: Chosen, mode: Mode): Chosen {
  if (mode === "ablate") return { ...chosen, mode, strength: 0 };
  // Back from being ablated: a strength of zero would change nothing.
  const strength = chosen.mode === "ablate" ? 1 : chosen.strength;
  return withStrength({ ...chosen, mode }, strength);
}

/** `chosen` with a strength within the bounds, of at most four decimals. */
export function withStrength(chosen: Chosen, strength: number): Chosen {
  const least = chosen.mode === "clamp" ? 0 : -STRONGEST;
  const bounded = Math.max(least, Math.min(STRONGEST, Number.isFinite(strength) ? strength : 0));
  return { ...chosen, strength: chosen.mode === "ablate" ? 0 : Number(bounded.toFixed(PLACES)) + 0 };
}

/** `chosen` with `feature` at its end, unless it is there or there are too many. */
export function withFeature(chosen: readonly Chosen[], feature: number): Chosen[] {
  if (chosen.length >= MOST_CHOSEN || chosen.some((item) => item.feature === feature)) return [...chosen];
  return [...chosen, chosenNow(feature)];
}

/** `chosen` as the model takes it; `maxOf` is a feature's largest activation, 0 where it never fired. */
export function inActivations(chosen: readonly Chosen[], maxOf: (feature: number) => number): Steered[] {
  return chosen.map(({ feature, mode, strength }) => ({
    feature,
    mode: mode === "add" ? "add" : "clamp",
    strength: mode === "ablate" ? 0 : strength * maxOf(feature),
  }));
}
