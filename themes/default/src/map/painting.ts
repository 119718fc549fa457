import type { ColumnPayload } from "../payloads.ts";
import type { TableData } from "../table/data.ts";
import type { Palette } from "./colours.ts";
import { clusterEntries, clusterPalette, rampPalette, scalarEntries, themeColour } from "./colours.ts";
import type { Scale } from "./scale.ts";
import { scaleOf } from "./scale.ts";
import type { Surface } from "./surface.ts";

/** Colours the points by cluster; `host` says what the theme's colours are. */
export function paintClusters(surface: Surface, host: Element): void {
  surface.setColours(
    clusterEntries(surface.points.clusters),
    clusterPalette(host),
    themeColour(host, "card"),
  );
}

/** Colours the points by `column` of `data`, and returns what the legend needs. */
export function paintScalar(
  surface: Surface,
  host: Element,
  column: ColumnPayload,
  data: TableData,
): { scale: Scale; palette: Palette } {
  const at = data.columns.findIndex(({ name }) => name === column.name);
  const values = Float64Array.from(surface.points.features, (feature) => data.value(at, feature));
  const scale = scaleOf(values);
  const palette = rampPalette(host, column.unit);
  surface.setColours(scalarEntries(values, scale), palette, themeColour(host, "card"));
  return { scale, palette };
}
