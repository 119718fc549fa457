// The twin of atlas/reader/sampling.py: equal logits and an equal seed give equal tokens in a browser and in Python.

/** Number of seeds: 0 to 2^32 - 1. */
export const SEEDS = 2 ** 32;

const STEP = 0x6d2b79f5;

/** The generator mulberry32 (Tommy Ettinger, 2017): numbers uniform on the multiples of 2^-32 in [0, 1). */
export function mulberry32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + STEP) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / SEEDS;
  };
}

/**
 * The id of the next token. At temperature 0 the largest logit, the lowest id among equals, and nothing is drawn.
 * Otherwise one number u is drawn, and the first id is taken at which the running sum of exp(logit / temperature)
 * exceeds u times the whole sum.
 */
export function choose(logits: Float32Array, temperature: number, draw: () => number): number {
  if (temperature === 0) return largest(logits);
  const running = weights(logits, temperature);
  let sum = 0;
  for (const [id, weight] of running.entries()) running[id] = sum += weight;
  const reached = draw() * sum;
  const found = running.findIndex((weight) => weight > reached);
  return found === -1 ? logits.length - 1 : found;
}

/** Probability of token `id` at temperature 1, whatever temperature it was drawn at. */
export function probability(logits: Float32Array, id: number): number {
  const all = weights(logits, 1);
  return (all[id] ?? 0) / all.reduce((sum, weight) => sum + weight, 0);
}

function largest(logits: Float32Array): number {
  let best = 0;
  for (let id = 1; id < logits.length; id++) if ((logits[id] ?? 0) > (logits[best] ?? 0)) best = id;
  return best;
}

/** exp(logit / temperature), scaled so that the largest is 1. */
function weights(logits: Float32Array, temperature: number): Float64Array {
  const top = (logits[largest(logits)] ?? 0) / temperature;
  return Float64Array.from(logits, (logit) => Math.exp(logit / temperature - top));
}
