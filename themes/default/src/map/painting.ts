import { loadColumn } from "../core/columns.ts";
import type { TableColumn } from "../payloads.ts";
import type { Palette } from "./colours.ts";
import {
  clusterEntries,
  clusterPalette,
  layerEntries,
  rampPalette,
  scalarEntries,
  themeColour,
} from "./colours.ts";
import type { Points } from "./points.ts";
import type { Scale } from "./scale.ts";
import { scaleOf } from "./scale.ts";
import type { Surface } from "./surface.ts";

/** What the colours mean, for the legend. */
export type Legend =
  | { kind: "cluster" }
  | { kind: "sae" }
  | { kind: "scale"; column: TableColumn; scale: Scale; palette: Palette; missing: number };

/** Colours the points by cluster; `host` says what the theme's colours are. */
export function paintClusters(surface: Surface, host: Element): Legend {
  surface.setColours(
    clusterEntries(surface.points.clusters),
    clusterPalette(host),
    themeColour(host, "card"),
  );
  return { kind: "cluster" };
}

/** Colours the points by the SAE they are of. */
export function paintLayers(surface: Surface, host: Element): Legend {
  surface.setColours(layerEntries(surface.points.layerOf), clusterPalette(host), themeColour(host, "card"));
  return { kind: "sae" };
}

/** Colours the points by `column`; `values` holds one number per point. */
export function paintScalar(
  surface: Surface,
  host: Element,
  column: TableColumn,
  values: Float64Array,
): Legend {
  const scale = scaleOf(values);
  const palette = rampPalette(host, column.unit);
  surface.setColours(scalarEntries(values, scale), palette, themeColour(host, "card"));
  const missing = values.reduce((count, value) => count + (Number.isNaN(value) ? 1 : 0), 0);
  return { kind: "scale", column, scale, palette, missing };
}

/** Value of column `name` for each point; NaN where the feature, or its SAE, has none. */
export async function valuesOf(points: Points, name: string): Promise<Float64Array> {
  const columns = await Promise.all(
    points.layers.map(({ sae }) => loadColumn(sae, name).catch(() => null)),
  );
  const values = new Float64Array(points.count);
  for (let point = 0; point < points.count; point++) {
    const column = columns[points.layerOf[point]!]?.values;
    values[point] = column?.[points.features[point]!] ?? Number.NaN;
  }
  return values;
}
