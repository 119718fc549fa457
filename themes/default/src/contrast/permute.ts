import { mulberry32 } from "../model/sampling.ts";
import type { Comparison } from "./compare.ts";

/** p-values of a permutation test, and what they are from. */
export interface Permutation {
  /** Whether every relabelling was looked at; else as many were drawn at random. */
  exact: boolean;
  /** Relabellings looked at, or drawn. */
  count: number;
  /** Two-sided, per feature of the comparison. */
  p: Float64Array;
}

/** How a test is run. */
export interface Manner {
  /** Most relabellings: all are looked at where there are no more, else so many are drawn. */
  most: number;
  /** Seed of the drawing. */
  seed: number;
  /** Called now and then with (relabellings done, of how many); may wait, and ends the test by throwing. */
  tick: (done: number, total: number) => Promise<void>;
}

/** Relabellings worked on between two ticks. */
const BLOCK = 256;
/** Sums of the same numbers in another order differ by rounding: so much, of the largest possible, is no difference. */
const ROUNDING = 1e-12;

/** Ways to choose `k` of `n`, exact up to 2^53; Infinity beyond. */
export function choose(n: number, k: number): number {
  let ways = 1;
  for (let taken = 1; taken <= Math.min(k, n - k); taken++) {
    ways = (ways * (n - taken + 1)) / taken;
    if (ways > Number.MAX_SAFE_INTEGER / n) return Infinity;
  }
  return ways;
}

/** Smallest p-value that a test of so many texts can give. */
export function leastP(nA: number, nB: number, most: number): number {
  const ways = choose(nA + nB, nA);
  // With sides of equal size every labelling has a mirror image, which is as far from the middle.
  if (ways <= most) return (nA === nB ? 2 : 1) / ways;
  return 1 / (most + 1);
}

/**
 * Tests per feature whether its texts could as well have been labelled otherwise: the share of relabellings that keep the
 * sizes of the sides and whose difference of means is at least as far from zero. Where all are looked at, the observed
 * one is among them; where `m` are drawn, of which `b` are as far, p = (b + 1) / (m + 1), never zero (Phipson & Smyth
 * 2010, "Permutation P-values should never be zero", doi:10.2202/1544-6115.1585).
 */
export async function permute(comparison: Comparison, { most, seed, tick }: Manner): Promise<Permutation> {
  const { nA, nB, features } = comparison;
  const ways = choose(nA + nB, nA);
  const exact = ways <= most;
  const count = exact ? ways : most;
  const next = exact ? everyLabelling(nA + nB, nA) : drawnLabellings(nA + nB, nA, seed);
  const farther = new Uint32Array(features.length);
  for (let done = 0; done < count; done += BLOCK) {
    const size = Math.min(BLOCK, count - done);
    countFarther(comparison, Array.from({ length: size }, () => next().slice()), farther);
    await tick(done + size, count);
  }
  const p = Float64Array.from(farther, (b) => (exact ? b / count : (b + 1) / (count + 1)));
  return { exact, count, p };
}

/** Adds to `farther`, per feature, the number of `labellings` (1 = side A) at least as far from zero as the observed. */
function countFarther(comparison: Comparison, labellings: readonly Uint8Array[], farther: Uint32Array): void {
  const { nA, nB, starts, texts, values, difference } = comparison;
  const slope = 1 / nA + 1 / nB;
  for (let at = 0; at < farther.length; at++) {
    const [start, stop] = [starts[at] ?? 0, starts[at + 1] ?? 0];
    let total = 0;
    for (let place = start; place < stop; place++) total += values[place] ?? 0;
    const least = Math.abs(difference[at] ?? 0) - ROUNDING * slope * total;
    let found = 0;
    for (const labels of labellings) {
      let sum = 0;
      for (let place = start; place < stop; place++) sum += (labels[texts[place] ?? 0] ?? 0) * (values[place] ?? 0);
      if (Math.abs(sum * slope - total / nB) >= least) found++;
    }
    farther[at] = (farther[at] ?? 0) + found;
  }
}

/** All labellings of `n` texts of which `k` are of side A, one a call. */
function everyLabelling(n: number, k: number): () => Uint8Array {
  const labels = new Uint8Array(n);
  const chosen = Array.from({ length: k }, (_, at) => at);
  let first = true;
  return () => {
    if (!first) advance(chosen, n);
    first = false;
    labels.fill(0);
    for (const at of chosen) labels[at] = 1;
    return labels;
  };
}

/** The next choice in lexicographic order. */
function advance(chosen: number[], n: number): void {
  const k = chosen.length;
  let at = k - 1;
  while (at > 0 && chosen[at] === n - k + at) at--;
  const from = (chosen[at] ?? 0) + 1;
  for (let place = at; place < k; place++) chosen[place] = from + place - at;
}

/** Labellings drawn with equal chance, by a shuffle of which only the first `k` places are made. */
function drawnLabellings(n: number, k: number, seed: number): () => Uint8Array {
  const draw = mulberry32(seed);
  const order = Array.from({ length: n }, (_, at) => at);
  const labels = new Uint8Array(n);
  return () => {
    labels.fill(0);
    for (let at = 0; at < k; at++) {
      const from = at + Math.floor(draw() * (n - at));
      [order[at], order[from]] = [order[from] ?? 0, order[at] ?? 0];
      labels[order[at] ?? 0] = 1;
    }
    return labels;
  };
}
