import { chooseRenderer } from "./choose-renderer.ts";
import type { Wanted } from "./choose-renderer.ts";
import type { Palette, Rgb } from "./colours.ts";
import { themeColour } from "./colours.ts";
import type { Label } from "./labels.ts";
import type { Polygon } from "./lasso.ts";
import { drawOverlay } from "./overlay.ts";
import { Pace } from "./pace.ts";
import type { Points } from "./points.ts";
import { NO_POINTS } from "./points.ts";
import { fitCanvas, pointRadius } from "./renderer.ts";
import type { Renderer } from "./renderer.ts";
import { atOnce, breathe, inSlices } from "./slices.ts";
import type { Steps } from "./slices.ts";
import type { Box, Camera, View } from "./view.ts";
import { boxOfView, kept, toMap, toScreen, viewOf, wholeCamera } from "./view.ts";

/** Pixels around the pointer in which a point counts as meant. */
const REACH = 14;

/** A map that has not moved for so long is drawn in full. */
const STILL_MS = 120;

/** A renderer that takes longer for a frame than this is exchanged for the 2-D canvas. */
const SLOW_MS = 80;

/**
 * From so many points on, a moving picture is drawn at one pixel per CSS pixel where every pixel costs, and one at rest
 * after its frame, in slices.
 */
const MANY = 20_000;

/** The picture of the map: two canvases in a frame, redrawn at most once a frame. */
export class Surface {
  readonly frame: HTMLElement;
  points: Points = NO_POINTS;
  camera: Camera = wholeCamera(this.points.bounds);
  labels: readonly Label[] = [];
  /** Ringed point; -1 is none. */
  ring = -1;
  /** Point that is pointed at; -1 is none. */
  hover = -1;
  /** Points chosen one by one. */
  picked: readonly number[] = [];
  /** Line around the selection, or being drawn. */
  lasso: Polygon = [];
  cross = false;
  /** What the frame shows until the first points are drawn. */
  standIn: Element | null = null;
  private renderer: Renderer;
  private readonly wanted: Wanted;
  private readonly overlay = document.createElement("canvas");
  private size: [width: number, height: number] | null = null;
  private readonly resized = new ResizeObserver(() => {
    this.size = null;
    this.redraw();
  });
  private readonly pace = new Pace();
  private colours: [Uint8Array, Palette, Rgb] = [new Uint8Array(), new Uint8Array(1024), [0, 0, 0]];
  private strong: Uint8Array | null = null;
  private scheduled = 0;
  /** Whether the points must be drawn anew. */
  private stale = true;
  /** The picture that is being drawn. */
  private job: Steps | null = null;
  private moving = false;
  private still = 0;
  private proved = false;

  constructor(frame: HTMLElement, wanted: Wanted) {
    this.frame = frame;
    this.wanted = wanted;
    this.renderer = this.take(chooseRenderer(wanted));
    frame.append(this.overlay);
    this.resized.observe(frame);
  }

  /** Stops drawing. */
  close(): void {
    this.job = null;
    this.resized.disconnect();
    window.cancelAnimationFrame(this.scheduled);
    window.clearTimeout(this.still);
  }

  private take(renderer: Renderer): Renderer {
    renderer.canvas.addEventListener("webglcontextlost", () => this.useCanvas());
    this.frame.prepend(renderer.canvas);
    this.frame.dataset["renderer"] = renderer.kind;
    return renderer;
  }

  private useCanvas(): void {
    this.renderer.canvas.remove();
    this.renderer = this.take(chooseRenderer("canvas"));
    this.refill();
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
    this.hover = -1;
    this.picked = [];
    this.lasso = [];
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
    if (strong === null && this.strong === null) return;
    this.strong = strong;
    this.renderer.setStrong(strong);
    this.redraw();
  }

  /** The current camera on the current screen. */
  get view(): View {
    // Asking the frame makes the browser lay the page out, so it is asked once for each size that it has.
    this.size ??= [Math.max(1, this.frame.clientWidth), Math.max(1, this.frame.clientHeight)];
    return viewOf(this.camera, this.points.bounds, ...this.size);
  }

