import assert from "node:assert/strict";
import { test } from "node:test";
import { blend, CanvasRenderer } from "../src/map/canvas.ts";
import { countMarks, COVER, FADED, MARKS, strongRadius } from "../src/map/renderer.ts";
import { atOnce } from "../src/map/slices.ts";
import { stampOf } from "../src/map/stamp.ts";
import { toScreen, viewOf, wholeCamera } from "../src/map/view.ts";
import { FakeCanvas } from "./support/fake-canvas.ts";
import { pointsFrom } from "./support/layers.ts";
import { Dice } from "./support/random.ts";

const PAPER = [250, 240, 230] as const;

const points = pointsFrom({ x: [0, 1000], y: [0, 1000], clusters: [0, 1] });
const palette = new Uint8Array(1024);
palette.set([200, 0, 0, 255], 4);
palette.set([0, 0, 200, 255], 8);

function drawn(strong: Uint8Array | null, ratio = 1): { canvas: FakeCanvas; pixels: [number, number][] } {
  const canvas = new FakeCanvas(300 * ratio, 200 * ratio);
  const renderer = new CanvasRenderer(canvas.element);
  renderer.setPoints(points);
  renderer.setColours(Uint8Array.of(1, 2), palette, PAPER);
  renderer.setStrong(strong);
  const view = viewOf(wholeCamera(points.bounds), points.bounds, 300, 200);
  atOnce(renderer.draw(view, 3, ratio, 1));
  const pixels = [0, 1].map((point): [number, number] => {
    const { x, y } = points.place(point);
    const pixel = toScreen(view, x, y);
    return [Math.round(pixel.x * ratio), Math.round(pixel.y * ratio)];
  });
  return { canvas, pixels };
}

/** The definition of a blend: so much of the colour over the paper. */
const over = (colour: readonly number[], share: number) =>
  colour.map((channel, at) => (PAPER[at] ?? 0) + (channel - (PAPER[at] ?? 0)) * share);

function assertNear(actual: number[], expected: number[]): void {
  for (const [at, channel] of actual.entries()) {
    assert.ok(Math.abs(channel - (expected[at] ?? 0)) <= 2, `${actual.join()} is not ${expected.join()}`);
  }
}

test("each point is where the view says, in its colour, on paper", () => {
  for (const ratio of [1, 2]) {
    const { canvas, pixels } = drawn(null, ratio);
    const [first = [0, 0], second = [0, 0]] = pixels;
    assertNear(canvas.at(...first), over([200, 0, 0], COVER));
    assertNear(canvas.at(...second), over([0, 0, 200], COVER));
    assert.deepEqual(canvas.at(0, 0), [...PAPER]);
    const coloured = Array.from({ length: canvas.width * canvas.height }, (_, at) => at).filter(
      (at) => canvas.image[at * 4] !== PAPER[0] || canvas.image[at * 4 + 2] !== PAPER[2],
    );
    const far = coloured.filter((at) =>
      pixels.every(([x, y]) => Math.hypot((at % canvas.width) - x, Math.floor(at / canvas.width) - y) > 3 * ratio + 1),
    );
    assert.deepEqual(far, [], "nothing is coloured away from the points");
    assert.ok(canvas.image.every((byte, at) => at % 4 !== 3 || byte === 255), "the ground is opaque");
  }
});

test("while some stand out the others fade, and afterwards all are as before", () => {
  const { canvas, pixels } = drawn(Uint8Array.of(0, 1));
  const [first = [0, 0], second = [0, 0]] = pixels;
  assertNear(canvas.at(...first), over([200, 0, 0], FADED));
  assertNear(canvas.at(...second), over([0, 0, 200], COVER));
});

test("a point at or beyond the edge of the picture breaks nothing and does not come back on the other side", () => {
  const canvas = new FakeCanvas(40, 30);
  const renderer = new CanvasRenderer(canvas.element);
  renderer.setPoints(points);
  renderer.setColours(Uint8Array.of(1, 2), palette, PAPER);
  const bounds = points.bounds;
  const edge = { ...viewOf({ x: 20, y: 15, zoom: 1 }, bounds, 40, 30), scale: 1 };
  atOnce(renderer.draw(edge, 4, 1, 1));
  assertNear(canvas.at(0, 0), over([200, 0, 0], COVER));
  assert.deepEqual(canvas.at(39, 0), [...PAPER]);
  assert.deepEqual(canvas.at(0, 29), [...PAPER]);
  atOnce(renderer.draw({ ...edge, x: 1e6 }, 4, 1, 1));
  assert.ok(canvas.image.every((byte, at) => at % 4 === 3 || byte === PAPER[at % 4]));
});

test("the canvas keeps its old picture, and its size, until the new one is whole", () => {
  const dice = new Dice(5);
  const places = () => dice.list(20_000, () => dice.whole(0, 65_536));
  const many = pointsFrom({ x: places(), y: places() });
  const canvas = new FakeCanvas(30, 20);
  const renderer = new CanvasRenderer(canvas.element);
  renderer.setPoints(many);
  renderer.setColours(new Uint8Array(many.count).fill(1), palette, PAPER);
  const steps = renderer.draw(viewOf(wholeCamera(many.bounds), many.bounds, 100, 80), 1, 2, 1);
  let count = 0;
  while (steps.next().done !== true) {
    count += 1;
    assert.equal(canvas.image.length, 0);
    assert.deepEqual([canvas.width, canvas.height], [30, 20]);
  }
  assert.equal(count, 9, "a step is 2,048 points, and a little more where a cell ends");
  assert.deepEqual([canvas.width, canvas.height], [200, 160]);
  assert.equal(canvas.image.length, 200 * 160 * 4);
});

