import assert from "node:assert/strict";
import { test } from "node:test";
import { between, clusterEntries, parseRgb, scalarEntries } from "../src/map/colours.ts";
import { mapLabels, placeLabels } from "../src/map/labels.ts";
import { pointRadius } from "../src/map/renderer.ts";
import { onScale, scaleOf } from "../src/map/scale.ts";
import { colourOf, mapStateOf, mapViewOf } from "../src/map/state.ts";
import { stampOf } from "../src/map/stamp.ts";
import { boxOfView, kept, panned, toMap, toScreen, viewOf, wholeCamera, zoomed } from "../src/map/view.ts";

import { pointsFrom } from "./support/layers.ts";

/** Numbers that look random and are the same every time (a linear congruential generator). */
function numbers(count: number, limit: number, seed: number): number[] {
  let state = seed;
  return Array.from({ length: count }, () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
    return Math.floor((state / 2 ** 32) * limit);
  });
}

const bounds = { left: 0, top: 0, right: 60000, bottom: 30000 };

test("at zoom 1 everything is on the screen", () => {
  for (const [width, height] of [
    [800, 600],
    [300, 900],
    [40, 40],
  ] as const) {
    const view = viewOf(wholeCamera(bounds), bounds, width, height);
    const corners = [toScreen(view, 0, 0), toScreen(view, 60000, 30000)];
    for (const { x, y } of corners) assert.ok(x >= 0 && x <= width && y >= 0 && y <= height);
  }
});

test("screen and map are inverse to one another", () => {
  const view = viewOf({ x: 1234, y: 5678, zoom: 3.7 }, bounds, 800, 600);
  const place = toMap(view, 123, 456);
  const pixel = toScreen(view, place.x, place.y);
  assert.ok(Math.abs(pixel.x - 123) < 1e-9 && Math.abs(pixel.y - 456) < 1e-9);
});

test("zooming keeps the place under the pointer, panning moves it with the pointer", () => {
  const view = viewOf({ x: 20000, y: 10000, zoom: 2 }, bounds, 800, 600);
  const under = toMap(view, 100, 50);
  const near = viewOf(zoomed(view, 3, 100, 50), bounds, 800, 600);
  assert.equal(near.zoom, 6);
  const after = toMap(near, 100, 50);
  assert.ok(Math.abs(after.x - under.x) < 1e-6 && Math.abs(after.y - under.y) < 1e-6);
  const moved = toMap(viewOf(panned(view, 30, -20), bounds, 800, 600), 130, 30);
  assert.ok(Math.abs(moved.x - under.x) < 1e-6 && Math.abs(moved.y - under.y) < 1e-6);
});

test("the map cannot be zoomed or moved out of sight", () => {
  const view = viewOf(wholeCamera(bounds), bounds, 800, 600);
  assert.equal(zoomed(view, 1e9).zoom, 400);
  assert.equal(zoomed(view, 1e-9).zoom, 0.5);
  assert.deepEqual(kept({ x: -5, y: 99999, zoom: 2 }, bounds), { x: 0, y: 30000, zoom: 2 });
});

test("each named cluster has one label in its middle, the largest first", () => {
  const points = pointsFrom({
    x: [0, 10, 20, 100, 300, 7],
    y: [0, 0, 0, 50, 50, 7],
    clusters: [0, 0, 0, 1, 1, -1],
    labels: ["first", "second", ""],
  });
  assert.deepEqual(
    mapLabels(points, "side").map(({ text, x, weight }) => [text, x, weight]),
    [
      ["first", 10, 3],
      ["second", 300, 2],
    ],
  );
});

test("a label is short and shows what is hidden", () => {
  const label = (text: string) =>
    mapLabels(pointsFrom({ x: [0], y: [0], clusters: [0], labels: [text] }), "side")[0]?.text ?? "";
  assert.equal([...label("🤗".repeat(100))].length, 36);
  assert.equal(label("a\u202eb\n"), "a[U+202E]b↵");
});

test("labels never touch, stay inside, and the heavier one wins", () => {
  const labels = numbers(60, 60000, 5).map((x, at) => ({
    kind: "group" as const,
    text: `label ${at}`,
    x,
    y: numbers(60, 30000, 6)[at] ?? 0,
    weight: 60 - at,
  }));
  const view = viewOf(wholeCamera(bounds), bounds, 700, 400);
  const width = (text: string) => text.length * 7;
  const placed = placeLabels(labels, view, width);
  assert.ok(placed.length > 5 && placed.length < 60);
  for (const [at, one] of placed.entries()) {
    const half = width(one.text) / 2;
    assert.ok(one.x - half >= 0 && one.x + half <= 700 && one.y >= 0 && one.y <= 400);
    for (const other of placed.slice(at + 1)) {
      const apart =
        Math.abs(one.x - other.x) >= half + width(other.text) / 2 || Math.abs(one.y - other.y) >= 16;
      assert.ok(apart, `${one.text} ${other.text}`);
    }
  }
  const same = [
    { kind: "group" as const, text: "big", x: 30000, y: 15000, weight: 9 },
    { kind: "group" as const, text: "small", x: 30000, y: 15000, weight: 1 },
  ];
  assert.deepEqual(
    placeLabels(same, view, width).map(({ text }) => text),
    ["big"],
  );
});

test("closer in, more labels fit", () => {
  const labels = numbers(40, 60000, 8).map((x, at) => ({
    kind: "group" as const,
    text: `label ${at}`,
    x,
    y: 15000,
    weight: 40 - at,
  }));
  const count = (zoom: number) => {
    const view = viewOf({ x: 30000, y: 15000, zoom }, bounds, 700, 400);
    const inView = labels.filter(({ x }) => Math.abs(toScreen(view, x, 0).x - 350) < 300);
    return placeLabels(labels, view, () => 60).length / inView.length;
  };
  assert.ok(count(6) > count(1));
});

