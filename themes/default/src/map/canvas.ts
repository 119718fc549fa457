import type { Palette, Rgb } from "./colours.ts";
import type { Points } from "./points.ts";
import { COVER, FADED } from "./renderer.ts";
import type { Renderer } from "./renderer.ts";
import type { View } from "./view.ts";

/** A disc with a soft edge: pixel offsets and how much of each pixel it covers, 0..256. */
export interface Stamp {
  dx: Int16Array;
  dy: Int16Array;
  cover: Uint16Array;
}

/** The disc of `radius` device pixels. */
export function stampOf(radius: number): Stamp {
  const reach = Math.ceil(radius);
  const pixels: [number, number, number][] = [];
  for (let dy = -reach; dy <= reach; dy++) {
    for (let dx = -reach; dx <= reach; dx++) {
      const inside = Math.max(0, Math.min(1, radius - Math.hypot(dx, dy) + 0.5));
      if (inside > 0) pixels.push([dx, dy, Math.round(inside * 256)]);
    }
  }
  return {
    dx: Int16Array.from(pixels, ([dx]) => dx),
    dy: Int16Array.from(pixels, ([, dy]) => dy),
    cover: Uint16Array.from(pixels, ([, , cover]) => cover),
  };
}

/** Blends palette entry `entry` with `alpha` (0..256) over the opaque pixel at byte `at` of RGBA `bytes`. */
export function blend(
  bytes: Uint8ClampedArray,
  at: number,
  palette: Palette,
  entry: number,
  alpha: number,
): void {
  for (let channel = 0; channel < 3; channel++) {
    const below = bytes[at + channel]!;
    bytes[at + channel] = below + (((palette[entry * 4 + channel]! - below) * alpha) >> 8);
  }
}

/** Points through a 2-D canvas, pixel by pixel: faster than WebGL where that is done in software. */
export class CanvasRenderer implements Renderer {
  readonly canvas: HTMLCanvasElement;
  private readonly context: CanvasRenderingContext2D;
  private points: Points | null = null;
  private entries = new Uint8Array();
  private palette: Palette = new Uint8Array(1024);
  private strong: Uint8Array | null = null;
  private paper = 0;

  /** Throws `Error` where a canvas has no 2-D context. */
  constructor(canvas: HTMLCanvasElement) {
    const context = canvas.getContext("2d");
    if (context === null) throw new Error("no 2-D canvas");
    this.canvas = canvas;
    this.context = context;
  }

  setPoints(points: Points): void {
    this.points = points;
    this.entries = new Uint8Array(points.count);
    this.strong = null;
  }

  setColours(entries: Uint8Array, palette: Palette, paper: Rgb): void {
    this.entries = new Uint8Array(entries);
    this.palette = palette;
    this.paper = new Uint32Array(Uint8Array.of(...paper, 255).buffer)[0] ?? 0;
  }

  setStrong(strong: Uint8Array | null): void {
    this.strong = strong;
  }

  draw(view: View, radius: number, pixelRatio: number): void {
    const image = this.context.createImageData(this.canvas.width, this.canvas.height);
    // On an opaque ground a blend needs no division, which halves the time of a frame.
    new Uint32Array(image.data.buffer).fill(this.paper);
    const stamp = stampOf(Math.max(0.6, radius * pixelRatio));
    if (this.strong === null) this.stampAll(image, view, pixelRatio, stamp, null, COVER);
    else {
      this.stampAll(image, view, pixelRatio, stamp, 0, FADED);
      this.stampAll(image, view, pixelRatio, stamp, 1, COVER);
    }
    this.context.putImageData(image, 0, 0);
  }

  private stampAll(
    { data, width, height }: ImageData,
    view: View,
    pixelRatio: number,
    { dx, dy, cover }: Stamp,
    only: 0 | 1 | null,
    opacity: number,
  ): void {
    if (this.points === null) return;
    const { x, y, count } = this.points;
    const covers = Uint16Array.from(cover, (share) => share * opacity);
    const scale = view.scale * pixelRatio;
    const left = width / 2 - view.x * scale;
    const top = height / 2 - view.y * scale;
    for (let point = 0; point < count; point++) {
      if (only !== null && this.strong?.[point] !== only) continue;
      const column = Math.round(left + x[point]! * scale);
      const row = Math.round(top + y[point]! * scale);
      if (column < -16 || row < -16 || column > width + 16 || row > height + 16) continue;
      const entry = this.entries[point]!;
      for (let part = 0; part < dx.length; part++) {
        const px = column + dx[part]!;
        const py = row + dy[part]!;
        if (px < 0 || py < 0 || px >= width || py >= height) continue;
        blend(data, (py * width + px) * 4, this.palette, entry, covers[part]!);
      }
    }
  }
}
