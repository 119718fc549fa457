import { insideMask } from "./lasso.ts";
import type { Polygon } from "./lasso.ts";
import type { Points } from "./points.ts";

/** The selected points: those inside a line, and those put in or out one by one. */
export class Selection {
  readonly lasso: Polygon;
  /** Points whose state is not the one that the line gives them. */
  readonly toggled: ReadonlySet<number>;
  private readonly points: Points;
  private known: Uint8Array | null = null;

  constructor(points: Points, lasso: Polygon = [], toggled: Iterable<number> = []) {
    this.points = points;
    this.lasso = lasso;
    this.toggled = new Set(toggled);
  }

  /** The selection that `lasso` and `text` (see `text`) say; features without a place are passed over. */
  static parse(points: Points, lasso: Polygon, text: string): Selection {
    const toggled = text
      .split("!")
      .flatMap((group, layer) =>
        group === "" ? [] : group.split(".").map((feature) => points.pointOf(layer, Number(feature))),
      );
    return new Selection(points, lasso, toggled.filter((point) => point >= 0));
  }

  /** The toggled points as an address says them: feature numbers with dots between, `!` between layers. */
  get text(): string {
    const groups = this.points.layers.map((_, layer) =>
      [...this.toggled].filter((point) => this.points.layerOf[point] === layer),
    );
    const features = groups.map((group) =>
      group.map((point) => this.points.features[point] ?? 0).sort((a, b) => a - b),
    );
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
    return new Selection(this.points, this.lasso, toggled);
  }
}
