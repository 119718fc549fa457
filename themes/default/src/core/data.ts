import type {
  FeaturePayload,
  FeatureShard,
  MapShard,
  PostingShard,
  SaePayload,
  SitePayload,
  TableShard,
  VocabularyShard,
} from "../payloads.ts";
import { loadShard, ShardError } from "./shards.ts";

/** Fields that the search index covers. */
export type Field = "word" | "token";

/** What every page may know of the whole atlas. */
export function loadSite(): Promise<SitePayload> {
  return loadShard<SitePayload>("site");
}

/** The SAE called `slug`; rejects with `ShardError` where the site has none of that name. */
export async function loadSae(slug: string): Promise<SaePayload> {
  const found = (await loadSite()).saes.find((sae) => sae.slug === slug);
  if (found === undefined) throw new ShardError("site", `knows no SAE called ${slug}`);
  return found;
}

/** A feature's examples, with the shard that holds their text. */
export async function loadFeature(
  sae: string,
  feature: number,
): Promise<{ shard: FeatureShard; payload: FeaturePayload }> {
  const { features_per_shard: size } = await loadSite();
  const key = `${sae}/features/${Math.floor(feature / size)}`;
  const shard = await loadShard<FeatureShard>(key);
  const payload = shard.features.find((entry) => entry.feature_idx === feature);
  if (payload === undefined) throw new ShardError(key, `does not hold feature ${feature}`);
  return { shard, payload };
}

/** Shard `number` of the feature table. */
export function loadTable(sae: string, number: number): Promise<TableShard> {
  return loadShard<TableShard>(`${sae}/table/${number}`);
}

/** The table shard that holds `feature`. */
export async function loadTableOf(sae: string, feature: number): Promise<TableShard> {
  const { rows_per_table_shard: size } = await loadSite();
  return loadTable(sae, Math.floor(feature / size));
}

/** Places of all features of an SAE. */
export function loadMap(sae: string): Promise<MapShard> {
  return loadShard<MapShard>(`${sae}/map`);
}

/** The sorted terms of one field. */
export function loadVocabulary(field: Field): Promise<VocabularyShard> {
  return loadShard<VocabularyShard>(`search/${field}/vocabulary`);
}

/** Postings of the consecutive terms of shard `number`. */
export function loadPostings(field: Field, number: number): Promise<PostingShard> {
  return loadShard<PostingShard>(`search/${field}/${number}`);
}
