import type { Likeness, TermMatch } from "./search-terms.ts";

/** Why a feature was found. */
export interface Reason {
  kind: "number" | "word" | "token";
  /** The term of the index, exact text. */
  term: string;
  how: Likeness;
  /** Strength in the index, 0..1. */
  weight: number;
}

/** A feature that was found. */
export interface Hit {
  /** Position of the SAE in the site's list. */
  sae: number;
  feature: number;
  score: number;
  reasons: Reason[];
}

/** Hits of one typed word by `hitKey`. */
export type PartHits = Map<string, Hit>;

const QUALITY: Record<Likeness, number> = { exact: 1, prefix: 0.6, similar: 0.4 };

/** The same for every hit of one feature. */
export function hitKey(sae: number, feature: number): string {
  return `${sae}/${feature}`;
}

/** Adds the postings (flat triples: SAE, feature, weight 0..1000) of one term to what one typed word found. */
export function addPostings(
  found: PartHits,
  kind: "word" | "token",
  match: TermMatch,
  postings: readonly number[],
): void {
  for (let at = 0; at + 2 < postings.length; at += 3) {
    const weight = (postings[at + 2] ?? 0) / 1000;
    const reason: Reason = { kind, term: match.text, how: match.how, weight };
    addHit(found, {
      sae: postings[at] ?? 0,
      feature: postings[at + 1] ?? 0,
      score: QUALITY[match.how] * weight,
      reasons: [reason],
    });
  }
}

/** Adds a hit; of several reasons of one kind the strongest counts, reasons of different kinds add up. */
function addHit(found: PartHits, hit: Hit): void {
  const key = hitKey(hit.sae, hit.feature);
  const known = found.get(key);
  if (known === undefined) {
    found.set(key, hit);
    return;
  }
  const score = (reason: Reason) => QUALITY[reason.how] * reason.weight;
  const reasons = [...known.reasons, ...hit.reasons].sort((a, b) => score(b) - score(a));
  const kinds = reasons.map((reason) => reason.kind);
  known.reasons = reasons.filter((reason, at) => kinds.indexOf(reason.kind) === at);
  known.score = known.reasons.reduce((sum, reason) => sum + score(reason), 0);
}

/** Hits of a whole query. */
export interface Ranking {
  hits: Hit[];
  /** False where no feature answers every part, so that the hits answer only some. */
  complete: boolean;
}

/** Features that answer all parts, strongest first; where none does, those that answer most parts. */
export function combine(parts: readonly PartHits[]): Ranking {
  const all = new Map<string, Hit & { parts: number }>();
  for (const part of parts) {
    for (const [key, hit] of part) {
      const known = all.get(key);
      if (known === undefined) all.set(key, { ...hit, parts: 1 });
      else {
        known.parts += 1;
        known.score += hit.score;
        known.reasons = [...known.reasons, ...hit.reasons];
      }
    }
  }
  const hits = [...all.values()];
  const whole = hits.filter((hit) => hit.parts === parts.length);
  const order = (a: Hit & { parts: number }, b: Hit & { parts: number }) =>
    b.parts - a.parts || b.score - a.score || a.sae - b.sae || a.feature - b.feature;
  const complete = whole.length > 0 || hits.length === 0;
  const chosen = (complete ? whole : hits).sort(order);
  return {
    hits: chosen.map(({ sae, feature, score, reasons }) => ({ sae, feature, score, reasons })),
    complete,
  };
}
