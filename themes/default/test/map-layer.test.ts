import assert from "node:assert/strict";
import { test } from "node:test";
import { EXTENT, layerOf, loadLayers } from "../src/map/layer.ts";
import { placed, placementsOf } from "../src/map/placement.ts";
import { Points } from "../src/map/points.ts";
import { fakeSite } from "./support/fake-site.ts";
import { around, layerFrom, pointsFrom } from "./support/layers.ts";
import { Dice } from "./support/random.ts";

interface Place {
  feature: number;
  x: number;
  y: number;
  cluster: number;
}

/** The bytes of a part, from their description in `MapShard`. */
function partOf(places: readonly Place[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(6 * places.length));
  for (const [at, { x, y, cluster }] of places.entries()) {
    view.setUint16(2 * at, x, true);
    view.setUint16(2 * (places.length + at), y, true);
    view.setInt16(2 * (2 * places.length + at), cluster, true);
  }
  return new Uint8Array(view.buffer);
}

function runsOf(places: readonly Place[]): number[] {
  const runs: number[] = [];
  for (const { feature } of places) {
    const [first = -1, length = 0] = runs.slice(-2);
    if (feature === first + length) runs[runs.length - 1] = length + 1;
    else runs.push(feature, 1);
  }
  return runs;
}

function somePlaces(dice: Dice): Place[] {
  const features = Array.from({ length: 60 }, (_, at) => at).filter(() => dice.share() < 0.8);
  return features.map((feature) => ({
    feature,
    x: dice.whole(0, EXTENT + 1),
    y: dice.whole(0, EXTENT + 1),
    cluster: dice.whole(-1, 3),
  }));
}

const SAE = { slug: "alpha", title: "Alpha", hook_name: "", n_features: 60, columns: [], cards: [] };
const shardOf = (places: readonly Place[], perPart: number) => ({
  n_points: places.length,
  points_per_part: perPart,
  width: Math.max(...places.map(({ x }) => x)),
  height: Math.max(...places.map(({ y }) => y)),
  runs: runsOf(places),
  clusters: [{ label: "c", size: 1, x: 3, y: 0 }],
});
const partsOf = (places: readonly Place[], perPart: number) =>
  Array.from({ length: Math.ceil(places.length / perPart) }, (_, part) =>
    partOf(places.slice(part * perPart, (part + 1) * perPart)),
  );

test("a layer holds what its data files say, in however many parts; y points down", () => {
  for (let seed = 1; seed <= 40; seed++) {
    const dice = new Dice(seed);
    const places = somePlaces(dice);
    const perPart = dice.pick([1, 7, 30, 100]);
    const layer = layerOf(SAE, shardOf(places, perPart), partsOf(places, perPart));
    const read = [...layer.features].map((feature, at) => ({
      feature,
      x: layer.x[at],
      y: EXTENT - (layer.y[at] ?? 0),
      cluster: layer.clusters[at],
    }));
    assert.deepEqual(read, places);
    assert.deepEqual(layer.groups, [{ label: "c", size: 1, x: 3, y: EXTENT }]);
    assert.deepEqual([layer.sae, layer.title, layer.size], ["alpha", "Alpha", 60]);
    assert.equal(layer.total, places.length);
    assert.deepEqual(layer.bounds, { ...around(layer.x, layer.y), left: 0, bottom: EXTENT });
  }
});

test("bytes that do not fit what the shard says are damage", () => {
  const places = somePlaces(new Dice(1));
  const shard = shardOf(places, 100);
  const [part = new Uint8Array()] = partsOf(places, 100);
  assert.throws(() => layerOf(SAE, shard, [part.subarray(0, -2)]), /alpha\/map\/0\.js is damaged/);
  assert.throws(() => layerOf(SAE, { ...shard, runs: [0, 3] }, [part]), /alpha\/map\.js is damaged/);
});

test("the first parts are a layer of their own in the bounds of the whole one", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const places = somePlaces(new Dice(seed));
    const parts = partsOf(places, 7);
    const whole = layerOf(SAE, shardOf(places, 7), parts);
    for (const count of [1, 2, parts.length - 1]) {
      const layer = layerOf(SAE, shardOf(places, 7), parts.slice(0, count));
      assert.equal(layer.features.length, 7 * count);
      for (const name of ["features", "x", "y", "clusters"] as const) {
        assert.deepEqual([...layer[name]], [...whole[name].subarray(0, 7 * count)], name);
      }
      assert.deepEqual([layer.total, layer.bounds, layer.groups], [whole.total, whole.bounds, whole.groups]);
      const points = new Points([layer]);
      assert.equal(points.awaited, places.length - 7 * count);
      assert.deepEqual(points.bounds, new Points([whole]).bounds, "so nothing jumps when the rest comes");
    }
    assert.equal(new Points([whole]).awaited, 0);
  }
});

/** A site with the parts of `alpha`, 20 places each, and of `small`, all in one. */
function siteOf(places: readonly Place[]) {
  const site = fakeSite({ "alpha/map": shardOf(places, 20), "small/map": shardOf(places, 100) });
  for (const [number, bytes] of partsOf(places, 20).entries()) site.answers.set(`alpha/map/${number}`, { bytes });
  site.answers.set("small/map/0", { bytes: partsOf(places, 100)[0] ?? new Uint8Array() });
  return site;
}

