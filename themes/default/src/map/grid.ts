const CELLS = 128;
const SHIFT = 9;

/** Points by the cell of a 128 × 128 grid over 0..65535, so that the nearest is found without looking at all. */
export class Grid {
  private readonly x: Uint16Array;
  private readonly y: Uint16Array;
  /** Points of cell c: order[starts[c]] … order[starts[c + 1] - 1]. */
  private readonly starts = new Uint32Array(CELLS * CELLS + 1);
  private readonly order: Uint32Array;

  constructor(x: Uint16Array, y: Uint16Array) {
    this.x = x;
    this.y = y;
    this.order = new Uint32Array(x.length);
    for (let point = 0; point < x.length; point++) this.starts[this.cellOf(point) + 1]! += 1;
    for (let cell = 0; cell < CELLS * CELLS; cell++) this.starts[cell + 1]! += this.starts[cell]!;
    const next = this.starts.slice();
    for (let point = 0; point < x.length; point++) this.order[next[this.cellOf(point)]!++] = point;
  }

  private cellOf(point: number): number {
    return (this.y[point]! >> SHIFT) * CELLS + (this.x[point]! >> SHIFT);
  }

  /** The point nearest to (x, y) within `radius`; -1 where there is none. */
  nearest(x: number, y: number, radius: number): number {
    return this.nearestMany(x, y, radius, 1)[0] ?? -1;
  }

  /** At most `count` points within `radius` of (x, y), nearest first, ties by number. */
  nearestMany(x: number, y: number, radius: number, count: number): number[] {
    const found: { point: number; distance: number }[] = [];
    let limit = radius * radius;
    for (let row = cell(y - radius); row <= cell(y + radius); row++) {
      for (let column = cell(x - radius); column <= cell(x + radius); column++) {
        const at = row * CELLS + column;
        for (let place = this.starts[at]!; place < this.starts[at + 1]!; place++) {
          const point = this.order[place]!;
          const distance = (this.x[point]! - x) ** 2 + (this.y[point]! - y) ** 2;
          if (!(distance <= limit)) continue;
          found.push({ point, distance });
          if (found.length >= 4 * count + 64) limit = keepNearest(found, count);
        }
      }
    }
    keepNearest(found, count);
    return found.map(({ point }) => point);
  }
}

function cell(coordinate: number): number {
  // Clamped first: a shift wraps numbers beyond 32 bits.
  return Math.max(0, Math.min(CELLS * (1 << SHIFT) - 1, coordinate)) >> SHIFT;
}

/** Sorts `found`, cuts it to `count`, and gives the largest distance that still matters. */
function keepNearest(found: { point: number; distance: number }[], count: number): number {
  found.sort((a, b) => a.distance - b.distance || a.point - b.point);
  found.length = Math.min(found.length, count);
  return found.at(-1)?.distance ?? 0;
}
