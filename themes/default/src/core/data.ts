import type {
  FeaturePayload,
  FeatureShard,
  MapShard,
  MinimapShard,
  PiecesShard,
  SaePayload,
  SitePayload,
  TableShard,
  TitleShard,
} from "../payloads.ts";
import { decodeFeatures } from "./feature-codec.ts";
import { PackedError } from "./packed.ts";
import { loadBytes, loadShard, ShardError } from "./shards.ts";

/** What every page may know of the whole atlas. */
export function loadSite(): Promise<SitePayload> {
  return loadShard<SitePayload>("site");
}

/** The SAE called `slug`, else the first; undefined before the site is known. */
export function chosenSae(site: SitePayload | null, slug: string | undefined): SaePayload | undefined {
  return site?.saes.find((sae) => sae.slug === slug) ?? site?.saes[0];
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
  const shard = await loadFeatures(sae, key);
  const payload = shard.features.find((entry) => entry.feature_idx === feature);
  if (payload === undefined) throw new ShardError(key, `does not hold feature ${feature}`);
  return { shard, payload };
}

const shards = new Map<string, Promise<FeatureShard>>();

/** Feature shard `key`, decoded once. */
function loadFeatures(sae: string, key: string): Promise<FeatureShard> {
  const known = shards.get(key);
  if (known !== undefined) return known;
  const loading = readFeatures(sae, key);
  shards.set(key, loading);
  loading.catch(() => shards.delete(key));
  return loading;
}

let common: Promise<string[]> | undefined;

/** The pieces of text that all feature shards share, put together once. */
function loadPieces(): Promise<string[]> {
  common ??= loadShard<PiecesShard>("pieces").then(piecesOf);
  common.catch(() => (common = undefined));
  return common;
}

/** The texts that `shared` and `rest` stand for. */
export function piecesOf({ shared, rest }: PiecesShard): string[] {
  let before = "";
  return rest.map((end, at) => (before = before.slice(0, Number.parseInt(shared[at] ?? "0", 36)) + end));
}

async function readFeatures(sae: string, key: string): Promise<FeatureShard> {
  const [{ columns }, pieces, bytes] = await Promise.all([loadSae(sae), loadPieces(), loadBytes(key)]);
  try {
    return decodeFeatures(bytes, pieces, columns.length);
  } catch (error) {
    throw new ShardError(key, error instanceof PackedError ? error.message : "is damaged");
  }
}

/** The columns of the feature table; their values are in `core/columns.ts`. */
export function loadTable(sae: string): Promise<TableShard> {
  return loadShard<TableShard>(`${sae}/table`);
}

/** Title shard `number`. */
export function loadTitles(sae: string, number: number): Promise<TitleShard> {
  return loadShard<TitleShard>(`${sae}/titles/${number}`);
}

/** Part `number` of all explanations and tokens, for whoever needs every one; its densities are empty. */
export function loadTexts(sae: string, number: number): Promise<TitleShard> {
  return loadShard<TitleShard>(`${sae}/texts/${number}`);
}

/** The title shard that holds `feature`. */
export async function loadTitlesOf(sae: string, feature: number): Promise<TitleShard> {
  const { rows_per_title_shard: size } = await loadSite();
  return loadTitles(sae, Math.floor(feature / size));
}

/** What lies on the map of an SAE. */
export function loadMap(sae: string): Promise<MapShard> {
  return loadShard<MapShard>(`${sae}/map`);
}

/** The bytes of part `number` of a map, as `MapShard` explains. */
export function loadMapPart(sae: string, number: number): Promise<Uint8Array> {
  return loadBytes(`${sae}/map/${number}`);
}

/** The map of an SAE as a small picture. */
export function loadMinimap(sae: string): Promise<MinimapShard> {
  return loadShard<MinimapShard>(`${sae}/minimap`);
}