test("layers are loaded in all their parts; the first of each come first, and are shown as a sample", async () => {
  const places = somePlaces(new Dice(3));
  const site = siteOf(places);
  const samples: (readonly [string, number])[] = [];
  let asked: string[] = [];
  const layers = await loadLayers([SAE, { ...SAE, slug: "small" }], (first) => {
    samples.push(...first.map(({ sae, features }) => [sae, features.length] as const));
    asked = site.asked.filter((path) => path.includes("/map"));
  });
  assert.deepEqual(samples, [["alpha", 20], ["small", places.length]]);
  for (const key of ["alpha/map.js", "alpha/map/0.js", "small/map.js", "small/map/0.js"]) {
    assert.equal(asked.filter((path) => path.includes(key)).length, 1, key);
  }
  assert.equal(asked.length, 4, "nothing else shares the line with them");
  assert.deepEqual(layers.map(({ features }) => features.length), [places.length, places.length]);
  const parts = Math.ceil(places.length / 20) + 1;
  assert.equal(site.asked.filter((path) => path.includes("/map")).length, 2 + parts, "no part is asked for twice");
});

test("a map in one part is no sample, and a part that is missing is named", async () => {
  const site = siteOf(somePlaces(new Dice(9)));
  // Shards are read once: other keys than those of the test before.
  const renamed = (from: string, to: string) => site.answers.set(to, site.answers.get(from) ?? "missing");
  for (const end of ["/map", "/map/0"]) renamed(`small${end}`, `lone${end}`);
  await loadLayers([{ ...SAE, slug: "lone" }], () => assert.fail("it is the whole map"));
  for (const end of ["/map", "/map/0", "/map/1"]) renamed(`alpha${end}`, `torn${end}`);
  let samples = 0;
  await assert.rejects(loadLayers([{ ...SAE, slug: "torn" }], () => (samples += 1)), /torn\/map\/2\.js could not be loaded/);
  assert.equal(samples, 1, "what there is, is shown");
  await assert.rejects(loadLayers([{ ...SAE, slug: "none" }], () => {}), /none\/map\.js could not be loaded/);
});

test("one layer stays where it is, whatever the arrangement", () => {
  const layer = layerFrom({ x: [5, 900], y: [7, 40_000] });
  for (const arrangement of ["side", "over"] as const) {
    assert.deepEqual(placementsOf([layer], arrangement), [{ scale: 1, left: 0, top: 0 }]);
  }
});

function someLayers(dice: Dice) {
  const place = (low: number, high: number) => () => dice.whole(low, high);
  return dice.list(dice.whole(2, 7), () => {
    const [low, high] = dice.pick([[0, EXTENT + 1], [30_000, 31_000], [10, 11]] as const);
    return layerFrom({ x: dice.list(30, place(low, high)), y: dice.list(30, place(0, high)), sae: String(dice.share()) });
  });
}

test("side by side no two layers share a place, and each keeps its proportions", () => {
  for (let seed = 1; seed <= 40; seed++) {
    const layers = someLayers(new Dice(seed));
    const placements = placementsOf(layers, "side");
    const boxes = layers.map((layer, at) => {
      const { left, top, right, bottom } = layer.bounds;
      const first = placed(placements[at]!, left, top);
      const last = placed(placements[at]!, right, bottom);
      for (const value of [first.x, first.y, last.x, last.y]) assert.ok(value >= 0 && value <= EXTENT);
      const wide = (last.x - first.x) * (bottom - top);
      const high = (last.y - first.y) * (right - left);
      assert.ok(Math.abs(wide - high) <= 2 * EXTENT, "one scale for both axes");
      return { left: first.x, top: first.y, right: last.x, bottom: last.y };
    });
    for (const [at, box] of boxes.entries()) {
      for (const other of boxes.slice(0, at)) {
        const apart =
          box.right < other.left || other.right < box.left || box.bottom < other.top || other.bottom < box.top;
        assert.ok(apart, `seed ${seed}`);
      }
    }
  }
});

test("over one another all layers fill the same square", () => {
  const layers = someLayers(new Dice(9));
  for (const [at, placement] of placementsOf(layers, "over").entries()) {
    const { left, top, right, bottom } = layers[at]!.bounds;
    const middle = placed(placement, (left + right) / 2, (top + bottom) / 2);
    assert.ok(Math.abs(middle.x - EXTENT / 2) <= 1 && Math.abs(middle.y - EXTENT / 2) <= 1);
  }
});

test("points of several layers know which feature of which SAE they are", () => {
  const one = layerFrom({ x: [1, 2, 3], y: [3, 2, 1], features: [0, 4, 9], clusters: [0, -1, 0], labels: ["c"], sae: "one" });
  const two = layerFrom({ x: [1, 2], y: [3, 2], features: [4, 5], clusters: [1, 0], labels: ["", "d"], sae: "two" });
  for (const arrangement of ["side", "over"] as const) {
    const points = new Points([one, two], arrangement);
    assert.equal(points.count, 5);
    for (const [number, layer] of [one, two].entries()) {
      for (const [at, feature] of layer.features.entries()) {
        const point = points.pointOf(number, feature);
        assert.deepEqual(points.named(point), { sae: layer.sae, feature });
        assert.equal(points.pointNamed({ sae: layer.sae, feature }), point);
        assert.equal(points.layerOf[point], number);
        assert.deepEqual(points.place(point), points.placeIn(number, layer.x[at] ?? 0, layer.y[at] ?? 0));
      }
    }
    assert.equal(points.clusterOf(points.pointOf(0, 0)), "c");
    assert.equal(points.clusterOf(points.pointOf(0, 4)), "");
    assert.equal(points.clusterOf(points.pointOf(1, 4)), "d");
    assert.equal(points.clusterOf(points.pointOf(1, 5)), "group 0");
  }
});

test("a cluster that the data do not name is told by its number", () => {
  assert.equal(pointsFrom({ x: [1], y: [1], clusters: [7] }).clusterOf(0), "group 7");
});
