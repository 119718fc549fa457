import type { MinimapShard } from "../payloads.ts";

/** A place on the small picture, in CSS pixels. */
export interface Spot {
  x: number;
  y: number;
}

/** How the cells of a minimap lie on a canvas of so many CSS pixels. */
export interface Fit {
  /** Side of a cell. */
  side: number;
  /** The upper left corner of the first cell. */
  left: number;
  top: number;
}

const MARGIN = 8;
const LEVELS = 15;
/** Radius of the smallest and of the largest dot in sides of a cell. */
const LEAST = 0.34;
const MOST = 0.68;

/** The largest picture that fits, in the middle. */
export function fitOf({ columns, rows }: MinimapShard, width: number, height: number): Fit {
  const side = Math.max(0, Math.min((width - 2 * MARGIN) / columns, (height - 2 * MARGIN) / rows));
  return { side, left: (width - side * columns) / 2, top: (height - side * rows) / 2 };
}

/** Where a feature with these values of `coords.x` and `coords.y` lies. */
export function spotOf({ left, bottom, cell, rows }: MinimapShard, fit: Fit, x: number, y: number): Spot {
  return {
    x: fit.left + (fit.side * (x - left)) / cell,
    y: fit.top + fit.side * (rows - (y - bottom) / cell),
  };
}

/** Dots of one colour and one density. */
export interface Dots {
  /** 0 for no cluster, else 1 + cluster modulo ten. */
  colour: number;
  radius: number;
  /** 0..1. */
  opacity: number;
  spots: Spot[];
}

/** The dots of the picture, those without a cluster first. */
export function dotsOf({ columns, cells }: MinimapShard, fit: Fit): Dots[] {
  const groups = new Map<number, Dots>();
  for (const [at, cell] of cells.entries()) {
    if (cell === 0) continue;
    const density = (cell >> 4) / LEVELS;
    const known = groups.get(cell) ?? {
      colour: cell & 15,
      radius: fit.side * (LEAST + (MOST - LEAST) * density),
      opacity: 0.45 + 0.5 * density,
      spots: [],
    };
    known.spots.push({
      x: fit.left + fit.side * ((at % columns) + 0.5),
      y: fit.top + fit.side * (Math.floor(at / columns) + 0.5),
    });
    groups.set(cell, known);
  }
  return [...groups.values()].sort((a, b) => a.colour - b.colour || a.radius - b.radius);
}
