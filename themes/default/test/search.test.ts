import assert from "node:assert/strict";
import { test } from "node:test";
import { parseQuery } from "../src/core/query.ts";
import { numberHits } from "../src/core/search.ts";
import type { Entry, Field } from "../src/core/search-index.ts";
import { addPostings, addReason, combine, rarityOf } from "../src/core/search-rank.ts";
import type { PartHits, Reason } from "../src/core/search-rank.ts";
import { distanceWithin, slipsAllowed } from "../src/core/search-terms.ts";
import type { Likeness } from "../src/core/search-terms.ts";
import type { SitePayload, TableColumn } from "../src/payloads.ts";
import { everyFeature, hitsIn, keepFulfilling, namesFeatures } from "../src/search/results.ts";
import { Dice } from "./support/random.ts";

const site = {
  saes: ["one", "two", "three"].map((slug, at) => ({ slug, title: slug, n_features: 10 * (at + 1) })),
} as unknown as SitePayload;

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
  for (let seed = 1; seed <= 60; seed++) samples.push(new Dice(seed).text(["a", "b", "c"], 6));
  for (const left of samples) {
    for (const right of samples.slice(0, 30)) {
      for (const allowed of [0, 1, 2]) {
        const within = distanceWithin([...left], [...right], allowed);
        assert.equal(within, distance(left, right) <= allowed, `${left} ${right} ${allowed}`);
      }
    }
  }
});

test("characters beyond the first plane are one letter each", () => {
  assert.equal(distanceWithin([..."a\u{1f600}b"], [..."a\u{1f601}b"], 1), true);
  assert.equal(distanceWithin([..."a\u{1f600}b"], [..."ab"], 1), true);
});

test("long words may have two slips, words of four letters one, shorter ones none", () => {
  assert.deepEqual([0, 3, 4, 7, 8, 40].map(slipsAllowed), [0, 0, 1, 1, 2, 2]);
});

const entry = (field: Field, text = "t"): Entry => ({ book: "terms", key: text, field, text, count: 1, unit: 0 });

function part(field: Field, how: Likeness, ...pairs: [number, number][]): PartHits {
  const found: PartHits = new Map();
  const postings = {
    numbers: Uint32Array.from(pairs.map(([number]) => number)),
    weights: Float32Array.from(pairs.map(([, weight]) => weight)),
  };
  addPostings(found, "t", { entry: entry(field), how }, postings, 1);
  return found;
}

const order = (ranking: { hits: { sae: number; feature: number }[] }) =>
  ranking.hits.map(({ sae, feature }) => `${sae}/${feature}`);

test("of several reasons of one kind the best counts, those of different kinds add up", () => {
  const found = part("token", "exact", [3, 0.5]);
  const reason = (kind: Reason["kind"], how: Likeness, weight: number): Reason => ({ kind, term: "x", how, typed: "x", weight });
  addReason(found, 3, reason("token", "prefix", 0.5));
  assert.equal(found.get(3)?.score, 0.5);
  addReason(found, 3, reason("token", "exact", 0.75));
  assert.equal(found.get(3)?.score, 0.75);
  addReason(found, 3, reason("word", "exact", 0.25));
  assert.equal(found.get(3)?.score, 1);
  assert.deepEqual(found.get(3)?.reasons.map(({ kind, weight }) => [kind, weight]), [["token", 0.75], ["word", 0.25]]);
});

test("exact is worth more than a beginning, and that more than a similar spelling", () => {
  const parts = (["similar", "prefix", "exact"] as const).map((how, at) => part("token", how, [at, 0.5]));
  const one: PartHits = new Map(parts.flatMap((found) => [...found]));
  assert.deepEqual(order(combine([one], site)), ["0/2", "0/1", "0/0"]);
});

test("answering both parts is worth more than one of them; ties go by SAE and number", () => {
  const first = part("token", "exact", [1, 0.5], [15, 0.5], [4, 0.5]);
  const second = part("word", "exact", [15, 0.5], [4, 0.5], [7, 0.75]);
  const ranking = combine([first, second], site);
  assert.deepEqual(order(ranking), ["0/4", "1/5", "0/7", "0/1"]);
  assert.deepEqual(ranking.hits.map(({ score }) => score), [1, 1, 0.375, 0.25]);
  assert.deepEqual(ranking.hits.map(({ whole }) => whole), [true, true, false, false]);
  assert.equal(ranking.answering, 2);
  assert.equal(ranking.hits[0]?.reasons.length, 2);
});

test("nothing asked or found is no hit", () => {
  assert.deepEqual(combine([], site), { hits: [], answering: 0 });
  assert.deepEqual(combine([new Map()], site), { hits: [], answering: 0 });
});

test("a phrase answers all words at once", () => {
  const parts = [part("token", "exact", [1, 0.5]), part("word", "exact", [2, 0.75])];
  const ranking = combine(parts, site, part("phrase", "exact", [9, 0.5]));
  assert.deepEqual(order(ranking), ["0/9", "0/2", "0/1"]);
  assert.equal(ranking.answering, 1);
});

