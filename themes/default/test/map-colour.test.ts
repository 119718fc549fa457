import assert from "node:assert/strict";
import { test } from "node:test";
import {
  between,
  CLUSTER_COLOURS,
  clusterEntries,
  clusterPalette,
  parseRgb,
  rampPalette,
  scalarEntries,
  themeColour,
} from "../src/map/colours.ts";
import type { Rgb } from "../src/map/colours.ts";
import { paintClusters, paintLayers, paintScalar, valuesOf } from "../src/map/painting.ts";
import type { Points } from "../src/map/points.ts";
import { atShare, onScale, scaleOf } from "../src/map/scale.ts";
import type { Surface } from "../src/map/surface.ts";
import { fakeSite } from "./support/fake-site.ts";
import { pointsFrom, scalarColumn } from "./support/layers.ts";
import { Dice } from "./support/random.ts";

/** A theme in which every colour tells its name. */
const THEME: Record<string, string> = {
  "--atlas-line": "rgb(10, 10, 10)",
  "--atlas-link": "rgb(0, 0, 250)",
  "--atlas-ember": "rgb(250, 0, 0)",
  "--atlas-ink": "rgb(100, 100, 100)",
  "--atlas-card": "rgb(255, 254, 253)",
  "--atlas-cluster-none": "rgb(1, 1, 1)",
};
for (let at = 0; at < CLUSTER_COLOURS; at++) THEME[`--atlas-cluster-${at}`] = `rgb(${at + 2}, 0, 0)`;
Object.assign(globalThis, {
  window: { getComputedStyle: () => ({ getPropertyValue: (name: string) => THEME[name] ?? "" }) },
});
const host = {} as Element;

const entry = (palette: Uint8Array, at: number) => [...palette.subarray(at * 4, at * 4 + 4)];

test("a scale orders values as they are ordered, and stays within 0 and 1", () => {
  for (let seed = 1; seed <= 60; seed++) {
    const dice = new Dice(seed);
    const make = dice.pick([
      () => dice.between(-5, 5),
      () => 10 ** dice.between(-8, 4),
      () => dice.whole(0, 3),
      () => (dice.share() < 0.3 ? Number.NaN : 10 ** dice.between(-3, 3)),
    ]);
    const values = Float64Array.from(dice.list(dice.whole(2, 300), make));
    const scale = scaleOf(values);
    assert.ok(scale.low <= scale.high, `${scale.low} ${scale.high}`);
    const known = values.filter((value) => !Number.isNaN(value)).sort();
    let before = 0;
    for (const value of known) {
      const share = onScale(scale, value);
      assert.ok(share >= before && share <= 1, `${value} at ${share} after ${before}`);
      before = share;
    }
    const entries = scalarEntries(values, scale);
    for (const [at, value] of values.entries()) {
      assert.equal(entries[at] === 0, Number.isNaN(value), "0 is no value, and nothing else is");
    }
  }
});

test("at most the outermost 2 % of either end share their colour", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const dice = new Dice(seed);
    const values = Float64Array.from(dice.shuffled(Array.from({ length: 500 }, (_, at) => at - 250)));
    const scale = scaleOf(values);
    assert.ok(values.filter((value) => value < scale.low).length <= 10);
    assert.ok(values.filter((value) => value > scale.high).length <= 10);
  }
});

test("a logarithmic scale makes equal ratios equal steps", () => {
  const values = Float64Array.from({ length: 400 }, (_, at) => 10 ** (at / 50 - 6));
  const scale = scaleOf(values);
  assert.equal(scale.log, true);
  const middle = Math.sqrt(scale.low * scale.high);
  assert.ok(Math.abs(onScale(scale, middle) - 0.5) < 1e-9);
  assert.equal(onScale(scale, 0), 0, "a dead feature is at the lower end");
  assert.equal(onScale(scale, scale.low), 0);
  assert.equal(onScale(scale, scale.high), 1);
});

test("values below zero, or mostly zero, are never put on a logarithm", () => {
  const wide = Array.from({ length: 100 }, (_, at) => 10 ** (at / 10));
  assert.equal(scaleOf(Float64Array.from(wide)).log, true);
  assert.equal(scaleOf(Float64Array.from([-1, ...wide])).log, false);
  assert.equal(scaleOf(Float64Array.from([...wide, ...wide.map(() => 0), 0])).log, false);
});

test("whatever the values, their order in the data does not matter", () => {
  const dice = new Dice(5);
  const values = dice.list(200, () => dice.pick([Number.NaN, dice.between(0, 1), 10 ** dice.between(-6, 6)]));
  const expected = scaleOf(Float64Array.from(values));
  for (let round = 0; round < 10; round++) {
    assert.deepEqual(scaleOf(Float64Array.from(dice.shuffled(values))), expected);
  }
});

test("between colours lies a straight line through every stop", () => {
  const stops: Rgb[] = [
    [0, 0, 0],
    [200, 100, 50],
    [255, 255, 255],
  ];
  assert.deepEqual(between(stops, 0), [0, 0, 0]);
  assert.deepEqual(between(stops, 0.25), [100, 50, 25]);
  assert.deepEqual(between(stops, 0.5), [200, 100, 50]);
  assert.deepEqual(between(stops, 1), [255, 255, 255]);
  assert.deepEqual(between(stops, -3), [0, 0, 0]);
  assert.deepEqual(between(stops, 7), [255, 255, 255]);
  for (let share = 0; share <= 1; share += 0.01) {
    for (const channel of between(stops, share)) assert.ok(Number.isInteger(channel) && channel >= 0 && channel <= 255);
  }
});

