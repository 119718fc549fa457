import type { Piece, TextActivations } from "../model/client.ts";

/** How the activations of several tokens become one number: "mean" is over all of them, silent ones included. */
export type Joining = "max" | "sum" | "mean";

/** A feature and how strongly it fires on the tokens looked at. */
export interface Scored {
  feature: number;
  /** Its activations there, joined. */
  value: number;
  /** Its largest activation there. */
  largest: number;
  /** The token of the largest activation; the first of equals. */
  token: number;
}

/** The tokens of the `chosen` pieces, ascending; with none those of the whole text, BOS only where `withBos` says so. */
export function tokensOf(
  { ids, pieces, bos }: Pick<TextActivations, "ids" | "pieces" | "bos">,
  chosen: readonly number[],
  withBos: boolean,
): number[] {
  if (chosen.length === 0) return ids.flatMap((_, token) => (withBos || bos[token] !== true ? [token] : []));
  const tokens = chosen.flatMap((at) => {
    const piece = pieces[at];
    return piece === undefined ? [] : range(piece);
  });
  return [...new Set(tokens)].sort((a, b) => a - b);
}

function range({ start, stop }: Piece): number[] {
  return Array.from({ length: stop - start }, (_, at) => start + at);
}

/** Every feature that fires on one of `tokens`, by number. */
export function scored(
  { values, nFeatures }: Pick<TextActivations, "values" | "nFeatures">,
  tokens: readonly number[],
  joining: Joining,
): Scored[] {
  const sums = new Float64Array(nFeatures);
  const largest = new Float32Array(nFeatures);
  const where = new Int32Array(nFeatures).fill(-1);
  for (const token of tokens) {
    const start = token * nFeatures;
    for (let feature = 0; feature < nFeatures; feature++) {
      const value = values[start + feature] as number;
      if (value <= 0) continue;
      sums[feature] = (sums[feature] as number) + value;
      if (value <= (largest[feature] as number)) continue;
      largest[feature] = value;
      where[feature] = token;
    }
  }
  const found: Scored[] = [];
  for (let feature = 0; feature < nFeatures; feature++) {
    const token = where[feature] as number;
    if (token < 0) continue;
    const [sum, most] = [sums[feature] as number, largest[feature] as number];
    const value = joining === "max" ? most : joining === "sum" ? sum : sum / tokens.length;
    found.push({ feature, value, largest: most, token });
  }
  return found;
}

/** Activation of `feature` at a piece: the largest of its tokens, 0 where there is none; at BOS only `withBos`. */
export function pieceValue(
  { values, nFeatures, bos }: Pick<TextActivations, "values" | "nFeatures" | "bos">,
  feature: number,
  piece: Piece,
  withBos: boolean,
): number {
  let largest = 0;
  for (let token = piece.start; token < piece.stop; token++)
    if (withBos || bos[token] !== true) largest = Math.max(largest, values[token * nFeatures + feature] ?? 0);
  return largest;
}

/** The strongest of the features that `counts` at each token; feature -1 where none fires. */
export function strongest(
  { values, nFeatures, ids }: Pick<TextActivations, "values" | "nFeatures" | "ids">,
  counts: (feature: number) => boolean,
): { feature: number; value: number }[] {
  const counted = Uint8Array.from({ length: nFeatures }, (_, feature) => Number(counts(feature)));
  return ids.map((_, token) => {
    let [feature, value] = [-1, 0];
    for (let at = 0; at < nFeatures; at++) {
      const found = values[token * nFeatures + at] as number;
      if (found > value && counted[at] === 1) [feature, value] = [at, found];
    }
    return { feature, value };
  });
}
