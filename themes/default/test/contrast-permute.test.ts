import assert from "node:assert/strict";
import { test } from "node:test";
import { benjaminiHochberg } from "../src/contrast/adjust.ts";
import { compare } from "../src/contrast/compare.ts";
import type { Comparison } from "../src/contrast/compare.ts";
import { choose, leastP, permute } from "../src/contrast/permute.ts";
import type { TextSummary } from "../src/contrast/summary.ts";
import { Dice } from "./support/random.ts";

const silent = () => Promise.resolve();
const exactly = { most: 99_999, seed: 0, tick: silent };

/** Texts of which feature f has the value `values[f]`. */
function summaryOf(values: readonly number[]): TextSummary {
  const fired = values.flatMap((value, feature) => (value > 0 ? [feature] : []));
  const own = Float64Array.from(fired, (feature) => values[feature] ?? 0);
  const peak = fired.map(String);
  return { tokens: 4, windows: 1, replaced: 0, features: Uint32Array.from(fired), max: own, sum: own, peak };
}

function comparisonOf(a: readonly (readonly number[])[], b: readonly (readonly number[])[]): Comparison {
  return compare(a.map(summaryOf), b.map(summaryOf), "max");
}

/** Share of all ways to choose `nA` of `values` whose means differ by as much: every subset by its bits, no sparse trick. */
function bruteForce(values: readonly number[], nA: number): number {
  const n = values.length;
  const gap = (subset: number) => {
    let [inside, outside] = [0, 0];
    for (let at = 0; at < n; at++) {
      if (((subset >> at) & 1) === 1) inside += values[at] ?? 0;
      else outside += values[at] ?? 0;
    }
    return Math.abs(inside / nA - outside / (n - nA));
  };
  const observed = gap((1 << nA) - 1);
  let [ways, far] = [0, 0];
  for (let subset = 0; subset < 1 << n; subset++) {
    if ([...subset.toString(2)].filter((bit) => bit === "1").length !== nA) continue;
    ways++;
    if (gap(subset) >= observed - 1e-9) far++;
  }
  return far / ways;
}

test("ways to choose are exact, and infinite where no number holds them", () => {
  assert.deepEqual([choose(6, 3), choose(4, 1), choose(5, 5), choose(5, 0), choose(52, 5)], [20, 4, 1, 1, 2_598_960]);
  for (let n = 1; n < 40; n++) for (let k = 1; k < n; k++) assert.equal(choose(n, k), choose(n - 1, k - 1) + choose(n - 1, k));
  assert.equal(choose(200, 100), Infinity);
  assert.equal(choose(1000, 2), 499_500);
});

test("known small cases", async () => {
  const three = await permute(comparisonOf([[1], [2], [3]], [[4], [5], [6]]), exactly);
  assert.deepEqual([three.exact, three.count, three.p[0]], [true, 20, 0.1]);
  const one = await permute(comparisonOf([[10]], [[1], [2], [3]]), exactly);
  assert.deepEqual([one.count, one.p[0]], [4, 0.25]);
  const same = await permute(comparisonOf([[2], [2]], [[2], [2], [2]]), exactly);
  assert.equal(same.p[0], 1);
  // Fisher's exact test of a feature that fires in 3 of 3 and 0 of 3 lines, two-sided: 2 / 20.
  const fires = await permute(comparisonOf([[1], [1], [1]], [[0], [0], [0]]), exactly);
  assert.equal(fires.p[0], 0.1);
});

test("every p is that of a look at every relabelling, also with ties and zeros", async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const dice = new Dice(seed);
    const [nA, nB] = [dice.whole(1, 6), dice.whole(1, 6)];
    const value = () => (dice.share() < 0.4 ? 0 : dice.share() < 0.5 ? dice.whole(1, 4) : Math.fround(dice.between(0.1, 9)));
    const texts = (count: number) => dice.list(count, () => dice.list(5, value));
    const [a, b] = [texts(nA), texts(nB)];
    const comparison = comparisonOf(a, b);
    const { p, exact, count } = await permute(comparison, exactly);
    assert.equal(exact, true);
    assert.equal(count, choose(nA + nB, nA));
    for (const [at, feature] of comparison.features.entries()) {
      const wanted = bruteForce([...a, ...b].map((text) => text[feature] ?? 0), nA);
      assert.ok(Math.abs((p[at] ?? NaN) - wanted) < 1e-12, `seed ${seed}, feature ${feature}: ${p[at]} for ${wanted}`);
    }
  }
});

