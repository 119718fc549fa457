import { loadSite } from "../core/data.ts";
import type { FeatureRef } from "../core/lists.ts";
import { loadRow } from "../core/rows.ts";
import type { Known } from "./show-row.ts";

/** Rows of listed features, loaded when first asked for. */
export class Rows {
  private readonly known = new Map<string, Known>();
  private readonly listeners = new Set<() => void>();

  /** Calls `arrived` whenever more is known; returns how to stop that. */
  onArrival(arrived: () => void): () => void {
    this.listeners.add(arrived);
    return () => void this.listeners.delete(arrived);
  }

  /** What is known of `feature` so far. */
  of(feature: FeatureRef): Known {
    const key = `${feature.sae}/${feature.feature_idx}`;
    const known = this.known.get(key);
    if (known !== undefined) return known;
    this.known.set(key, null);
    void this.load(key, feature);
    return null;
  }

  private async load(key: string, { sae, feature_idx }: FeatureRef): Promise<void> {
    try {
      const { saes } = await loadSite();
      const home = saes.find(({ slug }) => slug === sae);
      const exists = home !== undefined && feature_idx < home.n_features;
      this.known.set(key, exists ? await loadRow(sae, feature_idx) : "missing");
    } catch {
      // The feature stays listed by its number; the next look at the page tries again.
      this.known.delete(key);
      return;
    }
    for (const arrived of this.listeners) arrived();
  }
}
