import type { Layer } from "./layer.ts";
import { EXTENT } from "./layer.ts";
import type { Box } from "./view.ts";

/** Where a layer lies on the common map: place = (left, top) + scale * own place. */
export interface Placement {
  scale: number;
  left: number;
  top: number;
}

/** How several layers share a map: each in a field of its own, or all in the same. */
export type Arrangement = "side" | "over";

/** Share of a field that is left free around its layer. */
const MARGIN = 0.05;

/** Placement of each of `layers`. One alone stays where it is, so that addresses of places last. */
export function placementsOf(layers: readonly Layer[], arrangement: Arrangement): Placement[] {
  if (layers.length === 1) return [{ scale: 1, left: 0, top: 0 }];
  const columns = arrangement === "over" ? 1 : Math.ceil(Math.sqrt(layers.length));
  const field = EXTENT / columns;
  return layers.map((layer, number) => {
    const place = arrangement === "over" ? 0 : number;
    const box = layer.bounds;
    const longer = Math.max(1, box.right - box.left, box.bottom - box.top);
    const scale = (field * (1 - 2 * MARGIN)) / longer;
    const middle = (index: number) => (index + 0.5) * field;
    return {
      scale,
      left: middle(place % columns) - (scale * (box.left + box.right)) / 2,
      top: middle(Math.floor(place / columns)) - (scale * (box.top + box.bottom)) / 2,
    };
  });
}

/** Place of (x, y) of a layer on the common map. */
export function placed({ scale, left, top }: Placement, x: number, y: number): { x: number; y: number } {
  return { x: Math.round(left + scale * x), y: Math.round(top + scale * y) };
}

/** The smallest box that holds all of `layers` at their `placements`; the whole map where there are none. */
export function boundsOf(layers: readonly Layer[], placements: readonly Placement[]): Box {
  if (layers.length === 0) return { left: 0, top: 0, right: EXTENT, bottom: EXTENT };
  const first = placements.map((placement, at) => placed(placement, layers[at]!.bounds.left, layers[at]!.bounds.top));
  const last = placements.map((placement, at) => placed(placement, layers[at]!.bounds.right, layers[at]!.bounds.bottom));
  return {
    left: Math.min(...first.map(({ x }) => x)),
    top: Math.min(...first.map(({ y }) => y)),
    right: Math.max(...last.map(({ x }) => x)),
    bottom: Math.max(...last.map(({ y }) => y)),
  };
}
