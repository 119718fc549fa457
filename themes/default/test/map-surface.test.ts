import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { breathe } from "../src/map/slices.ts";
import { Surface } from "../src/map/surface.ts";
import { wholeCamera } from "../src/map/view.ts";
import { FakeFrame, newScreen, screen } from "./support/fake-frame.ts";
import { drawFrames, fakeScreen, frames } from "./support/fake-map.ts";
import { pointsFrom } from "./support/layers.ts";
import { Dice } from "./support/random.ts";

/** Draws frames and lets the work after them go on until the picture is whole. */
async function atRest(): Promise<void> {
  while (frame.dataset["drawn"] === undefined) {
    drawFrames();
    await breathe();
  }
}

/** From now on every look at the clock finds it ten milliseconds later: no two steps fit into one slice. */
function everyStepIsLong(): void {
  let clock = 0;
  mock.method(performance, "now", () => (clock += 10));
}

let frame: FakeFrame;

beforeEach(() => {
  mock.restoreAll();
  newScreen();
  frame = new FakeFrame();
  fakeScreen("");
});

const dice = new Dice(1);
const few = pointsFrom({ x: dice.list(50, () => dice.whole(0, 60_000)), y: dice.list(50, () => dice.whole(0, 60_000)) });
const count = 30_000;
const many = pointsFrom({
  x: dice.list(count, () => dice.whole(0, 60_000)),
  y: dice.list(count, () => dice.whole(0, 60_000)),
});

const open = (wanted: "best" | "webgl" | "canvas" = "best") => new Surface(frame as unknown as HTMLElement, wanted);

test("however often something changes, a frame draws once", () => {
  const surface = open();
  surface.setPoints(few, null);
  surface.setStrong(null);
  surface.redraw();
  assert.equal(frames.length, 1);
  drawFrames();
  assert.equal(screen.drawn.length, 1);
  assert.equal(drawFrames(), 0);
});

test("a ring or a line is drawn without drawing the points anew", () => {
  const surface = open();
  surface.setPoints(few, null);
  drawFrames();
  screen.drawn = [];
  surface.hover = 3;
  surface.redrawOverlay();
  drawFrames();
  assert.deepEqual(screen.drawn, []);
  surface.redraw();
  drawFrames();
  assert.equal(screen.drawn.length, 1);
});

test("many points are drawn at one pixel per pixel while they move, and finely when they rest", async () => {
  const surface = open();
  surface.setPoints(many, null);
  await atRest();
  assert.equal(screen.drawn.at(-1)?.ratio, 2);
  surface.move({ ...surface.camera, zoom: 2 });
  drawFrames(16);
  assert.equal(screen.drawn.at(-1)?.ratio, 1);
  while (frames.length === 0) await breathe();
  await atRest();
  assert.equal(screen.drawn.at(-1)?.ratio, 2);
  surface.close();
});

test("many points at rest are drawn over several turns; the picture changes once, when it is whole", async () => {
  everyStepIsLong();
  const surface = open();
  surface.setPoints(many, null);
  drawFrames();
  assert.deepEqual(screen.drawn, []);
  assert.equal(frame.dataset["drawn"], undefined);
  surface.hover = 3;
  surface.redrawOverlay();
  await atRest();
  assert.equal(screen.drawn.length, 1, "a ring meanwhile does not begin it anew");
});

test("who moves the map does not wait for the picture of where it was", async () => {
  everyStepIsLong();
  const surface = open();
  surface.setPoints(many, null);
  drawFrames();
  surface.move({ ...surface.camera, zoom: 2 });
  drawFrames(16);
  assert.deepEqual(screen.drawn.map(({ ratio }) => ratio), [1], "the moving picture, in one turn");
  for (let turn = 0; turn < 20; turn++) await breathe();
  assert.equal(screen.drawn.length, 1, "the other one was given up");
  surface.close();
  assert.equal(frame.dataset["drawn"], "");
});

test("a picture of other points is given up at once, not with the next frame", async () => {
  everyStepIsLong();
  const surface = open();
  surface.setPoints(many, null);
  drawFrames();
  surface.setPoints(few, null);
  for (let turn = 0; turn < 20; turn++) await breathe();
  assert.deepEqual(screen.drawn, []);
  await atRest();
  assert.equal(screen.drawn.length, 1);
});

