import { parseQuery, unknownFlags } from "../core/query.ts";
import { search } from "../core/search.ts";
import { openIndex } from "../core/search-index.ts";
import type { Entry, SearchIndex } from "../core/search-index.ts";
import type { Hit } from "../core/search-rank.ts";
import { everyFeature, hitsIn, keepFulfilling, namesFeatures } from "./results.ts";

/** What a whole query found, conditions included. */
export interface Outcome {
  index: SearchIndex;
  hits: Hit[];
  /** Hits that answer every part of the query. */
  answering: number;
  /** Entries of which only the strongest postings were looked at. */
  cut: Entry[];
  /** Tokens and phrases spelled almost as a quoted text that nothing fires on. */
  others: Entry[];
  /** What is wrong with the conditions, in sentences. */
  problems: string[];
}

/** The features that `typed` means, in the SAE called `sae` or in all; with `meaning` also those only alike in meaning. */
export async function find(typed: string, sae: string, meaning: boolean): Promise<Outcome> {
  const query = parseQuery(typed);
  const index = await openIndex();
  const { site } = index;
  const named = namesFeatures(query);
  const limited = conditionsTyped(typed);
  const nothing = { hits: [], cut: [], others: [] };
  const found = named ? await search(query, { preferred: query.saes[0] ?? sae, meaning }) : nothing;
  const all = named || !limited ? found.hits : everyFeature(site);
  const kept = await keepFulfilling(hitsIn(all, site, query, sae), site, query);
  const slugs = site.saes.map(({ slug }) => slug);
  const problems = [
    ...kept.unknown.map((name) => `No number of the table is called ${name}.`),
    ...unknownFlags(query).map((name) => `is:${name} means nothing here.`),
    ...query.saes.filter((slug) => !slugs.includes(slug)).map((slug) => `There is no SAE called ${slug}.`),
    ...query.words.filter((word) => /[<>=]/.test(word)).map((word) => `${word} is no condition: those are a name, a sign and a number.`),
  ];
  const answering = kept.hits.filter(({ whole }) => whole).length;
  return { ...found, index, hits: kept.hits, answering, problems };
}

/** Whether `typed` holds a condition, or names an SAE. */
export function conditionsTyped(typed: string): boolean {
  const { comparisons, flags, saes } = parseQuery(typed);
  return comparisons.length + flags.length + saes.length > 0;
}
