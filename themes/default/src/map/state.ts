import type { ViewState } from "../core/state.ts";
import { parsePolygon, polygonText } from "./lasso.ts";
import type { Polygon } from "./lasso.ts";
import type { Arrangement } from "./placement.ts";
import type { Camera } from "./view.ts";

/** What the table beside the map lists. */
export type Tab = "view" | "found" | "selected";

/** Everything about the map's view that its address says. */
export interface MapView {
  /** Slugs of the SAEs shown; none means the page's own. */
  saes: readonly string[];
  arrangement: Arrangement;
  /** What colours mean: `cluster`, `sae`, the name of a scalar column, or "" for what fits the arrangement. */
  colour: string;
  /** Search whose hits stand out. */
  query: string;
  /** Ringed feature of the first SAE. */
  feature: number | null;
  camera: Camera | null;
  /** Line around selected points. */
  lasso: Polygon;
  /** Points put into the selection, or out of it, one by one, as `Selection` writes them. */
  picked: string;
  /** What the table lists; null for what was asked for last. */
  tab: Tab | null;
}

const TABS: readonly string[] = ["view", "found", "selected"];

/** The view that an address says. */
export function mapViewOf(state: ViewState): MapView {
  const { sae = "", colour = "", q = "", f = "", pick = "", list = "" } = state;
  return {
    saes: sae.split(",").filter((slug, at, all) => slug !== "" && all.indexOf(slug) === at),
    arrangement: state["lay"] === "over" ? "over" : "side",
    colour,
    query: q,
    feature: /^\d{1,9}$/.test(f) ? Number(f) : null,
    camera: cameraOf(state),
    lasso: parsePolygon(state["lasso"] ?? ""),
    picked: /^[\d.!]*$/.test(pick) ? pick : "",
    tab: TABS.includes(list) ? (list as Tab) : null,
  };
}

function cameraOf({ x = "", y = "", z = "" }: ViewState): Camera | null {
  const camera = { x: Number(x), y: Number(y), zoom: Number(z) };
  const whole =
    [x, y, z].every((text) => text !== "") && Object.values(camera).every(Number.isFinite) && camera.zoom > 0;
  return whole ? camera : null;
}

/** Whether a view shows the map of `own` in whole. */
export function isWholeOf({ saes, camera, feature }: MapView, own: string): boolean {
  return camera === null && feature === null && saes.every((slug) => slug === own);
}

/** The address parameters of a view. */
export function mapStateOf(view: MapView): ViewState {
  const { saes, arrangement, colour, query, feature, camera, lasso, picked, tab } = view;
  return {
    sae: saes.join(","),
    lay: arrangement === "over" ? "over" : "",
    colour,
    q: query,
    f: feature === null ? "" : String(feature),
    x: camera === null ? "" : camera.x.toFixed(0),
    y: camera === null ? "" : camera.y.toFixed(0),
    z: camera === null ? "" : camera.zoom.toFixed(2),
    lasso: polygonText(lasso),
    pick: picked,
    list: tab ?? "",
  };
}

/** What the colours of a view mean: `cluster`, `sae` or the name of a column. */
export function colourOf({ colour, arrangement, saes }: MapView): string {
  if (colour !== "") return colour;
  return arrangement === "over" && saes.length > 1 ? "sae" : "cluster";
}