test("before any point has come the picture is paper", () => {
  const canvas = new FakeCanvas(4, 4);
  const renderer = new CanvasRenderer(canvas.element);
  renderer.setColours(new Uint8Array(), palette, PAPER);
  atOnce(renderer.draw(viewOf(wholeCamera(points.bounds), points.bounds, 4, 4), 2, 1, 1));
  assert.deepEqual(canvas.at(2, 2), [...PAPER]);
});

test("points that stand out are larger than many small ones, unless they are many themselves", () => {
  assert.ok(strongRadius(1.2, 20) > 3);
  assert.equal(strongRadius(1.2, 100_000), 1.2);
  assert.equal(strongRadius(6, 20), 6);
  assert.equal(countMarks(Uint8Array.of(0, 1, 1, 0, 1)), 3);
  assert.equal(countMarks(null), 0);
});

test("a stamp of any shape covers the area of its disc, and is as wide on both sides", () => {
  for (const mark of MARKS.keys()) {
    for (const radius of [0.6, 1, 1.3, 2.6, 3.4, 9, 18]) {
      const { dx, cover } = stampOf(radius, mark);
      const area = [...cover].reduce((sum, share) => sum + share / 256, 0);
      const disc = Math.PI * radius ** 2;
      assert.ok(Math.abs(area - disc) < 0.06 * disc + 0.3, `${MARKS[mark] ?? ""} ${radius}: ${area} for ${disc}`);
      assert.equal([...dx].reduce((sum, right, part) => sum + right * (cover[part] ?? 0), 0), 0);
    }
  }
  assert.deepEqual(stampOf(3, MARKS.length), stampOf(3, 0), "shapes repeat");
});

test("a blend is the mean of two colours by their shares, in every channel by itself", () => {
  const dice = new Dice(1);
  const byte = () => dice.whole(0, 256);
  for (let round = 0; round < 2000; round++) {
    const [below, above] = [dice.list(3, byte), dice.list(3, byte)] as [number[], number[]];
    const alpha = dice.pick([0, 1, 128, 255, 256, dice.whole(0, 257)]);
    const [red = 0, green = 0, blue = 0] = below;
    const [r = 0, g = 0, b = 0] = above;
    const mixed = blend((0xff000000 | (blue << 16) | (green << 8) | red) >>> 0, r | (b << 16), g << 8, alpha);
    const channels = [mixed & 255, (mixed >> 8) & 255, (mixed >> 16) & 255];
    const expected = below.map((channel, at) => Math.floor(((above[at] ?? 0) * alpha + channel * (256 - alpha)) / 256));
    assert.deepEqual(channels, expected);
    assert.equal(mixed >>> 24, 255, "opaque");
  }
});

test("a share of the points is drawn in every part of the picture; those that stand out are all drawn", () => {
  const dice = new Dice(3);
  const count = 3000;
  const many = pointsFrom({
    x: dice.list(count, () => dice.whole(0, 65_536)),
    y: dice.list(count, () => dice.whole(0, 65_536)),
  });
  const coloured = (share: number, strong: Uint8Array | null) => {
    const canvas = new FakeCanvas(400, 400);
    const renderer = new CanvasRenderer(canvas.element);
    renderer.setPoints(many);
    renderer.setColours(new Uint8Array(count).fill(1), palette, PAPER);
    renderer.setStrong(strong);
    atOnce(renderer.draw(viewOf(wholeCamera(many.bounds), many.bounds, 400, 400), 0.6, 1, share));
    return canvas.image.filter((byte, at) => at % 4 === 1 && byte < PAPER[1] * (1 - COVER) + 40).length;
  };
  const all = coloured(1, null);
  const some = coloured(0.01, null);
  // Each of the 2,900 occupied cells of the grid keeps one of its one or two points.
  assert.ok(some > 0.8 * all && some < all, `${some} of ${all}`);
  const strong = new Uint8Array(count).fill(1);
  assert.ok(coloured(0.01, strong) > all, "few are drawn larger, and none is left out");
});

test("layers over one another have their own shapes", () => {
  const places = { x: [0, 60_000], y: [0, 60_000] };
  const two = pointsFrom([{ ...places, sae: "one" }, { ...places, sae: "two" }], "over");
  const canvas = new FakeCanvas(400, 400);
  const renderer = new CanvasRenderer(canvas.element);
  renderer.setPoints(two);
  renderer.setColours(Uint8Array.from(two.layerOf, (layer) => 1 + layer), palette, PAPER);
  renderer.setStrong(Uint8Array.from(two.layerOf, (layer) => layer));
  atOnce(renderer.draw(viewOf(wholeCamera(two.bounds), two.bounds, 400, 400), 8, 1, 1));
  const { x, y } = toScreen(viewOf(wholeCamera(two.bounds), two.bounds, 400, 400), ...placeOf(two.place(0)));
  // The corner of a square lies outside the disc of the same area.
  assertNear(canvas.at(Math.round(x) + 6, Math.round(y) + 6), over([0, 0, 200], COVER));
});

function placeOf({ x, y }: { x: number; y: number }): [number, number] {
  return [x, y];
}