  /** The part of the map that is on the screen. */
  get box(): Box {
    return boxOfView(this.view);
  }

  /** Moves the camera, within bounds. */
  move(camera: Camera): void {
    this.camera = kept(camera, this.points.bounds);
    this.moving = true;
    window.clearTimeout(this.still);
    this.still = window.setTimeout(() => {
      this.moving = false;
      this.redraw();
    }, STILL_MS);
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
    return points.grid.nearestMany(view.x, view.y, radius, count, this.box);
  }

  /** Pixel of a point. */
  pixel(point: number): { x: number; y: number } {
    const { x, y } = this.points.place(point);
    return toScreen(this.view, x, y);
  }

  /** Draws with the next frame, or with the few after it; the frame says `data-drawn` when all is drawn. */
  redraw(): void {
    this.stale = true;
    this.job = null;
    delete this.frame.dataset["drawn"];
    this.redrawOverlay();
  }

  /** Draws labels, rings and lines with the next frame; the points stay as they are. */
  redrawOverlay(): void {
    if (this.scheduled !== 0) return;
    this.scheduled = window.requestAnimationFrame((now) => {
      this.scheduled = 0;
      if (this.moving) this.pace.tick(now);
      const { view } = this;
      if (this.stale) this.drawPoints(view);
      this.drawOverlay(view);
    });
  }

  private drawPoints(view: View): void {
    this.stale = false;
    const { points, moving } = this;
    const full = Math.min(2, window.devicePixelRatio);
    const ratio = moving && this.renderer.kind === "canvas" && points.count > MANY ? Math.min(1, full) : full;
    const share = moving ? this.pace.share(points.grid.countNear(boxOfView(view))) : 1;
    const steps = this.renderer.draw(view, pointRadius(points.count, view.zoom), ratio, share);
    const done = () => this.drawn(view, ratio);
    this.job = steps;
    const wanted = () => this.job === steps;
    // A moving picture must keep up; one at rest must not keep its reader from moving it.
    if (!moving && points.count > MANY) void breathe().then(() => wanted() && inSlices(steps, wanted, done));
    else {
      atOnce(steps);
      done();
    }
  }

  private drawn(view: View, ratio: number): void {
    this.job = null;
    if (this.points.count === 0) return;
    this.frame.dataset["drawn"] = "";
    this.standIn?.remove();
    this.standIn = null;
    this.noteTime(this.points.awaited > 0 ? "atlas-map-sample" : "atlas-map-first-frame");
    if (!this.proved) this.prove(view, ratio);
  }

  /** Tells whoever measures when there first was a picture of this kind. */
  private noteTime(name: string): void {
    if (performance.getEntriesByName(name).length === 0) performance.mark(name);
  }

  /** After the first picture of points: is this renderer as fast as its name promised? */
  private prove(view: View, ratio: number): void {
    this.proved = true;
    if (this.wanted !== "best" || this.renderer.kind === "canvas") return;
    this.renderer.finish();
    const started = performance.now();
    atOnce(this.renderer.draw(view, pointRadius(this.points.count, view.zoom), ratio, 1));
    this.renderer.finish();
    if (performance.now() - started > SLOW_MS) this.useCanvas();
  }

  private drawOverlay(view: View): void {
    const { points, frame } = this;
    const ratio = Math.min(2, window.devicePixelRatio);
    fitCanvas(this.overlay, view, ratio);
    const css = (name: string) => `rgb(${themeColour(frame, name).join(" ")})`;
    const place = (point: number) => (point < 0 ? null : points.place(point));
    const scene = {
      labels: this.labels,
      cross: this.cross,
      ring: place(this.ring),
      hover: place(this.hover),
      picked: this.picked.map((point) => points.place(point)),
      lasso: this.lasso,
    };
    drawOverlay(this.overlay, view, scene, { ink: css("ink"), paper: css("card"), soft: css("soft") }, ratio);
  }
}
