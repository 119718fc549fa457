import type { ExampleGroup } from "../payloads.ts";

/** One way to look at a feature's examples. */
export interface Tab {
  /** Group of the examples, and value in the address. */
  id: string;
  label: string;
  /** What these examples are, in one sentence. */
  doc: string;
}

/** All tabs, in reading order. */
export const TABS: readonly Tab[] = [
  { id: "top", label: "Top examples", doc: "The strongest firings, one per context and text." },
  {
    id: "interval",
    label: "By strength",
    doc: "Chance samples from equal intervals of strength, strongest first.",
  },
  {
    id: "random",
    label: "Random firings",
    doc: "Chance samples of all contexts in which the feature fires.",
  },
];

/** The tabs that have examples. */
export function tabsOf(groups: readonly ExampleGroup[]): Tab[] {
  return TABS.filter(({ id }) => groupsOf(groups, id).length > 0);
}

/** The groups with examples shown under the tab `id`, strongest interval first. */
export function groupsOf(groups: readonly ExampleGroup[], id: string): ExampleGroup[] {
  const chosen = groups.filter(({ group, examples }) => group === id && examples.length > 0);
  return chosen.sort((a, b) => b.upper - a.upper);
}

/** The tab `by` further than `from`, round and round. */
export function turnTab(tabs: readonly Tab[], from: string, by: number): string {
  const at = tabs.findIndex(({ id }) => id === from);
  return tabs[(at + by + tabs.length) % tabs.length]?.id ?? from;
}
