import assert from "node:assert/strict";
import { test } from "node:test";
import { boxOf, inside, insideMask, parsePolygon, polygonOf, polygonText, simplified } from "../src/map/lasso.ts";
import type { Polygon } from "../src/map/lasso.ts";
import { EXTENT } from "../src/map/layer.ts";
import { Selection } from "../src/map/selection.ts";
import { pointsFrom } from "./support/layers.ts";
import { Dice } from "./support/random.ts";

/** The definition, told in another way: the angles to all corners add up to odd turns, or the winding is odd. */
function windsOddly(polygon: Polygon, x: number, y: number): boolean {
  let crossings = 0;
  for (let at = 0; at < polygon.length; at += 2) {
    const [ax = 0, ay = 0] = [polygon[at], polygon[at + 1]];
    const [bx = 0, by = 0] = [polygon[(at + 2) % polygon.length], polygon[(at + 3) % polygon.length]];
    const [low, high] = ay < by ? [{ x: ax, y: ay }, { x: bx, y: by }] : [{ x: bx, y: by }, { x: ax, y: ay }];
    if (y < low.y || y >= high.y) continue;
    // Left of the edge: the cross product says on which side of the upward edge the place lies.
    if ((high.x - low.x) * (y - low.y) - (high.y - low.y) * (x - low.x) > 0) crossings += 1;
  }
  return crossings % 2 === 1;
}

function somePolygon(dice: Dice): Polygon {
  const size = dice.pick([200, 3000, 20_000, 90_000]);
  const [x, y] = [dice.whole(-2000, EXTENT), dice.whole(-2000, EXTENT)];
  const corner = () => [x + dice.whole(0, size), y + dice.whole(0, size)];
  return dice.list(dice.whole(3, 60), corner).flat();
}

test("a place is inside where the rule of even and odd says so", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const dice = new Dice(seed);
    const polygon = somePolygon(dice);
    const box = boxOf(polygon);
    for (let round = 0; round < 20; round++) {
      const x = dice.between(box.left - 10, box.right + 10);
      const y = dice.between(box.top - 10, box.bottom + 10);
      assert.equal(inside(polygon, x, y), windsOddly(polygon, x, y), `${seed}: ${x} ${y}`);
    }
  }
});

test("a square holds its middle and nothing beside it; the middle of a ring is outside", () => {
  const square = polygonOf({ left: 10, top: 10, right: 20, bottom: 20 });
  assert.equal(inside(square, 15, 15), true);
  for (const [x, y] of [[5, 15], [25, 15], [15, 5], [15, 25]] as const) assert.equal(inside(square, x, y), false);
  const twice = [...square, 10, 10, 12, 12, 18, 12, 18, 18, 12, 18, 12, 12];
  assert.equal(inside(twice, 15, 15), false);
  assert.equal(inside(twice, 11, 15), true);
  assert.equal(inside([], 1, 1), false);
});

test("the points of a lasso are those that a test of every point finds", () => {
  for (let seed = 1; seed <= 80; seed++) {
    const dice = new Dice(seed);
    const count = 500;
    const spread = dice.pick([EXTENT + 1, 4000, 300]);
    const start = dice.whole(0, EXTENT + 2 - spread);
    // Half of the places lie on the borders of cells, where an error would show.
    const place = () => (dice.share() < 0.5 ? dice.whole(start, start + spread) : Math.min(EXTENT, dice.whole(0, 257) * 256));
    const points = pointsFrom({ x: dice.list(count, place), y: dice.list(count, place) });
    const polygon = somePolygon(dice);
    const expected = [...points.x].map((x, point) => Number(inside(polygon, x, points.y[point] ?? 0)));
    assert.deepEqual([...insideMask(points, polygon)], expected, `seed ${seed}`);
  }
});

