// Layers and points of a map, made by hand.
import type { TableColumn } from "../../src/payloads.ts";
import { EXTENT } from "../../src/map/layer.ts";
import type { Layer } from "../../src/map/layer.ts";
import type { Box } from "../../src/map/view.ts";
import type { Arrangement } from "../../src/map/placement.ts";
import { Points } from "../../src/map/points.ts";

/** What a test says of a layer; the rest follows. */
export interface LayerFacts {
  x: readonly number[];
  /** Points down. */
  y: readonly number[];
  features?: readonly number[];
  clusters?: readonly number[];
  labels?: readonly string[];
  /** Number of places in the end; as many as there are unless said otherwise. */
  total?: number;
  sae?: string;
  title?: string;
}

/** The smallest box that holds all places; the whole map where there are none. */
export function around(x: Iterable<number>, y: Iterable<number>): Box {
  const [xs, ys] = [[...x], [...y]];
  if (xs.length === 0) return { left: 0, top: 0, right: EXTENT, bottom: EXTENT };
  const least = (axis: number[]) => axis.reduce((a, b) => Math.min(a, b));
  const most = (axis: number[]) => axis.reduce((a, b) => Math.max(a, b));
  return { left: least(xs), top: least(ys), right: most(xs), bottom: most(ys) };
}

/** A layer of these places; features are numbered 0, 1, … and without a cluster unless said otherwise. */
export function layerFrom({ x, y, features, clusters, labels = [], total = x.length, sae = "alpha", title = "" }: LayerFacts): Layer {
  const numbers = Int32Array.from(features ?? x.map((_, at) => at));
  const groups = Int16Array.from(clusters ?? x.map(() => -1));
  const median = (axis: readonly number[], cluster: number) => {
    const members = axis.filter((_, at) => groups[at] === cluster).sort((a, b) => a - b);
    return members[members.length >> 1] ?? 0;
  };
  return {
    sae,
    title,
    size: Math.max(total, ...numbers.map((number) => number + 1)),
    total,
    bounds: around(x, y),
    features: numbers,
    x: Uint16Array.from(x),
    y: Uint16Array.from(y),
    clusters: groups,
    groups: labels.map((label, cluster) => ({
      label,
      size: groups.filter((group) => group === cluster).length,
      x: median(x, cluster),
      y: median(y, cluster),
    })),
  };
}

/** The points of one layer, or of several. */
export function pointsFrom(facts: LayerFacts | readonly LayerFacts[], arrangement: Arrangement = "side"): Points {
  const all = Array.isArray(facts) ? (facts as readonly LayerFacts[]) : [facts as LayerFacts];
  return new Points(all.map(layerFrom), arrangement);
}

/** A scalar column of the feature table. */
export function scalarColumn(name: string, facts: Partial<TableColumn> = {}): TableColumn {
  const plain = { label: name, doc: "", unit: "activation", kind: "scalar", type: "float32", labels: [] };
  return { ...plain, name, least: 0, largest: 1, missing: 0, edges: [], counts: [], ...facts };
}
