import { MARKS } from "./renderer.ts";

/** A shape with a soft edge: pixel offsets and how much of each pixel it covers, 0..256. */
export interface Stamp {
  dx: Int16Array;
  dy: Int16Array;
  cover: Uint16Array;
}

/** Steps in each direction in which the cover of a pixel is measured. */
const FINE = 8;

/** Stamp of shape `mark` (a position in `MARKS`) of `radius` device pixels; all shapes have the disc's area. */
export function stampOf(radius: number, mark = 0): Stamp {
  const reach = Math.ceil(radius * 1.6 + 0.5);
  const pixels: [number, number, number][] = [];
  for (let dy = -reach; dy <= reach; dy++) {
    for (let dx = -reach; dx <= reach; dx++) {
      const cover = coverOf(dx, dy, radius, mark);
      if (cover > 0) pixels.push([dx, dy, cover]);
    }
  }
  return {
    dx: Int16Array.from(pixels, ([dx]) => dx),
    dy: Int16Array.from(pixels, ([, dy]) => dy),
    cover: Uint16Array.from(pixels, ([, , cover]) => cover),
  };
}

function coverOf(dx: number, dy: number, radius: number, mark: number): number {
  let hits = 0;
  for (let row = 0; row < FINE; row++) {
    for (let column = 0; column < FINE; column++) {
      const x = (dx - 0.5 + (column + 0.5) / FINE) / radius;
      const y = (dy - 0.5 + (row + 0.5) / FINE) / radius;
      if (isInside(x, y, mark)) hits += 1;
    }
  }
  return Math.round((hits / (FINE * FINE)) * 256);
}

/** Whether (x, y) lies in shape `mark` of the area of a unit disc; webgl.ts says the same to the graphics card. */
function isInside(x: number, y: number, mark: number): boolean {
  switch (MARKS[mark % MARKS.length]) {
    case "square":
      return Math.max(Math.abs(x), Math.abs(y)) <= 0.886;
    case "diamond":
      return Math.abs(x) + Math.abs(y) <= 1.253;
    case "triangle":
      return y <= 0.78 && y >= 1.732 * Math.abs(x) - 1.556;
    default:
      return x * x + y * y <= 1;
  }
}
