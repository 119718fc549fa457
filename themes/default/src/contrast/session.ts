import type { OpenModel } from "../model/client.ts";
import { fitText } from "../probe/limit.ts";
import { compare } from "./compare.ts";
import type { Comparison, Measure } from "./compare.ts";
import { linesOf } from "./lines.ts";
import { permute } from "./permute.ts";
import type { Permutation } from "./permute.ts";
import type { Kind } from "./state.ts";
import { summarise } from "./summary.ts";
import type { TextSummary } from "./summary.ts";

/** The texts of both sides, summarised. */
export interface Sides {
  kind: Kind;
  /** Slug of the SAE. */
  sae: string;
  a: TextSummary[];
  b: TextSummary[];
  /** Characters left out of texts that were too long. */
  cut: number;
}

/** What is being worked on, and how far it is. */
export interface Progress {
  doing: "texts" | "relabellings";
  done: number;
  total: number;
}

/** Told of progress; may wait, and throws where the reader has cancelled. */
export type Tick = (progress: Progress) => Promise<void>;

/** The seed of every drawing of relabellings, so that a link gives the same p-values again. */
export const SEED = 0;

/** The texts that `typed` means on one side. */
export function textsOf(typed: string, kind: Kind): string[] {
  if (kind === "lines") return linesOf(typed);
  return typed === "" ? [] : [typed];
}

/** Runs every text through the model, one after the other; keeps of each only what its features do. */
export async function readSides(
  model: OpenModel,
  kind: Kind,
  typed: { a: string; b: string },
  tick: Tick,
  signal: AbortSignal,
): Promise<Sides> {
  const [a, b] = [textsOf(typed.a, kind), textsOf(typed.b, kind)];
  const total = a.length + b.length;
  const summaries: TextSummary[] = [];
  let cut = 0;
  for (const text of [...a, ...b]) {
    await tick({ doing: "texts", done: summaries.length, total });
    const fitted = await fitText(model, text);
    cut += fitted.cut;
    summaries.push(summarise(await model.activations(fitted.text, signal)));
  }
  return { kind, sae: model.sae.slug, a: summaries.slice(0, a.length), b: summaries.slice(a.length), cut };
}

/** What follows from two sides, worked out once for each measure and number of relabellings. */
export class Findings {
  readonly sides: Sides;
  private readonly comparisons = new Map<Measure, Comparison>();
  private readonly permutations = new Map<string, Permutation>();

  constructor(sides: Sides) {
    this.sides = sides;
  }

  /** Both sides feature by feature. */
  comparison(measure: Measure): Comparison {
    const { a, b } = this.sides;
    const known = this.comparisons.get(measure) ?? compare(a, b, measure);
    this.comparisons.set(measure, known);
    return known;
  }

  /** The test of sets, where it has been made. */
  permutation(measure: Measure, most: number): Permutation | null {
    return this.permutations.get(`${measure} ${most}`) ?? null;
  }

  /** Makes the test, unless it has been made or the sides are single texts. */
  async test(measure: Measure, most: number, tick: Tick): Promise<void> {
    if (this.sides.kind === "texts" || this.permutation(measure, most) !== null) return;
    const manner = {
      most,
      seed: SEED,
      tick: (done: number, total: number) => tick({ doing: "relabellings", done, total }),
    };
    this.permutations.set(`${measure} ${most}`, await permute(this.comparison(measure), manner));
  }
}