test("a rare term is worth more than a frequent one, and one that all have next to nothing", () => {
  const worth = [1, 10, 100, 1000, 100_000].map((count) => rarityOf(count, 100_000));
  assert.equal(worth[0], 1);
  for (let at = 1; at < worth.length; at++) assert.ok((worth[at] ?? 1) < (worth[at - 1] ?? 0));
  assert.ok((worth[4] ?? 1) < 0.1);
});

function alike(...pairs: [number, number][]): PartHits {
  const found: PartHits = new Map();
  for (const [number, weight] of pairs) addReason(found, number, { kind: "meaning", term: "", how: "exact", typed: "", weight });
  return found;
}

test("what is alike in meaning adds to what has the words, and is found without any", () => {
  const parts = [part("token", "exact", [1, 0.5], [2, 0.52])];
  const ranking = combine(parts, site, new Map(), alike([7, 0.96], [8, 0.92], [1, 0.5]));
  assert.deepEqual(order(ranking), ["0/1", "0/2", "0/7", "0/8"]);
  assert.deepEqual(ranking.hits.map(({ whole }) => whole), [true, true, false, false]);
  assert.deepEqual(ranking.hits[0]?.reasons.map(({ kind }) => kind), ["token", "meaning"]);
  assert.deepEqual(order(combine([new Map()], site, new Map(), alike([7, 0.9], [3, 0.9]))), ["0/3", "0/7"]);
});

test("the order does not depend on the order in which postings arrive", () => {
  for (let seed = 1; seed <= 60; seed++) {
    const dice = new Dice(seed);
    const pairs = [...new Set(dice.list(12, () => dice.whole(0, 30)))].map((number): [number, number] => [number, dice.whole(1, 4) / 4]);
    const others = alike(...dice.list(5, (): [number, number] => [dice.whole(0, 30), dice.whole(1, 4) / 4]));
    const expected = combine([part("token", "exact", ...pairs)], site, new Map(), others);
    const again = combine([part("token", "exact", ...dice.shuffled(pairs))], site, new Map(), new Map(dice.shuffled([...others])));
    assert.deepEqual(again, expected);
  }
});

test("a number names a feature of every SAE that has it, the preferred first", () => {
  const hits = (typed: string, preferred = "") => order({ hits: numberHits(parseQuery(typed), site, preferred) });
  assert.deepEqual(hits("5"), ["0/5", "1/5", "2/5"]);
  assert.deepEqual(hits("5", "three"), ["2/5", "0/5", "1/5"]);
  assert.deepEqual(hits("15"), ["1/15", "2/15"]);
  assert.deepEqual(hits("two/15"), ["1/15"]);
  for (const typed of ["99", "nowhere/1", "raise", "1 raise"]) assert.deepEqual(hits(typed), []);
});

const all = everyFeature(site);

test("every feature is there once, and SAEs are chosen by address or in the query", () => {
  assert.equal(new Set(order({ hits: all })).size, 60);
  const count = (typed: string, chosen = "") => hitsIn(all, site, parseQuery(typed), chosen).length;
  assert.deepEqual([count(""), count("", "two"), count("sae:one sae:two"), count("sae:one", "two"), count("sae:gone")], [60, 20, 30, 0, 0]);
  assert.deepEqual(["a", '"a"', "12", "is:dead", "sae:one", ""].map((typed) => namesFeatures(parseQuery(typed))), [true, true, true, false, false, false]);
});

const info = (name: string, type = "float64") => ({ name, type }) as TableColumn;
const tables: Record<string, Record<string, number[]>> = {
  one: { activation_density: [0, 0.1, 0.2, Number.NaN, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9], score: Array(10).fill(0.5) as number[] },
  two: { activation_density: Array(20).fill(0.3) as number[] },
  three: {},
};
const source = {
  columns: (sae: string) => Promise.resolve(Object.keys(tables[sae] ?? {}).map((name) => info(name, name === "score" ? "float32" : "float64"))),
  column: (sae: string, name: string) =>
    Promise.resolve({ info: info(name, name === "score" ? "float32" : "float64"), values: Float64Array.from(tables[sae]?.[name] ?? []) }),
};
const kept = async (typed: string) => {
  const { hits, unknown } = await keepFulfilling(all, site, parseQuery(typed), source);
  return { features: order({ hits }), unknown };
};

test("conditions keep what fulfils all of them; a missing value or column fulfils none", async () => {
  assert.deepEqual((await kept("density<0.2 density>0")).features, ["0/1"]);
  assert.deepEqual((await kept("density>=0.5")).features, ["0/5", "0/6", "0/7", "0/8", "0/9"]);
  assert.deepEqual((await kept("-is:dense density<1")).features, ["0/0", "0/1"]);
  assert.equal((await kept("")).features.length, 60);
});

test("a bound is compared as the column stores it, and unknown names are told", async () => {
  tables["one"]!["score"] = Array(10).fill(Math.fround(0.1)) as number[];
  assert.equal((await kept("score=0.1")).features.length, 10);
  assert.deepEqual(await kept("density>0 nothing<1 colour=2"), { features: [], unknown: ["nothing", "colour"] });
  assert.deepEqual((await kept("score>0")).unknown, []);
});
