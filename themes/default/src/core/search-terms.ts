import { blocksOf, compareCodePoints, loadBlock, loadSpellings, postingKey, searchKey } from "./search-index.ts";
import type { BookName, Entry, SearchIndex } from "./search-index.ts";

/** How a term of the index answers what was typed. */
export type Likeness = "exact" | "prefix" | "similar";

/** One entry of the index that answers something typed. */
export interface TermMatch {
  entry: Entry;
  how: Likeness;
}

/** Blocks looked through for the beginning of a word; more hold terms that nobody meant. */
const MOST_BLOCKS = 8;
/** Keys that one typed word stands for. */
const MOST_KEYS = 8;
/** Keys that a misspelt word stands for: each lies somewhere else. */
const MOST_SIMILAR = 5;
/** Posting shards loaded for one typed word. */
const MOST_SHARDS = 4;

/** Entries that answer `word`, best first; similar spellings only where nothing else does. */
export async function matchWord(index: SearchIndex, word: string): Promise<TermMatch[]> {
  const key = searchKey(word);
  const found = await withPrefix(index, "terms", key);
  // A single letter begins too many words to mean any of them.
  const meant = key.length > 1 ? found : found.filter((entry) => entry.key === key);
  if (meant.length > 0) return withinShards(index, chosen(meant, key));
  const keys = await similarKeys(index, key);
  return withinShards(index, await withKeys(index, keys));
}

/** The phrases that are `words` in a row, or begin with them. */
export async function matchPhrase(index: SearchIndex, words: readonly string[]): Promise<TermMatch[]> {
  const key = searchKey(words.join(" "));
  if (words.length < 2 || index.directory.phrases.n_keys === 0) return [];
  return withinShards(index, chosen(await withPrefix(index, "phrases", key), key));
}

/** What a text in quotes stands for. */
export interface TextMatches {
  /** Entries that are exactly this token or phrase. */
  matches: TermMatch[];
  /** Entries that differ from it only in case or in white space around. */
  others: Entry[];
}

/** The tokens and phrases that are exactly `text`, leading spaces and case included. */
export async function matchText(index: SearchIndex, text: string): Promise<TextMatches> {
  const key = searchKey(text);
  const [terms, phrases] = await Promise.all([withKey(index, "terms", key), withKey(index, "phrases", key)]);
  const fires = [...terms, ...phrases].filter(({ field }) => field !== "word" && field !== "example");
  return {
    matches: fires.filter((entry) => entry.text === text).map((entry) => ({ entry, how: "exact" as const })),
    others: fires.filter((entry) => entry.text !== text),
  };
}

async function withPrefix(index: SearchIndex, book: BookName, prefix: string): Promise<Entry[]> {
  const [first, last] = blocksOf(index.directory[book], prefix);
  const numbers = Array.from({ length: Math.min(last - first, MOST_BLOCKS) }, (_, at) => first + at);
  const blocks = await Promise.all(numbers.map((number) => loadBlock(index, book, number)));
  return blocks.flat().filter(({ key }) => key.startsWith(prefix));
}

async function withKey(index: SearchIndex, book: BookName, key: string): Promise<Entry[]> {
  const [first, last] = blocksOf(index.directory[book], key);
  if (first >= last) return [];
  return (await loadBlock(index, book, first)).filter((entry) => entry.key === key);
}

async function withKeys(index: SearchIndex, keys: readonly string[]): Promise<TermMatch[]> {
  const entries = await Promise.all(keys.map((key) => withKey(index, "terms", key)));
  return entries.flat().map((entry) => ({ entry, how: "similar" as const }));
}

/** The entries of the best keys: `wanted` itself, then those of most features. */
function chosen(entries: readonly Entry[], wanted: string): TermMatch[] {
  const counts = new Map<string, number>();
  for (const { key, count } of entries) counts.set(key, (counts.get(key) ?? 0) + count);
  const order = ([a, countA]: [string, number], [b, countB]: [string, number]) =>
    Number(b === wanted) - Number(a === wanted) || countB - countA || compareCodePoints(a, b);
  const best = [...counts].sort(order).slice(0, MOST_KEYS);
  return best.flatMap(([key]) =>
    entries
      .filter((entry) => entry.key === key)
      .map((entry) => ({ entry, how: key === wanted ? ("exact" as const) : ("prefix" as const) })),
  );
}

/** The best matches that lie in at most `MOST_SHARDS` posting shards. */
function withinShards(index: SearchIndex, matches: readonly TermMatch[]): TermMatch[] {
  const wanted = new Set<string>();
  return matches.filter(({ entry }) => {
    const shard = postingKey(index, entry);
    if (wanted.size < MOST_SHARDS) wanted.add(shard);
    return wanted.has(shard);
  });
}

/** Changes that a slip may make to a word of `length` characters. */
export function slipsAllowed(length: number): number {
  if (length >= 8) return 2;
  return length >= 4 ? 1 : 0;
}

/** Keys that one slip turns into `word`; where there are none and two are allowed, those that two do. */
export async function similarKeys(index: SearchIndex, word: string): Promise<string[]> {
  const letters = [...word];
  for (let slips = 1; slips <= slipsAllowed(letters.length); slips++) {
    const lengths = Array.from({ length: 2 * slips + 1 }, (_, at) => letters.length - slips + at);
    const keys = (await Promise.all(lengths.map((length) => loadSpellings(index, length)))).flat();
    const found = keys.filter((key) => distanceWithin([...key], letters, slips));
    if (found.length > 0) return found.slice(0, MOST_SIMILAR);
  }
  return [];
}

/** Whether at most `allowed` insertions, deletions, replacements or swaps of neighbours turn `left` into `right`. */
export function distanceWithin(left: readonly string[], right: readonly string[], allowed: number): boolean {
  if (Math.abs(left.length - right.length) > allowed) return false;
  let before: number[] = [];
  let previous = Array.from({ length: right.length + 1 }, (_, column) => column);
  for (let row = 1; row <= left.length; row++) {
    const current = [row];
    for (let column = 1; column <= right.length; column++) {
      const same = left[row - 1] === right[column - 1];
      let cost = Math.min(
        (previous[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (previous[column - 1] ?? 0) + (same ? 0 : 1),
      );
      const swapped =
        row > 1 && column > 1 && left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1];
      if (swapped) cost = Math.min(cost, (before[column - 2] ?? 0) + 1);
      current.push(cost);
    }
    if (Math.min(...current) > allowed) return false;
    [before, previous] = [previous, current];
  }
  return (previous[right.length] ?? 0) <= allowed;
}
