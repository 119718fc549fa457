import type { TableColumn } from "../payloads.ts";
import type { TableData } from "./data.ts";

/**
 * Spreadsheets take a text that begins so for a formula, or run what follows a tab or a line end. With apostrophes of
 * its own before it, it gets one more, so that taking one away gives the text back.
 */
const FORMULA = /^'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/;
const LINE_END = "\r\n";
/** Most digits that a float32 needs. */
const FLOAT32_DIGITS = 9;

/** `text` as a field of RFC 4180; one that a spreadsheet would run gets an apostrophe before it. */
export function csvText(text: string): string {
  const safe = FORMULA.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** A stored number with the fewest digits that give it back; "" for none. */
export function csvNumber(value: number, type: string): string {
  if (Number.isNaN(value)) return "";
  if (type !== "float32") return String(value);
  for (let digits = 1; digits < FLOAT32_DIGITS; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return String(short);
  }
  return String(Number(value.toPrecision(FLOAT32_DIGITS)));
}

/** A column of the file: its heading, and the field of a feature. */
interface CsvColumn {
  name: string;
  field: (feature: number) => string;
}

/** `rows` of `data` as CSV with a heading: the feature's number, then the columns called `names`. */
export function csvOf(data: TableData, rows: Uint32Array, names: readonly string[]): string {
  const columns = [{ name: "feature_idx", field: String }, ...names.flatMap((name) => csvColumn(data, name))];
  const lines = [columns.map(({ name }) => csvText(name)).join(",")];
  for (const feature of rows) lines.push(columns.map(({ field }) => field(feature)).join(","));
  return lines.join(LINE_END) + LINE_END;
}

function csvColumn(data: TableData, name: string): CsvColumn[] {
  if (name === "explanation") return [{ name, field: (feature) => csvText(data.explanation(feature)) }];
  // JSON: tokens are exact text, spaces and line ends included.
  if (name === "tokens") return [{ name, field: (feature) => csvText(JSON.stringify(data.tokens(feature))) }];
  const column = data.column(name);
  return column === undefined ? [] : [{ name, field: (feature) => csvNumber(data.value(name, feature), column.type) }, ...labels(data, column)];
}

/** The names of a category, beside its numbers. */
function labels(data: TableData, { name, labels: known }: TableColumn): CsvColumn[] {
  if (known.length === 0) return [];
  return [{ name: `${name}_label`, field: (feature) => csvText(known[data.value(name, feature)] ?? "") }];
}
