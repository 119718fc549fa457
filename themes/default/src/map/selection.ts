import { insideMask } from "./lasso.ts";
import type { Polygon } from "./lasso.ts";
import type { Points } from "./points.ts";

/** The selected points: those inside a line, and those put in or out one by one. */
export class Selection {
  readonly lasso: Polygon;
  /** Points whose state is not the one that the line gives them. */
  readonly toggled: ReadonlySet<number>;
  /** Features of each layer that were chosen likewise and whose points are still to come. */
  private readonly awaited: readonly (readonly number[])[];
  private readonly points: Points;
  private known: Uint8Array | null = null;

  constructor(
    points: Points,
    lasso: Polygon = [],
    toggled: Iterable<number> = [],
    awaited: readonly (readonly number[])[] = [],
  ) {
    this.points = points;
    this.lasso = lasso;
    this.toggled = new Set(toggled);
    this.awaited = awaited;
  }

  /** The selection that `lasso` and `text` (see `text`) say; features that never have a place are passed over. */
  static parse(points: Points, lasso: Polygon, text: string): Selection {
    const named = text.split("!").map((group) => (group === "" ? [] : group.split(".").map(Number)));
    const toggled = named.flatMap((group, layer) => group.map((feature) => points.pointOf(layer, feature)));
    const absent = named.map((group, layer) => group.filter((feature) => points.pointOf(layer, feature) < 0));
    return new Selection(points, lasso, toggled.filter((point) => point >= 0), points.awaited > 0 ? absent : []);
  }

  /** The toggled points as an address says them: feature numbers with dots between, `!` between layers. */
  get text(): string {
    const groups = this.points.layers.map((_, layer) =>
      [...this.toggled].filter((point) => this.points.layerOf[point] === layer),
    );
    const features = groups.map((group) =>
      group.map((point) => this.points.features[point] ?? 0),
    );
    for (const [layer, absent] of this.awaited.entries()) features[layer]?.push(...absent);
    for (const group of features) group.sort((a, b) => a - b);
    return features.map((group) => group.join(".")).join("!").replace(/!+$/, "");
  }

  /** 1 for each selected point. */
  get mask(): Uint8Array {
    if (this.known === null) {
      this.known = insideMask(this.points, this.lasso);
      for (const point of this.toggled) this.known[point] = 1 - (this.known[point] ?? 0);
    }
    return this.known;
  }

  /** The selected points, ascending. */
  get list(): number[] {
    const found: number[] = [];
    for (const [point, selected] of this.mask.entries()) if (selected === 1) found.push(point);
    return found;
  }

  /** Whether `point` is selected. */
  has(point: number): boolean {
    return this.mask[point] === 1;
  }

  /** The selection with `point` in the other state. */
  toggle(point: number): Selection {
    const toggled = new Set(this.toggled);
    if (!toggled.delete(point)) toggled.add(point);
    return new Selection(this.points, this.lasso, toggled, this.awaited);
  }
}
