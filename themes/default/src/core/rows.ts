import { loadTitlesOf } from "./data.ts";

/** What lists say of one feature. */
export interface FeatureRow {
  feature: number;
  /** "" where there is none. */
  explanation: string;
  /** Tokens it fires on most, exact text; none of a dead feature. */
  tokens: string[];
  /** Share of the tokens on which it fires, exact in the digits that are shown; null where unknown. */
  density: number | null;
}

/** The row of one feature; loads one title shard. */
export async function loadRow(sae: string, feature: number): Promise<FeatureRow> {
  const shard = await loadTitlesOf(sae, feature);
  const at = feature - shard.start;
  return {
    feature,
    explanation: shard.explanations[at] ?? "",
    tokens: shard.tokens[at] ?? [],
    density: shard.densities[at] ?? null,
  };
}
