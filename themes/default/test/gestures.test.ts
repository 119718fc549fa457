import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { listen } from "../src/map/gestures.ts";
import type { Surface } from "../src/map/surface.ts";
import type { Camera, View } from "../src/map/view.ts";
import { viewOf, wholeCamera } from "../src/map/view.ts";

const bounds = { left: 0, top: 0, right: 10_000, bottom: 10_000 };
const LEFT = 20;
const TOP = 10;

/** The frame of a map without a screen: what `listen` uses of it. */
class FakeFrame extends EventTarget {
  captured: number[] = [];
  visible = true;

  getBoundingClientRect() {
    return { left: LEFT, top: TOP };
  }

  setPointerCapture(pointer: number) {
    this.captured.push(pointer);
  }

  matches() {
    return this.visible;
  }
}

class FakeSurface {
  frame = new FakeFrame();
  points = { bounds };
  camera: Camera = wholeCamera(bounds);
  cross = false;
  near = [4];
  under = 7;
  picked: [number, number][] = [];
  lasso: readonly number[] = [];

  get view(): View {
    return viewOf(this.camera, bounds, 456, 456);
  }

  move(camera: Camera) {
    this.camera = camera;
  }

  pick(x: number, y: number) {
    this.picked.push([x, y]);
    return this.under;
  }

  nearMiddle() {
    return this.near;
  }

  redrawOverlay() {}
}

let surface: FakeSurface;
let said: (string | number)[];
let drawing: boolean;
let drawn: number[][];

beforeEach(() => {
  surface = new FakeSurface();
  said = [];
  drawing = false;
  drawn = [];
  Object.assign(globalThis, { WheelEvent: { DOM_DELTA_LINE: 1 } });
  listen(surface as unknown as Surface, {
    hover: (point) => said.push("hover", point),
    choose: (point) => said.push("choose", point),
    moved: () => said.push("moved"),
    drawing: () => drawing,
    lasso: (path) => drawn.push(path),
    toggle: (point) => said.push("toggle", point),
    selectView: () => said.push("view"),
    clear: () => said.push("clear"),
  });
});

/** Sends an event with properties to the frame; returns whether its default was prevented. */
function send(type: string, properties: Record<string, unknown>): boolean {
  const event = Object.assign(new Event(type, { cancelable: true }), properties);
  surface.frame.dispatchEvent(event);
  return event.defaultPrevented;
}

const pointer = (type: string, x: number, y: number, more: Record<string, unknown> = {}) =>
  send(type, { clientX: LEFT + x, clientY: TOP + y, pointerId: 1, button: 0, pointerType: "mouse", ...more });

const press = (key: string, held: Record<string, boolean> = {}) =>
  send("keydown", { key, ctrlKey: false, metaKey: false, altKey: false, ...held });

test("a pointer that is not pressed points, in pixels of the frame", () => {
  pointer("pointermove", 100, 50);
  assert.deepEqual(surface.picked, [[100, 50]]);
  assert.deepEqual(said, ["hover", 7]);
});

test("a click chooses, a drag moves the map with the pointer and chooses nothing", () => {
  pointer("pointerdown", 100, 50);
  pointer("pointerup", 102, 50);
  assert.deepEqual(said.splice(0), ["choose", 7]);
  const before = surface.view;
  pointer("pointerdown", 100, 50);
  pointer("pointermove", 160, 20);
  pointer("pointerup", 160, 20);
  assert.deepEqual(said, ["moved"]);
  assert.ok(Math.abs((before.x - surface.camera.x) * before.scale - 60) < 1e-9);
  assert.ok(Math.abs((before.y - surface.camera.y) * before.scale + 30) < 1e-9);
  assert.deepEqual(surface.frame.captured, [1, 1]);
});

test("other buttons are the browser's", () => {
  pointer("pointerdown", 100, 50, { button: 2 });
  pointer("pointerup", 100, 50, { button: 2 });
  assert.deepEqual(said, []);
});

test("a touch that the system takes away chooses nothing", () => {
  pointer("pointerdown", 100, 50);
  pointer("pointercancel", 100, 50);
  assert.deepEqual(said, []);
});

test("two fingers that part zoom in about their middle", () => {
  pointer("pointerdown", 200, 228);
  pointer("pointerdown", 256, 228, { pointerId: 2 });
  pointer("pointermove", 144, 228);
  pointer("pointermove", 312, 228, { pointerId: 2 });
  assert.ok(Math.abs(surface.camera.zoom - 3) < 0.01, String(surface.camera.zoom));
  assert.ok(Math.abs(surface.camera.x - 5000) < 200);
  pointer("pointerup", 144, 228);
  pointer("pointerup", 312, 228, { pointerId: 2 });
  assert.ok(!said.includes("choose"));
});

