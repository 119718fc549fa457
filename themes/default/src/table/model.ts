import { messageOf } from "../core/message.ts";
import { TITLES } from "./data.ts";
import type { TableData } from "./data.ts";
import { filterRows, neededForFilter } from "./filter.ts";
import { TableLoader } from "./loader.ts";
import { neededForOrder, sortRows } from "./sort.ts";
import { TEXT_COLUMNS } from "./state.ts";
import type { TableView } from "./state.ts";

/** The rows of a view, and what is still on its way for them. */
export class TableModel {
  readonly data: TableData;
  /** Features of the view, sorted. */
  rows: Uint32Array;
  /** What was typed and means nothing. */
  unknown: readonly string[] = [];
  /** Why something cannot be shown; "" where nothing is wrong. */
  problem = "";
  private readonly sae: string;
  private readonly loader: TableLoader;
  private readonly changed: () => void;
  private awaited: readonly string[] = [];
  private run = 0;
  private done = "";

  /** `changed` is called whenever something has arrived or the rows are others. */
  constructor(sae: string, data: TableData, changed: () => void) {
    this.sae = sae;
    this.data = data;
    this.rows = Uint32Array.from({ length: data.size }, (_, feature) => feature);
    this.changed = changed;
    this.loader = new TableLoader(sae, data, (failure) => {
      if (failure !== null) this.fail(failure);
      changed();
    });
  }

  /** Share of what the view waits for that has arrived, 0 … 1; null where it waits for nothing. */
  get progress(): number | null {
    if (this.awaited.length === 0) return null;
    let [arrived, wanted] = [0, 0];
    for (const name of this.awaited) {
      const parts = this.data.partsOf(name);
      wanted += parts;
      for (let part = 0; part < parts; part++) arrived += Number(this.data.hasPart(name, part));
    }
    return wanted === 0 ? 1 : arrived / wanted;
  }

  /** Reads what `view` needs, then filters and sorts; a later call makes an earlier one end without effect. */
  async settle({ filter, order }: TableView): Promise<void> {
    const run = ++this.run;
    this.problem = "";
    const names = [...neededForFilter(this.data, filter), ...neededForOrder(this.data, order)];
    this.awaited = [...new Set(names)].filter((name) => !this.data.hasAll(name));
    if (this.awaited.length > 0) {
      this.changed();
      await this.all(this.awaited);
    }
    if (run !== this.run) return;
    this.awaited = [];
    const wanted = JSON.stringify([filter, order]);
    if (this.done !== wanted || this.problem !== "") {
      const { rows, unknown } = filterRows(this.data, filter, this.sae);
      this.rows = sortRows(this.data, rows, order);
      this.unknown = unknown;
      this.done = wanted;
    }
    this.changed();
  }

  /** Reads all of the columns called `names` (as the view calls them); false, with a `problem`, where one failed. */
  async all(names: readonly string[]): Promise<boolean> {
    try {
      await this.loader.all(partsNamed(names));
      return true;
    } catch (error) {
      this.fail(error);
      return false;
    }
  }

  /** Asks for the columns called `names` of the rows in view. */
  look(names: readonly string[], features: readonly number[]): void {
    this.loader.view(partsNamed([...names, TITLES]), features);
  }

  /** Whether nothing is waited for, and all of `names` has arrived or failed for the rows of `seen`. */
  isReady(names: readonly string[], { start, stop }: { start: number; stop: number }): boolean {
    if (this.awaited.length > 0) return false;
    const features = [...this.rows.subarray(start, stop)];
    return partsNamed([...names, TITLES]).every((name) => features.every((feature) => this.loader.isSettled(name, feature)));
  }

  private fail(error: unknown): void {
    this.problem = `Not all rows can be shown: ${messageOf(error)}`;
  }
}

/** Explanations and tokens come in the same parts. */
function partsNamed(names: readonly string[]): string[] {
  return [...new Set(names.map((name) => (TEXT_COLUMNS.includes(name) ? TITLES : name)))];
}
