import type { SitePayload, TableColumn } from "../payloads.ts";
import { compareAs, loadColumn, loadColumns } from "../core/columns.ts";
import type { Column } from "../core/columns.ts";
import { columnIndex, columnsAsked, conditionsOf, holds } from "../core/query.ts";
import type { Condition, Query } from "../core/query.ts";
import type { Hit } from "../core/search-rank.ts";

/** Where values come from. */
export interface Values {
  columns(sae: string): Promise<TableColumn[]>;
  column(sae: string, name: string): Promise<Column>;
}

const SITE: Values = { columns: loadColumns, column: loadColumn };

/** Hits that fulfil all conditions. */
export interface Kept {
  hits: Hit[];
  /** Columns as typed that no SAE of the hits has. */
  unknown: string[];
}

/** Whether `query` says which features it means, apart from what they must fulfil. */
export function namesFeatures({ words, tokens, feature }: Query): boolean {
  return words.length + tokens.length > 0 || feature !== null;
}

/** Every feature of the site, in order: what a query means that has conditions only. */
export function everyFeature({ saes }: SitePayload): Hit[] {
  return saes.flatMap(({ n_features: count }, sae) =>
    Array.from({ length: count }, (_, feature) => ({ sae, feature, score: 0, reasons: [], whole: true })),
  );
}

/** The hits in the SAEs that are asked for: by `query`, and by the slug `chosen` unless that is "". */
export function hitsIn(hits: readonly Hit[], { saes }: SitePayload, query: Query, chosen: string): Hit[] {
  const wanted = saes.map(
    ({ slug }) => (chosen === "" || slug === chosen) && (query.saes.length === 0 || query.saes.includes(slug)),
  );
  return hits.filter(({ sae }) => wanted[sae] === true);
}

/** The hits that fulfil the conditions of `query`; a column that an SAE lacks is fulfilled by none of its features. */
export async function keepFulfilling(
  hits: readonly Hit[],
  { saes }: SitePayload,
  query: Query,
  values: Values = SITE,
): Promise<Kept> {
  const conditions = conditionsOf(query);
  if (conditions.length === 0) return { hits: [...hits], unknown: [] };
  const asked = columnsAsked(conditions);
  const found = [...new Set(hits.map(({ sae }) => sae))];
  const tests = new Map<number, SaeTest>();
  const load = async (sae: number) => tests.set(sae, await SaeTest.of(saes[sae]?.slug ?? "", asked, values));
  await Promise.all(found.map(load));
  const lacking = (name: string) => found.every((sae) => tests.get(sae)?.columns.has(name) !== true);
  return {
    hits: hits.filter(({ sae, feature }) => tests.get(sae)?.passes(conditions, feature)),
    unknown: found.length === 0 ? [] : asked.filter(lacking),
  };
}

/** The columns of one SAE that conditions ask for. */
class SaeTest {
  /** By name as typed. */
  readonly columns = new Map<string, Column>();

  static async of(sae: string, asked: readonly string[], values: Values): Promise<SaeTest> {
    const test = new SaeTest();
    const infos = await values.columns(sae);
    const names = infos.map(({ name }) => name);
    const load = async (typed: string) => {
      const name = names[columnIndex(names, typed)];
      if (name !== undefined) test.columns.set(typed, await values.column(sae, name));
    };
    await Promise.all(asked.map(load));
    return test;
  }

  passes(conditions: readonly Condition[], feature: number): boolean {
    const valueOf = (name: string) => this.columns.get(name)?.values[feature] ?? Number.NaN;
    return conditions.every((condition) => holds(this.stored(condition), valueOf));
  }

  /** The condition with bounds as the columns store numbers. */
  private stored(condition: Condition): Condition {
    const all = condition.all.map((comparison) => {
      const info = this.columns.get(comparison.column)?.info;
      return info === undefined ? comparison : { ...comparison, value: compareAs(info, comparison.value) };
    });
    return { ...condition, all };
  }
}
