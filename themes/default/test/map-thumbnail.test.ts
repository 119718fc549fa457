import assert from "node:assert/strict";
import { test } from "node:test";
import { dotsOf, fitOf, spotOf } from "../src/map/thumbnail.ts";

const shard = { left: -4, bottom: 10, cell: 0.5, columns: 4, rows: 2, cells: [0x10, 0, 0xf3, 0, 0, 0x10, 0, 0x5a] };

test("the picture lies in the middle and inside its canvas, with square cells", () => {
  for (const [width, height] of [
    [300, 210],
    [100, 400],
    [20, 20],
    [5, 5],
  ] as const) {
    const { side, left, top } = fitOf(shard, width, height);
    assert.ok(side >= 0);
    assert.ok(Math.abs(2 * left + side * shard.columns - width) < 1e-9);
    assert.ok(Math.abs(2 * top + side * shard.rows - height) < 1e-9);
    if (width > 16) assert.ok(left >= 8 - 1e-9 && top >= 8 - 1e-9);
  }
});

test("a feature's own coordinates lie in the cell that counts it; y points up", () => {
  const fit = fitOf(shard, 416, 216);
  assert.equal(fit.side, 100);
  assert.deepEqual(spotOf(shard, fit, -4, 10), { x: 8, y: 208 });
  assert.deepEqual(spotOf(shard, fit, -2, 11), { x: 408, y: 8 });
  const { x, y } = spotOf(shard, fit, -2.75, 10.75);
  assert.deepEqual([Math.floor((x - fit.left) / fit.side), Math.floor((y - fit.top) / fit.side)], [2, 0]);
});

test("each cell with points is one dot of its colour; denser ones are larger and stronger", () => {
  const fit = fitOf(shard, 416, 216);
  const dots = dotsOf(shard, fit);
  assert.deepEqual(
    dots.map(({ colour, spots }) => [colour, spots]),
    [
      [0, [{ x: 58, y: 58 }, { x: 158, y: 158 }]],
      [3, [{ x: 258, y: 58 }]],
      [10, [{ x: 358, y: 158 }]],
    ],
  );
  const [thin, dense, middle] = dots;
  assert.ok(thin!.radius < middle!.radius && middle!.radius < dense!.radius);
  assert.ok(thin!.opacity < middle!.opacity && dense!.opacity <= 1);
  assert.deepEqual(dotsOf({ ...shard, cells: [0, 0] }, fit), []);
});
