/** A feature by its address. */
export interface FeatureRef {
  /** Slug of its SAE. */
  sae: string;
  feature_idx: number;
}

/** A feature in a list, with what the reader wrote about it there. */
export interface ListItem extends FeatureRef {
  note: string;
}

/** A list of features in the reader's order; its name is its identity. */
export interface FeatureList {
  name: string;
  description: string;
  features: ListItem[];
}

/** Lists found in foreign data, and what had to be left out, each as a sentence that names its place. */
export interface Checked {
  lists: FeatureList[];
  problems: string[];
}

/** Name of the file format, in the file itself. */
export const FORMAT = "feature-atlas-lists";
/** Its version; a reader refuses later ones. */
export const VERSION = 1;
/** Most lists in one file. */
export const MOST_LISTS = 500;
/** Most features in one list. */
export const MOST_FEATURES = 10_000;
/** Longest name of a list, in characters. */
export const LONGEST_NAME = 120;
/** Longest note or description, in characters. */
export const LONGEST_NOTE = 4000;

const SLUG = /^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/;
const LAST_FEATURE = 2 ** 31 - 1;
const MOST_PROBLEMS = 20;

/** Whether `value` is a whole number that can be a feature's. */
export function isFeatureNumber(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= LAST_FEATURE;
}

/** Whether `value` can be the slug of an SAE, and so part of an address. */
export function isSlug(value: unknown): value is string {
  return typeof value === "string" && SLUG.test(value);
}

/** A list's name as it is kept: one line, without outer spaces, at most `LONGEST_NAME` long. */
export function cleanName(text: string): string {
  return cut(text.replace(/\s+/gu, " ").trim(), LONGEST_NAME).trim();
}

/** A note or description as it is kept: without outer spaces, at most `LONGEST_NOTE` long. */
export function cleanNote(text: string): string {
  return cutNote(text.replace(/\r\n?/g, "\n").trim()).trim();
}

/** A note or description while it is being typed: at most `LONGEST_NOTE` long. */
export function cutNote(text: string): string {
  return cut(text, LONGEST_NOTE);
}

/** `text` without what exceeds `most` UTF-16 units; no character is cut in two. */
function cut(text: string, most: number): string {
  if (text.length <= most) return text;
  const last = text.codePointAt(most - 1) ?? 0;
  return text.slice(0, last > 0xffff ? most - 1 : most);
}

/**
 * The lists in `value`, which may be anything: a file of this format, or one list alone. Only known keys are read, every
 * value is checked, and what is wrong is left out and named.
 */
export function checkLists(value: unknown): Checked {
  const checker = new Checker();
  const lists = checker.file(value);
  return { lists: joinSameNames(lists), problems: checker.problems };
}

/** As `checkLists`, for the text of a file. */
export function parseLists(text: string): Checked {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { lists: [], problems: ["This is not JSON."] };
  }
  return checkLists(value);
}

class Checker {
  readonly problems: string[] = [];

  file(value: unknown): FeatureList[] {
    if (!isRecord(value)) return this.refuse("This file holds no lists.");
    if ("format" in value && value["format"] !== FORMAT)
      return this.refuse("This is a file of another program.");
    if ("version" in value && value["version"] !== VERSION)
      return this.refuse(`This file is of another version than ${VERSION}; it was left alone.`);
    if (!("lists" in value)) {
      if (!("features" in value)) return this.refuse("This file holds no lists.");
      const list = this.list(value, "The list");
      return list === null ? [] : [list];
    }
    const { lists } = value;
    if (!Array.isArray(lists)) return this.refuse("lists is not a list.");
    if (lists.length > MOST_LISTS)
      this.report(`Only the first ${MOST_LISTS} of ${lists.length} lists were read.`);
    const read = lists.slice(0, MOST_LISTS).map((entry, at) => this.list(entry, `lists[${at}]`));
    return read.filter((list) => list !== null);
  }

  private refuse(problem: string): [] {
    this.report(problem);
    return [];
  }

  private report(problem: string): void {
    if (this.problems.length < MOST_PROBLEMS) this.problems.push(problem);
    else if (this.problems.length === MOST_PROBLEMS) this.problems.push("… and more.");
  }

  private list(value: unknown, place: string): FeatureList | null {
    if (!isRecord(value)) {
      this.report(`${place} is no list of features.`);
      return null;
    }
    const name = cleanName(this.text(value, "name", place));
    if (name === "") {
      this.report(`${place} has no name.`);
      return null;
    }
    const features = Array.isArray(value["features"]) ? (value["features"] as unknown[]) : [];
    if (!Array.isArray(value["features"])) this.report(`${place}.features is not a list.`);
    if (features.length > MOST_FEATURES)
      this.report(`Of ${place} only the first ${MOST_FEATURES} features were read.`);
    const items = features
      .slice(0, MOST_FEATURES)
      .map((entry, at) => this.item(entry, `${place}.features[${at}]`));
    const description = cleanNote(this.text(value, "description", place));
    return { name, description, features: joinSameFeatures(items.filter((item) => item !== null)) };
  }

  private item(value: unknown, place: string): ListItem | null {
    if (!isRecord(value)) {
      this.report(`${place} is no feature.`);
      return null;
    }
    const { sae, feature_idx } = value;
    if (!isSlug(sae)) this.report(`${place}.sae is no name of an SAE.`);
    else if (!isFeatureNumber(feature_idx)) this.report(`${place}.feature_idx is no number of a feature.`);
    else return { sae, feature_idx, note: cleanNote(this.text(value, "note", place)) };
    return null;
  }

  private text(value: Record<string, unknown>, key: string, place: string): string {
    const text = value[key];
    if (typeof text === "string") return text;
    if (text !== undefined && text !== null) this.report(`${place}.${key} is not text.`);
    return "";
  }
}

/** Own keys only: nothing is taken from a prototype. */
function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether both name the same feature. */
export function sameFeature(one: FeatureRef, other: FeatureRef): boolean {
  return one.sae === other.sae && one.feature_idx === other.feature_idx;
}

/** `items` with every feature once, at its first place; different notes are joined. */
export function joinSameFeatures(items: readonly ListItem[]): ListItem[] {
  const found = new Map<string, ListItem>();
  for (const item of items) {
    const key = `${item.sae}/${item.feature_idx}`;
    const known = found.get(key);
    found.set(key, known === undefined ? item : { ...known, note: joinNotes(known.note, item.note) });
  }
  return [...found.values()];
}

function joinNotes(one: string, other: string): string {
  if (other === "" || one.includes(other)) return one;
  if (one === "" || other.includes(one)) return other;
  return cleanNote(`${one}\n${other}`);
}

/** `lists` with every name once: lists of one name become one that lacks nothing of either. */
export function joinSameNames(lists: readonly FeatureList[]): FeatureList[] {
  const found = new Map<string, FeatureList>();
  for (const list of lists) {
    const known = found.get(list.name);
    const features = joinSameFeatures([...(known?.features ?? []), ...list.features]);
    const description = joinNotes(known?.description ?? "", list.description);
    found.set(list.name, { name: list.name, description, features });
  }
  return [...found.values()];
}