test("a theme's colour is read from its property, and a missing one is grey", () => {
  assert.deepEqual(themeColour(host, "card"), [255, 254, 253]);
  assert.deepEqual(themeColour(host, "no-such-colour"), [128, 128, 128]);
  assert.deepEqual(parseRgb("rgb(1 2 3 / 50%)"), [1, 2, 3]);
  assert.deepEqual(parseRgb("none"), [128, 128, 128]);
  assert.deepEqual(parseRgb("rgb(1, 2)"), [128, 128, 128]);
});

test("cluster colours start with the one for none, are opaque, and repeat after ten", () => {
  const palette = clusterPalette(host);
  assert.equal(palette.length, 1024);
  assert.deepEqual(entry(palette, 0), [1, 1, 1, 255]);
  for (const cluster of [0, 1, 9, 10, 25, 32_767]) {
    const [at = 0] = clusterEntries(Int16Array.of(cluster));
    assert.deepEqual(entry(palette, at), [2 + (cluster % 10), 0, 0, 255], String(cluster));
  }
  assert.deepEqual([...clusterEntries(Int16Array.of(-1, -32_768))], [0, 0]);
});

test("only activations glow, and no value looks like the faint line", () => {
  const ember = rampPalette(host, "activation");
  const other = rampPalette(host, "fraction");
  const redder = (palette: Uint8Array, at: number) => (palette[at * 4] ?? 0) - (palette[at * 4 + 2] ?? 0);
  assert.ok(redder(ember, 120) > 100);
  assert.ok(redder(other, 120) < -100);
  for (const palette of [ember, other]) {
    assert.deepEqual(entry(palette, 0), [10, 10, 10, 255]);
    for (let at = 1; at < 256; at++) {
      assert.equal(palette[at * 4 + 3], 255);
      assert.notDeepEqual(entry(palette, at), entry(palette, 0));
    }
  }
});

/** A surface that keeps what it is told. */
function listening(points: Points) {
  const told: [Uint8Array, Uint8Array, Rgb][] = [];
  const surface = { points, setColours: (...colours: [Uint8Array, Uint8Array, Rgb]) => void told.push(colours) };
  return { surface: surface as unknown as Surface, told };
}

const points = pointsFrom({ features: [0, 1, 2], x: [3, 2, 1], y: [3, 2, 1], clusters: [-1, 11, 0] });
const byFeature = (entries: Iterable<number>) => {
  const all = [...entries];
  return [0, 1, 2].map((feature) => all[points.pointOf(0, feature)]);
};

test("points are painted by their clusters on the colour of the card", () => {
  const { surface, told } = listening(points);
  assert.deepEqual(paintClusters(surface, host), { kind: "cluster" });
  assert.deepEqual(byFeature(told[0]?.[0] ?? []), [0, 2, 1]);
  assert.deepEqual(told[0]?.[2], [255, 254, 253]);
});

test("points are painted by their SAE in colours that are no cluster's grey", () => {
  const both = pointsFrom([
    { x: [1, 2], y: [1, 2], sae: "one" },
    { x: [1], y: [1], sae: "two" },
  ]);
  const { surface, told } = listening(both);
  assert.deepEqual(paintLayers(surface, host), { kind: "sae" });
  for (const [point, entered] of (told[0]?.[0] ?? new Uint8Array()).entries()) {
    assert.equal(entered, 1 + (both.layerOf[point] ?? 0));
  }
});

const column = scalarColumn("strength");

test("points are painted by their values, and the legend knows how many have none", () => {
  const { surface, told } = listening(points);
  const values = Float64Array.from(points.features, (feature) => [1, Number.NaN, 3][feature] ?? 0);
  const legend = paintScalar(surface, host, column, values);
  assert.equal(legend.kind, "scale");
  if (legend.kind !== "scale") return;
  assert.deepEqual(legend.scale, { low: 1, high: 3, log: false });
  assert.equal(legend.missing, 1);
  assert.deepEqual(byFeature(told[0]?.[0] ?? []), [1, 0, 255]);
  assert.equal(told[0]?.[1], legend.palette);
});

test("values go to the points of their own features; an SAE without the column has none", async () => {
  const site = fakeSite({
    site: {
      title: "",
      build_id: "",
      saes: ["one", "two"].map((slug) => ({ slug, title: "", hook_name: "", n_features: 3 })),
      rows_per_column_shard: 2,
    },
    "one/table": { columns: [column] },
    "two/table": { columns: [] },
  });
  site.answers.set("one/columns/0/0", { bytes: new Uint8Array(Float32Array.of(1, Number.NaN).buffer) });
  site.answers.set("one/columns/0/1", { bytes: new Uint8Array(Float32Array.of(3).buffer) });
  const both = pointsFrom([
    { x: [30, 20, 10], y: [30, 20, 10], sae: "one" },
    { x: [1, 2, 3], y: [1, 2, 3], sae: "two" },
  ]);
  const values = await valuesOf(both, "strength");
  assert.deepEqual(
    [0, 1, 2].map((feature) => values[both.pointOf(0, feature)]),
    [1, Number.NaN, 3],
  );
  for (const feature of [0, 1, 2]) assert.equal(values[both.pointOf(1, feature)], Number.NaN);
});

test("the values along the ramp are those that have its colours", () => {
  for (const scale of [
    { low: 1, high: 3, log: false },
    { low: 1e-6, high: 0.1, log: true },
    { low: -4, high: 2, log: false },
  ]) {
    for (const share of [0, 0.25, 0.5, 0.75, 1]) {
      assert.ok(Math.abs(onScale(scale, atShare(scale, share)) - share) < 1e-9);
    }
  }
});
