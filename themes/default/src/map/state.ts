import type { ViewState } from "../core/state.ts";
import type { Camera } from "./view.ts";

/** Everything about the map's view that its address says. */
export interface MapView {
  /** Slug of the SAE; "" is the page's own. */
  sae: string;
  /** What colours mean: "" is the cluster, else the name of a scalar column. */
  colour: string;
  /** Search whose hits stand out. */
  query: string;
  /** Ringed feature. */
  feature: number | null;
  camera: Camera | null;
}

/** The view that an address says. */
export function mapViewOf({
  sae = "",
  colour = "",
  q = "",
  f = "",
  x = "",
  y = "",
  z = "",
}: ViewState): MapView {
  const camera = { x: Number(x), y: Number(y), zoom: Number(z) };
  const whole =
    [x, y, z].every((text) => text !== "") && Object.values(camera).every(Number.isFinite) && camera.zoom > 0;
  return {
    sae,
    colour,
    query: q,
    feature: /^\d{1,9}$/.test(f) ? Number(f) : null,
    camera: whole ? camera : null,
  };
}

/** The address parameters of a view. */
export function mapStateOf({ sae, colour, query, feature, camera }: MapView): ViewState {
  return {
    sae,
    colour,
    q: query,
    f: feature === null ? "" : String(feature),
    x: camera === null ? "" : camera.x.toFixed(0),
    y: camera === null ? "" : camera.y.toFixed(0),
    z: camera === null ? "" : camera.zoom.toFixed(2),
  };
}
