import type { SitePayload } from "../payloads.ts";
import type { Query } from "./query.ts";
import { loadPostings, openIndex } from "./search-index.ts";
import type { Entry, SearchIndex } from "./search-index.ts";
import { searchMeaning } from "./search-meaning.ts";
import { addPostings, combine, rarityOf } from "./search-rank.ts";
import type { Hit, PartHits, Ranking } from "./search-rank.ts";
import { matchPhrase, matchText, matchWord } from "./search-terms.ts";
import type { TermMatch } from "./search-terms.ts";

/** Units loaded of an entry where one of its strongest features is enough, and where several parts must meet. */
const UNITS_ALONE = 1;
const UNITS_TOGETHER = 4;

/** What a search found. */
export interface Found extends Ranking {
  /** Entries of which only the strongest postings were looked at. */
  cut: Entry[];
  /** Tokens and phrases that differ from a quoted text only in case or white space. */
  others: Entry[];
}

/** How to search. */
export interface Manner {
  /** Slug of the SAE whose features come first where a number says no more. */
  preferred?: string;
  /** Whether features count that are only alike in meaning; they cost a few more data files. */
  meaning?: boolean;
}

/** Features that answer `query`, best first: its text and number; conditions and SAEs are the caller's. */
export async function search(query: Query, { preferred = "", meaning = false }: Manner = {}): Promise<Found> {
  const index = await openIndex();
  const byNumber = numberHits(query, index.site, preferred);
  const looked = new Lookups(index, query.words.length + query.tokens.length > 1 ? UNITS_TOGETHER : UNITS_ALONE);
  const [whole, alike, ...parts] = await Promise.all([
    looked.phrase(query.words),
    meaning && query.feature === null ? searchMeaning(index, query.words) : new Map(),
    ...query.words.map((word) => looked.word(word)),
    ...query.tokens.map((token) => looked.text(token)),
  ]);
  const { hits, answering } = combine(parts, index.site, whole, alike);
  const named = new Set(byNumber.map((hit) => `${hit.sae}/${hit.feature}`));
  const others = hits.filter((hit) => !named.has(`${hit.sae}/${hit.feature}`));
  return { hits: [...byNumber, ...others], answering, cut: looked.cut, others: looked.others };
}

/** Looks up the parts of one query, and remembers what it left out. */
class Lookups {
  readonly cut: Entry[] = [];
  readonly others: Entry[] = [];
  private readonly index: SearchIndex;
  private readonly units: number;
  private readonly total: number;

  constructor(index: SearchIndex, units: number) {
    this.index = index;
    this.units = units;
    this.total = index.site.saes.reduce((sum, { n_features: count }) => sum + count, 0);
  }

  async word(word: string): Promise<PartHits> {
    return this.postings(word, await matchWord(this.index, word));
  }

  async phrase(words: readonly string[]): Promise<PartHits> {
    return this.postings(words.join(" "), await matchPhrase(this.index, words));
  }

  async text(text: string): Promise<PartHits> {
    const { matches, others } = await matchText(this.index, text);
    if (matches.length === 0) this.others.push(...others);
    return this.postings(text, matches);
  }

  private async postings(typed: string, matches: readonly TermMatch[]): Promise<PartHits> {
    const found: PartHits = new Map();
    const loaded = await Promise.all(
      matches.map(({ entry }) => loadPostings(this.index, entry, this.units)),
    );
    for (const [at, match] of matches.entries()) {
      for (const postings of loaded[at] ?? []) addPostings(found, typed, match, postings, rarityOf(match.entry.count, this.total));
      if (match.entry.count > this.units * this.index.directory.postings_per_unit) this.cut.push(match.entry);
    }
    return found;
  }
}

/** The features that a number or an address such as `my-sae/12` names. */
export function numberHits({ feature, sae: named }: Query, site: SitePayload, preferred: string): Hit[] {
  if (feature === null) return [];
  const inSae = (slug: string) => (named === "" ? slug === preferred : slug === named);
  return site.saes
    .map((sae, position) => ({ ...sae, position }))
    .filter((sae) => feature < sae.n_features && (named === "" || sae.slug === named))
    .sort((a, b) => Number(inSae(b.slug)) - Number(inSae(a.slug)))
    .map((sae) => {
      const typed = String(feature);
      const reason = { kind: "number" as const, term: typed, how: "exact" as const, typed, weight: 1 };
      return { sae: sae.position, feature, score: 1, reasons: [reason], whole: true };
    });
}
