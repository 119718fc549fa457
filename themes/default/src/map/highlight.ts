import { loadColumn, loadColumns } from "../core/columns.ts";
import { loadSite } from "../core/data.ts";
import { columnIndex, columnsAsked, conditionsOf, holds, parseQuery } from "../core/query.ts";
import type { Condition, Query } from "../core/query.ts";
import { search } from "../core/search.ts";
import type { Layer } from "./layer.ts";
import type { Points } from "./points.ts";

/** Whether a feature number passes. */
type Test = (feature: number) => boolean;

/** Points that a search found. */
export interface FoundPoints {
  /** Best first. */
  points: readonly number[];
  /** Whether there may be weaker hits that were not looked at. */
  cut: boolean;
}

/** Points that answer `typed`; null where nothing is asked. */
export async function findPoints(typed: string, points: Points): Promise<FoundPoints | null> {
  const query = parseQuery(typed);
  const conditions = conditionsOf(query);
  const named = query.words.length + query.tokens.length > 0 || query.feature !== null;
  if (!named && conditions.length + query.saes.length === 0) return null;
  const all = () => ({ points: Array.from({ length: points.count }, (_, point) => point), cut: false });
  const wanted = named ? await hitsOf(query, points) : all();
  const tests = await Promise.all(points.layers.map((layer) => testOf(layer, query, conditions)));
  const passes = (point: number) => tests[points.layerOf[point] ?? -1]?.(points.features[point] ?? -1) ?? false;
  return { points: wanted.points.filter(passes), cut: wanted.cut };
}

async function hitsOf(query: Query, points: Points): Promise<FoundPoints> {
  const { saes } = await loadSite();
  const { hits: all, answering, cut } = await search(query, { preferred: points.layers[0]?.sae ?? "" });
  const hits = answering > 0 ? all.filter(({ whole }) => whole) : all;
  const layers = saes.map(({ slug }) => points.layers.findIndex(({ sae }) => sae === slug));
  const found = hits.map(({ sae, feature }) => points.pointOf(layers[sae] ?? -1, feature));
  return { points: found.filter((point) => point >= 0), cut: cut.length > 0 };
}

/** The conditions as a test of one layer's features; a column that it does not have is never fulfilled. */
async function testOf({ sae }: Layer, { saes }: Query, conditions: readonly Condition[]): Promise<Test> {
  if (saes.length > 0 && !saes.includes(sae)) return () => false;
  if (conditions.length === 0) return () => true;
  const names = (await loadColumns(sae)).map(({ name }) => name);
  const values = new Map<string, Float64Array>();
  for (const typed of columnsAsked(conditions)) {
    const name = names[columnIndex(names, typed)];
    if (name !== undefined) values.set(typed, (await loadColumn(sae, name)).values);
  }
  return (feature) =>
    conditions.every((condition) =>
      holds(condition, (typed) => values.get(typed)?.[feature] ?? Number.NaN),
    );
}
