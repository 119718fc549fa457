import type { FeatureList, FeatureRef } from "../lists/check.ts";
import { FORMAT, joinSameNames, parseLists, sameFeature, VERSION } from "../lists/check.ts";
import { page } from "./page.ts";

export type { FeatureList, FeatureRef, ListItem } from "../lists/check.ts";

/** The list that the star of a feature page stands for. */
export const STARRED = "Starred";

/** What a store needs of the browser's storage. */
export type Keep = Pick<Storage, "getItem" | "setItem">;

const PREFIX = "feature-atlas:lists:";
const DAMAGED = ":damaged";
const FORBIDDEN =
  "This browser keeps nothing for this site: lists last only until the page is closed. Export them to keep them.";
const FULL =
  "This browser’s storage is full: the last changes last only until the page is closed. Export the lists to keep them.";
const DAMAGED_AND_FULL =
  "The lists kept here are damaged, and there is no room to set them aside: they are left as they are. Export what is shown.";

/** A reader's lists, kept in the browser. Every change starts from what is stored, so two tabs lose nothing. */
export class ListStore {
  /** What the reader must know, "" when all is well. */
  problem = "";
  private readonly keep: () => Keep;
  private readonly key: string;
  private text: string | null = null;
  private lists: FeatureList[] = [];
  /** Lists that the browser could not keep; null while it can. */
  private held: FeatureList[] | null = null;

  /** `keep` opens the storage, and may throw; `key` is the name under which the lists lie there. */
  constructor(keep: () => Keep, key: string) {
    this.keep = keep;
    this.key = key;
  }

  /** The lists as they are now; never change them in place. */
  read(): readonly FeatureList[] {
    return this.held ?? this.load().lists;
  }

  /** Replaces the lists by `change` of what they are now. */
  change(change: (lists: readonly FeatureList[]) => FeatureList[]): void {
    const { lists: stored, safe } = this.load();
    const lists = change(this.held ?? stored);
    // Another tab may have written while this one could not: what either holds is kept.
    const kept = this.held === null ? lists : joinSameNames([...lists, ...stored]);
    if (safe && this.write(kept)) {
      this.held = null;
      if (this.problem === FULL) this.problem = "";
    } else {
      this.held = lists;
      if (this.problem === "") this.problem = FULL;
    }
  }

  private write(lists: FeatureList[]): boolean {
    const text = fileText(lists);
    try {
      this.keep().setItem(this.key, text);
    } catch {
      return false;
    }
    this.text = text;
    this.lists = lists;
    return true;
  }

  /** What is stored, and whether something may be written over it. */
  private load(): { lists: FeatureList[]; safe: boolean } {
    let text: string | null;
    try {
      text = this.keep().getItem(this.key);
    } catch {
      this.problem = FORBIDDEN;
      return { lists: [], safe: false };
    }
    if (text === this.text) return { lists: this.lists, safe: true };
    const { lists, problems } = text === null ? { lists: [], problems: [] } : parseLists(text);
    if (problems.length > 0 && !this.setAside(text ?? "")) return { lists, safe: false };
    this.text = text;
    this.lists = lists;
    return { lists, safe: true };
  }

  /** Keeps a damaged text under a name of its own before anything is written over it; false where it cannot. */
  private setAside(text: string): boolean {
    const name = this.key + DAMAGED;
    try {
      const known = this.keep().getItem(name) ?? "";
      if (!known.includes(text)) this.keep().setItem(name, known === "" ? text : `${known}\n${text}`);
    } catch {
      this.problem = DAMAGED_AND_FULL;
      return false;
    }
    this.problem = `The lists kept here were damaged. What could be read is shown; all of it lies in this browser’s storage as ${name}.`;
    return true;
  }
}

/** `lists` as a file that people can read: what is exported is what is stored. */
export function fileText(lists: readonly FeatureList[], about: Record<string, string> = {}): string {
  return `${JSON.stringify({ format: FORMAT, version: VERSION, ...about, lists }, null, 1)}\n`;
}

let store: ListStore | undefined;
const listeners = new Set<() => void>();

function listKey(): string {
  return PREFIX + new URL(page().root, window.location.href).pathname.replace(/[^/]*$/, "");
}

/** The lists of this site. Sites of one host do not share them: the name holds the site's path. */
export function listStore(): ListStore {
  if (store === undefined) {
    const key = listKey();
    store = new ListStore(() => window.localStorage, key);
    window.addEventListener("storage", (event) => {
      if (event.key === key || event.key === null) tell();
    });
  }
  return store;
}

function tell(): void {
  for (const listener of listeners) listener();
}

/** Calls `changed` after every change of the lists, also by another tab; returns how to stop that. */
export function onListsChange(changed: () => void): () => void {
  listStore();
  listeners.add(changed);
  return () => void listeners.delete(changed);
}

/** Replaces the lists by `change` of what they are now, and tells everyone. */
export function changeLists(change: (lists: readonly FeatureList[]) => FeatureList[]): void {
  listStore().change(change);
  tell();
}

/**
 * Adds `features` to the end of the list called `list`, which is made where it does not exist. Returns how many were not
 * in it before. What could not be kept says `listStore().problem`.
 */
export function addToList(features: readonly FeatureRef[], list: string = STARRED): number {
  let added = 0;
  changeLists((lists) => {
    const before = lists.find(({ name }) => name === list);
    const items = features.map(({ sae, feature_idx }) => ({ sae, feature_idx, note: "" }));
    const joined = joinSameNames([...lists, { name: list, description: "", features: items }]);
    added = (joined.find(({ name }) => name === list)?.features.length ?? 0) - (before?.features.length ?? 0);
    return joined;
  });
  return added;
}

/** Takes `features` out of the list called `list`; an emptied list stays. */
export function removeFromList(features: readonly FeatureRef[], list: string = STARRED): void {
  changeLists((lists) =>
    lists.map((each) =>
      each.name === list
        ? {
            ...each,
            features: each.features.filter((item) => !features.some((one) => sameFeature(one, item))),
          }
        : each,
    ),
  );
}

/** Names of the lists that hold `feature`. */
export function listsWith(feature: FeatureRef): string[] {
  const holding = listStore()
    .read()
    .filter(({ features }) => features.some((item) => sameFeature(item, feature)));
  return holding.map(({ name }) => name);
}

/**
 * Lists that another copy of an atlas keeps in this browser: of a folder that was moved, or opened by another address.
 * Nothing says that it is the same atlas, so the reader decides.
 */
export function strayLists(): { path: string; lists: FeatureList[] }[] {
  const own = listKey();
  try {
    const names = Object.keys(window.localStorage).filter((name) => name.startsWith(PREFIX) && name !== own);
    const found = names.filter((name) => !name.endsWith(DAMAGED)).sort();
    const read = found.map((name) => ({
      path: name.slice(PREFIX.length),
      lists: parseLists(window.localStorage.getItem(name) ?? "").lists,
    }));
    return read.filter(({ lists }) => lists.some(({ features }) => features.length > 0));
  } catch {
    return [];
  }
}
