import { chooseRenderer } from "./choose-renderer.ts";
import type { Wanted } from "./choose-renderer.ts";
import type { Palette, Rgb } from "./colours.ts";
import { themeColour } from "./colours.ts";
import type { Label } from "./labels.ts";
import { drawOverlay } from "./overlay.ts";
import type { Points } from "./points.ts";
import { NO_POINTS } from "./points.ts";
import { pointRadius } from "./renderer.ts";
import type { Renderer } from "./renderer.ts";
import type { Camera, View } from "./view.ts";
import { kept, toMap, toScreen, viewOf, wholeCamera } from "./view.ts";

/** Pixels around the pointer in which a point counts as meant. */
const REACH = 14;

/** The picture of the map: two canvases in a frame, redrawn at most once a frame. */
export class Surface {
  readonly frame: HTMLElement;
  points: Points = NO_POINTS;
  camera: Camera = wholeCamera(this.points.bounds);
  labels: readonly Label[] = [];
  /** Ringed point; -1 is none. */
  ring = -1;
  cross = false;
  private renderer: Renderer;
  private readonly overlay = document.createElement("canvas");
  private readonly resized = new ResizeObserver(() => this.redraw());
  private colours: [Uint8Array, Palette, Rgb] = [new Uint8Array(), new Uint8Array(1024), [0, 0, 0]];
  private strong: Uint8Array | null = null;
  private scheduled = 0;

  constructor(frame: HTMLElement, wanted: Wanted) {
    this.frame = frame;
    this.renderer = this.take(chooseRenderer(wanted));
    frame.append(this.overlay);
    this.resized.observe(frame);
  }

  /** Stops drawing. */
  close(): void {
    this.resized.disconnect();
    window.cancelAnimationFrame(this.scheduled);
  }

  private take(renderer: Renderer): Renderer {
    renderer.canvas.addEventListener("webglcontextlost", () => {
      renderer.canvas.remove();
      this.renderer = this.take(chooseRenderer("canvas"));
      this.refill();
    });
    this.frame.prepend(renderer.canvas);
    return renderer;
  }

  private refill(): void {
    this.renderer.setPoints(this.points);
    this.renderer.setColours(...this.colours);
    this.renderer.setStrong(this.strong);
    this.redraw();
  }

  /** Shows other points, in whole unless `camera` says otherwise. */
  setPoints(points: Points, camera: Camera | null): void {
    this.points = points;
    this.camera = camera === null ? wholeCamera(points.bounds) : kept(camera, points.bounds);
    this.strong = null;
    this.ring = -1;
    this.colours[0] = new Uint8Array(points.count);
    this.refill();
  }

  /** Palette entry of each point, the palette, and the colour of the ground. */
  setColours(entries: Uint8Array, palette: Palette, paper: Rgb): void {
    this.colours = [entries, palette, paper];
    this.renderer.setColours(entries, palette, paper);
    this.redraw();
  }

  /** 1 for each point that stands out; null for none. */
  setStrong(strong: Uint8Array | null): void {
    this.strong = strong;
    this.renderer.setStrong(strong);
    this.redraw();
  }

  /** The current camera on the current screen. */
  get view(): View {
    const { clientWidth, clientHeight } = this.frame;
    return viewOf(this.camera, this.points.bounds, Math.max(1, clientWidth), Math.max(1, clientHeight));
  }

  /** Moves the camera, within bounds. */
  move(camera: Camera): void {
    this.camera = kept(camera, this.points.bounds);
    this.redraw();
  }

  /** The point under a pixel of the frame, or -1. */
  pick(x: number, y: number, reach = REACH): number {
    const { view } = this;
    const place = toMap(view, x, y);
    return this.points.grid.nearest(place.x, place.y, reach / view.scale);
  }

  /** At most `count` points in view, nearest to the middle first. */
  nearMiddle(count: number): number[] {
    const { view, points } = this;
    const radius = Math.hypot(view.width, view.height) / 2 / view.scale;
    return points.grid.nearestMany(view.x, view.y, radius, count);
  }

  /** Pixel of a point. */
  pixel(point: number): { x: number; y: number } {
    const { x, y } = this.points.place(point);
    return toScreen(this.view, x, y);
  }

  /** Draws with the next frame. */
  redraw(): void {
    if (this.scheduled !== 0) return;
    this.scheduled = window.requestAnimationFrame(() => {
      this.scheduled = 0;
      this.draw();
    });
  }

  private draw(): void {
    const { view, frame } = this;
    const ratio = Math.min(2, window.devicePixelRatio);
    for (const canvas of [this.renderer.canvas, this.overlay]) fit(canvas, view, ratio);
    this.renderer.draw(view, pointRadius(this.points.count, view.zoom), ratio);
    const css = (name: string) => `rgb(${themeColour(frame, name).join(" ")})`;
    const scene = {
      labels: this.labels,
      cross: this.cross,
      ring: this.ring < 0 ? null : this.points.place(this.ring),
    };
    drawOverlay(this.overlay, view, scene, { ink: css("ink"), paper: css("card") }, ratio);
  }
}

function fit(canvas: HTMLCanvasElement, { width, height }: View, ratio: number): void {
  const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== across) canvas.width = across;
  if (canvas.height !== down) canvas.height = down;
}
