import assert from "node:assert/strict";
import { test } from "node:test";
import { Grid } from "../src/map/grid.ts";
import { EXTENT, NO_POINTS, Points } from "../src/map/points.ts";
import { Dice } from "./support/random.ts";

interface Cloud {
  x: Uint16Array;
  y: Uint16Array;
}

/** What `nearestMany` promises, by looking at every point. */
function bruteForce({ x, y }: Cloud, at: [number, number], radius: number, count: number): number[] {
  const square = (point: number) => ((x[point] ?? 0) - at[0]) ** 2 + ((y[point] ?? 0) - at[1]) ** 2;
  return [...x.keys()]
    .filter((point) => square(point) <= radius * radius)
    .sort((a, b) => square(a) - square(b) || a - b)
    .slice(0, count);
}

function agree(cloud: Cloud, at: [number, number], radius: number, count: number): void {
  const found = new Grid(cloud.x, cloud.y).nearestMany(...at, radius, count);
  assert.deepEqual(found, bruteForce(cloud, at, radius, count), `${at.join(" ")} ${radius} ${count}`);
}

const cloudOf = (x: number[], y: number[]): Cloud => ({ x: Uint16Array.from(x), y: Uint16Array.from(y) });

const CLOUDS: Record<string, (dice: Dice) => Cloud> = {
  "spread out": (dice) => {
    const place = () => dice.whole(0, EXTENT + 1);
    return cloudOf(dice.list(300, place), dice.list(300, place));
  },
  "in one cell": (dice) => {
    const place = () => dice.whole(1024, 1100);
    return cloudOf(dice.list(300, place), dice.list(300, place));
  },
  "all in one place": (dice) => {
    const place = dice.whole(0, EXTENT + 1);
    return cloudOf(
      dice.list(200, () => place),
      dice.list(200, () => place),
    );
  },
  "on the borders of cells": (dice) => {
    const place = () => Math.min(EXTENT, dice.whole(0, 129) * 512 + dice.pick([-1, 0, 1, 0]) + 1);
    return cloudOf(dice.list(300, place), dice.list(300, place));
  },
  "on one line": (dice) => {
    const xs = dice.list(250, () => dice.whole(0, EXTENT + 1));
    return cloudOf(
      xs,
      xs.map(() => 40_000),
    );
  },
};

for (const [name, make] of Object.entries(CLOUDS)) {
  test(`nearest points ${name} are those that a look at all points finds`, () => {
    for (let seed = 1; seed <= 25; seed++) {
      const dice = new Dice(seed);
      const cloud = make(dice);
      const point = dice.whole(0, cloud.x.length);
      const anywhere: [number, number] = [dice.between(-9000, EXTENT + 9000), dice.between(-9000, EXTENT + 9000)];
      const onPoint: [number, number] = [cloud.x[point] ?? 0, cloud.y[point] ?? 0];
      for (const at of [anywhere, onPoint]) {
        agree(cloud, at, dice.pick([0, 0.5, 30, 511, 512, 513, 5000, 70_000]), dice.pick([1, 2, 7, 90, 1000]));
      }
    }
  });
}

test("a point exactly as far as the radius is within it", () => {
  const grid = new Grid(Uint16Array.of(300), Uint16Array.of(400));
  assert.equal(grid.nearest(0, 0, 500), 0);
  assert.equal(grid.nearest(0, 0, 499.999), -1);
  assert.equal(grid.nearest(300, 400, 0), 0);
});

test("points in one place are told apart by their number", () => {
  const same = new Uint16Array(500).fill(777);
  const grid = new Grid(same, same);
  assert.equal(grid.nearest(777, 777, 10), 0);
  assert.deepEqual(grid.nearestMany(770, 770, 100, 6), [0, 1, 2, 3, 4, 5]);
});

test("a place or a radius far beyond the map misses nothing and finds nothing wrong", () => {
  const cloud = CLOUDS["spread out"]?.(new Dice(7)) ?? cloudOf([], []);
  for (const radius of [2 ** 31, 2 ** 40, 1e300, Number.POSITIVE_INFINITY]) agree(cloud, [30_000, 30_000], radius, 5);
  const grid = new Grid(cloud.x, cloud.y);
  assert.deepEqual(grid.nearestMany(3e9, 3e9, 2 ** 33, 1000), bruteForce(cloud, [3e9, 3e9], 2 ** 33, 1000));
  assert.equal(grid.nearest(-4e9, 0, 100), -1);
  assert.equal(grid.nearest(2 ** 32 + 5, 7, 100), -1);
});

test("none are asked for, none are there, or the place is no place: nothing is found", () => {
  const grid = new Grid(Uint16Array.of(1, 2), Uint16Array.of(1, 2));
  assert.deepEqual(grid.nearestMany(1, 1, 10, 0), []);
  assert.equal(new Grid(new Uint16Array(), new Uint16Array()).nearest(0, 0, 1e6), -1);
  assert.equal(grid.nearest(Number.NaN, 1, 10), -1);
});

test("the corners of the map belong to cells too", () => {
  const corners = cloudOf([0, EXTENT, 0, EXTENT], [0, 0, EXTENT, EXTENT]);
  const grid = new Grid(corners.x, corners.y);
  for (const at of [0, 1, 2, 3]) assert.equal(grid.nearest(corners.x[at] ?? 0, corners.y[at] ?? 0, 1), at);
  assert.equal(grid.nearest(-300, -300, 500), 0);
  assert.equal(grid.nearest(EXTENT + 300, EXTENT + 300, 500), 3);
});

test("bounds are the smallest box, cluster sizes add up, and every feature finds its point", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const dice = new Dice(seed);
    const count = dice.whole(1, 60);
    const features = dice.shuffled(Array.from({ length: count }, (_, at) => at * 3));
    const shard = {
      feature_idx: features,
      x: dice.list(count, () => dice.whole(0, EXTENT + 1)),
      y: dice.list(count, () => dice.whole(0, EXTENT + 1)),
      cluster: dice.list(count, () => dice.whole(-1, 5)),
      cluster_labels: [],
    };
    const points = new Points(shard);
    assert.deepEqual(points.bounds, {
      left: Math.min(...shard.x),
      right: Math.max(...shard.x),
      top: EXTENT - Math.max(...shard.y),
      bottom: EXTENT - Math.min(...shard.y),
    });
    for (const [cluster, size] of points.clusterSizes) {
      assert.equal(size, shard.cluster.filter((known) => known === cluster).length);
    }
    assert.equal(
      points.clusterSizes.reduce((sum, [, size]) => sum + size, 0),
      count,
    );
    const sizes = points.clusterSizes.map(([, size]) => size);
    assert.deepEqual(sizes, [...sizes].sort((a, b) => b - a));
    for (const [at, feature] of features.entries()) assert.equal(points.pointOf(feature), at);
    for (const missing of [-1, 1, 3 * count, 0.5]) assert.equal(points.pointOf(missing), -1);
  }
});

test("no points have the whole map as their bounds", () => {
  assert.equal(NO_POINTS.count, 0);
  assert.deepEqual(NO_POINTS.bounds, { left: 0, top: 0, right: EXTENT, bottom: EXTENT });
  assert.deepEqual(NO_POINTS.clusterSizes, []);
  assert.deepEqual(NO_POINTS.place(5), { x: 0, y: 0 });
});
