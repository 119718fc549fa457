import type { SitePayload } from "../payloads.ts";
import { columnIndex, fulfils } from "../core/query.ts";
import type { Comparison } from "../core/query.ts";
import type { FeatureRow } from "../core/rows.ts";
import type { Hit } from "../core/search-rank.ts";

/** A hit with what the feature table says of it. */
export interface Result extends Hit {
  slug: string;
  row: FeatureRow;
}

/** More hits than this are not looked at for conditions: each may cost a data file. */
const MOST_LOOKED_AT = 400;

/** The hits of the SAE called `slug`; of all where it is "". */
export function hitsIn(hits: readonly Hit[], site: SitePayload, slug: string): Hit[] {
  return slug === "" ? [...hits] : hits.filter(({ sae }) => site.saes[sae]?.slug === slug);
}

/** Whether a row fulfils all conditions; a column that does not exist is fulfilled by none. */
export function rowFulfils({ columns, values }: FeatureRow, comparisons: readonly Comparison[]): boolean {
  const names = columns.map(({ name }) => name);
  return comparisons.every((comparison) => {
    const at = columnIndex(names, comparison.column);
    return fulfils(at < 0 ? Number.NaN : (values[at] ?? Number.NaN), comparison);
  });
}

/** Reads the row of one hit. */
export type RowReader = (slug: string, feature: number) => Promise<FeatureRow>;

/** The first `wanted` hits that fulfil the conditions, with their rows; asks for many rows at a time. */
export async function takeResults(
  hits: readonly Hit[],
  site: SitePayload,
  comparisons: readonly Comparison[],
  wanted: number,
  read: RowReader,
): Promise<Result[]> {
  const found: Result[] = [];
  for (let at = 0; at < Math.min(hits.length, MOST_LOOKED_AT) && found.length < wanted; at += wanted) {
    const batch = hits.slice(at, at + wanted).map(async (hit): Promise<Result> => {
      const slug = site.saes[hit.sae]?.slug ?? "";
      return { ...hit, slug, row: await read(slug, hit.feature) };
    });
    found.push(...(await Promise.all(batch)).filter(({ row }) => rowFulfils(row, comparisons)));
  }
  return found.slice(0, wanted);
}
