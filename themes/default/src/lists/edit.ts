import type { FeatureList, FeatureRef, ListItem } from "./check.ts";
import { cleanName, cutNote, joinSameNames, sameFeature } from "./check.ts";

/** A reader's lists; operations return new ones and never change what they are given. */
export type Lists = readonly FeatureList[];

/** `name`, or with a number behind it where a list of that name exists. */
export function freeName(lists: Lists, name: string): string {
  const taken = new Set(lists.map((list) => list.name));
  const base = cleanName(name);
  let free = base;
  for (let number = 2; taken.has(free); number += 1) free = `${base} (${number})`;
  return free;
}

/** A new, empty list at the end. */
export function addList(lists: Lists, name: string): FeatureList[] {
  const clean = cleanName(name);
  if (clean === "") return [...lists];
  return [...lists, { name: freeName(lists, clean), description: "", features: [] }];
}

/** The list `from` called `to`; a name that is taken gets a number, an empty one changes nothing. */
export function renameList(lists: Lists, from: string, to: string): FeatureList[] {
  const clean = cleanName(to);
  if (clean === "" || clean === from) return [...lists];
  const name = freeName(lists, clean);
  return changeList(lists, from, (list) => ({ ...list, name }));
}

/** The list with another description. */
export function describeList(lists: Lists, name: string, description: string): FeatureList[] {
  return changeList(lists, name, (list) => ({ ...list, description: cutNote(description) }));
}

/** Without the list. */
export function removeList(lists: Lists, name: string): FeatureList[] {
  return lists.filter((list) => list.name !== name);
}

/** The list `by` places further down; it stops at the ends. */
export function moveList(lists: Lists, name: string, by: number): FeatureList[] {
  return moved(
    lists,
    lists.findIndex((list) => list.name === name),
    by,
  );
}

/** `feature` of the list `by` places further down; it stops at the ends. */
export function moveFeature(lists: Lists, name: string, feature: FeatureRef, by: number): FeatureList[] {
  return changeList(lists, name, (list) => {
    const at = list.features.findIndex((item) => sameFeature(item, feature));
    return { ...list, features: moved(list.features, at, by) };
  });
}

/** Without `feature` in the list. */
export function dropFeature(lists: Lists, name: string, feature: FeatureRef): FeatureList[] {
  return changeList(lists, name, (list) => ({
    ...list,
    features: list.features.filter((item) => !sameFeature(item, feature)),
  }));
}

/** `feature` of the list with another note, kept as it is being typed. */
export function writeNote(lists: Lists, name: string, feature: FeatureRef, note: string): FeatureList[] {
  const write = (item: ListItem) => (sameFeature(item, feature) ? { ...item, note: cutNote(note) } : item);
  return changeList(lists, name, (list) => ({ ...list, features: list.features.map(write) }));
}

/** `lists` and `others`; lists of one name become one that lacks nothing of either. */
export function mergeLists(lists: Lists, others: Lists): FeatureList[] {
  return joinSameNames([...lists, ...others]);
}

function changeList(lists: Lists, name: string, change: (list: FeatureList) => FeatureList): FeatureList[] {
  return lists.map((list) => (list.name === name ? change(list) : list));
}

function moved<Thing>(things: readonly Thing[], from: number, by: number): Thing[] {
  const thing = things[from];
  if (thing === undefined) return [...things];
  const rest = [...things.slice(0, from), ...things.slice(from + 1)];
  const to = Math.max(0, Math.min(rest.length, from + by));
  return [...rest.slice(0, to), thing, ...rest.slice(to)];
}

/** One change that can be undone. */
interface Step {
  before: Lists;
  after: string;
  what: string;
  /** Changes of one subject that follow each other (typing a note) are one step; "" never joins. */
  subject: string;
}

/** Remembers what lists were before the last changes, to go back. */
export class Undo {
  private readonly steps: Step[] = [];
  private readonly most: number;

  /** At most `most` steps back. */
  constructor(most = 50) {
    this.most = most;
  }

  /** The change `what` of `subject` made `after` of `before`. */
  note(before: Lists, after: Lists, what: string, subject = ""): void {
    const text = JSON.stringify(after);
    const last = this.steps.at(-1);
    if (last !== undefined && subject !== "" && last.subject === subject && last.after === JSON.stringify(before))
      last.after = text;
    else this.steps.push({ before, after: text, what, subject });
    if (this.steps.length > this.most) this.steps.shift();
  }

  /** What `back` would undo; "" where there is nothing, or where `now` was changed from elsewhere since. */
  what(now: Lists): string {
    const last = this.steps.at(-1);
    return last !== undefined && last.after === JSON.stringify(now) ? last.what : "";
  }

  /** The lists before the last change; `now` itself where that cannot be undone. */
  back(now: Lists): FeatureList[] {
    if (this.what(now) === "") return [...now];
    return [...(this.steps.pop()?.before ?? now)];
  }
}