test("a scale ignores extremes and takes logarithms of what spans decades", () => {
  const even = Float64Array.from({ length: 101 }, (_, at) => at);
  assert.deepEqual(scaleOf(even), { low: 2, high: 98, log: false });
  const wide = Float64Array.from({ length: 101 }, (_, at) => 10 ** (at / 20));
  const scale = scaleOf(wide);
  assert.ok(scale.log);
  assert.ok(Math.abs(onScale(scale, Math.sqrt(scale.low * scale.high)) - 0.5) < 1e-9);
  assert.equal(scaleOf(Float64Array.from(wide, (value) => -value)).log, false);
});

test("a scale survives missing, equal, zero and no values", () => {
  const holes = Float64Array.of(Number.NaN, 4, 4, Number.NaN);
  assert.equal(onScale(scaleOf(holes), 4), 0.5);
  assert.ok(Number.isNaN(onScale(scaleOf(holes), Number.NaN)));
  assert.deepEqual(scaleOf(new Float64Array()), { low: 0, high: 1, log: false });
  const dead = Float64Array.from({ length: 100 }, (_, at) => (at < 5 ? 0 : 10 ** (at / 20)));
  assert.ok(scaleOf(dead).log);
  assert.equal(onScale(scaleOf(dead), 0), 0);
  assert.equal(onScale({ low: 1, high: 2, log: false }, 9), 1);
});

test("entry 0 is for what has no cluster and no value", () => {
  assert.deepEqual([...clusterEntries(Int16Array.of(-1, 0, 9, 10))], [0, 1, 10, 1]);
  const scale = { low: 0, high: 10, log: false };
  assert.deepEqual([...scalarEntries(Float64Array.of(Number.NaN, 0, 5, 10), scale)], [0, 1, 128, 255]);
});

test("colours are read as the browser writes them", () => {
  assert.deepEqual(parseRgb("rgb(1, 22, 255)"), [1, 22, 255]);
  assert.deepEqual(parseRgb(" rgb(1 2 3 / 0.5)"), [1, 2, 3]);
  assert.deepEqual(parseRgb(""), [128, 128, 128]);
  assert.deepEqual(
    between(
      [
        [0, 0, 0],
        [100, 50, 0],
        [200, 50, 0],
      ],
      0.25,
    ),
    [50, 25, 0],
  );
  assert.deepEqual(
    between(
      [
        [0, 0, 0],
        [100, 50, 0],
      ],
      7,
    ),
    [100, 50, 0],
  );
});

test("a stamp is round and soft", () => {
  const { dx, dy, cover } = stampOf(3);
  const at = (x: number, y: number) =>
    cover[[...dx].findIndex((_, part) => dx[part] === x && dy[part] === y)] ?? 0;
  assert.equal(at(0, 0), 256);
  assert.equal(at(3, 3), 0);
  assert.ok(at(3, 0) > 0 && at(3, 0) < 256);
  assert.equal(at(2, 1), at(-1, 2));
});

test("points shrink with their number and grow with zoom", () => {
  assert.ok(pointRadius(100, 1) > pointRadius(5000, 1) && pointRadius(5000, 1) > pointRadius(131_072, 1));
  assert.ok(pointRadius(5000, 8) > pointRadius(5000, 1));
  assert.ok(pointRadius(100, 400) <= 9);
});

test("the box of a view is what its corners show", () => {
  const view = viewOf({ x: 1234, y: 5678, zoom: 3 }, bounds, 800, 600);
  const box = boxOfView(view);
  assert.deepEqual([box.left, box.top], Object.values(toMap(view, 0, 0)));
  assert.deepEqual([box.right, box.bottom], Object.values(toMap(view, 800, 600)));
});

const nothing = {
  saes: [],
  arrangement: "side",
  colour: "",
  query: "",
  feature: null,
  camera: null,
  lasso: [],
  picked: "",
  tab: null,
} as const;

test("the map's view survives the address, and nonsense is no view", () => {
  const view = {
    saes: ["a", "b"],
    arrangement: "over",
    colour: "max",
    query: '" x"',
    feature: 12,
    camera: { x: 100, y: 200, zoom: 2.5 },
    lasso: [0, 0, 65_535, 12, 300, -40],
    picked: "3.40!7",
    tab: "selected",
  } as const;
  assert.deepEqual(mapViewOf(mapStateOf(view)), view);
  assert.deepEqual(mapViewOf(mapStateOf(nothing)), nothing);
  const nonsense = { x: "1", y: "b", z: "2", f: "-3", lasso: "1.2.x!", pick: "1;2", list: "all", lay: "under", sae: ",," };
  assert.deepEqual(mapViewOf(nonsense), nothing);
  assert.equal(mapViewOf({ x: "1", y: "2", z: "0" }).camera, null);
  assert.deepEqual(mapViewOf({ sae: "a,b,a" }).saes, ["a", "b"]);
});

test("colours mean clusters, or SAEs where they lie over one another, unless the view says otherwise", () => {
  assert.equal(colourOf(nothing), "cluster");
  assert.equal(colourOf({ ...nothing, saes: ["a", "b"] }), "cluster");
  assert.equal(colourOf({ ...nothing, saes: ["a", "b"], arrangement: "over" }), "sae");
  assert.equal(colourOf({ ...nothing, saes: ["a"], arrangement: "over" }), "cluster");
  assert.equal(colourOf({ ...nothing, saes: ["a", "b"], arrangement: "over", colour: "max" }), "max");
});
