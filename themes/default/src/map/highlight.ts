import { loadSite } from "../core/data.ts";
import { columnIndex, fulfils, parseQuery } from "../core/query.ts";
import type { Comparison } from "../core/query.ts";
import { search } from "../core/search.ts";
import type { TableData } from "../table/data.ts";

/** Features of `sae` that answer `typed`, best first; `table` is asked for only where conditions need it. */
export async function findFeatures(
  typed: string,
  sae: string,
  table: () => Promise<TableData>,
): Promise<number[]> {
  const query = parseQuery(typed);
  const { comparisons } = query;
  const named = query.words.length + query.tokens.length > 0;
  if (!named && comparisons.length === 0) return [];
  const features = named ? await hitsOf(typed, sae) : (await loadedTable(table)).map((_, feature) => feature);
  if (comparisons.length === 0) return features;
  const data = await table();
  return features.filter((feature) => comparisons.every((comparison) => holds(data, feature, comparison)));
}

async function loadedTable(table: () => Promise<TableData>): Promise<string[]> {
  return (await table()).explanations;
}

async function hitsOf(typed: string, sae: string): Promise<number[]> {
  const { saes } = await loadSite();
  const { hits } = await search(parseQuery(typed), sae);
  return hits.filter((hit) => saes[hit.sae]?.slug === sae).map(({ feature }) => feature);
}

function holds(data: TableData, feature: number, comparison: Comparison): boolean {
  const at = columnIndex(
    data.columns.map(({ name }) => name),
    comparison.column,
  );
  return at >= 0 && fulfils(data.value(at, feature), comparison);
}
