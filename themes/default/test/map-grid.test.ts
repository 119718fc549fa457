import assert from "node:assert/strict";
import { test } from "node:test";
import { CELLS, cellOf, cellOrder, Grid } from "../src/map/grid.ts";
import { EXTENT } from "../src/map/layer.ts";
import { NO_POINTS } from "../src/map/points.ts";
import type { Box } from "../src/map/view.ts";
import { pointsFrom } from "./support/layers.ts";
import { Dice } from "./support/random.ts";

interface Cloud {
  x: Uint16Array;
  y: Uint16Array;
}

/** What `nearestMany` promises, by looking at every point. */
function bruteForce({ x, y }: Cloud, at: [number, number], radius: number, count: number, box?: Box): number[] {
  const square = (point: number) => ((x[point] ?? 0) - at[0]) ** 2 + ((y[point] ?? 0) - at[1]) ** 2;
  return [...x.keys()]
    .filter((point) => square(point) <= radius * radius && (box === undefined || isIn(box, { x, y }, point)))
    .sort((a, b) => square(a) - square(b) || a - b)
    .slice(0, count);
}

function isIn({ left, top, right, bottom }: Box, { x, y }: Cloud, point: number): boolean {
  const [px = 0, py = 0] = [x[point], y[point]];
  return px >= left && px <= right && py >= top && py <= bottom;
}

/** The cloud in the order of its cells, and its grid. */
function gridOf(cloud: Cloud): { grid: Grid; sorted: Cloud } {
  const { order, starts } = cellOrder(cloud.x, cloud.y);
  const sorted = {
    x: Uint16Array.from(order, (at) => cloud.x[at] ?? 0),
    y: Uint16Array.from(order, (at) => cloud.y[at] ?? 0),
  };
  return { grid: new Grid(sorted.x, sorted.y, starts), sorted };
}

function agree(cloud: Cloud, at: [number, number], radius: number, count: number, box?: Box): void {
  const { grid, sorted } = gridOf(cloud);
  const found = grid.nearestMany(...at, radius, count, box);
  assert.deepEqual(found, bruteForce(sorted, at, radius, count, box), `${at.join(" ")} ${radius} ${count}`);
}

const cloudOf = (x: number[], y: number[]): Cloud => ({ x: Uint16Array.from(x), y: Uint16Array.from(y) });

function someBox(dice: Dice): Box {
  const [left = 0, right = 0] = dice.list(2, () => dice.between(-5000, EXTENT + 5000)).sort((a, b) => a - b);
  const [top = 0, bottom = 0] = dice.list(2, () => dice.between(-5000, EXTENT + 5000)).sort((a, b) => a - b);
  return { left, top, right, bottom };
}

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
    const place = () => Math.min(EXTENT, dice.whole(0, 257) * 256 + dice.pick([-1, 0, 1, 0]) + 1);
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
        const radius = dice.pick([0, 0.5, 30, 255, 256, 257, 5000, 70_000]);
        agree(cloud, at, radius, dice.pick([1, 2, 7, 90, 1000]));
        agree(cloud, at, radius, dice.pick([1, 7, 1000]), someBox(dice));
      }
    }
  });
}

test("a point exactly as far as the radius is within it", () => {
  const { grid } = gridOf(cloudOf([300], [400]));
  assert.equal(grid.nearest(0, 0, 500), 0);
  assert.equal(grid.nearest(0, 0, 499.999), -1);
  assert.equal(grid.nearest(300, 400, 0), 0);
});

test("points in one place are told apart by their number", () => {
  const same = new Array<number>(500).fill(777);
  const { grid } = gridOf(cloudOf(same, same));
  assert.equal(grid.nearest(777, 777, 10), 0);
  assert.deepEqual(grid.nearestMany(770, 770, 100, 6), [0, 1, 2, 3, 4, 5]);
});

test("a place or a radius far beyond the map misses nothing and finds nothing wrong", () => {
  const cloud = CLOUDS["spread out"]?.(new Dice(7)) ?? cloudOf([], []);
  for (const radius of [2 ** 31, 2 ** 40, 1e300, Number.POSITIVE_INFINITY]) agree(cloud, [30_000, 30_000], radius, 5);
  const { grid, sorted } = gridOf(cloud);
  assert.deepEqual(grid.nearestMany(3e9, 3e9, 2 ** 33, 1000), bruteForce(sorted, [3e9, 3e9], 2 ** 33, 1000));
  assert.equal(grid.nearest(-4e9, 0, 100), -1);
  assert.equal(grid.nearest(2 ** 32 + 5, 7, 100), -1);
});

