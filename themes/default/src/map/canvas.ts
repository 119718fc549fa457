import type { Palette, Rgb } from "./colours.ts";
import { CELLS, cellOf } from "./grid.ts";
import type { Points } from "./points.ts";
import { countMarks, COVER, FADED, fitCanvas, strongRadius } from "./renderer.ts";
import type { Renderer } from "./renderer.ts";
import type { Stamp } from "./stamp.ts";
import { stampOf } from "./stamp.ts";
import type { View } from "./view.ts";
import { toMap } from "./view.ts";

/** So many points are stamped in a step: about a millisecond. */
const STEP = 2048;

/** Which points a pass draws: all, those that do not stand out, those that do. */
type Pass = "all" | "faded" | "strong";

/** Pixels by rows, each as the canvas has them in memory. */
interface Picture {
  pixels: Uint32Array;
  width: number;
  height: number;
}

/** A stamp ready for one width of picture and one opacity: pixel steps and covers 0..256. */
interface Brush {
  dx: Int16Array;
  dy: Int16Array;
  step: Int32Array;
  cover: Int32Array;
  reach: number;
}

/** Points through a 2-D canvas, pixel by pixel: faster than WebGL where that is done in software. */
export class CanvasRenderer implements Renderer {
  readonly kind = "canvas";
  readonly canvas: HTMLCanvasElement;
  private readonly context: CanvasRenderingContext2D;
  private points: Points | null = null;
  private entries: Uint8Array = new Uint8Array();
  private strong: Uint8Array | null = null;
  private strongCount = 0;
  private paper = 0;
  private image: ImageData | null = null;
  /** Red and blue, and green, of each palette entry, where a pixel has them. */
  private readonly redBlue = new Uint32Array(256);
  private readonly green = new Uint32Array(256);

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
    this.entries = entries;
    for (let entry = 0; entry < 256; entry++) {
      const [red = 0, green = 0, blue = 0] = palette.subarray(entry * 4, entry * 4 + 3);
      this.redBlue[entry] = red | (blue << 16);
      this.green[entry] = green << 8;
    }
    const [red, green, blue] = paper;
    this.paper = (red | (green << 8) | (blue << 16) | (255 << 24)) >>> 0;
  }

  setStrong(strong: Uint8Array | null): void {
    this.strong = strong;
    this.strongCount = countMarks(strong);
  }

  *draw(view: View, radius: number, pixelRatio: number, share: number): Generator<void, void> {
    const [width, height] = [Math.round(view.width * pixelRatio), Math.round(view.height * pixelRatio)];
    if (this.image?.width !== width || this.image.height !== height) {
      this.image = this.context.createImageData(width, height);
    }
    const { image } = this;
    const pixels = new Uint32Array(image.data.buffer);
    // On an opaque ground a blend needs no division, which halves the time of a frame.
    pixels.fill(this.paper);
    const size = Math.max(0.6, radius * pixelRatio);
    const picture = { pixels, width, height };
    if (this.strong === null) yield* this.stampAll(picture, view, pixelRatio, size, "all", share);
    else {
      yield* this.stampAll(picture, view, pixelRatio, size, "faded", share);
      const larger = Math.max(0.6, strongRadius(radius, this.strongCount) * pixelRatio);
      yield* this.stampAll(picture, view, pixelRatio, larger, "strong", 1);
    }
    fitCanvas(this.canvas, view, pixelRatio);
    this.context.putImageData(image, 0, 0);
  }

  finish(): void {
    // A picture is on the canvas as soon as it is put there.
  }

  private *stampAll(
    picture: Picture,
    view: View,
    pixelRatio: number,
    size: number,
    pass: Pass,
    share: number,
  ): Generator<void, void> {
    const { points } = this;
    if (points === null) return;
    const { width, height } = picture;
    const opacity = pass === "faded" ? FADED : COVER;
    const brushes = points.layers.map((_, mark) => brushOf(stampOf(size, points.mixed ? mark : 0), width, opacity));
    const reach = Math.max(0, ...brushes.map((brush) => brush.reach)) / pixelRatio;
    const { starts } = points.grid;
    const first = toMap(view, -reach, -reach);
    const last = toMap(view, view.width + reach, view.height + reach);
    const scale = view.scale * pixelRatio;
    const left = width / 2 - view.x * scale;
    const top = height / 2 - view.y * scale;
    const [leftCell, rightCell] = [cellOf(first.x), cellOf(last.x)];
    let waiting = STEP;
    for (let row = cellOf(first.y); row <= cellOf(last.y); row++) {
      for (let cell = row * CELLS + leftCell; cell <= row * CELLS + rightCell; cell++) {
        const from = starts[cell]!;
        const to = from + Math.ceil((starts[cell + 1]! - from) * share);
        if (from === to) continue;
        this.stampRun(picture, from, to, left, top, scale, pass, brushes);
        waiting -= to - from;
        if (waiting > 0) continue;
        waiting = STEP;
        yield;
      }
    }
  }

  /** Stamps points `from` … `to` - 1. */
  private stampRun(
    { pixels, width, height }: Picture,
    from: number,
    to: number,
    left: number,
    top: number,
    scale: number,
    pass: Pass,
    brushes: readonly Brush[],
  ): void {
    const { x, y, layerOf } = this.points!;
    const { entries, strong, redBlue, green } = this;
    const only = pass === "strong" ? 1 : 0;
    for (let point = from; point < to; point++) {
      if (pass !== "all" && strong![point] !== only) continue;
      const column = Math.round(left + x[point]! * scale);
      const row = Math.round(top + y[point]! * scale);
      const { dx, dy, step, cover, reach } = brushes[layerOf[point]!]!;
      const entry = entries[point]!;
      const rb = redBlue[entry]!;
      const g = green[entry]!;
      const at = row * width + column;
      const whole = column >= reach && row >= reach && column < width - reach && row < height - reach;
      for (let part = 0; part < step.length; part++) {
        if (!whole) {
          const px = column + dx[part]!;
          const py = row + dy[part]!;
          if (px < 0 || py < 0 || px >= width || py >= height) continue;
        }
        const pixel = at + step[part]!;
        pixels[pixel] = blend(pixels[pixel]!, rb, g, cover[part]!);
      }
    }
  }
}

/** Pixel `below` (bytes red, green, blue, 255) after a colour has covered `alpha` 256ths of it. */
export function blend(below: number, redBlue: number, green: number, alpha: number): number {
  const rest = 256 - alpha;
  // Red and blue stand 16 bits apart, so one multiplication serves both without their mixing.
  const rb = ((Math.imul(redBlue, alpha) + Math.imul(below & 0xff00ff, rest)) >>> 8) & 0xff00ff;
  const g = ((Math.imul(green, alpha) + Math.imul(below & 0xff00, rest)) >>> 8) & 0xff00;
  return (0xff000000 | rb | g) >>> 0;
}

function brushOf({ dx, dy, cover }: Stamp, width: number, opacity: number): Brush {
  return {
    dx,
    dy,
    step: Int32Array.from(dx, (right, part) => dy[part]! * width + right),
    cover: Int32Array.from(cover, (share) => Math.round(share * opacity)),
    reach: Math.max(0, ...dx.map(Math.abs), ...dy.map(Math.abs)),
  };
}
