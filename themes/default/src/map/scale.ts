/** How numbers become colours: 0 at `low`, 1 at `high`, what lies beyond is clipped. */
export interface Scale {
  low: number;
  high: number;
  /** Whether equal steps of colour are equal ratios. */
  log: boolean;
}

/** Numbers whose large ones are this many times the small ones are compared by ratio. */
const WIDE = 50;
const CLIPPED = 0.02;

/** A scale for `values` (NaN is no value) that a few extremes cannot spoil. */
export function scaleOf(values: Float64Array): Scale {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort();
  if (sorted.length === 0) return { low: 0, high: 1, log: false };
  const positive = sorted.filter((value) => value > 0);
  // A few zeros (dead features) must not keep a density from its logarithm.
  const nonNegative = (sorted[0] ?? 0) >= 0 && positive.length > sorted.length / 2;
  const log = nonNegative && quantile(positive, 1 - CLIPPED) > WIDE * quantile(positive, CLIPPED);
  const counted = log ? positive : sorted;
  const low = quantile(counted, CLIPPED);
  return { low, high: Math.max(quantile(counted, 1 - CLIPPED), low), log };
}

function quantile(sorted: Float64Array, share: number): number {
  return sorted[Math.round(share * (sorted.length - 1))] ?? 0;
}

/** The value whose place on `scale` is `share` (0..1). */
export function atShare({ low, high, log }: Scale, share: number): number {
  return log ? low * (high / low) ** share : low + (high - low) * share;
}

/** Place of `value` on `scale`, 0..1; NaN where it has none. Zero on a logarithmic scale is its lower end. */
export function onScale({ low, high, log }: Scale, value: number): number {
  if (Number.isNaN(value)) return Number.NaN;
  if (high === low) return 0.5;
  const share = log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
  return Math.max(0, Math.min(1, share));
}
