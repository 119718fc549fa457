import type { TextSummary } from "./summary.ts";

/** What of a text counts: the largest activation, or the mean or the sum over its tokens. */
export type Measure = "max" | "mean" | "sum";

/** Two sides, feature by feature. Lists run over the features that fire on either side, ascending. */
export interface Comparison {
  /** Texts of side A; the texts of side B follow them in `texts`. */
  nA: number;
  nB: number;
  features: Uint32Array;
  /** Mean over the texts of side A of what counts. */
  a: Float64Array;
  b: Float64Array;
  /** `a` - `b`. */
  difference: Float64Array;
  /** Texts of side A in which the feature fires. */
  firesA: Uint32Array;
  firesB: Uint32Array;
  /** Text of the strongest token of both sides: by its activation, the first of equals. */
  peak: string[];
  /** Values other than zero of feature i are those from `starts[i]` to `starts[i + 1]` of `values`, of the texts in `texts`. */
  starts: Uint32Array;
  texts: Uint32Array;
  values: Float64Array;
}

interface Firing {
  texts: number[];
  values: number[];
  strongest: number;
  peak: string;
}

/** Compares the texts of two sides; neither may be empty. */
export function compare(a: readonly TextSummary[], b: readonly TextSummary[], measure: Measure): Comparison {
  const firings = gather([...a, ...b], measure);
  const features = Uint32Array.from([...firings.keys()].sort((one, other) => one - other));
  const of = Array.from(features, (feature) => firings.get(feature) as Firing);
  const starts = new Uint32Array(features.length + 1);
  for (const [at, { texts }] of of.entries()) starts[at + 1] = (starts[at] ?? 0) + texts.length;
  const share = (from: number, to: number, count: number) =>
    Float64Array.from(of, ({ texts, values }) => sumWhere(texts, values, from, to) / count);
  const fires = (from: number, to: number) =>
    Uint32Array.from(of, ({ texts }) => texts.filter((text) => text >= from && text < to).length);
  const n = a.length + b.length;
  const sideA = share(0, a.length, a.length);
  const sideB = share(a.length, n, b.length);
  return {
    nA: a.length,
    nB: b.length,
    features,
    a: sideA,
    b: sideB,
    difference: sideA.map((value, at) => value - (sideB[at] ?? 0)),
    firesA: fires(0, a.length),
    firesB: fires(a.length, n),
    peak: of.map(({ peak }) => peak),
    starts,
    texts: Uint32Array.from(of.flatMap(({ texts }) => texts)),
    values: Float64Array.from(of.flatMap(({ values }) => values)),
  };
}

function gather(summaries: readonly TextSummary[], measure: Measure): Map<number, Firing> {
  const firings = new Map<number, Firing>();
  for (const [text, summary] of summaries.entries()) {
    for (const [at, feature] of summary.features.entries()) {
      const max = summary.max[at] ?? 0;
      const known = firings.get(feature);
      const firing = known ?? { texts: [], values: [], strongest: 0, peak: "" };
      if (known === undefined) firings.set(feature, firing);
      firing.texts.push(text);
      firing.values.push(valueOf(summary, at, measure));
      if (max > firing.strongest) Object.assign(firing, { strongest: max, peak: summary.peak[at] ?? "" });
    }
  }
  return firings;
}

function valueOf({ max, sum, tokens }: TextSummary, at: number, measure: Measure): number {
  if (measure === "max") return max[at] ?? 0;
  return (sum[at] ?? 0) / (measure === "mean" ? tokens : 1);
}

function sumWhere(texts: readonly number[], values: readonly number[], from: number, to: number): number {
  let sum = 0;
  for (const [at, text] of texts.entries()) if (text >= from && text < to) sum += values[at] ?? 0;
  return sum;
}
