import { csvNumber, csvText } from "../table/csv.ts";
import type { Measure } from "./compare.ts";
import { onlyOn } from "./rows.ts";
import type { Row } from "./rows.ts";
import type { Unit } from "./state.ts";

const LINE_END = "\r\n";

/** What a file says of the rows besides their own numbers. */
export interface CsvFacts {
  measure: Measure;
  /** Whether BOS counts. */
  bos: boolean;
  unit: Unit;
  /** Texts per side are more than one: columns of their counts, p and q are written. */
  sets: boolean;
  explanation: (feature: number) => string;
}

/** `rows` as CSV with a heading: exact numbers, `only` is the side on which alone a feature fires. */
export function contrastCsv(rows: readonly Row[], { measure, bos, unit, sets, explanation }: CsvFacts): string {
  const value = `${measure}${bos ? "_with_bos" : ""}${unit === "share" ? "_share" : ""}`;
  const number = (exact: number) => csvNumber(exact, "float64");
  const columns: [name: string, field: (row: Row) => string][] = [
    ["feature_idx", ({ feature }) => String(feature)],
    ["explanation", ({ feature }) => csvText(explanation(feature))],
    ["strongest_on", ({ peak }) => csvText(JSON.stringify(peak))],
    ["activation_density", ({ density }) => number(density)],
    [`${value}_a`, ({ a }) => number(a)],
    [`${value}_b`, ({ b }) => number(b)],
    ["difference", ({ difference }) => number(difference)],
    ["only", onlyOn],
  ];
  if (sets)
    columns.push(
      ["lines_a", ({ firesA }) => String(firesA)],
      ["lines_b", ({ firesB }) => String(firesB)],
      ["p", ({ p }) => number(p)],
      ["q", ({ q }) => number(q)],
    );
  const lines = [columns.map(([name]) => name), ...rows.map((row) => columns.map(([, field]) => field(row)))];
  return lines.map((fields) => fields.join(",") + LINE_END).join("");
}