test("drawn relabellings come near the exact p, are the same for the same seed, and never give zero", async () => {
  const dice = new Dice(7);
  const texts = (count: number, more: number) => dice.list(count, () => dice.list(6, () => dice.between(0, 1) + more));
  const comparison = comparisonOf(texts(7, 0.25), texts(8, 0));
  const exact = await permute(comparison, exactly);
  const drawn = await permute(comparison, { most: 4999, seed: 3, tick: silent });
  assert.deepEqual([exact.exact, exact.count, drawn.exact, drawn.count], [true, 6435, false, 4999]);
  for (const [at, p] of drawn.p.entries()) {
    const wanted = exact.p[at] ?? NaN;
    assert.ok(Math.abs(p - wanted) < 5 * Math.sqrt((wanted * (1 - wanted)) / 4999) + 1e-3, `${p} for ${wanted}`);
    assert.ok(Number.isInteger(Math.round(p * 5000 * 1e6) / 1e6), "(b + 1) / (m + 1)");
  }
  assert.deepEqual(drawn.p, (await permute(comparison, { most: 4999, seed: 3, tick: silent })).p);
  assert.notDeepEqual(drawn.p, (await permute(comparison, { most: 4999, seed: 4, tick: silent })).p);
  const far = comparisonOf(dice.list(20, () => [9]), dice.list(20, () => [0]));
  assert.equal((await permute(far, { most: 999, seed: 0, tick: silent })).p[0], 1 / 1000);
});

test("under no difference, p is at most as often small as it says", async () => {
  let small = 0;
  const rounds = 300;
  for (let seed = 1; seed <= rounds; seed++) {
    const dice = new Dice(seed);
    const texts = () => dice.list(5, () => [dice.between(0.01, 1)]);
    const { p } = await permute(comparisonOf(texts(), texts()), exactly);
    if ((p[0] ?? 1) <= 0.1) small++;
  }
  assert.ok(small <= 0.1 * rounds + 3 * Math.sqrt(0.09 * rounds), `${small} of ${rounds}`);
});

test("the smallest p that can come out is told before the test", async () => {
  for (const [nA, nB] of [[2, 2], [3, 3], [2, 5], [1, 4], [6, 3]] as const) {
    const comparison = comparisonOf(
      Array.from({ length: nA }, (_, at) => [100 + at]),
      Array.from({ length: nB }, () => [1]),
    );
    assert.equal((await permute(comparison, exactly)).p[0], leastP(nA, nB, exactly.most), `${nA} and ${nB}`);
  }
  assert.equal(leastP(30, 30, 9999), 1 / 10_000);
});

test("progress is told to the end, and a throw in it ends the test", async () => {
  const comparison = comparisonOf([[1], [2], [3], [4], [5], [6]], [[1], [2], [3], [4], [5], [6]]);
  const told: number[] = [];
  await permute(comparison, { ...exactly, tick: (done, total) => Promise.resolve(void told.push(done, total)) });
  assert.equal(told.at(-2), 924);
  assert.ok(told.length > 4);
  const stop = permute(comparison, { ...exactly, tick: () => Promise.reject(new Error("stopped")) });
  await assert.rejects(stop, /stopped/);
});

/** q by its definition: the smallest rate at which the step-up procedure finds hypothesis `at`. */
function stepUp(p: readonly number[], at: number): number {
  const sorted = [...p].sort((a, b) => a - b);
  const found = (rate: number) => {
    const rank = sorted.findLastIndex((value, place) => value <= (rate * (place + 1)) / sorted.length + 1e-15);
    return rank >= 0 && (p[at] ?? 1) <= (sorted[rank] ?? -1);
  };
  const rates = sorted.map((value, place) => Math.min(1, (value * sorted.length) / (place + 1)));
  return Math.min(...rates.filter(found));
}

test("q is the smallest rate at which Benjamini and Hochberg's procedure finds the feature", () => {
  const p = [0.01, 0.04, 0.03, 0.005];
  assert.deepEqual([...benjaminiHochberg(Float64Array.from(p))].map((q) => Number(q.toFixed(12))), [0.02, 0.04, 0.04, 0.02]);
  for (let seed = 1; seed <= 100; seed++) {
    const dice = new Dice(seed);
    const some = dice.list(dice.whole(1, 12), () => dice.pick([dice.share(), dice.share() / 50, 0.05, 1]));
    const q = benjaminiHochberg(Float64Array.from(some));
    for (const [at, value] of q.entries()) assert.ok(Math.abs(value - stepUp(some, at)) < 1e-9, `${value}`);
  }
  assert.equal(benjaminiHochberg(new Float64Array()).length, 0);
});
