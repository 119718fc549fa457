import { nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import type { TableColumn } from "../payloads.ts";
import { Brush } from "./brush.ts";
import { rangeOf } from "./conditions.ts";
import type { Range } from "./conditions.ts";
import { binsOfRange, countIn } from "./histogram.ts";
import type { TableModel } from "./model.ts";
import { showHistogram } from "./show-histogram.ts";

/** The histograms of a table: one brush for all, and the rows of the view counted once per column. */
export class Histograms {
  private readonly brush: Brush;
  private rows: Uint32Array | null = null;
  private counts = new Map<string, number[]>();

  /** `changed` is called while a range is drawn, `chosen` once it is. */
  constructor(changed: () => void, chosen: (name: string, range: Range) => void) {
    this.brush = new Brush(changed, chosen);
  }

  /** The histogram of `column`, what `filter` lets through of it marked. */
  show({ data, rows }: TableModel, column: TableColumn, filter: string): TemplateResult | typeof nothing {
    if (column.counts.length === 0) return nothing;
    if (this.rows !== rows) {
      this.rows = rows;
      this.counts = new Map();
    }
    let within = null;
    if (rows.length < data.size && data.hasAll(column.name)) {
      within = this.counts.get(column.name) ?? countIn(column, data, rows);
      this.counts.set(column.name, within);
    }
    const chosen = binsOfRange(column, rangeOf(data, filter, column.name));
    return showHistogram(column, { within, chosen, brush: this.brush });
  }
}
