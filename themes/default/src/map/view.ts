/** A rectangle in map units. */
export interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** What part of the map is shown: the place in the middle, and how much larger than when everything fits. */
export interface Camera {
  x: number;
  y: number;
  zoom: number;
}

/** A camera on a screen of so many CSS pixels. */
export interface View extends Camera {
  width: number;
  height: number;
  /** Pixels per map unit. */
  scale: number;
}

const MARGIN = 28;
const LEAST_ZOOM = 0.5;
const MOST_ZOOM = 400;

/** The camera that shows all of `bounds`. */
export function wholeCamera(bounds: Box): Camera {
  return { x: (bounds.left + bounds.right) / 2, y: (bounds.top + bounds.bottom) / 2, zoom: 1 };
}

/** `camera` on a screen: zoom 1 fits `bounds` with a margin. */
export function viewOf(camera: Camera, bounds: Box, width: number, height: number): View {
  const across = Math.max(1, width - 2 * MARGIN) / Math.max(1, bounds.right - bounds.left);
  const down = Math.max(1, height - 2 * MARGIN) / Math.max(1, bounds.bottom - bounds.top);
  return { ...camera, width, height, scale: Math.min(across, down) * camera.zoom };
}

/** Pixel of a place. */
export function toScreen(view: View, x: number, y: number): { x: number; y: number } {
  return { x: view.width / 2 + (x - view.x) * view.scale, y: view.height / 2 + (y - view.y) * view.scale };
}

/** Place under a pixel. */
export function toMap(view: View, x: number, y: number): { x: number; y: number } {
  return { x: view.x + (x - view.width / 2) / view.scale, y: view.y + (y - view.height / 2) / view.scale };
}

/** The part of the map that is on the screen. */
export function boxOfView(view: View): Box {
  const first = toMap(view, 0, 0);
  const last = toMap(view, view.width, view.height);
  return { left: first.x, top: first.y, right: last.x, bottom: last.y };
}

/** The camera after moving the picture by so many pixels. */
export function panned(view: View, dx: number, dy: number): Camera {
  return { x: view.x - dx / view.scale, y: view.y - dy / view.scale, zoom: view.zoom };
}

/** The camera after zooming by `factor` such that the place under pixel (x, y) stays there. */
export function zoomed(view: View, factor: number, x = view.width / 2, y = view.height / 2): Camera {
  const zoom = withinZoom(view.zoom * factor);
  const fixed = toMap(view, x, y);
  const scale = (view.scale / view.zoom) * zoom;
  return { x: fixed.x - (x - view.width / 2) / scale, y: fixed.y - (y - view.height / 2) / scale, zoom };
}

function withinZoom(zoom: number): number {
  return Math.max(LEAST_ZOOM, Math.min(MOST_ZOOM, zoom));
}

/** `camera` with its middle inside `bounds` and a usable zoom, so that the map cannot be lost. */
export function kept(camera: Camera, bounds: Box): Camera {
  return {
    x: Math.max(bounds.left, Math.min(bounds.right, camera.x)),
    y: Math.max(bounds.top, Math.min(bounds.bottom, camera.y)),
    zoom: withinZoom(camera.zoom),
  };
}
