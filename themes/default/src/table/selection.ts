import type { FeatureRef } from "../core/lists.ts";

/** The rows that are chosen, and from where a stretch of them is counted. */
export interface Selection {
  /** Feature numbers. */
  chosen: ReadonlySet<number>;
  /** Feature of the row chosen last; null where there is none. */
  anchor: number | null;
}

/** Nothing is chosen. */
export const NONE: Selection = { chosen: new Set(), anchor: null };

/** `selection` with `feature` taken in or out. */
export function toggle({ chosen }: Selection, feature: number): Selection {
  const changed = new Set(chosen);
  if (!changed.delete(feature)) changed.add(feature);
  return { chosen: changed, anchor: feature };
}

/** `selection` with all of `rows` (as they are sorted) from its anchor to row `to`; without an anchor only that one. */
export function extend(selection: Selection, rows: Uint32Array, to: number): Selection {
  const feature = rows[to];
  if (feature === undefined) return selection;
  const from = selection.anchor === null ? -1 : rows.indexOf(selection.anchor);
  if (from < 0) return { chosen: new Set([...selection.chosen, feature]), anchor: feature };
  const stretch = rows.subarray(Math.min(from, to), Math.max(from, to) + 1);
  return { chosen: new Set([...selection.chosen, ...stretch]), anchor: selection.anchor };
}

/** How many of `rows` are chosen. */
export function countOf({ chosen }: Selection, rows: Uint32Array): number {
  if (chosen.size === 0) return 0;
  return rows.reduce((count, feature) => count + Number(chosen.has(feature)), 0);
}

/** The chosen features of the SAE called `sae`, by number. */
export function refsOf({ chosen }: Selection, sae: string): FeatureRef[] {
  return [...chosen].sort((a, b) => a - b).map((feature) => ({ sae, feature_idx: feature }));
}

/** All of `rows` taken in, or, where they are all in, taken out. */
export function toggleAll(selection: Selection, rows: Uint32Array): Selection {
  const all = countOf(selection, rows) === rows.length;
  const changed = new Set(selection.chosen);
  for (const feature of rows) {
    if (all) changed.delete(feature);
    else changed.add(feature);
  }
  return { chosen: changed, anchor: null };
}
