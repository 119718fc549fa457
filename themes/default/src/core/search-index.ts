/** Reads the search index as `atlas.render.search` writes it: a block of a vocabulary or a posting shard at a time. */
import type { BookPayload, SearchPayload, SitePayload, SpellingShard, TermShard } from "../payloads.ts";
import { loadSite } from "./data.ts";
import { PackedError, Varints } from "./packed.ts";
import { loadBytes, loadShard, ShardError } from "./shards.ts";

/** What a posting says of a feature. */
export type Field = "word" | "token" | "seen" | "example" | "phrase";

/** A sorted vocabulary. */
export type BookName = "terms" | "phrases";

/** What one term says: a key can have several, by field and spelling. */
export interface Entry {
  book: BookName;
  /** The folded term, by which it is found. */
  key: string;
  field: Field;
  /** Exact text. */
  text: string;
  /** Number of postings. */
  count: number;
  /** Number of its first unit. */
  unit: number;
}

/** Features of one entry, in columns. */
export interface Postings {
  /** Numbers of features, counted on through all SAEs. */
  numbers: Uint32Array;
  /** Strength of each, 0..1. */
  weights: Float32Array;
}

/** Everything that is loaded before any search. */
export interface SearchIndex {
  site: SitePayload;
  directory: SearchPayload;
}

/** The index's directory and the site's facts; small, and worth loading before anyone types. */
export async function openIndex(): Promise<SearchIndex> {
  const [site, directory] = await Promise.all([loadSite(), loadShard<SearchPayload>("search/directory")]);
  return { site, directory };
}

/** `text` as keys are folded (`search_key` in atlas/text.py): NFKC, lower case, no white space around it. */
export function searchKey(text: string): string {
  return text
    .normalize("NFKC")
    .toLowerCase()
    .replace(/^[ \t\n\r\f\v]+|[ \t\n\r\f\v]+$/g, "");
}

/** Order of two strings by code points, as Python sorts; JavaScript's own `<` compares UTF-16 units. */
export function compareCodePoints(left: string, right: string): number {
  const shorter = Math.min(left.length, right.length);
  for (let at = 0; at < shorter; at++) {
    if (left.charCodeAt(at) !== right.charCodeAt(at)) {
      return (left.codePointAt(at) ?? 0) - (right.codePointAt(at) ?? 0);
    }
  }
  return left.length - right.length;
}

/** Index of the first of the sorted `keys` that is not below `wanted`. */
export function lowerBound(keys: readonly string[], wanted: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareCodePoints(keys[middle] ?? "", wanted) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Blocks [first, past the last) that may hold keys beginning with `prefix`. */
export function blocksOf({ blocks }: BookPayload, prefix: string): [number, number] {
  const first = lowerBound(blocks, prefix);
  let last = first;
  while (blocks[last]?.startsWith(prefix) === true) last++;
  // A block begins with its first key, so keys before `blocks[first]` lie in the block before it.
  return [blocks[first] === prefix ? first : Math.max(first - 1, 0), last];
}

/** The entries of block `number` of a book. */
export async function loadBlock(
  { directory }: SearchIndex,
  book: BookName,
  number: number,
): Promise<Entry[]> {
  const shard = await loadShard<TermShard>(`search/${book}/${number}`);
  return entriesOf(shard, book, directory);
}

/** The entries in a block's data file. */
export function entriesOf(
  { keys, entries, spellings, first_unit }: TermShard,
  book: BookName,
  { fields, postings_per_unit }: Pick<SearchPayload, "fields" | "postings_per_unit">,
): Entry[] {
  let unit = first_unit;
  return spellings.map((spelling, at) => {
    const [place = 0, field = 0, count = 0] = entries.slice(3 * at, 3 * at + 3);
    const key = keys[place] ?? "";
    const entry = { book, key, field: fields[field] as Field, text: spelling === "" ? key : spelling, count, unit };
    unit += Math.ceil(count / postings_per_unit);
    return entry;
  });
}

/** Keys of `length` characters, over which similar spellings are looked for. */
export async function loadSpellings({ directory }: SearchIndex, length: number): Promise<string[]> {
  let first = 0;
  for (const [characters = 0, shards = 0] of directory.spellings) {
    if (characters === length) {
      const numbers = Array.from({ length: shards }, (_, at) => first + at);
      const parts = await Promise.all(
        numbers.map((number) => loadShard<SpellingShard>(`search/spelling/${number}`)),
      );
      return parts.flatMap(({ keys }) => keys);
    }
    first += shards;
  }
  return [];
}

/** Number of the posting shard that holds `unit` of a book. */
export function shardOf({ shard_starts: starts }: BookPayload, unit: number): number {
  let low = 0;
  let high = starts.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((starts[middle] ?? 0) <= unit) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Key of the data file that holds the strongest postings of `entry`. */
export function postingKey({ directory }: SearchIndex, entry: Entry, unit = entry.unit): string {
  return `search/postings/${entry.book}/${shardOf(directory[entry.book], unit)}`;
}

/** The strongest postings of `entry`, as many as `units` units hold; a unit is `postings_per_unit`. */
export async function loadPostings(index: SearchIndex, entry: Entry, units: number): Promise<Postings[]> {
  const per = index.directory.postings_per_unit;
  const count = Math.min(units, Math.ceil(entry.count / per));
  return Promise.all(
    Array.from({ length: count }, async (_, at) => {
      const unit = entry.unit + at;
      const key = postingKey(index, entry, unit);
      const first = index.directory[entry.book].shard_starts[shardOf(index.directory[entry.book], unit)] ?? 0;
      return unitOf(await loadBytes(key), unit - first, Math.min(per, entry.count - at * per), key);
    }),
  );
}

/** Unit `at` of a posting shard, which holds `count` postings; throws `ShardError` of `key` where it does not. */
export function unitOf(bytes: Uint8Array, at: number, count: number, key: string): Postings {
  try {
    return readUnit(bytes, at, count);
  } catch {
    throw new ShardError(key, "is damaged");
  }
}

function readUnit(bytes: Uint8Array, at: number, count: number): Postings {
  const head = new Varints(bytes, 0);
  const lengths = Array.from({ length: head.next() }, () => head.next());
  const start = lengths.slice(0, at).reduce((sum, length) => sum + length, head.at);
  const reader = new Varints(bytes, start, start + (lengths[at] ?? 0));
  const numbers = new Uint32Array(count);
  const weights = new Float32Array(count);
  let number = -1;
  for (let posting = 0; posting < count; posting++) {
    number += reader.next() + 1;
    numbers[posting] = number;
    weights[posting] = reader.next() / 1000;
  }
  if (!reader.done) throw new PackedError("has numbers left over");
  return { numbers, weights };
}

/** Position of the SAE, and number of the feature in it, of a number that counts on through all SAEs. */
export function placeOf({ saes }: SitePayload, number: number): { sae: number; feature: number } {
  let feature = number;
  let sae = 0;
  while (sae + 1 < saes.length && feature >= (saes[sae]?.n_features ?? 0)) {
    feature -= saes[sae]?.n_features ?? 0;
    sae++;
  }
  return { sae, feature };
}
