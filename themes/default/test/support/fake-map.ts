// A map without a screen: what sessions and surfaces need of a browser and of one another.
import type { Palette, Rgb } from "../../src/map/colours.ts";
import type { Label } from "../../src/map/labels.ts";
import { NO_POINTS } from "../../src/map/points.ts";
import type { Points } from "../../src/map/points.ts";
import type { Surface } from "../../src/map/surface.ts";
import type { Camera, View } from "../../src/map/view.ts";
import { boxOfView, viewOf, wholeCamera } from "../../src/map/view.ts";

/** The address as `core/state.ts` sees it. */
export const address = { pathname: "/map.html", search: "", hash: "" };

/** Frames that were asked for and not drawn yet. */
export const frames: ((now: number) => void)[] = [];

/** Gives the page an address, frames that are drawn by `drawFrames`, and a theme in one colour. */
export function fakeScreen(search: string): void {
  address.search = search;
  frames.length = 0;
  Object.assign(globalThis, {
    window: globalThis,
    location: address,
    history: {
      replaceState: (_: unknown, __: string, url: string) => {
        const question = url.indexOf("?");
        address.search = question < 0 ? "" : url.slice(question);
      },
    },
    devicePixelRatio: 2,
    requestAnimationFrame: (draw: (now: number) => void) => frames.push(draw),
    cancelAnimationFrame: () => void (frames.length = 0),
    getComputedStyle: () => ({ getPropertyValue: () => "rgb(10, 20, 30)", fontFamily: "serif" }),
  });
}

/** Draws the frames asked for so far, `now` milliseconds after the start. */
export function drawFrames(now = 0): number {
  const due = frames.splice(0);
  for (const draw of due) draw(now);
  return due.length;
}

/** A surface of 400 × 300 pixels that keeps what it is told. */
export class FakeSurface {
  points: Points = NO_POINTS;
  camera: Camera = wholeCamera(NO_POINTS.bounds);
  labels: readonly Label[] = [];
  lasso: readonly number[] = [];
  picked: readonly number[] = [];
  ring = -1;
  hover = -1;
  strong: Uint8Array | null = null;
  entries = new Uint8Array();
  palette: Palette = new Uint8Array();
  /** How often other points were shown. */
  shown = 0;

  get view(): View {
    return viewOf(this.camera, this.points.bounds, 400, 300);
  }

  get box() {
    return boxOfView(this.view);
  }

  setPoints(points: Points, camera: Camera | null): void {
    this.shown += 1;
    this.points = points;
    this.camera = camera ?? wholeCamera(points.bounds);
  }

  setColours(entries: Uint8Array, palette: Palette, _: Rgb): void {
    this.entries = new Uint8Array(entries);
    this.palette = palette;
  }

  setStrong(strong: Uint8Array | null): void {
    this.strong = strong;
  }

  move(camera: Camera): void {
    this.camera = camera;
  }

  nearMiddle(count: number): number[] {
    const radius = Math.hypot(400, 300) / 2 / this.view.scale;
    return this.points.grid.nearestMany(this.view.x, this.view.y, radius, count, this.box);
  }

  redrawOverlay(): void {}

  /** As the code under test takes it. */
  get surface(): Surface {
    return this as unknown as Surface;
  }
}
