import { cellOrder, Grid } from "./grid.ts";
import type { Layer } from "./layer.ts";
import { boundsOf, placed, placementsOf } from "./placement.ts";
import type { Arrangement, Placement } from "./placement.ts";
import type { Box } from "./view.ts";

/** A feature of one of the layers. */
export interface PointName {
  /** Slug of the SAE. */
  sae: string;
  feature: number;
}

/**
 * The points of a map that are here: of one layer, or of several side by side or over one another. They are numbered by
 * grid cells, so more points have other numbers.
 */
export class Points {
  readonly count: number;
  /** Number of points that are to come. */
  readonly awaited: number;
  readonly x: Uint16Array;
  readonly y: Uint16Array;
  /** Position in `layers` of the layer of each point. */
  readonly layerOf: Uint8Array;
  readonly features: Int32Array;
  /** Cluster of each point within its layer; -1 is none. */
  readonly clusters: Int16Array;
  readonly grid: Grid;
  /** The smallest box that holds all points, those that are to come included. */
  readonly bounds: Box;
  readonly layers: readonly Layer[];
  readonly placements: readonly Placement[];
  /** Whether layers must be told apart by the shape of their points. */
  readonly mixed: boolean;
  private byFeature: readonly Int32Array[] | null = null;

  constructor(layers: readonly Layer[], arrangement: Arrangement = "side") {
    this.layers = layers;
    this.placements = placementsOf(layers, arrangement);
    this.mixed = arrangement === "over" && layers.length > 1;
    this.count = layers.reduce((sum, layer) => sum + layer.features.length, 0);
    this.awaited = layers.reduce((sum, layer) => sum + layer.total, 0) - this.count;
    const unsorted = this.gather();
    const { order, starts } = cellOrder(unsorted.x, unsorted.y);
    this.x = new Uint16Array(this.count);
    this.y = new Uint16Array(this.count);
    for (let point = 0; point < this.count; point++) {
      this.x[point] = unsorted.x[order[point]!]!;
      this.y[point] = unsorted.y[order[point]!]!;
    }
    this.layerOf = new Uint8Array(this.count);
    this.features = new Int32Array(this.count);
    this.clusters = new Int16Array(this.count);
    this.grid = new Grid(this.x, this.y, starts);
    this.bounds = boundsOf(layers, this.placements);
    this.name(order);
  }

  /** The places of all layers one after the other. */
  private gather(): { x: Uint16Array; y: Uint16Array } {
    const [only] = this.layers;
    if (only !== undefined && this.layers.length === 1) return only;
    const x = new Uint16Array(this.count);
    const y = new Uint16Array(this.count);
    let first = 0;
    for (const [number, layer] of this.layers.entries()) {
      const { scale, left, top } = this.placements[number]!;
      for (let at = 0; at < layer.features.length; at++) {
        x[first + at] = Math.round(left + scale * layer.x[at]!);
        y[first + at] = Math.round(top + scale * layer.y[at]!);
      }
      first += layer.features.length;
    }
    return { x, y };
  }

  private name(order: Uint32Array): void {
    const firsts = this.layers.map((_, number) =>
      this.layers.slice(0, number).reduce((sum, layer) => sum + layer.features.length, 0),
    );
    for (let point = 0; point < this.count; point++) {
      const at = order[point]!;
      let number = this.layers.length - 1;
      while (firsts[number]! > at) number -= 1;
      const layer = this.layers[number]!;
      const own = at - firsts[number]!;
      this.layerOf[point] = number;
      this.features[point] = layer.features[own]!;
      this.clusters[point] = layer.clusters[own]!;
    }
  }

  /** The point of a feature of layer `layer`; -1 where it has none. */
  pointOf(layer: number, feature: number): number {
    this.byFeature ??= this.pointsByFeature();
    return this.byFeature[layer]?.[feature] ?? -1;
  }

  private pointsByFeature(): Int32Array[] {
    const found = this.layers.map(({ size }) => new Int32Array(size).fill(-1));
    for (let point = 0; point < this.count; point++) found[this.layerOf[point]!]![this.features[point]!] = point;
    return found;
  }

  /** The point of the feature of that name; -1 where it has none. */
  pointNamed({ sae, feature }: PointName): number {
    const layer = this.layers.findIndex((each) => each.sae === sae);
    return this.pointOf(layer, feature);
  }

  /** Which feature `point` is; null where there is no such point. */
  named(point: number): PointName | null {
    const feature = this.features[point];
    const layer = this.layers[this.layerOf[point] ?? -1];
    return feature === undefined || layer === undefined ? null : { sae: layer.sae, feature };
  }

  /** Place of a point. */
  place(point: number): { x: number; y: number } {
    return { x: this.x[point] ?? 0, y: this.y[point] ?? 0 };
  }

  /** Place of (x, y) of layer `layer` on this map. */
  placeIn(layer: number, x: number, y: number): { x: number; y: number } {
    return placed(this.placements[layer] ?? { scale: 1, left: 0, top: 0 }, x, y);
  }

  /** Name of the cluster of a point; "" without one. */
  clusterOf(point: number): string {
    const cluster = this.clusters[point] ?? -1;
    if (cluster < 0) return "";
    return this.layers[this.layerOf[point] ?? -1]?.groups[cluster]?.label || `group ${cluster}`;
  }
}

/** The map before any data has arrived. */
export const NO_POINTS = new Points([]);
