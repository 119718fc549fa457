import { loadColumns, loadPart } from "../core/columns.ts";
import { loadSae, loadSite, loadTexts, loadTitles } from "../core/data.ts";
import { TableData, TEXTS, TITLES } from "./data.ts";

/** One data file: of the column called `name`, of `TITLES` or of `TEXTS`. */
export interface Part {
  name: string;
  number: number;
}

/** Files asked for at a time. */
const AT_ONCE = 6;

/** An empty `TableData` of the SAE called `sae`, which knows its columns. */
export async function openTable(sae: string): Promise<TableData> {
  const [site, { n_features: size }, columns] = await Promise.all([loadSite(), loadSae(sae), loadColumns(sae)]);
  return new TableData(size, columns, {
    titles: site.rows_per_title_shard,
    columns: site.rows_per_column_shard,
  });
}

/** Fills a `TableData` with what is asked for: what is in view first, then what a sort or a filter waits for. */
export class TableLoader {
  private readonly sae: string;
  private readonly data: TableData;
  private readonly arrived: (failure: unknown) => void;
  /** Parts that could not be read: looking at their rows does not ask again and again. */
  private readonly broken = new Set<string>();
  private seen: Part[] = [];
  private readonly waiting: Part[] = [];
  private readonly running = new Map<string, Promise<void>>();
  private readonly settled = new Map<string, { resolve: () => void; reject: (reason: unknown) => void }[]>();

  /** `arrived` is called after every file, with what went wrong, else null. */
  constructor(sae: string, data: TableData, arrived: (failure: unknown) => void) {
    this.sae = sae;
    this.data = data;
    this.arrived = arrived;
  }

  /** Asks for `names` of the rows in view; rows asked for before and not under way are forgotten. */
  view(names: readonly string[], features: readonly number[]): void {
    const wanted = new Map<string, Part>();
    for (const name of names) {
      for (const feature of features) {
        const number = this.data.partOf(name, feature);
        const key = keyOf({ name, number });
        if (!this.data.hasPart(name, number) && !this.broken.has(key)) wanted.set(key, { name, number });
      }
    }
    this.seen = [...wanted.values()];
    this.go();
  }

  /** Whether the part of `name` that holds `feature` has arrived or cannot. */
  isSettled(name: string, feature: number): boolean {
    const number = this.data.partOf(name, feature);
    return this.data.hasPart(name, number) || this.broken.has(keyOf({ name, number }));
  }

  /** All of `names`; rejects with the first file's failure once every other one has arrived. */
  async all(names: readonly string[]): Promise<void> {
    const large = names.map((name) => (name === TITLES ? TEXTS : name));
    const parts = large.flatMap((name) =>
      Array.from({ length: this.data.partsOf(name) }, (_, number) => ({ name, number })),
    );
    const missing = parts.filter(({ name, number }) => !this.data.hasPart(name, number));
    const results = await Promise.allSettled(missing.map((part) => this.one(part)));
    for (const result of results) if (result.status === "rejected") throw result.reason;
  }

  private one(part: Part): Promise<void> {
    return new Promise((resolve, reject) => {
      const key = keyOf(part);
      const known = this.settled.get(key);
      if (known === undefined) this.settled.set(key, [{ resolve, reject }]);
      else known.push({ resolve, reject });
      if (!this.running.has(key)) this.waiting.push(part);
      this.go();
    });
  }

  private go(): void {
    while (this.running.size < AT_ONCE) {
      const part = this.seen.shift() ?? this.waiting.shift();
      if (part === undefined) return;
      const key = keyOf(part);
      if (this.running.has(key)) continue;
      if (this.data.hasPart(part.name, part.number)) this.finish(key, null);
      else this.running.set(key, this.read(part, key));
    }
  }

  private async read(part: Part, key: string): Promise<void> {
    let failure: unknown = null;
    try {
      const { name, number } = part;
      if (name === TITLES) this.data.addTitles(await loadTitles(this.sae, number));
      else if (name === TEXTS) this.data.addTitles(await loadTexts(this.sae, number));
      else this.data.addValues(name, number, await loadPart(this.sae, name, number));
    } catch (error) {
      failure = error ?? new Error("unknown");
    }
    this.running.delete(key);
    if (failure === null) this.broken.delete(key);
    else this.broken.add(key);
    this.finish(key, failure);
    this.arrived(failure);
    this.go();
  }

  private finish(key: string, failure: unknown): void {
    const waiting = this.settled.get(key) ?? [];
    this.settled.delete(key);
    for (const { resolve, reject } of waiting) {
      if (failure === null) resolve();
      else reject(failure);
    }
  }
}

function keyOf({ name, number }: Part): string {
  return `${number} ${name}`;
}
