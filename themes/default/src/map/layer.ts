import type { MapCluster, MapShard, SaePayload } from "../payloads.ts";
import { loadMap, loadMapPart } from "../core/data.ts";
import { ShardError } from "../core/shards.ts";

/** Largest coordinate of a map. */
export const EXTENT = 65535;

/** The places of one SAE's features, in the order of the features. */
export interface Layer {
  /** Slug of the SAE. */
  sae: string;
  title: string;
  /** Number of the SAE's features, with those that have no place. */
  size: number;
  features: Int32Array;
  x: Uint16Array;
  /** Points down, as on a screen. */
  y: Uint16Array;
  /** -1 is none. */
  clusters: Int16Array;
  /** Cluster c at index c; their y points down as well. */
  groups: readonly MapCluster[];
}

/** Bytes of a point: x, y and cluster. */
const POINT_BYTES = 6;

/** The layer of `sae`; rejects with `ShardError` where its data cannot be read. */
export async function loadLayer(sae: SaePayload): Promise<Layer> {
  // Small maps have one part, so it is asked for before its number is known.
  const first = loadMapPart(sae.slug, 0);
  first.catch(() => undefined);
  const shard = await loadMap(sae.slug);
  const count = Math.ceil(shard.n_points / shard.points_per_part);
  const rest = Array.from({ length: count - 1 }, (_, at) => loadMapPart(sae.slug, at + 1));
  return layerOf(sae, shard, await Promise.all([first, ...rest]));
}

/** The layer in the data files of an SAE; throws `ShardError` where they do not fit together. */
export function layerOf(
  { slug, title, n_features: size }: Pick<SaePayload, "slug" | "title" | "n_features">,
  shard: MapShard,
  parts: readonly Uint8Array[],
): Layer {
  const { n_points: count, points_per_part: perPart } = shard;
  const x = new Uint16Array(count);
  const y = new Uint16Array(count);
  const clusters = new Int16Array(count);
  for (const [number, part] of parts.entries()) {
    const first = number * perPart;
    const length = Math.min(perPart, count - first);
    if (part.length !== length * POINT_BYTES) throw new ShardError(`${slug}/map/${number}`, "is damaged");
    readPart(new DataView(part.buffer, part.byteOffset), first, length, x, y, clusters);
  }
  const groups = shard.clusters.map((group) => ({ ...group, y: EXTENT - group.y }));
  return { sae: slug, title, size, features: featuresIn(slug, shard), x, y, clusters, groups };
}

function readPart(
  bytes: DataView,
  first: number,
  length: number,
  x: Uint16Array,
  y: Uint16Array,
  clusters: Int16Array,
): void {
  for (let at = 0; at < length; at++) {
    x[first + at] = bytes.getUint16(2 * at, true);
    y[first + at] = EXTENT - bytes.getUint16(2 * (length + at), true);
    clusters[first + at] = bytes.getInt16(2 * (2 * length + at), true);
  }
}

function featuresIn(slug: string, { n_points: count, runs }: MapShard): Int32Array {
  const features = new Int32Array(count);
  let point = 0;
  for (let at = 0; at + 1 < runs.length; at += 2) {
    const [first = 0, length = 0] = [runs[at], runs[at + 1]];
    for (let step = 0; step < length; step++) features[point++] = first + step;
  }
  if (point !== count) throw new ShardError(`${slug}/map`, "is damaged");
  return features;
}
