import type { Palette, Rgb } from "./colours.ts";
import type { Points } from "./points.ts";
import type { Steps } from "./slices.ts";
import type { View } from "./view.ts";

/** Draws points on a canvas of its own. */
export interface Renderer {
  /** `webgl` or `canvas`. */
  readonly kind: "webgl" | "canvas";
  readonly canvas: HTMLCanvasElement;
  /** Takes over all points; their colours and marks follow. */
  setPoints(points: Points): void;
  /** Palette entry of each point, the palette, and the colour of the ground. */
  setColours(entries: Uint8Array, palette: Palette, paper: Rgb): void;
  /** 1 for each point that stands out while the others fade; null where none does. */
  setStrong(strong: Uint8Array | null): void;
  /**
   * Draws with points of `radius` CSS pixels. Of the points that do not stand out only about `share` (0..1] are drawn,
   * spread over the picture. The canvas keeps its old picture until the last step, which gives it the new one whole.
   */
  draw(view: View, radius: number, pixelRatio: number, share: number): Steps;
  /** Returns when what was drawn is on the canvas. */
  finish(): void;
}

/** Gives `canvas` as many pixels as `view` has at `pixelRatio` to a CSS pixel; another size empties it. */
export function fitCanvas(canvas: HTMLCanvasElement, { width, height }: View, pixelRatio: number): void {
  const [across, down] = [Math.round(width * pixelRatio), Math.round(height * pixelRatio)];
  if (canvas.width !== across) canvas.width = across;
  if (canvas.height !== down) canvas.height = down;
}

/** How much of a point's colour remains while others stand out. */
export const FADED = 0.16;

/** How much of a point's colour covers what lies below. */
export const COVER = 0.78;

/** Points that stand out are at least so large, in CSS pixels, where they are few: one dark dot among 131,072. */
const STRONG_RADIUS = 3.2;
const FEW = 3000;

/** Radius of points that stand out, of which there are `count`, while the others have `radius`. */
export function strongRadius(radius: number, count: number): number {
  return count <= FEW ? Math.max(radius, STRONG_RADIUS) : radius;
}

/** How many of `marks` are 1. */
export function countMarks(marks: Uint8Array | null): number {
  let count = 0;
  for (let at = 0; at < (marks?.length ?? 0); at++) count += marks![at]!;
  return count;
}

/** Shapes of points: layers over one another differ in shape as well as in colour. */
export const MARKS = ["disc", "square", "diamond", "triangle"] as const;

/** Radius of a point in CSS pixels: smaller for many, larger when close. */
export function pointRadius(count: number, zoom: number): number {
  const base = count < 1500 ? 3.4 : count < 8000 ? 2.6 : count < 40_000 ? 1.9 : count < 300_000 ? 1.2 : 0.8;
  return Math.min(9, base * Math.max(1, zoom) ** 0.3);
}
