import assert from "node:assert/strict";
import { test } from "node:test";
import { movedLocks, toggledLock } from "../src/probe/locks.ts";
import { standingOf, tellExactness, tellStanding } from "../src/probe/percentile.ts";
import { Dice } from "./support/random.ts";

test("locks stay with their tokens while the text around them changes", () => {
  const moved = (before: string, after: string, locks: number[]) => movedLocks([...before], [...after], locks);
  assert.deepEqual(moved("abcd", "abcd", [0, 3]), [0, 3]);
  assert.deepEqual(moved("abcd", "abXcd", [1, 2, 3]), [1, 3, 4]);
  assert.deepEqual(moved("abcd", "acd", [0, 1, 2]), [0, 1]);
  assert.deepEqual(moved("abcd", "", [0, 1]), []);
  assert.deepEqual(moved("", "ab", []), []);
  assert.deepEqual(moved("aaa", "aa", [0, 1, 2]), [0, 1]);
  const dice = new Dice(3);
  for (let round = 0; round < 200; round += 1) {
    const before = dice.list(dice.whole(0, 8), () => dice.pick(["a", "b"]));
    const after = dice.list(dice.whole(0, 8), () => dice.pick(["a", "b"]));
    const locks = before.map((_, at) => at);
    const found = movedLocks(before, after, locks);
    assert.equal(new Set(found).size, found.length);
    assert.ok(found.every((lock) => lock >= 0 && lock < after.length));
  }
});

test("a lock is set and taken off again", () => {
  assert.deepEqual(toggledLock([], 4), [4]);
  assert.deepEqual(toggledLock([4], 2), [2, 4]);
  assert.deepEqual(toggledLock([2, 4], 2), [4]);
});

test("an activation stands among the firings as its histogram says", () => {
  const bins = [
    { lower: 0, upper: 1, count: 50 },
    { lower: 1, upper: 2, count: 40 },
    { lower: 2, upper: 4, count: 10 },
  ];
  assert.deepEqual(standingOf(bins, 3.9, 1), { weaker: 0.5, least: 0.5, most: 0.5 });
  assert.deepEqual(standingOf(bins, 3.9, 1.5), { weaker: 0.7, least: 0.5, most: 0.9 });
  assert.deepEqual(standingOf(bins, 3.9, 3), { weaker: 0.95, least: 0.9, most: 1 });
  assert.deepEqual(standingOf(bins, 3.9, 3.9), { weaker: 1, least: 1, most: 1 });
  assert.deepEqual(standingOf(bins, 3.9, 100), { weaker: 1, least: 1, most: 1 });
  assert.equal(standingOf([], 3.9, 5), null);
  const gap = [
    { lower: 1, upper: 2, count: 1 },
    { lower: 8, upper: 9, count: 3 },
  ];
  assert.deepEqual(standingOf(gap, 9, 5), { weaker: 0.25, least: 0.25, most: 0.25 });
  assert.deepEqual(standingOf(gap, 9, 0.5), { weaker: 0, least: 0, most: 0 });
});

test("a standing never leaves its bounds, and grows with the activation", () => {
  const dice = new Dice(11);
  for (let round = 0; round < 50; round += 1) {
    let edge = dice.between(0, 1);
    const bins = dice.list(dice.whole(1, 9), () => {
      const lower = edge + (dice.share() < 0.3 ? dice.between(0, 1) : 0);
      edge = lower + dice.between(0.1, 2);
      return { lower, upper: edge, count: dice.whole(1, 100) };
    });
    const firings = bins.flatMap(({ lower, upper, count }) => dice.list(count, () => dice.between(lower, upper)));
    let last = 0;
    for (const value of dice.list(20, () => dice.between(0, edge)).sort((a, b) => a - b)) {
      const found = standingOf(bins, Math.max(...firings), value);
      assert.ok(found !== null && found.least <= found.weaker && found.weaker <= found.most && found.weaker >= last);
      const exact = firings.filter((firing) => firing < value).length / firings.length;
      assert.ok(exact >= found.least - 1e-9 && exact <= found.most + 1e-9);
      last = found.weaker;
    }
  }
});

test("a standing is told with the digits that matter", () => {
  const told = (weaker: number, least = 0.1, most = 0.9) => tellStanding({ weaker, least, most }).replaceAll("\u202f", "");
  assert.equal(told(0.992), "stronger than 99.2% of its firings");
  assert.equal(told(0.99923), "stronger than 99.92% of its firings");
  assert.equal(told(0.999957), "stronger than 99.996% of its firings");
  assert.equal(told(0.5), "stronger than 50.0% of its firings");
  assert.equal(told(0.0123), "stronger than 1.23% of its firings");
  assert.equal(told(1, 1, 1), "at least as strong as every one of its firings in the corpus");
  assert.equal(told(0, 0, 0), "weaker than every one of its firings in the corpus");
  assert.equal(tellExactness({ weaker: 0.5, least: 0.5, most: 0.5 }), "From its histogram, exactly.");
  assert.match(
    tellExactness({ weaker: 0.7, least: 0.5, most: 0.9 }).replaceAll("\u202f", ""),
    /exact to the width of a bin: between 50\.0% and 90\.0%\.$/,
  );
});
