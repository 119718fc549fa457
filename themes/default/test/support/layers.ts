// Layers and points of a map, made by hand.
import type { TableColumn } from "../../src/payloads.ts";
import type { Layer } from "../../src/map/layer.ts";
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
  sae?: string;
  title?: string;
}

/** A layer of these places; features are numbered 0, 1, … and without a cluster unless said otherwise. */
export function layerFrom({ x, y, features, clusters, labels = [], sae = "alpha", title = "" }: LayerFacts): Layer {
  const numbers = Int32Array.from(features ?? x.map((_, at) => at));
  const groups = Int16Array.from(clusters ?? x.map(() => -1));
  const median = (axis: readonly number[], cluster: number) => {
    const members = axis.filter((_, at) => groups[at] === cluster).sort((a, b) => a - b);
    return members[members.length >> 1] ?? 0;
  };
  return {
    sae,
    title,
    size: Math.max(0, ...numbers) + 1,
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
