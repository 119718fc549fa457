import { Varints } from "./packed.ts";
import { blocksOf, loadBlock, searchKey } from "./search-index.ts";
import type { SearchIndex } from "./search-index.ts";
import { addReason } from "./search-rank.ts";
import type { PartHits } from "./search-rank.ts";
import { loadBytes } from "./shards.ts";

/** Numbers in a vector. */
export const DIMENSIONS = 64;
/** Feature shards looked through, those whose middle is nearest to the query: 22 kB each. */
const SHARDS = 8;
/** Hits by meaning, at most. */
const MOST_HITS = 60;
/** Cosine below which two meanings have nothing to do with each other. */
const LEAST = 0.45;

/** A vector of the index, int8 or the sum of some. */
type Vector = Int8Array | Float64Array;

/** Features whose meaning is like that of `words` together; none where no word has a meaning. */
export async function searchMeaning(index: SearchIndex, words: readonly string[]): Promise<PartHits> {
  const found: PartHits = new Map();
  if (index.directory.vector_shards === 0) return found;
  const [rows, centres] = await Promise.all([
    Promise.all(words.map((word) => vectorOf(index, word))),
    loadBytes("search/vectors/centres"),
  ]);
  const query = mean(rows.filter((row) => row !== null));
  if (query === null) return found;
  const shards = nearestShards(signed(centres), query).slice(0, SHARDS);
  const parts = await Promise.all(shards.map((shard) => loadBytes(`search/vectors/features/${shard}`)));
  for (const [number, cosine] of parts.flatMap((bytes) => nearest(bytes, query)).sort(byCosine).slice(0, MOST_HITS)) {
    addReason(found, number, { kind: "meaning", term: "", how: "exact", typed: words.join(" "), weight: cosine });
  }
  return found;
}

type Similar = [number: number, cosine: number];

function byCosine([a, left]: Similar, [b, right]: Similar): number {
  return right - left || a - b;
}

/** The vector of `word`; null where the index has none. */
async function vectorOf(index: SearchIndex, word: string): Promise<Int8Array | null> {
  const key = searchKey(word);
  const [block, end] = blocksOf(index.directory.terms, key);
  if (block >= end) return null;
  const [entries, bytes] = await Promise.all([
    loadBlock(index, "terms", block),
    loadBytes(`search/vectors/terms/${block}`),
  ]);
  const at = [...new Set(entries.map((entry) => entry.key))].indexOf(key);
  const row = signed(bytes).subarray(at * DIMENSIONS, (at + 1) * DIMENSIONS);
  return at >= 0 && row.some((value) => value !== 0) ? row : null;
}

/** The mean of `rows`; null of none. */
export function mean(rows: readonly Vector[]): Float64Array | null {
  if (rows.length === 0) return null;
  return Float64Array.from({ length: DIMENSIONS }, (_, at) => {
    const sum = rows.reduce((total, row) => total + (row[at] ?? 0), 0);
    return sum / rows.length;
  });
}

/** Numbers of the shards, the one whose middle in `centres` is most like `query` first. */
export function nearestShards(centres: Int8Array, query: Vector): number[] {
  const count = centres.length / DIMENSIONS;
  const similar = Array.from({ length: count }, (_, at): Similar => [at, cosineAt(centres, at, query)]);
  return similar.sort(byCosine).map(([shard]) => shard);
}

/** The features of one vector shard that are like `query`, in their order. */
export function nearest(bytes: Uint8Array, query: Vector): Similar[] {
  const head = new Varints(bytes, 0);
  const count = head.next();
  const numbers: number[] = [];
  for (let at = 0, number = -1; at < count; at++) {
    number += head.next() + 1;
    numbers.push(number);
  }
  const vectors = signed(bytes.subarray(head.at));
  return numbers
    .map((number, at): Similar => [number, cosineAt(vectors, at, query)])
    .filter(([, cosine]) => cosine >= LEAST);
}

/** Cosine between `query` and row `at` of `rows`; 0 where one of them is zero. */
export function cosineAt(rows: Int8Array, at: number, query: Vector): number {
  let product = 0;
  let own = 0;
  let other = 0;
  for (let place = 0, row = at * DIMENSIONS; place < DIMENSIONS; place++, row++) {
    const left = rows[row] ?? 0;
    const right = query[place] ?? 0;
    product += left * right;
    own += left * left;
    other += right * right;
  }
  return own === 0 || other === 0 ? 0 : product / Math.sqrt(own * other);
}

function signed(bytes: Uint8Array): Int8Array {
  return new Int8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