test("a closed map draws nothing more", async () => {
  everyStepIsLong();
  const surface = open();
  surface.setPoints(many, null);
  drawFrames();
  surface.close();
  for (let turn = 0; turn < 20; turn++) await breathe();
  assert.deepEqual(screen.drawn, []);
});

test("to mark nothing where nothing was marked is no reason to draw", () => {
  const surface = open();
  surface.setPoints(few, null);
  drawFrames();
  surface.setStrong(null);
  assert.equal(frames.length, 0);
  surface.setStrong(new Uint8Array(50));
  drawFrames();
  surface.setStrong(null);
  assert.equal(frames.length, 1);
});

test("the frame is asked for its size once for each size that it has", () => {
  let asked = 0;
  Object.defineProperty(frame, "clientWidth", { get: () => ((asked += 1), width) });
  let width = 400;
  const surface = open();
  surface.setPoints(few, null);
  for (let turn = 0; turn < 3; turn++) assert.equal(surface.view.width, 400);
  assert.equal(asked, 1);
  width = 500;
  screen.resized();
  assert.equal(surface.view.width, 500);
  assert.equal(frames.length, 1, "and it is drawn anew");
});

test("few points are always drawn finely", () => {
  const surface = open();
  surface.setPoints(few, null);
  surface.move({ ...surface.camera, zoom: 2 });
  drawFrames();
  assert.equal(screen.drawn.at(-1)?.ratio, 2);
  surface.close();
});

test("a graphics card is used, one that is slow after all is not", () => {
  screen.gl = "fast";
  open().setPoints(few, null);
  drawFrames();
  assert.equal(frame.dataset["renderer"], "webgl");
  screen.gl = "slow";
  frame = new FakeFrame();
  const slow = open();
  slow.setPoints(few, null);
  drawFrames();
  assert.equal(frame.dataset["renderer"], "canvas");
  screen.drawn = [];
  drawFrames();
  assert.equal(screen.drawn[0]?.kind, "canvas", "and the picture is drawn again");
  frame = new FakeFrame();
  open("webgl").setPoints(few, null);
  drawFrames();
  assert.equal(frame.dataset["renderer"], "webgl", "who insists gets it");
});

test("when the card is lost the canvas goes on with the same points and colours", () => {
  screen.gl = "fast";
  const surface = open();
  surface.setPoints(few, null);
  surface.setColours(new Uint8Array(50).fill(1), new Uint8Array(1024), [0, 0, 0]);
  drawFrames();
  const [first] = frame.children;
  screen.lose?.();
  assert.equal(frame.dataset["renderer"], "canvas");
  assert.equal(first?.removed, true);
  screen.drawn = [];
  drawFrames();
  assert.deepEqual(
    screen.drawn.map(({ kind }) => kind),
    ["canvas"],
  );
});

test("other points forget what was marked on the ones before", () => {
  const surface = open();
  surface.setPoints(few, null);
  Object.assign(surface, { ring: 3, hover: 4, picked: [1], lasso: [0, 0, 1, 1, 2, 0] });
  surface.setPoints(many, { x: 1, y: 2, zoom: 3 });
  assert.deepEqual([surface.ring, surface.hover, surface.picked, surface.lasso], [-1, -1, [], []]);
  assert.equal(surface.camera.zoom, 3);
  surface.setPoints(few, null);
  assert.deepEqual(surface.camera, wholeCamera(few.bounds));
});

test("the point under a pixel is the one drawn there, and none far from all", () => {
  const surface = open();
  surface.setPoints(few, null);
  for (const point of [0, 7, 49]) {
    const { x, y } = surface.pixel(point);
    const picked = surface.pick(x, y);
    assert.deepEqual(few.place(picked), few.place(point));
    assert.equal(surface.pick(x + 4000, y), -1);
  }
});

test("the points nearest to the middle are in view, and come by distance", () => {
  const surface = open();
  surface.setPoints(many, { x: 30_000, y: 30_000, zoom: 5 });
  const { left, right, top, bottom } = surface.box;
  const near = surface.nearMiddle(500).map((point) => many.place(point));
  assert.equal(near.length, 500);
  for (const { x, y } of near) assert.ok(x >= left && x <= right && y >= top && y <= bottom);
  const distances = near.map(({ x, y }) => Math.hypot(x - surface.view.x, y - surface.view.y));
  assert.deepEqual(distances, [...distances].sort((a, b) => a - b));
});