test("lines along the borders of cells, and lines that enclose nothing, are no special case", () => {
  const dice = new Dice(4);
  const place = () => Math.min(EXTENT, dice.whole(0, 40) * 128);
  const points = pointsFrom({ x: dice.list(800, place), y: dice.list(800, place) });
  for (const polygon of [
    [256, 256, 1024, 256, 1024, 2048, 256, 2048],
    [512, 512, 512, 4096, 4096, 512],
    [256, 256, 1024, 256, 512, 256],
    [768, 0, 768, 5000, 768, 256],
  ]) {
    const expected = [...points.x].map((x, point) => Number(inside(polygon, x, points.y[point] ?? 0)));
    assert.deepEqual([...insideMask(points, polygon)], expected);
  }
  for (const none of [[], [1, 2], [1, 2, 3, 4]]) assert.ok(insideMask(points, none).every((mark) => mark === 0));
});

test("a drawn line keeps its shape in few corners", () => {
  const circle = Array.from({ length: 2000 }, (_, at) => (at * Math.PI) / 1000).flatMap((angle) => [
    30_000 + 9000 * Math.cos(angle),
    30_000 + 9000 * Math.sin(angle),
  ]);
  const simple = simplified(circle);
  assert.ok(simple.length <= 160 && simple.every(Number.isInteger));
  const dice = new Dice(2);
  let wrong = 0;
  for (let round = 0; round < 1000; round++) {
    const [x, y] = [dice.between(20_000, 40_000), dice.between(20_000, 40_000)];
    if (inside(circle, x, y) !== inside(simple, x, y)) wrong += 1;
  }
  assert.ok(wrong < 10, `${wrong} of 1000 places changed sides`);
  assert.deepEqual(simplified([1.2, 1.4, 1.3, 1.1, 5, 5]), [], "two corners enclose nothing");
  assert.deepEqual(simplified([0, 0, 10, 0, 10, 10]), [0, 0, 10, 0, 10, 10]);
});

test("a line survives the address; what is no line is none", () => {
  for (let seed = 1; seed <= 100; seed++) {
    const polygon = simplified(somePolygon(new Dice(seed)));
    assert.deepEqual(parsePolygon(polygonText(polygon)), polygon);
  }
  assert.ok(polygonText(simplified(somePolygon(new Dice(8)))).length < 800);
  for (const text of ["", "1", "1.2", "1.2.3.4.5", "1.2.3.4.5.six!", "1..2.3.4.5", "zzzzzzz.1.2.3.4.5", "1.2.3.4.5.6."]) {
    assert.deepEqual(parsePolygon(text), [], text);
  }
  assert.deepEqual(parsePolygon(Array(400).fill("1").join(".")), [], "longer than any that is drawn");
});

const points = pointsFrom([
  { x: [0, 10, 20, 30], y: [0, 10, 20, 30], sae: "one" },
  { x: [0, 10, 20], y: [0, 10, 20], features: [5, 6, 700], sae: "two" },
]);

test("a selection is what the line holds, except what was put in or out by hand", () => {
  const box = points.bounds;
  const all = polygonOf({ left: box.left - 1, top: box.top - 1, right: box.right + 1, bottom: box.bottom + 1 });
  const none = new Selection(points);
  assert.deepEqual(none.list, []);
  const some = none.toggle(2).toggle(5);
  assert.deepEqual(some.list, [2, 5]);
  assert.deepEqual(some.toggle(2).list, [5]);
  const without = new Selection(points, all, [3]);
  assert.deepEqual(without.list, [0, 1, 2, 4, 5, 6]);
  assert.equal(without.has(3), false);
  assert.equal(without.toggle(3).list.length, 7);
  for (let point = 0; point < points.count; point++) assert.equal(some.has(point), some.list.includes(point));
});

test("a selection survives the address, layer by layer; features without a place are passed over", () => {
  for (let seed = 1; seed <= 50; seed++) {
    const dice = new Dice(seed);
    const chosen = [...points.features.keys()].filter(() => dice.share() < 0.5);
    const selection = new Selection(points, [], chosen);
    assert.deepEqual(Selection.parse(points, [], selection.text).list, selection.list, selection.text);
  }
  const named = new Selection(points, [], [points.pointOf(1, 700), points.pointOf(0, 3), points.pointOf(0, 1)]);
  assert.equal(named.text, "1.3!700");
  assert.deepEqual(Selection.parse(points, [], "1.99!8!4").list, [points.pointOf(0, 1)]);
  assert.equal(new Selection(points).text, "");
});
