import { loadColumn } from "../core/columns.ts";
import type { Column } from "../core/columns.ts";
import { loadRow } from "../core/rows.ts";
import type { FeatureRow } from "../core/rows.ts";

/** What lists say of the features of one SAE besides their activations; it arrives when it is first asked for. */
export class FeatureNames {
  readonly sae: string;
  private readonly changed: () => void;
  private readonly rows = new Map<number, FeatureRow | null>();
  private readonly columns = new Map<string, Column | null>();

  /** `changed` is called whenever something has arrived. */
  constructor(sae: string, changed: () => void) {
    this.sae = sae;
    this.changed = changed;
  }

  /** Explanation and tokens of `feature`; undefined until they have arrived, and where they cannot. */
  row(feature: number): FeatureRow | undefined {
    if (!this.rows.has(feature)) {
      this.rows.set(feature, null);
      void this.keep(loadRow(this.sae, feature), (row) => this.rows.set(feature, row));
    }
    return this.rows.get(feature) ?? undefined;
  }

  /** Value of the column `name` for `feature`; NaN until it has arrived, and where there is none. */
  value(name: string, feature: number): number {
    return this.column(name)?.values[feature] ?? Number.NaN;
  }

  /** The words for `value` of the category `name`; "" where it has none. */
  label(name: string, value: number): string {
    return this.column(name)?.info.labels[value] ?? "";
  }

  private column(name: string): Column | null {
    const known = this.columns.get(name);
    if (known !== undefined) return known;
    this.columns.set(name, null);
    void this.keep(loadColumn(this.sae, name), (column) => this.columns.set(name, column));
    return null;
  }

  /** Numbers beside the activations are a help: without them the list is still right, so a failure is not told. */
  private async keep<Content>(loading: Promise<Content>, take: (content: Content) => void): Promise<void> {
    try {
      take(await loading);
      this.changed();
    } catch {
      // The place stays empty.
    }
  }
}
