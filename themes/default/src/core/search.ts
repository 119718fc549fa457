import type { SitePayload, VocabularyShard } from "../payloads.ts";
import type { Field } from "./data.ts";
import { loadPostings, loadSite, loadVocabulary } from "./data.ts";
import type { Query } from "./query.ts";
import { addPostings, combine } from "./search-rank.ts";
import type { Hit, PartHits, Ranking } from "./search-rank.ts";
import { matchLooseToken, matchToken, matchWord } from "./search-terms.ts";
import type { TermMatch } from "./search-terms.ts";

/** Of one typed word and one field, so that a short prefix does not load half of the index. */
const MOST_SHARDS = 4;

/** Features that answer `query`; those of the SAE called `preferred` come first where a number says no more. */
export async function search(query: Query, preferred = ""): Promise<Ranking> {
  const site = await loadSite();
  const byNumber = numberHits(query, site, preferred);
  const parts = await Promise.all([...query.words.map(looseHits), ...query.tokens.map(exactHits)]);
  const { hits, complete } = combine(parts);
  const named = new Set(byNumber.map((hit) => `${hit.sae}/${hit.feature}`));
  const others = hits.filter((hit) => !named.has(`${hit.sae}/${hit.feature}`));
  return { hits: [...byNumber, ...others], complete };
}

/** The features that a number or an address such as `my-sae/12` names. */
export function numberHits({ feature, sae: named }: Query, site: SitePayload, preferred: string): Hit[] {
  if (feature === null) return [];
  const inSae = (slug: string) => (named === "" ? slug === preferred : slug === named);
  return site.saes
    .map((sae, position) => ({ ...sae, position }))
    .filter((sae) => feature < sae.n_features && (named === "" || sae.slug === named))
    .sort((a, b) => Number(inSae(b.slug)) - Number(inSae(a.slug)))
    .map((sae) => ({
      sae: sae.position,
      feature,
      score: 1,
      reasons: [{ kind: "number" as const, term: String(feature), how: "exact" as const, weight: 1 }],
    }));
}

async function looseHits(word: string): Promise<PartHits> {
  const found: PartHits = new Map();
  await Promise.all([
    addField(found, "word", (vocabulary) => matchWord(vocabulary, word)),
    addField(found, "token", (vocabulary) => matchLooseToken(vocabulary, word)),
  ]);
  return found;
}

async function exactHits(token: string): Promise<PartHits> {
  const found: PartHits = new Map();
  await addField(found, "token", (vocabulary) => matchToken(vocabulary, token));
  return found;
}

async function addField(
  found: PartHits,
  field: Field,
  match: (vocabulary: VocabularyShard) => TermMatch[],
): Promise<void> {
  const [{ terms_per_shard: size }, vocabulary] = await Promise.all([loadSite(), loadVocabulary(field)]);
  const chosen = withinShards(match(vocabulary), size);
  const shards = await Promise.all(chosen.map(({ term }) => loadPostings(field, Math.floor(term / size))));
  for (const [at, termMatch] of chosen.entries()) {
    addPostings(found, field, termMatch, shards[at]?.postings[termMatch.term % size] ?? []);
  }
}

/** The best matches that lie in at most `MOST_SHARDS` shards of `size` terms. */
export function withinShards(matches: readonly TermMatch[], size: number): TermMatch[] {
  const wanted = new Set<number>();
  return matches.filter(({ term }) => {
    const shard = Math.floor(term / size);
    if (wanted.size < MOST_SHARDS) wanted.add(shard);
    return wanted.has(shard);
  });
}
