import type { ExampleGroup } from "../payloads.ts";

/** One way to look at a feature's examples. */
export interface Tab {
  /** Name in the address. */
  id: string;
  label: string;
  /** What these examples are, in one sentence. */
  doc: string;
  /** The groups of examples it shows. */
  groups: readonly string[];
}

/** All tabs, in reading order. */
export const TABS: readonly Tab[] = [
  {
    id: "top",
    label: "Top examples",
    doc: "The strongest firings, one per context and one per text.",
    groups: ["top"],
  },
  {
    id: "interval",
    label: "By strength",
    doc: "Chance samples from equal intervals of strength, strongest first.",
    groups: ["interval"],
  },
  {
    id: "random",
    label: "Random firings",
    doc: "A chance sample of all contexts in which the feature fires.",
    groups: ["random"],
  },
  {
    id: "counter",
    label: "Counter-examples",
    doc: "Where one would expect the feature to fire, and it does not.",
    groups: ["same_token", "near_miss"],
  },
];

/** The groups in which the feature does not fire on the example's own token: heading and meaning. */
export const SILENT: Readonly<Record<string, { label: string; doc: string }>> = {
  same_token: {
    label: "Same token, silent",
    doc: "The token it fires on most, in contexts where it does not fire on it.",
  },
  near_miss: {
    label: "Near misses",
    doc: "It fires nowhere in these contexts, though the features that usually fire with it do.",
  },
};

/** The tabs that have examples. */
export function tabsOf(groups: readonly ExampleGroup[]): Tab[] {
  return TABS.filter(({ id }) => groupsOf(groups, id).length > 0);
}

/** The groups with examples shown under the tab `id`: in the order of the tab, strongest interval first. */
export function groupsOf(groups: readonly ExampleGroup[], id: string): ExampleGroup[] {
  const order = TABS.find((tab) => tab.id === id)?.groups ?? [];
  const chosen = groups.filter(({ group, examples }) => order.includes(group) && examples.length > 0);
  return chosen.sort((a, b) => order.indexOf(a.group) - order.indexOf(b.group) || b.upper - a.upper);
}

/** The intervals of strength that have examples, weakest first: the number of an interval is its place here. */
export function intervalsOf(groups: readonly ExampleGroup[]): ExampleGroup[] {
  return groupsOf(groups, "interval").reverse();
}

/** Number of the interval whose range holds `activation`, or else comes nearest; null without any. */
export function intervalAt(groups: readonly ExampleGroup[], activation: number): number | null {
  const distance = ({ lower, upper }: ExampleGroup) => Math.max(lower - activation, activation - upper, 0);
  const intervals = intervalsOf(groups);
  const least = Math.min(...intervals.map(distance));
  const found = intervals.findIndex((group) => distance(group) === least);
  return found < 0 ? null : found;
}

/** The tab `by` further than `from`, round and round. */
export function turnTab(tabs: readonly Pick<Tab, "id">[], from: string, by: number): string {
  const at = tabs.findIndex(({ id }) => id === from);
  return tabs[(at + by + tabs.length) % tabs.length]?.id ?? from;
}
