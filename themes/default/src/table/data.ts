import type { TableColumn, TitleShard } from "../payloads.ts";
import { columnIndex } from "../core/query.ts";

/** Name of the small parts that hold explanations and tokens. */
export const TITLES = "titles";

/** Name of the large parts that hold the same: few files for whoever reads all of them. */
export const TEXTS = "texts";

/** Features per data file of titles and of columns. */
export interface PartSizes {
  titles: number;
  columns: number;
}

/** What has arrived of one SAE's feature table. Row number = feature number. */
export class TableData {
  /** Number of features of the SAE. */
  readonly size: number;
  readonly columns: readonly TableColumn[];
  private readonly sizes: PartSizes;
  private readonly explanations: string[] = [];
  private readonly tokenLists: string[][] = [];
  private readonly texts: string[] = [];
  private readonly values = new Map<string, Float64Array>();
  private readonly arrived = new Map<string, Set<number>>();

  constructor(size: number, columns: readonly TableColumn[], sizes: PartSizes) {
    this.size = size;
    this.columns = columns;
    this.sizes = sizes;
  }

  /** The column called `name`. */
  column(name: string): TableColumn | undefined {
    return this.columns.find((column) => column.name === name);
  }

  /** The column that `typed` means (see `columnIndex`). */
  meant(typed: string): TableColumn | undefined {
    return this.columns[
      columnIndex(
        this.columns.map(({ name }) => name),
        typed,
      )
    ];
  }

  /** Takes over a title shard of any size. */
  addTitles({ start, explanations, tokens }: TitleShard): void {
    for (const [at, explanation] of explanations.entries()) {
      this.explanations[start + at] = explanation;
      this.tokenLists[start + at] = tokens[at] ?? [];
    }
    const { titles: size } = this.sizes;
    for (let first = start; first < start + explanations.length; first += size) {
      this.note(TITLES, Math.floor(first / size));
    }
  }

  /** Takes over part `number` of the column called `name`. */
  addValues(name: string, number: number, part: Float64Array): void {
    let whole = this.values.get(name);
    if (whole === undefined) {
      whole = new Float64Array(this.size).fill(Number.NaN);
      this.values.set(name, whole);
    }
    const start = number * this.sizes.columns;
    whole.set(part.subarray(0, Math.max(0, this.size - start)), start);
    this.note(name, number);
  }

  private note(name: string, part: number): void {
    const parts = this.arrived.get(name) ?? new Set();
    this.arrived.set(name, parts.add(part));
  }

  /** Number of the part of `name` (a column, or `TITLES`) that holds `feature`. */
  partOf(name: string, feature: number): number {
    return Math.floor(feature / this.sizeOf(name));
  }

  /** Number of parts of `name`. */
  partsOf(name: string): number {
    return Math.ceil(this.size / this.sizeOf(name));
  }

  private sizeOf(name: string): number {
    return name === TITLES ? this.sizes.titles : this.sizes.columns;
  }

  /** Whether part `part` of `name` has arrived. */
  hasPart(name: string, part: number): boolean {
    if (name !== TEXTS) return this.arrived.get(name)?.has(part) ?? false;
    const { titles, columns } = this.sizes;
    const stop = Math.min(this.size, (part + 1) * columns);
    for (let feature = part * columns; feature < stop; feature += titles) {
      if (!this.has(TITLES, feature)) return false;
    }
    return true;
  }

  /** Whether `name` is known of `feature`. */
  has(name: string, feature: number): boolean {
    return this.hasPart(name, this.partOf(name, feature));
  }

  /** Whether `name` is known of all features. */
  hasAll(name: string): boolean {
    return (this.arrived.get(name)?.size ?? 0) === this.partsOf(name);
  }

  /** Value of column `name` in row `feature`; NaN where there is none, or none yet. */
  value(name: string, feature: number): number {
    return this.values.get(name)?.[feature] ?? Number.NaN;
  }

  /** All values of column `name`; undefined before anything has arrived. */
  valuesOf(name: string): Float64Array | undefined {
    return this.values.get(name);
  }

  /** Explanation of a feature; "" where there is none, or none yet. */
  explanation(feature: number): string {
    return this.explanations[feature] ?? "";
  }

  /** Tokens that a feature fires on most; empty where there are none, or none yet. */
  tokens(feature: number): readonly string[] {
    return this.tokenLists[feature] ?? [];
  }

  /** Explanation and tokens of a row as `parseQuery` writes words: composed alike, in lower case. */
  text(feature: number): string {
    const known = this.texts[feature];
    if (known !== undefined) return known;
    const text = [this.explanation(feature), ...this.tokens(feature)].join("\n").normalize("NFKC").toLowerCase();
    if (this.has(TITLES, feature)) this.texts[feature] = text;
    return text;
  }
}
