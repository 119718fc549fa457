// A feature table in memory.
import type { TableColumn } from "../../src/payloads.ts";
import { TableData } from "../../src/table/data.ts";
import { Dice } from "./random.ts";

/** A column of the table as its shard describes it; `values` decide its range. */
export function columnOf(name: string, values: readonly number[], more: Partial<TableColumn> = {}): TableColumn {
  const present = values.filter((value) => !Number.isNaN(value));
  const [least, largest] = [Math.min(...present), Math.max(...present)];
  const none = present.length === 0;
  return {
    name,
    label: name.replaceAll("_", " "),
    doc: `What ${name} is.`,
    unit: "none",
    kind: "scalar",
    type: "float64",
    least: none ? null : least,
    largest: none ? null : largest,
    missing: values.length - present.length,
    edges: none ? [] : [least, (least + largest) / 2 + 0.5, largest + 1],
    counts: none ? [] : [present.length, 0],
    labels: [],
    ...more,
  };
}

/** A row of `tableOf`. */
export interface Row {
  explanation?: string;
  tokens?: string[];
  [column: string]: unknown;
}

/** A table whose columns are the numbers in `rows`; everything has arrived, in parts of two and of three rows. */
export function tableOf(rows: readonly Row[], names: readonly string[], columns: readonly Partial<TableColumn>[] = []): TableData {
  const values = names.map((name) => rows.map((row) => (typeof row[name] === "number" ? row[name] : Number.NaN)));
  const infos = names.map((name, at) => columnOf(name, values[at] ?? [], columns[at]));
  const data = new TableData(rows.length, infos, { titles: 2, columns: 3 });
  for (let start = 0; start < rows.length; start += 2) {
    const part = rows.slice(start, start + 2);
    data.addTitles({
      start,
      explanations: part.map(({ explanation = "" }) => explanation),
      tokens: part.map(({ tokens = [] }) => tokens),
      densities: part.map(() => null),
    });
  }
  for (const [at, name] of names.entries()) {
    for (let part = 0; part * 3 < rows.length; part++) {
      data.addValues(name, part, Float64Array.from(values[at]?.slice(part * 3, part * 3 + 3) ?? []));
    }
  }
  return data;
}

/** All feature numbers of `data`. */
export function allRows(data: TableData): Uint32Array {
  return Uint32Array.from({ length: data.size }, (_, feature) => feature);
}

/** Columns of `someTable`. */
export const NAMES = ["count", "activation_density", "skew"];
const TEXTS = ["", "raise an error", "Error classes", "zebra", "Élan", "élan", "ＦＵＬＬ width", "ﬁne print", "12 monkeys"];
const TOKENS = [" raise", "raise", "\n", "é", "e\u0301", "ＡＢＣ", "<b>", '"', " "];

/** A table of values, texts and tokens that break careless code. */
export function someTable(dice: Dice, size = dice.whole(1, 60)): TableData {
  const value = () => dice.pick([Number.NaN, 0, -1, dice.whole(-3, 4), dice.between(0, 1)]);
  const row = () => ({
    explanation: dice.pick(TEXTS),
    tokens: dice.list(dice.whole(0, 4), () => dice.pick(TOKENS)),
    ...Object.fromEntries(NAMES.map((name) => [name, value()])),
  });
  return tableOf(dice.list(size, row), NAMES);
}

/** Does `work` with many tables, each with all its rows shuffled. */
export function repeat(work: (dice: Dice, data: TableData, rows: Uint32Array) => void): void {
  for (let seed = 1; seed <= 60; seed++) {
    const dice = new Dice(seed);
    const data = someTable(dice);
    work(dice, data, Uint32Array.from(dice.shuffled(Array.from({ length: data.size }, (_, at) => at))));
  }
}
