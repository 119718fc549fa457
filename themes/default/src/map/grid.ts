import type { Box } from "./view.ts";

/** Cells of a grid in each direction. */
export const CELLS = 256;
const SHIFT = 8;
const SIDE = 1 << SHIFT;

/** Cell column of an x, and cell row of a y. */
export function cellOf(coordinate: number): number {
  // Clamped first: a shift wraps numbers beyond 32 bits.
  return Math.max(0, Math.min(CELLS * SIDE - 1, coordinate)) >> SHIFT;
}

/** The edges of a cell column or row: its places lie in start .. start + SIDE - 1. */
export function cellStart(cell: number): number {
  return cell << SHIFT;
}

/** Side of a cell in map units. */
export const CELL_SIDE = SIDE;

/**
 * An order of points that puts those of a cell together, cells by rows; within a cell it mixes them, so that any first
 * few of a cell stand for all of it. `starts[cell]` is where a cell begins.
 */
export function cellOrder(x: Uint16Array, y: Uint16Array): { order: Uint32Array; starts: Uint32Array } {
  const count = x.length;
  const cells = new Uint16Array(count);
  const starts = new Uint32Array(CELLS * CELLS + 1);
  for (let point = 0; point < count; point++) {
    const cell = (y[point]! >> SHIFT) * CELLS + (x[point]! >> SHIFT);
    cells[point] = cell;
    starts[cell + 1]! += 1;
  }
  for (let cell = 0; cell < CELLS * CELLS; cell++) starts[cell + 1]! += starts[cell]!;
  const next = starts.slice();
  const order = new Uint32Array(count);
  const stride = mixingStride(count);
  for (let step = 0, point = 0; step < count; step++) {
    order[next[cells[point]!]!++] = point;
    point += stride;
    if (point >= count) point -= count;
  }
  return { order, starts };
}

/** A step near the golden section that meets every number below `count` once. */
function mixingStride(count: number): number {
  let stride = Math.max(1, Math.round(count * 0.618034));
  while (divisor(stride, count) > 1) stride += 1;
  return stride;
}

function divisor(left: number, right: number): number {
  return right === 0 ? left : divisor(right, left % right);
}

/** Points in the order of `cellOrder`, so that those near a place are found without looking at all. */
export class Grid {
  /** Points of cell c: starts[c] … starts[c + 1] - 1. */
  readonly starts: Uint32Array;
  private readonly x: Uint16Array;
  private readonly y: Uint16Array;

  constructor(x: Uint16Array, y: Uint16Array, starts: Uint32Array) {
    this.x = x;
    this.y = y;
    this.starts = starts;
  }

  /** The point nearest to (x, y) within `radius`; -1 where there is none. */
  nearest(x: number, y: number, radius: number): number {
    return this.nearestMany(x, y, radius, 1)[0] ?? -1;
  }

  /** At most `count` points within `radius` of (x, y) that lie in `box`, nearest first, ties by number. */
  nearestMany(x: number, y: number, radius: number, count: number, box: Box = EVERYWHERE): number[] {
    const found: Found[] = [];
    const column = cellOf(x);
    const row = cellOf(y);
    let limit = radius * radius;
    // Rings of cells around the middle: what lies in a further ring is at least so far away.
    for (let ring = 0; ring < CELLS; ring++) {
      const nearestThere = (ring - 1) * SIDE;
      if (ring > 1 && nearestThere * nearestThere > limit) break;
      for (const [cellColumn, cellRow] of ringOf(column, row, ring)) {
        limit = this.take(found, cellRow * CELLS + cellColumn, x, y, limit, count, box);
      }
    }
    keepNearest(found, count);
    return found.map(({ point }) => point);
  }

  private take(found: Found[], cell: number, x: number, y: number, limit: number, count: number, box: Box): number {
    for (let point = this.starts[cell]!; point < this.starts[cell + 1]!; point++) {
      const px = this.x[point]!;
      const py = this.y[point]!;
      const distance = (px - x) ** 2 + (py - y) ** 2;
      if (!(distance <= limit)) continue;
      if (px < box.left || px > box.right || py < box.top || py > box.bottom) continue;
      found.push({ point, distance });
      if (found.length >= 4 * count + 64) limit = keepNearest(found, count);
    }
    return limit;
  }

  /** How many points lie in `box`, edges included. */
  countIn(box: Box): number {
    const [first, last] = [cellOf(box.left), cellOf(box.right)];
    const [upper, lower] = [cellOf(box.top), cellOf(box.bottom)];
    let count = 0;
    for (let row = upper; row <= lower; row++) {
      const start = row * CELLS;
      // Of the cells within, only those at the edges hold points that may lie outside.
      const whole = row > upper && row < lower && last - first > 1;
      if (whole) {
        count += this.starts[start + last]! - this.starts[start + first + 1]!;
        count += this.countRun(start + first, start + first + 1, box);
        count += this.countRun(start + last, start + last + 1, box);
      } else count += this.countRun(start + first, start + last + 1, box);
    }
    return count;
  }

  private countRun(firstCell: number, endCell: number, { left, top, right, bottom }: Box): number {
    let count = 0;
    for (let point = this.starts[firstCell]!; point < this.starts[endCell]!; point++) {
      const px = this.x[point]!;
      const py = this.y[point]!;
      if (px >= left && px <= right && py >= top && py <= bottom) count += 1;
    }
    return count;
  }

  /** About how many points lie in `box`: those of all cells that it touches. */
  countNear({ left, top, right, bottom }: Box): number {
    let count = 0;
    for (let row = cellOf(top); row <= cellOf(bottom); row++) {
      count += this.starts[row * CELLS + cellOf(right) + 1]! - this.starts[row * CELLS + cellOf(left)]!;
    }
    return count;
  }
}

interface Found {
  point: number;
  distance: number;
}

const EVERYWHERE: Box = { left: -Infinity, top: -Infinity, right: Infinity, bottom: Infinity };

function* ringOf(column: number, row: number, ring: number): Generator<[number, number]> {
  const inside = (cell: number) => cell >= 0 && cell < CELLS;
  for (let y = Math.max(0, row - ring); y <= Math.min(CELLS - 1, row + ring); y++) {
    const whole = Math.abs(y - row) === ring;
    for (let x = column - ring; x <= column + ring; x += whole || ring === 0 ? 1 : 2 * ring) {
      if (inside(x)) yield [x, y];
    }
  }
}

/** Sorts `found`, cuts it to `count`, and gives the largest distance that still matters. */
function keepNearest(found: Found[], count: number): number {
  found.sort((a, b) => a.distance - b.distance || a.point - b.point);
  found.length = Math.min(found.length, count);
  return found.at(-1)?.distance ?? 0;
}
