import type { Scale } from "./scale.ts";
import { onScale } from "./scale.ts";

/** Red, green, blue, each 0..255. */
export type Rgb = readonly [number, number, number];

/** 256 colours as RGBA bytes; entry 0 is "no value" or "no cluster". */
export type Palette = Uint8Array;

/** Colours of clusters; further clusters start again. */
export const CLUSTER_COLOURS = 10;

/** `rgb(1, 2, 3)` as numbers; anything else is a mid grey. */
export function parseRgb(text: string): Rgb {
  const numbers = text.match(/[\d.]+/g)?.map(Number) ?? [];
  const [red, green, blue] = numbers;
  if (red === undefined || green === undefined || blue === undefined) return [128, 128, 128];
  return [red, green, blue];
}

/** Colour `name` (without `--atlas-`) of the theme as it is at `element`. */
export function themeColour(element: Element, name: string): Rgb {
  return parseRgb(window.getComputedStyle(element).getPropertyValue(`--atlas-${name}`));
}

/** The ten cluster colours of the theme, after the one for no cluster. */
export function clusterPalette(element: Element): Palette {
  const names = ["none", ...Array.from({ length: CLUSTER_COLOURS }, (_, at) => String(at))];
  return paletteOf(names.map((name) => themeColour(element, `cluster-${name}`)));
}

/** A ramp from faint to strong; ember is kept for activations. */
export function rampPalette(element: Element, unit: string): Palette {
  const stops = ["line", unit === "activation" ? "ember" : "link", "ink"].map((name) =>
    themeColour(element, name),
  );
  const ramp = Array.from({ length: 255 }, (_, at) => between(stops, (0.12 + 0.88 * (at / 254)) * 0.88));
  return paletteOf([themeColour(element, "line"), ...ramp]);
}

function paletteOf(colours: readonly Rgb[]): Palette {
  const palette = new Uint8Array(256 * 4);
  for (const [at, [red, green, blue]] of colours.entries()) palette.set([red, green, blue, 255], at * 4);
  return palette;
}

/** The colour at `share` (0..1) of the way along `stops`. */
export function between(stops: readonly Rgb[], share: number): Rgb {
  const place = Math.max(0, Math.min(1, share)) * (stops.length - 1);
  const first = Math.min(Math.floor(place), stops.length - 2);
  const from = stops[first] ?? [0, 0, 0];
  const to = stops[first + 1] ?? from;
  const mix = (at: 0 | 1 | 2) => Math.round(from[at] + (to[at] - from[at]) * (place - first));
  return [mix(0), mix(1), mix(2)];
}

/** Palette entry of each point by its cluster. */
export function clusterEntries(clusters: Int16Array): Uint8Array {
  const entries = new Uint8Array(clusters.length);
  for (let at = 0; at < clusters.length; at++) {
    const cluster = clusters[at]!;
    entries[at] = cluster < 0 ? 0 : 1 + (cluster % CLUSTER_COLOURS);
  }
  return entries;
}

/** Palette entry of each point by the layer it belongs to. */
export function layerEntries(layerOf: Uint8Array): Uint8Array {
  return layerOf.map((layer) => 1 + (layer % CLUSTER_COLOURS));
}

/** Palette entry of each value on `scale`. */
export function scalarEntries(values: Float64Array, scale: Scale): Uint8Array {
  const entries = new Uint8Array(values.length);
  for (let at = 0; at < values.length; at++) {
    const share = onScale(scale, values[at]!);
    entries[at] = Number.isNaN(share) ? 0 : 1 + Math.round(share * 254);
  }
  return entries;
}
