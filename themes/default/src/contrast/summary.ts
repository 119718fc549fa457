import type { TextActivations } from "../model/client.ts";

/** What one text makes the features do. Lists run over the features that fire in it, ascending. */
export interface TextSummary {
  /** Tokens looked at. */
  tokens: number;
  /** Windows the text was cut into. */
  windows: number;
  /** Lone surrogates that were replaced. */
  replaced: number;
  features: Uint32Array;
  /** Largest activation. */
  max: Float64Array;
  /** Sum of the activations. */
  sum: Float64Array;
  /** Text of the piece that holds the strongest token, the first of equals. */
  peak: string[];
}

/** The summary of `activations`, with or without BOS; a feature fires where its activation is above zero. */
export function summarise(activations: TextActivations, withBos: boolean): TextSummary {
  const { nFeatures, values, bos, windows, replaced } = activations;
  const max = new Float64Array(nFeatures);
  const sum = new Float64Array(nFeatures);
  const at = new Uint32Array(nFeatures);
  let tokens = 0;
  for (const [token, isBos] of bos.entries()) {
    if (isBos && !withBos) continue;
    tokens++;
    const row = token * nFeatures;
    for (let feature = 0; feature < nFeatures; feature++) {
      const value = values[row + feature] ?? 0;
      if (!(value > 0)) continue;
      sum[feature] = (sum[feature] ?? 0) + value;
      if (value > (max[feature] ?? 0)) {
        max[feature] = value;
        at[feature] = token;
      }
    }
  }
  const features = Uint32Array.from(fired(max));
  const texts = pieceTexts(activations);
  const of = (whole: Float64Array) => Float64Array.from(features, (feature) => whole[feature] ?? 0);
  const peak = Array.from(features, (feature) => texts[at[feature] ?? 0] ?? "");
  return { tokens, windows, replaced, features, max: of(max), sum: of(sum), peak };
}

function* fired(max: Float64Array): Generator<number> {
  for (const [feature, value] of max.entries()) if (value > 0) yield feature;
}

/** Text of the piece that each token belongs to. */
function pieceTexts({ ids, pieces }: TextActivations): string[] {
  const texts = ids.map(() => "");
  for (const { text, start, stop } of pieces) texts.fill(text, start, stop);
  return texts;
}
