import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { atOnce, breathe, inSlices } from "../src/map/slices.ts";

/** Steps that note their number; `milliseconds` pass in each. */
function* noting(notes: number[], count: number, milliseconds = 0): Generator<void, void> {
  for (let step = 0; step < count; step++) {
    clock += milliseconds;
    notes.push(step);
    yield;
  }
}

let clock = 0;
mock.method(performance, "now", () => clock);

test("all at once leaves no step for later", () => {
  const notes: number[] = [];
  atOnce(noting(notes, 5, 1000));
  assert.deepEqual(notes, [0, 1, 2, 3, 4]);
});

test("what takes no time is done at once", () => {
  const notes: number[] = [];
  let ended = 0;
  inSlices(noting(notes, 100), () => true, () => (ended += 1));
  assert.equal(notes.length, 100);
  assert.equal(ended, 1);
});

test("long work is done in slices of six milliseconds, and others have their turn in between", async () => {
  const notes: number[] = [];
  const lengths: number[] = [];
  let working = true;
  inSlices(noting(notes, 20, 2), () => lengths.push(notes.length) > 0, () => (working = false));
  assert.equal(notes.length, 3, "only the first slice is done now");
  let turns = 0;
  while (working) {
    await breathe();
    turns += 1;
  }
  assert.ok(turns >= 6, `${turns} turns`);
  assert.deepEqual(lengths, [3, 6, 9, 12, 15, 18], "asked before each slice whether it is still wanted");
  assert.deepEqual(notes, Array.from({ length: 20 }, (_, step) => step));
});

test("work that nobody wants any more stops, and never says that it is done", async () => {
  const notes: number[] = [];
  let wanted = true;
  inSlices(noting(notes, 20, 10), () => wanted, () => assert.fail("it was not done"));
  await breathe();
  await breathe();
  wanted = false;
  const before = notes.length;
  assert.ok(before >= 2 && before < 20);
  for (let turn = 0; turn < 5; turn++) await breathe();
  assert.equal(notes.length, before);
});
