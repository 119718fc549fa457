import type { ColumnPayload } from "../payloads.ts";
import { loadTableOf } from "./data.ts";

/** What the feature table says of one feature. */
export interface FeatureRow {
  feature: number;
  /** "" where there is none. */
  explanation: string;
  /** Tokens it fires on most, exact text. */
  tokens: string[];
  /** Cluster on the map; -1 is none. */
  cluster: number;
  columns: ColumnPayload[];
  /** In the order of `columns`. */
  values: (number | null)[];
}

/** The row of one feature; loads one table shard. */
export async function loadRow(sae: string, feature: number): Promise<FeatureRow> {
  const shard = await loadTableOf(sae, feature);
  const at = feature - shard.start;
  return {
    feature,
    explanation: shard.explanations[at] ?? "",
    tokens: shard.tokens[at] ?? [],
    cluster: shard.clusters[at] ?? -1,
    columns: shard.columns,
    values: shard.values.map((column) => column[at] ?? null),
  };
}
