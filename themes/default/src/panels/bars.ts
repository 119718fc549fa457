import { listOf, numeric } from "../feature/model.ts";
import type { Entry } from "../feature/model.ts";

/** A half-open range of values with how many lie in it. */
export interface Bin {
  lower: number;
  upper: number;
  count: number;
}

/** A bin at its place on the axis: its area tells its count. */
export interface Bar extends Bin {
  /** Its left end, as a share of the axis. */
  left: number;
  /** Its right end, likewise. */
  right: number;
}

/** Bars along the values. */
export interface Axis {
  bars: Bar[];
  ticks: Tick[];
}

/** A value marked on an axis. */
export interface Tick {
  value: number;
  /** Its place as a share of the axis. */
  at: number;
}

const GEOMETRIC = 1.5;
const MOST_TICKS = 5;
/** A tick this near to the end still counts: sums of float edges miss it by a rounding error. */
const NOISE = 1e-6;

/** The bins of a histogram; empty ones are left out. */
export function binsOf(entry: Entry): Bin[] {
  const flat = listOf(entry).map(numeric);
  const bins: Bin[] = [];
  for (let at = 0; at + 2 < flat.length; at += 3) {
    const [lower = 0, upper = 0, count = 0] = flat.slice(at, at + 3);
    if (count > 0) bins.push({ lower, upper, count });
  }
  return bins;
}

/** Whether the widths of `bins` grow with the values, so that a logarithmic axis shows more. */
export function isGeometric(bins: readonly Bin[]): boolean {
  const widths = bins.map(({ lower, upper }) => upper - lower);
  return (bins[0]?.lower ?? 0) > 0 && Math.max(...widths) > GEOMETRIC * Math.min(...widths);
}

/**
 * `bins` (ascending, at least one) on a linear axis, which holds 0 where all values are positive, or on a logarithmic
 * one. Bins that are too narrow for one of `most` bars are joined.
 */
export function layBars(bins: readonly Bin[], log: boolean, most: number): Axis {
  const scale = log ? toOctaves : (value: number) => value;
  const first = scale(bins[0]?.lower ?? 0);
  const start = log ? first : Math.min(0, first);
  const length = scale(bins.at(-1)?.upper ?? 1) - start;
  const bars: Bar[] = [];
  let cell = -1;
  for (const bin of bins) {
    const [left, right] = [(scale(bin.lower) - start) / length, (scale(bin.upper) - start) / length];
    const own = Math.floor(((left + right) / 2) * most);
    const last = bars.at(-1);
    if (last !== undefined && own === cell)
      Object.assign(last, { upper: bin.upper, right, count: last.count + bin.count });
    else bars.push({ ...bin, left, right });
    cell = own;
  }
  const ends = log ? ([fromOctaves(start), fromOctaves(start + length)] as const) : ([start, start + length] as const);
  const values = log ? factorTicks(...ends) : stepTicks(...ends);
  return { bars, ticks: values.map((value) => ({ value, at: (scale(value) - start) / length })) };
}

/** Round values from `low` to `high`, at equal steps. */
export function stepTicks(low: number, high: number): number[] {
  const least = (high - low) / MOST_TICKS;
  const power = 10 ** Math.floor(Math.log10(least));
  const step = ([1, 2, 5].find((size) => size * power >= least) ?? 10) * power;
  const first = Math.ceil(low / step - NOISE);
  const last = Math.floor(high / step + NOISE);
  // A quotient has fewer stray digits than a sum of steps.
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, at) => Number(((first + at) * step).toPrecision(12)));
}

/** Round values from `low` (above 0) to `high`, at about equal factors. */
export function factorTicks(low: number, high: number): number[] {
  const powers = stepsBetween(Math.floor(Math.log10(low)), Math.ceil(Math.log10(high)));
  const inside = (value: number) => value >= low * (1 - NOISE) && value <= high * (1 + NOISE);
  const fine = powers.flatMap((power) => [1, 2, 5].map((size) => Number((size * 10 ** power).toPrecision(12)))).filter(inside);
  if (fine.length < 2) return stepTicks(low, high);
  if (fine.length <= MOST_TICKS) return fine;
  const coarse = powers.map((power) => Number((10 ** power).toPrecision(12))).filter(inside);
  const every = Math.ceil(coarse.length / MOST_TICKS);
  return coarse.length < 2 ? fine.filter((_, at) => at % 2 === 0) : coarse.filter((_, at) => at % every === 0);
}

function stepsBetween(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, at) => first + at);
}

/** Logarithm to base 2, made of straight pieces between powers of 2: bins of float bits are even on it. */
export function toOctaves(value: number): number {
  const exponent = Math.floor(Math.log2(value));
  return exponent + value / 2 ** exponent - 1;
}

/** The value v with `toOctaves(v) === place`. */
export function fromOctaves(place: number): number {
  const exponent = Math.floor(place);
  return (1 + place - exponent) * 2 ** exponent;
}

/**
 * Heights of `bars` as shares of the highest: count over width, so that areas compare; with `log` the logarithm of one
 * more than that, in counts per narrowest bar.
 */
export function barHeights(bars: readonly Bar[], log: boolean): number[] {
  const narrowest = Math.min(...bars.map(({ left, right }) => right - left));
  const dense = bars.map(({ left, right, count }) => (count * narrowest) / (right - left));
  const heights = log ? dense.map(Math.log1p) : dense;
  const highest = Math.max(...heights);
  return heights.map((height) => (highest > 0 ? height / highest : 0));
}
