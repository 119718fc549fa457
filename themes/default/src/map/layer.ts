import type { MapCluster, MapShard, SaePayload } from "../payloads.ts";
import { loadMap, loadMapPart } from "../core/data.ts";
import { ShardError } from "../core/shards.ts";
import type { Box } from "./view.ts";

/** Largest coordinate of a map. */
export const EXTENT = 65535;

/** The places of one SAE's features, in the order of the features; of the first ones only while more are to come. */
export interface Layer {
  /** Slug of the SAE. */
  sae: string;
  title: string;
  /** Number of the SAE's features, with those that have no place. */
  size: number;
  /** Number of places in the end. */
  total: number;
  /** The smallest box that holds all places, those that are to come included. */
  bounds: Box;
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

/** What is read of a layer first. */
interface Opened {
  sae: SaePayload;
  shard: MapShard;
  first: Uint8Array;
}

/**
 * The layers of `saes`. Where they come in several parts, `sample` first gets the places in the first part of each: the
 * order of features says nothing of where they lie, so these are a picture of all. Rejects with `ShardError` where data
 * cannot be read.
 */
export async function loadLayers(
  saes: readonly SaePayload[],
  sample: (layers: readonly Layer[]) => void,
): Promise<Layer[]> {
  const opened = await Promise.all(saes.map(openLayer));
  const layers = opened.map(({ sae, shard, first }) => layerOf(sae, shard, [first]));
  if (layers.every(({ total, features }) => features.length === total)) return layers;
  // Only now, so that the first parts did not have to share the line with them.
  const whole = Promise.all(opened.map(readOn));
  sample(layers);
  return whole;
}

async function openLayer(sae: SaePayload): Promise<Opened> {
  // Every map has a first part, so it is asked for before anything is known of the map.
  const [shard, first] = await Promise.all([loadMap(sae.slug), loadMapPart(sae.slug, 0)]);
  return { sae, shard, first };
}

async function readOn({ sae, shard, first }: Opened): Promise<Layer> {
  const count = Math.ceil(shard.n_points / shard.points_per_part);
  const rest = Array.from({ length: count - 1 }, (_, at) => loadMapPart(sae.slug, at + 1));
  return layerOf(sae, shard, [first, ...(await Promise.all(rest))]);
}

/** The layer in the first or in all `parts` of an SAE's map; throws `ShardError` where they do not fit together. */
export function layerOf(
  { slug, title, n_features: size }: Pick<SaePayload, "slug" | "title" | "n_features">,
  shard: MapShard,
  parts: readonly Uint8Array[],
): Layer {
  const { n_points: total, points_per_part: perPart, width, height } = shard;
  const count = Math.min(total, parts.length * perPart);
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
  const bounds = { left: 0, top: EXTENT - height, right: width, bottom: EXTENT };
  const features = featuresIn(slug, shard).subarray(0, count);
  return { sae: slug, title, size, total, bounds, features, x, y, clusters, groups };
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
