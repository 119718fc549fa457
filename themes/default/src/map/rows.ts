import { loadRow } from "../core/rows.ts";
import type { FeatureRow } from "../core/rows.ts";
import type { PointName } from "./points.ts";

/** What is known of single features, read when first asked for. */
export class Rows {
  private readonly rows = new Map<string, FeatureRow>();
  private readonly asked = new Set<string>();
  private readonly arrived: () => void;

  /** `arrived` is called whenever more is known. */
  constructor(arrived: () => void) {
    this.arrived = arrived;
  }

  /** The row of a feature, once it is there; asks for it otherwise. */
  get(name: PointName): FeatureRow | undefined {
    const key = `${name.sae}/${name.feature}`;
    if (!this.asked.has(key)) void this.read(key, name);
    return this.rows.get(key);
  }

  private async read(key: string, { sae, feature }: PointName): Promise<void> {
    this.asked.add(key);
    try {
      this.rows.set(key, await loadRow(sae, feature));
    } catch {
      // The place and the number are known and shown; the next look asks again.
      this.asked.delete(key);
      return;
    }
    this.arrived();
  }
}
