import assert from "node:assert/strict";
import { test } from "node:test";
import { parseQuery } from "../src/core/query.ts";
import { numberHits, withinShards } from "../src/core/search.ts";
import { addPostings, combine } from "../src/core/search-rank.ts";
import type { Hit, PartHits } from "../src/core/search-rank.ts";
import {
  compareCodePoints,
  distanceWithin,
  lowerBound,
  matchLooseToken,
  matchToken,
  matchWord,
} from "../src/core/search-terms.ts";
import { hitsIn, rowFulfils, takeResults } from "../src/search/results.ts";

const words = { terms: ["rain", "raise", "raises", "raw", "tokenizer"], counts: [5, 3, 9, 1, 2] };
const tokens = { terms: [" Raise", " raise", " raised", "Raise", "raise"], counts: [2, 8, 3, 1, 4] };

const site = {
  title: "",
  build_id: "",
  saes: ["one", "two", "three"].map((slug, at) => ({
    slug,
    title: slug,
    hook_name: "",
    n_features: 10 * (at + 1),
  })),
  features_per_shard: 16,
  rows_per_table_shard: 1024,
  terms_per_shard: 2,
};

const texts = (matches: { text: string; how: string }[]) => matches.map(({ text, how }) => `${text}:${how}`);

test("the order of terms is that of code points, as Python sorts", () => {
  // UTF-16 units would put U+1F600 (surrogates d83d …) before U+FF21.
  const sorted = ["", "a", "aa", "b", "\uff21", "\u{1f600}"];
  const shuffled = [...sorted].reverse().sort(compareCodePoints);
  assert.deepEqual(shuffled, sorted);
  for (const [at, term] of sorted.entries()) assert.equal(lowerBound(sorted, term), at);
  assert.equal(lowerBound(sorted, "\u{1f601}"), sorted.length);
});

test("a word is matched exactly, then by its beginning, then by its spelling", () => {
  assert.deepEqual(texts(matchWord(words, "raise")), ["raise:exact", "raises:prefix"]);
  assert.deepEqual(texts(matchWord(words, "rai")), ["raises:prefix", "rain:prefix", "raise:prefix"]);
  assert.deepEqual(texts(matchWord(words, "raies")), ["raises:similar", "raise:similar"]);
  assert.deepEqual(texts(matchWord(words, "tokenzier")), ["tokenizer:similar"]);
  assert.deepEqual(matchWord(words, "zzz"), []);
});

test("a loose token is matched whatever its case and spaces, the frequent first", () => {
  const expected = [" raise:exact", "raise:exact", " Raise:exact", "Raise:exact", " raised:prefix"];
  assert.deepEqual(texts(matchLooseToken(tokens, "raise")), expected);
});

test("a quoted token is matched to the letter", () => {
  assert.deepEqual(texts(matchToken(tokens, " raise")), [" raise:exact"]);
  assert.deepEqual(matchToken(tokens, "Raised"), []);
});

/** Edit distance with swaps of neighbours, from its recursive definition. */
function distance(left: string, right: string): number {
  if (left === "" || right === "") return left.length + right.length;
  const same = left.at(-1) === right.at(-1) ? 0 : 1;
  let best = Math.min(
    distance(left.slice(0, -1), right) + 1,
    distance(left, right.slice(0, -1)) + 1,
    distance(left.slice(0, -1), right.slice(0, -1)) + same,
  );
  const swapped =
    left.length > 1 && right.length > 1 && left.at(-1) === right.at(-2) && left.at(-2) === right.at(-1);
  if (swapped) best = Math.min(best, distance(left.slice(0, -2), right.slice(0, -2)) + 1);
  return best;
}

test("edit distances agree with their definition", () => {
  const samples = ["", "a", "ab", "ba", "abc", "acb", "bca", "abcd", "badc", "axcd", "dcba"];
  for (const left of samples) {
    for (const right of samples) {
      for (const allowed of [0, 1, 2]) {
        assert.equal(
          distanceWithin(left, right, allowed),
          distance(left, right) <= allowed,
          `${left} ${right} ${allowed}`,
        );
      }
    }
  }
});

test("only a few shards are asked for", () => {
  const matches = [0, 1, 20, 40, 60, 80, 3].map((term) => ({ term, text: "", how: "prefix" as const }));
  assert.deepEqual(
    withinShards(matches, 2).map(({ term }) => term),
    [0, 1, 20, 40, 60],
  );
});

