import type { ColumnPayload, FeaturePayload, FeatureShard, SaePayload, SitePayload } from "../payloads.ts";
import { featurePath, link } from "../core/links.ts";
import type { View } from "./view.ts";

/** All that the page of one feature is drawn from. */
export interface FeatureData {
  site: SitePayload;
  sae: SaePayload;
  shard: FeatureShard;
  payload: FeaturePayload;
  reach: Reach;
}

/** Tokens that a window holds beside its own one, where its text is long enough. */
export interface Reach {
  before: number;
  after: number;
}

/** How far the windows of a shard reach: those in the middle of a text are of full length. */
export function reachOf({ features }: FeatureShard): Reach {
  const reach: Reach = { before: 0, after: 0 };
  for (const { examples } of features.flatMap(({ groups }) => groups)) {
    for (const { peak, pieces } of examples) {
      reach.before = Math.max(reach.before, peak);
      reach.after = Math.max(reach.after, pieces.length - 1 - peak);
    }
  }
  return reach;
}

/** What a feature has in one column. */
export type Value = FeaturePayload["values"][number];

/** A column with the feature's value in it. */
export interface Entry {
  column: ColumnPayload;
  value: Value;
}

/** What is shown of a feature, and how, and the way to change that. */
export interface Scene {
  data: FeatureData;
  view: View;
  /** Examples of a group to draw by now: a page comes bit by bit. */
  most: number;
  change: (changes: Partial<View>) => void;
}

/** The entry of the column called `name`; undefined where the dataset has none. */
export function entryOf({ sae, payload }: FeatureData, name: string): Entry | undefined {
  const at = sae.columns.findIndex((column) => column.name === name);
  const column = sae.columns[at];
  return column === undefined ? undefined : { column, value: payload.values[at] ?? null };
}

/** The number in the column called `name`; null where there is none. */
export function numberOf(data: FeatureData, name: string): number | null {
  const value = entryOf(data, name)?.value;
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

/** The flat list in an entry; empty where there is none. */
export function listOf({ value }: Entry): readonly (number | string | null)[] {
  return Array.isArray(value) ? value : [];
}

/** A flat list as records of the column's fields. */
export function recordsOf(entry: Entry): Record<string, number | string | null>[] {
  const { fields } = entry.column;
  const flat = listOf(entry);
  const count = fields.length === 0 ? 0 : Math.floor(flat.length / fields.length);
  return Array.from({ length: count }, (_, row) =>
    Object.fromEntries(fields.map((field, at) => [field, flat[row * fields.length + at] ?? null])),
  );
}

/** The explanation of a feature that this one's shard names; "feature 12" where there is none. */
export function titleOf({ shard }: FeatureData, feature: number): string {
  return shard.titles.find(([other]) => other === feature)?.[1] ?? `feature ${feature}`;
}

/** Address of a feature of the same SAE. */
export function addressOf({ sae }: FeatureData, feature: number): string {
  return link(featurePath(sae.slug, feature));
}

/** A field of a record as a number; NaN where it holds none. */
export function numeric(value: number | string | null | undefined): number {
  return typeof value === "number" ? value : Number.NaN;
}
