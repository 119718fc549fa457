import { parseQuery } from "../core/query.ts";
import { search } from "../core/search.ts";
import { openIndex } from "../core/search-index.ts";
import type { Hit } from "../core/search-rank.ts";
import { hitsIn, keepFulfilling, namesFeatures } from "./results.ts";

/**
 * Features to offer for what was typed, best first: those with its words, else those alike in meaning. Of the SAE called
 * `within` alone, unless that is ""; those of `preferred` come first where a number says no more.
 */
export async function suggest(typed: string, preferred: string, within = ""): Promise<Hit[]> {
  const query = parseQuery(typed);
  if (!namesFeatures(query)) return [];
  const { site } = await openIndex();
  const kept = async (meaning: boolean) => {
    const { hits } = await search(query, { preferred: query.saes[0] ?? preferred, meaning });
    return (await keepFulfilling(hitsIn(hits, site, query, within), site, query)).hits;
  };
  const hits = await kept(false);
  return hits.length > 0 ? hits : kept(true);
}