test("a number finds the feature in every SAE that has it, the preferred one first", () => {
  const found = (text: string, preferred: string) =>
    numberHits(parseQuery(text), site, preferred).map(({ sae }) => sae);
  assert.deepEqual(found("5", "two"), [1, 0, 2]);
  assert.deepEqual(found("15", ""), [1, 2]);
  assert.deepEqual(found("three/5", "one"), [2]);
  assert.deepEqual(found("99", ""), []);
  assert.deepEqual(found("word", ""), []);
});

function part(
  kind: "word" | "token",
  how: "exact" | "prefix",
  postings: number[],
  found: PartHits = new Map(),
): PartHits {
  addPostings(found, kind, { term: 0, text: "t", how }, postings);
  return found;
}

test("the strongest reason of each kind counts once, kinds add up", () => {
  const found = part("token", "exact", [0, 7, 800]);
  part("token", "prefix", [0, 7, 1000], found);
  part("word", "exact", [0, 7, 500], found);
  const hit = [...found.values()][0] as Hit;
  assert.deepEqual(
    hit.reasons.map(({ kind, how, weight }) => [kind, how, weight]),
    [
      ["token", "exact", 0.8],
      ["word", "exact", 0.5],
    ],
  );
  assert.ok(Math.abs(hit.score - 1.3) < 1e-12);
});

test("features that answer everything win; without one, those that answer most", () => {
  const first = part("word", "exact", [0, 1, 900, 0, 2, 100]);
  const second = part("word", "exact", [0, 2, 100, 0, 3, 900]);
  const both = combine([first, second]);
  assert.deepEqual([both.complete, both.hits.map(({ feature }) => feature)], [true, [2]]);
  const third = part("word", "exact", [1, 9, 900]);
  const some = combine([first, third]);
  assert.deepEqual([some.complete, some.hits.map(({ feature }) => feature)], [false, [1, 9, 2]]);
  const three = combine([
    part("word", "exact", [0, 5, 900]),
    part("word", "exact", [0, 6, 100]),
    part("word", "exact", [0, 6, 100]),
  ]);
  assert.deepEqual([three.complete, three.hits.map(({ feature }) => feature)], [false, [6, 5]]);
  assert.deepEqual(combine([]), { hits: [], complete: true });
});

test("ties go by SAE and number", () => {
  const { hits } = combine([part("word", "exact", [1, 4, 500, 0, 9, 500, 0, 2, 500])]);
  assert.deepEqual(
    hits.map(({ sae, feature }) => [sae, feature]),
    [
      [0, 2],
      [0, 9],
      [1, 4],
    ],
  );
});

const hit = (sae: number, feature: number): Hit => ({ sae, feature, score: 1, reasons: [] });
const row = (feature: number, value: number | null) => ({
  feature,
  explanation: "",
  tokens: [],
  cluster: -1,
  columns: [{ name: "activation_density", label: "", doc: "", unit: "" }],
  values: [value],
});

test("hits can be kept to one SAE", () => {
  const hits = [hit(0, 1), hit(1, 2)];
  assert.deepEqual(hitsIn(hits, site, "two"), [hit(1, 2)]);
  assert.equal(hitsIn(hits, site, "").length, 2);
});

test("conditions are looked up in the row; an unknown column is fulfilled by none", () => {
  const { comparisons } = parseQuery("density<0.1");
  assert.ok(rowFulfils(row(1, 0.05), comparisons));
  assert.ok(!rowFulfils(row(1, 0.5), comparisons));
  assert.ok(!rowFulfils(row(1, null), comparisons));
  assert.ok(!rowFulfils(row(1, 0.05), parseQuery("nothing<1").comparisons));
});

test("results stop at the wanted number and read no more rows than that takes", async () => {
  const hits = Array.from({ length: 100 }, (_, feature) => hit(0, feature));
  const read: number[] = [];
  const reader = async (_: string, feature: number) => {
    read.push(feature);
    return row(feature, feature % 2);
  };
  const results = await takeResults(hits, site, parseQuery("density=1").comparisons, 5, reader);
  assert.deepEqual(
    results.map(({ feature }) => feature),
    [1, 3, 5, 7, 9],
  );
  assert.equal(read.length, 10);
  assert.equal(results[0]?.slug, "one");
});
