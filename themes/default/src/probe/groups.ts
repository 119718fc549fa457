import type { Scored } from "./aggregate.ts";

/** What the list of features is put together by; "" is not at all. */
export type Grouping = "" | "token" | "cluster";

/** Features that belong together. */
export interface Group {
  /** Number of the piece or of the cluster; -1 for features of no cluster, or of one list. */
  key: number;
  features: Scored[];
}

/**
 * `features`, in their order, put together by `keyOf`: pieces as they stand in the text, clusters by their first feature,
 * what belongs to none last.
 */
export function grouped(features: readonly Scored[], grouping: Grouping, keyOf: (one: Scored) => number): Group[] {
  if (grouping === "") return [{ key: -1, features: [...features] }];
  const groups = new Map<number, Scored[]>();
  for (const one of features) {
    const key = keyOf(one);
    const known = groups.get(key);
    if (known === undefined) groups.set(key, [one]);
    else known.push(one);
  }
  const found = [...groups].map(([key, own]) => ({ key, features: own }));
  if (grouping === "token") return found.sort((a, b) => a.key - b.key);
  return [...found.filter(({ key }) => key >= 0), ...found.filter(({ key }) => key < 0)];
}
