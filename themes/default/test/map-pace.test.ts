import assert from "node:assert/strict";
import { test } from "node:test";
import { Pace } from "../src/map/pace.ts";

/** Milliseconds of a frame on a machine that draws `speed` points in one. */
const took = (drawn: number, speed: number) => 4 + drawn / speed;

function settled(visible: number, speed: number): { share: number; frame: number } {
  const pace = new Pace();
  let now = 0;
  for (let frame = 0; frame < 60; frame++) {
    pace.tick(now);
    now += took(pace.share(visible) * visible, speed);
  }
  const share = pace.share(visible);
  return { share, frame: took(share * visible, speed) };
}

test("a moving map settles at frames below 60 ms, however slow the machine", () => {
  for (const speed of [1000, 3000, 10_000, 100_000]) {
    const { frame } = settled(1_000_000, speed);
    assert.ok(frame <= 60, `${frame} ms at ${speed} points per ms`);
  }
});

test("a machine that can draws everything", () => {
  assert.equal(settled(1_000_000, 100_000).share, 1);
  assert.equal(settled(1000, 1000).share, 1);
});

test("a slow machine still draws some of every part, and a pause is no slow frame", () => {
  assert.ok(settled(1_000_000, 10).share > 0);
  const pace = new Pace();
  const before = pace.share(1e6);
  for (const now of [0, 5000, 10_000]) pace.tick(now);
  assert.equal(pace.share(1e6), before);
});