test("none are asked for, none are there, or the place is no place: nothing is found", () => {
  const { grid } = gridOf(cloudOf([1, 2], [1, 2]));
  assert.deepEqual(grid.nearestMany(1, 1, 10, 0), []);
  assert.equal(gridOf(cloudOf([], [])).grid.nearest(0, 0, 1e6), -1);
  assert.equal(grid.nearest(Number.NaN, 1, 10), -1);
});

test("the corners of the map belong to cells too", () => {
  const corners = cloudOf([0, EXTENT, 0, EXTENT], [0, 0, EXTENT, EXTENT]);
  const { grid, sorted } = gridOf(corners);
  for (const at of [0, 1, 2, 3]) assert.equal(grid.nearest(sorted.x[at] ?? 0, sorted.y[at] ?? 0, 1), at);
  assert.equal(grid.nearest(-300, -300, 500), 0, "cells go by rows");
  assert.equal(grid.nearest(EXTENT + 300, EXTENT + 300, 500), 3);
});

test("an order by cells keeps every point once, and the cells in their order", () => {
  for (let seed = 1; seed <= 30; seed++) {
    const dice = new Dice(seed);
    const cloud = dice.pick(Object.values(CLOUDS))(dice);
    const { order, starts } = cellOrder(cloud.x, cloud.y);
    assert.deepEqual([...order].sort((a, b) => a - b), [...cloud.x.keys()]);
    for (const [place, point] of order.entries()) {
      const cell = cellOf(cloud.y[point] ?? 0) * CELLS + cellOf(cloud.x[point] ?? 0);
      assert.ok(place >= (starts[cell] ?? 0) && place < (starts[cell + 1] ?? 0));
    }
  }
});

test("the first few points of a cell are drawn from all of it", () => {
  const count = 4000;
  const { order } = cellOrder(new Uint16Array(count).fill(9), new Uint16Array(count).fill(9));
  const first = [...order].slice(0, count / 10);
  for (let part = 0; part < 4; part++) {
    const here = first.filter((point) => Math.floor((4 * point) / count) === part).length;
    assert.ok(Math.abs(here - 100) < 12, `${here} of 100 in quarter ${part}`);
  }
});

test("points in a box are counted as by a look at all; the quick count is never below", () => {
  for (let seed = 1; seed <= 60; seed++) {
    const dice = new Dice(seed);
    const { grid, sorted } = gridOf(dice.pick(Object.values(CLOUDS))(dice));
    const box = someBox(dice);
    const expected = [...sorted.x.keys()].filter((point) => isIn(box, sorted, point)).length;
    assert.equal(grid.countIn(box), expected);
    assert.ok(grid.countNear(box) >= expected);
  }
});

test("bounds are the smallest box, and every feature finds its point", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const dice = new Dice(seed);
    const count = dice.whole(1, 60);
    const features = Array.from({ length: count }, (_, at) => at * 3);
    const x = dice.list(count, () => dice.whole(0, EXTENT + 1));
    const y = dice.list(count, () => dice.whole(0, EXTENT + 1));
    const clusters = dice.list(count, () => dice.whole(-1, 5));
    const points = pointsFrom({ features, x, y, clusters });
    assert.deepEqual(points.bounds, {
      left: Math.min(...x),
      right: Math.max(...x),
      top: Math.min(...y),
      bottom: Math.max(...y),
    });
    for (const [at, feature] of features.entries()) {
      const point = points.pointOf(0, feature);
      assert.deepEqual(points.place(point), { x: x[at], y: y[at] });
      assert.equal(points.clusters[point], clusters[at]);
      assert.deepEqual(points.named(point), { sae: "alpha", feature });
      assert.equal(points.pointNamed({ sae: "alpha", feature }), point);
    }
    for (const missing of [-1, 1, 3 * count, 0.5]) assert.equal(points.pointOf(0, missing), -1);
    assert.equal(points.pointOf(1, 0), -1);
    assert.equal(points.pointNamed({ sae: "beta", feature: 0 }), -1);
  }
});

test("no points have the whole map as their bounds", () => {
  assert.equal(NO_POINTS.count, 0);
  assert.deepEqual(NO_POINTS.bounds, { left: 0, top: 0, right: EXTENT, bottom: EXTENT });
  assert.deepEqual(NO_POINTS.place(5), { x: 0, y: 0 });
  assert.equal(NO_POINTS.named(0), null);
  assert.equal(NO_POINTS.clusterOf(0), "");
});
