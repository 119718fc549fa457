import { CELL_SIDE, CELLS, cellOf, cellStart } from "./grid.ts";
import type { Points } from "./points.ts";
import type { Box } from "./view.ts";

/** A closed line in map units: x and y of its corners, one after the other. */
export type Polygon = readonly number[];

/** Corners of a drawn line; more would make addresses long without being seen. */
const MOST_CORNERS = 80;

/** Whether (x, y) lies inside `polygon`, by the even-odd rule: a ray to the right crosses it an odd number of times. */
export function inside(polygon: Polygon, x: number, y: number): boolean {
  let odd = false;
  for (let at = 0, before = polygon.length - 2; at < polygon.length; before = at, at += 2) {
    const ax = polygon[at]!;
    const ay = polygon[at + 1]!;
    const bx = polygon[before]!;
    const by = polygon[before + 1]!;
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) odd = !odd;
  }
  return odd;
}

/** 1 for each of `points` inside `polygon`. Only cells that its line touches are looked at point by point. */
export function insideMask({ x, y, count, grid }: Points, polygon: Polygon): Uint8Array {
  const mask = new Uint8Array(count);
  if (polygon.length < 6) return mask;
  const touched = touchedCells(polygon);
  const box = boxOf(polygon);
  for (let row = cellOf(box.top); row <= cellOf(box.bottom); row++) {
    for (let column = cellOf(box.left); column <= cellOf(box.right); column++) {
      const cell = row * CELLS + column;
      const first = grid.starts[cell]!;
      const last = grid.starts[cell + 1]!;
      if (first === last) continue;
      if (touched[cell] === 1) {
        for (let point = first; point < last; point++) mask[point] = inside(polygon, x[point]!, y[point]!) ? 1 : 0;
      } else if (inside(polygon, cellStart(column) + CELL_SIDE / 2, cellStart(row) + CELL_SIDE / 2)) {
        mask.fill(1, first, last);
      }
    }
  }
  return mask;
}

/** 1 for each cell that the line of `polygon` may touch. */
function touchedCells(polygon: Polygon): Uint8Array {
  const touched = new Uint8Array(CELLS * CELLS);
  for (let at = 0, before = polygon.length - 2; at < polygon.length; before = at, at += 2) {
    const [ax = 0, ay = 0] = [polygon[at], polygon[at + 1]];
    const [bx = 0, by = 0] = [polygon[before], polygon[before + 1]];
    const xAt = (y: number) => (ay === by ? ax : ax + ((bx - ax) * (y - ay)) / (by - ay));
    const lowest = Math.min(ay, by);
    const highest = Math.max(ay, by);
    for (let row = cellOf(lowest - 1); row <= cellOf(highest + 1); row++) {
      const [top, bottom] = [cellStart(row), cellStart(row) + CELL_SIDE].map((y) =>
        xAt(Math.max(lowest, Math.min(highest, y))),
      ) as [number, number];
      const [left, right] = ay === by ? [Math.min(ax, bx), Math.max(ax, bx)] : [Math.min(top, bottom), Math.max(top, bottom)];
      touched.fill(1, row * CELLS + cellOf(left - 1), row * CELLS + cellOf(right + 1) + 1);
    }
  }
  return touched;
}

/** The smallest box that holds `polygon`. */
export function boxOf(polygon: Polygon): Box {
  const xs = polygon.filter((_, at) => at % 2 === 0);
  const ys = polygon.filter((_, at) => at % 2 === 1);
  return { left: Math.min(...xs), right: Math.max(...xs), top: Math.min(...ys), bottom: Math.max(...ys) };
}

/** The corners of `box` as a polygon. */
export function polygonOf({ left, top, right, bottom }: Box): Polygon {
  return [left, top, right, top, right, bottom, left, bottom].map(Math.round);
}

/** `path` in whole units and with at most 80 corners, those that bend it most; empty where it encloses nothing. */
export function simplified(path: Polygon): Polygon {
  const corners: [number, number][] = [];
  for (let at = 0; at + 1 < path.length; at += 2) {
    const corner: [number, number] = [Math.round(path[at]!), Math.round(path[at + 1]!)];
    const last = corners.at(-1);
    if (last === undefined || last[0] !== corner[0] || last[1] !== corner[1]) corners.push(corner);
  }
  while (corners.length > MOST_CORNERS) corners.splice(flattest(corners), 1);
  return corners.length < 3 ? [] : corners.flat();
}

/** Index of the corner without which the line changes least: that of the smallest triangle. */
function flattest(corners: readonly [number, number][]): number {
  let least = 0;
  let smallest = Infinity;
  for (const [at, [x, y]] of corners.entries()) {
    const [ax, ay] = corners.at(at - 1) ?? [x, y];
    const [bx, by] = corners[(at + 1) % corners.length] ?? [x, y];
    const area = Math.abs((ax - x) * (by - y) - (bx - x) * (ay - y));
    if (area < smallest) [least, smallest] = [at, area];
  }
  return least;
}

/** `polygon` as part of an address: whole numbers in base 36. */
export function polygonText(polygon: Polygon): string {
  return polygon.map((number) => number.toString(36)).join(".");
}

/** The polygon in an address; empty for anything else. */
export function parsePolygon(text: string): Polygon {
  if (!/^-?[0-9a-z]{1,5}(\.-?[0-9a-z]{1,5})+$/.test(text)) return [];
  const numbers = text.split(".").map((part) => Number.parseInt(part, 36));
  const fits = numbers.length % 2 === 0 && numbers.length >= 6 && numbers.length <= 4 * MOST_CORNERS;
  return fits && numbers.every(Number.isFinite) ? numbers : [];
}
