import type { Palette, Rgb } from "./colours.ts";
import type { Points } from "./points.ts";
import type { View } from "./view.ts";

/** Draws points on a canvas of its own. */
export interface Renderer {
  readonly canvas: HTMLCanvasElement;
  /** Takes over all points; their colours and marks follow. */
  setPoints(points: Points): void;
  /** Palette entry of each point, the palette, and the colour of the ground. */
  setColours(entries: Uint8Array, palette: Palette, paper: Rgb): void;
  /** 1 for each point that stands out while the others fade; null where none does. */
  setStrong(strong: Uint8Array | null): void;
  /** Draws with points of `radius` CSS pixels. */
  draw(view: View, radius: number, pixelRatio: number): void;
}

/** How much of a point's colour remains while others stand out. */
export const FADED = 0.16;

/** How much of a point's colour covers what lies below. */
export const COVER = 0.78;

/** Radius of a point in CSS pixels: smaller for many, larger when close. */
export function pointRadius(count: number, zoom: number): number {
  const base = count < 1500 ? 3.4 : count < 8000 ? 2.6 : count < 40_000 ? 1.9 : 1.3;
  return Math.min(9, base * Math.max(1, zoom) ** 0.3);
}
