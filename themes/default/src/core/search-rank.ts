import type { SitePayload } from "../payloads.ts";
import { placeOf } from "./search-index.ts";
import type { Field, Postings } from "./search-index.ts";
import type { Likeness, TermMatch } from "./search-terms.ts";

/** Why a feature was found. */
export interface Reason {
  kind: "number" | Field | "meaning";
  /** The term of the index, exact text; "" for meaning. */
  term: string;
  how: Likeness;
  /** What was typed. */
  typed: string;
  /** Strength in the index, 0..1; cosine of the meanings. */
  weight: number;
}

/** A feature that was found. */
export interface Hit {
  /** Position of the SAE in the site's list. */
  sae: number;
  feature: number;
  score: number;
  reasons: Reason[];
  /** Whether it answers every part of the query. */
  whole: boolean;
}

/** What one part of a query found, by number of feature, counted on through all SAEs. */
export type PartHits = Map<number, PartHit>;

interface PartHit {
  score: number;
  reasons: Reason[];
  /** What each reason adds to the score, in their order. */
  worths: number[];
}

const QUALITY: Record<Likeness, number> = { exact: 1, prefix: 0.6, similar: 0.4 };
/** Chosen on the query sets of bench/search_quality.py. */
const TRUST: Record<Reason["kind"], number> = {
  number: 1,
  word: 1,
  token: 1,
  phrase: 1,
  example: 1,
  seen: 0.1,
  meaning: 0.25,
};

function worth({ kind, how, weight }: Reason, rarity: number): number {
  return TRUST[kind] * QUALITY[how] * weight * rarity;
}

/** What it is worth to have a term that `count` of `total` features have: 1 for one of them, near 0 for all. */
export function rarityOf(count: number, total: number): number {
  return Math.log1p(total / Math.max(count, 1)) / Math.log1p(Math.max(total, 1));
}

/** Adds the postings of one matched entry, a term of that `rarity`, to what `typed` found. */
export function addPostings(
  found: PartHits,
  typed: string,
  { entry, how }: TermMatch,
  postings: Postings,
  rarity: number,
): void {
  for (const [at, number] of postings.numbers.entries()) {
    const weight = postings.weights[at] ?? 0;
    addReason(found, number, { kind: entry.field, term: entry.text, how, typed, weight }, rarity);
  }
}

/** Adds one reason; of several of one kind the best counts, reasons of different kinds add up. */
export function addReason(found: PartHits, number: number, reason: Reason, rarity = 1): void {
  const worthOf = worth(reason, rarity);
  const known = found.get(number);
  if (known === undefined) {
    found.set(number, { score: worthOf, reasons: [reason], worths: [worthOf] });
    return;
  }
  const at = known.reasons.findIndex(({ kind }) => kind === reason.kind);
  const place = at < 0 ? known.reasons.length : at;
  const beaten = known.worths[place] ?? 0;
  if (at >= 0 && beaten >= worthOf) return;
  known.reasons[place] = reason;
  known.worths[place] = worthOf;
  known.score += worthOf - beaten;
}

/** Hits of a whole query. */
export interface Ranking {
  hits: Hit[];
  /** Hits that answer every part. Where it is 0, all hits answer only some, or are only alike in meaning. */
  answering: number;
}

/**
 * Features that answer some of the parts, best first. `whole` holds what answers all parts at once, `meaning` what is
 * like the query as a whole, and needs no word of it. A score is the sum over the parts, times the share of the parts
 * that are answered, plus that of the meaning; ties go by SAE and number.
 */
export function combine(
  parts: readonly PartHits[],
  site: SitePayload,
  whole: PartHits = new Map(),
  meaning: PartHits = new Map(),
): Ranking {
  const all = new Map<number, Sum>();
  for (const part of parts) addPart(all, part, 1);
  addPart(all, whole, parts.length);
  for (const sum of all.values()) sum.score *= Math.min(sum.parts, parts.length) / parts.length;
  addPart(all, meaning, 0);
  const ranked = [...all].sort(([a, left], [b, right]) => right.score - left.score || a - b);
  const hits = ranked.map(([number, sum]) => ({
    ...placeOf(site, number),
    score: sum.score,
    reasons: sum.reasons,
    whole: sum.parts >= parts.length && sum.parts > 0,
  }));
  return { hits, answering: hits.filter((hit) => hit.whole).length };
}

interface Sum {
  score: number;
  reasons: Reason[];
  /** Parts of the query that are answered. */
  parts: number;
}

function addPart(all: Map<number, Sum>, found: PartHits, answered: number): void {
  for (const [number, { score, reasons }] of found) {
    const known = all.get(number);
    if (known === undefined) all.set(number, { score, reasons: [...reasons], parts: answered });
    else {
      known.score += score;
      known.reasons.push(...reasons);
      known.parts += answered;
    }
  }
}