test("leaving ends pointing, but a lifted finger has not left", () => {
  pointer("pointerleave", 0, 0);
  assert.deepEqual(said.splice(0), ["hover", -1]);
  pointer("pointerleave", 0, 0, { pointerType: "touch" });
  assert.deepEqual(said, []);
});

test("the wheel zooms at the pointer, by pixels or by lines, and does not scroll the page", () => {
  const wheel = (deltaY: number, deltaMode = 0) =>
    send("wheel", { deltaY, deltaMode, clientX: LEFT + 228, clientY: TOP + 228 });
  assert.ok(wheel(-100));
  const { zoom } = surface.camera;
  assert.ok(zoom > 1.1);
  wheel(100);
  assert.ok(Math.abs(surface.camera.zoom - 1) < 1e-9);
  wheel(-6.25, 1);
  assert.ok(Math.abs(surface.camera.zoom - zoom) < 1e-9);
});

test("keys move, zoom, show everything and open", () => {
  const start = surface.camera;
  const moves: [string, (camera: Camera) => boolean][] = [
    ["ArrowRight", ({ x }) => x > start.x],
    ["ArrowLeft", ({ x }) => x < start.x],
    ["ArrowDown", ({ y }) => y > start.y],
    ["ArrowUp", ({ y }) => y < start.y],
    ["+", ({ zoom }) => zoom > 1],
    ["=", ({ zoom }) => zoom > 1],
    ["-", ({ zoom }) => zoom < 1],
  ];
  for (const [key, holds] of moves) {
    surface.camera = start;
    assert.ok(press(key), key);
    assert.ok(holds(surface.camera), key);
  }
  press("0");
  assert.deepEqual(surface.camera, start);
  said = [];
  press("Enter");
  assert.deepEqual(said, ["choose", 4]);
});

test("keys that are not the map's stay the page's", () => {
  for (const key of ["j", "/", "?", "Tab", "r"]) assert.equal(press(key), false, key);
  assert.equal(press("ArrowLeft", { altKey: true }), false);
  assert.equal(press("+", { ctrlKey: true }), false);
  assert.deepEqual(said, []);
});

test("the middle is marked for those who steer with keys", () => {
  send("focus", {});
  assert.equal(surface.cross, true);
  send("blur", {});
  assert.equal(surface.cross, false);
  surface.frame.visible = false;
  send("focus", {});
  assert.equal(surface.cross, false);
});

test("Space selects what is in the middle, V what is in view, Escape nothing", () => {
  for (const key of [" ", "v", "Escape"]) assert.ok(press(key), key);
  assert.deepEqual(said, ["toggle", 4, "view", "clear"]);
});

test("with Shift, or in lasso mode, a drag draws a line in map units and leaves the map where it is", () => {
  for (const held of [{ shiftKey: true }, {}]) {
    drawing = held.shiftKey !== true;
    drawn = [];
    const { view } = surface;
    pointer("pointerdown", 100, 50, held);
    pointer("pointermove", 160, 20, held);
    pointer("pointermove", 160, 90, held);
    assert.equal(surface.lasso.length, 6, "it is seen while it is drawn");
    pointer("pointerup", 160, 90, held);
    const corners = [100, 50, 160, 20, 160, 90].map((pixel, at) =>
      at % 2 === 0 ? view.x + (pixel - view.width / 2) / view.scale : view.y + (pixel - view.height / 2) / view.scale,
    );
    assert.equal(drawn.length, 1);
    for (const [at, number] of (drawn[0] ?? []).entries()) assert.ok(Math.abs(number - (corners[at] ?? 0)) < 1e-6);
    assert.deepEqual(surface.camera, wholeCamera(bounds));
    assert.deepEqual(said, []);
  }
});

test("a click in lasso mode puts one point in or out, and a line that the system breaks off is none", () => {
  drawing = true;
  pointer("pointerdown", 100, 50);
  pointer("pointerup", 101, 50);
  assert.deepEqual(said.splice(0), ["toggle", 7]);
  pointer("pointerdown", 100, 50);
  pointer("pointermove", 160, 20);
  pointer("pointercancel", 160, 20);
  assert.deepEqual(drawn, [[]]);
  assert.deepEqual(said, []);
});
