import type { ColumnPayload, TableShard } from "../payloads.ts";

/** All rows of one SAE's feature table, filled shard by shard. Row number = feature number. */
export class TableData {
  /** Number of features of the SAE. */
  readonly size: number;
  /** Rows that have arrived. */
  loaded = 0;
  columns: ColumnPayload[] = [];
  /** One array per column; NaN where there is no value, or none yet. */
  values: Float64Array[] = [];
  readonly explanations: string[] = [];
  readonly tokens: string[][] = [];
  private readonly texts: string[] = [];

  constructor(size: number) {
    this.size = size;
  }

  /** Takes over the rows of `shard`. */
  add(shard: TableShard): void {
    if (this.columns.length === 0) {
      this.columns = shard.columns;
      this.values = shard.columns.map(() => new Float64Array(this.size).fill(Number.NaN));
    }
    for (const [at, column] of shard.values.entries()) {
      for (const [row, value] of column.entries()) {
        if (value !== null) this.values[at]?.fill(value, shard.start + row, shard.start + row + 1);
      }
    }
    for (const [row, explanation] of shard.explanations.entries()) {
      this.explanations[shard.start + row] = explanation;
      this.tokens[shard.start + row] = shard.tokens[row] ?? [];
    }
    this.loaded += shard.explanations.length;
  }

  /** Whether row `feature` has arrived. */
  has(feature: number): boolean {
    return this.explanations[feature] !== undefined;
  }

  /** Explanation and tokens of a row as `parseQuery` writes words: composed alike, in lower case. */
  text(feature: number): string {
    const known = this.texts[feature];
    if (known !== undefined) return known;
    const all = [this.explanations[feature], ...(this.tokens[feature] ?? [])].join("\n");
    const text = all.normalize("NFKC").toLowerCase();
    this.texts[feature] = text;
    return text;
  }

  /** Value of column `at` in row `feature`; NaN where there is none. */
  value(at: number, feature: number): number {
    return this.values[at]?.[feature] ?? Number.NaN;
  }
}
