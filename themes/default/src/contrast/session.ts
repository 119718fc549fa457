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

/** What the texts of each side come to. */
export interface Summaries {
  a: TextSummary[];
  b: TextSummary[];
}

/** The texts of both sides, summarised. */
export interface Sides {
  kind: Kind;
  /** Slug of the SAE. */
  sae: string;
  /** Without BOS, which is the same in every text. */
  own: Summaries;
  /** With it; null where this SAE's windows do not begin with one. */
  all: Summaries | null;
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
  const { prepend_bos: hasBos, slug } = model.sae;
  const [own, all]: [TextSummary[], TextSummary[]] = [[], []];
  let cut = 0;
  for (const text of [...a, ...b]) {
    await tick({ doing: "texts", done: own.length, total });
    const fitted = await fitText(model, text);
    cut += fitted.cut;
    const found = await model.activations(fitted.text, signal);
    own.push(summarise(found, false));
    if (hasBos) all.push(summarise(found, true));
  }
  const parted = (texts: TextSummary[]) => ({ a: texts.slice(0, a.length), b: texts.slice(a.length) });
  return { kind, sae: slug, own: parted(own), all: hasBos ? parted(all) : null, cut };
}

/** What decides the numbers of a comparison. */
export interface Counting {
  measure: Measure;
  /** Whether BOS counts, where the SAE has one. */
  bos: boolean;
}

/** The summaries that count. */
export function countedOf({ own, all }: Sides, bos: boolean): Summaries {
  return bos ? (all ?? own) : own;
}

/** What follows from two sides, worked out once for each way of counting and number of relabellings. */
export class Findings {
  readonly sides: Sides;
  private readonly comparisons = new Map<string, Comparison>();
  private readonly permutations = new Map<string, Permutation>();

  constructor(sides: Sides) {
    this.sides = sides;
  }

  /** Both sides feature by feature. */
  comparison({ measure, bos }: Counting): Comparison {
    const key = `${measure} ${bos}`;
    const { a, b } = countedOf(this.sides, bos);
    const known = this.comparisons.get(key) ?? compare(a, b, measure);
    this.comparisons.set(key, known);
    return known;
  }

  /** The test of sets, where it has been made. */
  permutation({ measure, bos }: Counting, most: number): Permutation | null {
    return this.permutations.get(`${measure} ${bos} ${most}`) ?? null;
  }

  /** Makes the test, unless it has been made or the sides are single texts. */
  async test(counting: Counting, most: number, tick: Tick): Promise<void> {
    if (this.sides.kind === "texts" || this.permutation(counting, most) !== null) return;
    const manner = {
      most,
      seed: SEED,
      tick: (done: number, total: number) => tick({ doing: "relabellings", done, total }),
    };
    const { measure, bos } = counting;
    this.permutations.set(`${measure} ${bos} ${most}`, await permute(this.comparison(counting), manner));
  }
}
