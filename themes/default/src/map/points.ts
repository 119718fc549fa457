import type { MapShard } from "../payloads.ts";
import { Grid } from "./grid.ts";
import type { Box } from "./view.ts";

/** Largest coordinate of a map shard. */
export const EXTENT = 65535;

/** All features of one SAE on the map. Points are numbered 0, 1, … in the shard's order. */
export class Points {
  readonly count: number;
  readonly x: Uint16Array;
  readonly y: Uint16Array;
  readonly features: Int32Array;
  /** Cluster of each point; -1 is none. */
  readonly clusters: Int16Array;
  readonly clusterLabels: readonly string[];
  /** Cluster and its number of points, the largest first; -1 is among them. */
  readonly clusterSizes: readonly (readonly [number, number])[];
  readonly grid: Grid;
  /** The smallest box that holds all points. */
  readonly bounds: Box;
  private readonly places = new Map<number, number>();

  constructor(shard: MapShard) {
    this.count = shard.feature_idx.length;
    this.x = Uint16Array.from(shard.x);
    // UMAP's second axis points up, a screen's down.
    this.y = Uint16Array.from(shard.y, (y) => EXTENT - y);
    this.features = Int32Array.from(shard.feature_idx);
    this.clusters = Int16Array.from(shard.cluster);
    this.clusterLabels = shard.cluster_labels;
    this.clusterSizes = sizesOf(this.clusters);
    this.grid = new Grid(this.x, this.y);
    this.bounds = boundsOf(this.x, this.y);
    for (const [point, feature] of this.features.entries()) this.places.set(feature, point);
  }

  /** The point of `feature`; -1 where it has none. */
  pointOf(feature: number): number {
    return this.places.get(feature) ?? -1;
  }

  /** Place of a point. */
  place(point: number): { x: number; y: number } {
    return { x: this.x[point] ?? 0, y: this.y[point] ?? 0 };
  }
}

/** The map before any shard has arrived. */
export const NO_POINTS = new Points({ feature_idx: [], x: [], y: [], cluster: [], cluster_labels: [] });

function sizesOf(clusters: Int16Array): [number, number][] {
  const sizes = new Map<number, number>();
  for (const cluster of clusters) sizes.set(cluster, (sizes.get(cluster) ?? 0) + 1);
  return [...sizes].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
}

function boundsOf(x: Uint16Array, y: Uint16Array): Box {
  const box: Box = { left: EXTENT, top: EXTENT, right: 0, bottom: 0 };
  for (let point = 0; point < x.length; point++) {
    const [px = 0, py = 0] = [x[point], y[point]];
    box.left = Math.min(box.left, px);
    box.right = Math.max(box.right, px);
    box.top = Math.min(box.top, py);
    box.bottom = Math.max(box.bottom, py);
  }
  return x.length === 0 ? { left: 0, top: 0, right: EXTENT, bottom: EXTENT } : box;
}
