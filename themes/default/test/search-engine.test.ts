import assert from "node:assert/strict";
import { test } from "node:test";
import { parseQuery, quoteToken } from "../src/core/query.ts";
import { search } from "../src/core/search.ts";
import { openIndex, postingKey, searchKey } from "../src/core/search-index.ts";
import type { Hit } from "../src/core/search-rank.ts";
import { distanceWithin, matchWord, similarKeys, slipsAllowed } from "../src/core/search-terms.ts";
import { find } from "../src/search/find.ts";
import { FINE, indexShards } from "./support/fake-index.ts";
import type { Fact } from "./support/fake-index.ts";
import { fakeSite } from "./support/fake-site.ts";
import { Dice, HOSTILE } from "./support/random.ts";

const FEATURES = 40;
const WORDS = ["error", "errors", "raise", "raised", "raises", "class", "token", "tokens", "tokenizer", "weather", "naïve"];
const TOKENS = [" raise", "raise", " Raise", "raised", " error", "Error", "\n", " ", "日本", "🤗", " tokens", "(", "<b>", "\u202e"];
const PHRASES = [" raise error", "raise Error", "in the", " in the end", "<b>&"];

/** Everything that is known: the oracle looks here, the search only at the index. */
const facts: Fact[] = Array.from({ length: 2 * FEATURES }, (_, number) => {
  const dice = new Dice(number + 1);
  const some = (field: Fact["field"], terms: readonly string[], count: number): Fact[] =>
    [...new Set(dice.list(count, () => dice.pick(terms)))].map((term) => ({ field, term, number, weight: dice.whole(1, 1001) }));
  const tokens = some("token", TOKENS, 2);
  const seen = some("seen", TOKENS, 1).filter(({ term }) => !tokens.some((fact) => fact.term === term));
  return [...some("word", WORDS, 2), ...tokens, ...seen, ...some("example", WORDS, 1), ...some("phrase", PHRASES, 1)];
}).flat();

const site = fakeSite({
  site: { saes: ["one", "two"].map((slug) => ({ slug, title: slug, n_features: FEATURES })), rows_per_column_shard: 100 },
});
for (const [key, answer] of indexShards(facts)) site.answers.set(key, answer);

const numberOf = ({ sae, feature }: Hit) => sae * FEATURES + feature;
const numbers = (hits: readonly Hit[]) => hits.map(numberOf).sort((a, b) => a - b);
const having = (test: (fact: Fact) => boolean) =>
  [...new Set(facts.filter(test).map(({ number }) => number))].sort((a, b) => a - b);
const ask = (typed: string, preferred = "") => search(parseQuery(typed), { preferred });
const FIRES = ["token", "seen", "phrase"];

test("one token costs the directory, a block of each book and one posting shard", async () => {
  site.asked.splice(0);
  await ask('"日本"');
  const files = site.asked.splice(0).map((address) => address.replace(/^.*data\/|\.js.*$/g, ""));
  const others = files.filter((file) => file !== "site" && file !== "search/directory");
  assert.ok(others.length < files.length);
  const blocks = others.filter((file) => /^search\/(terms|phrases)\/\d+$/.test(file));
  const shards = others.filter((file) => /^search\/postings\/terms\/\d+$/.test(file));
  assert.equal(blocks.length + shards.length, others.length);
  assert.equal(blocks.length, 2);
  // As a token and as seen: two entries, which may lie in two shards of so fine a cut.
  assert.ok(shards.length === 1 || shards.length === 2);
});

test("a quoted text finds exactly the features that fire on it, spelled so, and says how strongly", async () => {
  for (const text of [...TOKENS, ...PHRASES]) {
    // One unit of four is looked at per entry, and there may be two: as a token and as seen.
    const { hits, cut } = await ask(quoteToken(text));
    const expected = having((fact) => FIRES.includes(fact.field) && fact.term === text);
    if (cut.length === 0) assert.deepEqual(numbers(hits), expected, text);
    else assert.ok(numbers(hits).every((number) => expected.includes(number)), text);
    for (const hit of hits) {
      for (const { kind, term, weight } of hit.reasons) {
        const fact = facts.find((one) => one.number === numberOf(hit) && one.field === kind && one.term === term);
        assert.equal(weight, Math.fround((fact?.weight ?? -1) / 1000));
      }
    }
  }
});

test("what is cut is the weakest, and it is said", async () => {
  const own = facts.filter(({ field, term }) => field === "token" && term === "(");
  assert.ok(own.length > FINE.postingsPerUnit);
  const { hits, cut } = await ask('"("');
  assert.deepEqual(cut.filter(({ field }) => field === "token").map(({ count }) => count), [own.length]);
  const strongest = own.sort((a, b) => b.weight - a.weight || a.number - b.number).slice(0, FINE.postingsPerUnit);
  for (const { number } of strongest) assert.ok(numbers(hits).includes(number));
});

test("a text that nothing fires on names its other spellings", async () => {
  const { hits, others } = await ask('"RAISE"');
  assert.deepEqual(hits, []);
  const expected = having(({ term, field }) => FIRES.includes(field) && searchKey(term) === "raise");
  assert.ok(expected.length > 0);
  assert.deepEqual([...new Set(others.map(({ text }) => text))].sort(), [" Raise", " raise", "raise"]);
  assert.deepEqual((await ask('"nothing"')).others, []);
});

test("a word finds terms that are it or begin with it, whatever their case and spaces", async () => {
  const index = await openIndex();
  for (const word of ["raise", "rais", "error", "token", "weather", "日", "(", "na", "r"]) {
    const matches = await matchWord(index, word);
    const answers = (term: string) => (word.length > 1 ? searchKey(term).startsWith(word) : searchKey(term) === word);
    const expected = new Set(facts.filter(({ field, term }) => field !== "phrase" && answers(term)).map(({ field, term }) => `${field}:${term}`));
    const found = matches.map(({ entry }) => `${entry.field}:${entry.text}`);
    assert.ok(found.every((name) => expected.has(name)), word);
    assert.equal(new Set(found).size, found.length);
    // So fine a cut spreads entries over more posting shards than are loaded for a word.
    const shards = new Set(matches.map(({ entry }) => postingKey(index, entry)));
    assert.ok(shards.size <= 4);
    if (shards.size < 4) assert.equal(found.length, expected.size, word);
    for (const { entry, how } of matches) assert.equal(how, entry.key === word ? "exact" : "prefix");
  }
});

test("a slip of the finger still finds the word: exactly the keys at the least distance that finds any", async () => {
  const index = await openIndex();
  const keys = [...new Set(facts.filter(({ field }) => field !== "phrase").map(({ term }) => searchKey(term)))];
  const spelled = keys.filter((key) => [...key].length > 2 && /^[\p{L}\p{N}_]+$/u.test(key));
  for (const word of ["wether", "eror", "rasie", "tokenzier", "tokneizre", "wea", "xclas", "naive", "clas", "qqqq"]) {
    const limit = slipsAllowed([...word].length);
    const within = (slips: number) => (slips > limit ? [] : spelled.filter((key) => distanceWithin([...key], [...word], slips)));
    const expected = within(1).length > 0 ? within(1) : within(2);
    assert.deepEqual((await similarKeys(index, word)).sort(), expected.sort(), word);
  }
  const { hits } = await ask("wether");
  assert.ok(hits.length > 0);
  assert.ok(hits.every(({ reasons }) => reasons.every(({ how, typed }) => how === "similar" && typed === "wether")));
  assert.deepEqual((await ask("zzzzzz")).hits, []);
});

test("hits that answer all words are told from those that answer some; a phrase answers its words at once", async () => {
  const both = await ask("weather class");
  for (const hit of both.hits) {
    const own = new Set(hit.reasons.map(({ typed }) => typed));
    assert.equal(hit.whole, own.size === 2 || hit.reasons.some(({ kind }) => kind === "phrase"));
  }
  assert.equal(both.answering, both.hits.filter(({ whole }) => whole).length);
  const { hits, answering } = await ask("in the");
  assert.ok(answering > 0 && answering === hits.length);
  assert.ok(hits.every(({ reasons }) => reasons.some(({ kind, term }) => kind === "phrase" && searchKey(term).startsWith("in the"))));
});

test("where no feature answers everything, that is said and those that answer a part are shown", async () => {
  const { hits, answering } = await ask("weather nosuchword");
  assert.equal(answering, 0);
  assert.deepEqual(numbers(hits), numbers((await search({ ...parseQuery("weather"), tokens: ["none"] })).hits));
});

test("a number comes first, in the preferred SAE before the others", async () => {
  const { hits } = await ask("17", "two");
  assert.deepEqual(hits.slice(0, 2).map(({ sae, feature }) => [sae, feature]), [[1, 17], [0, 17]]);
});

test("the same query gives the same answer, whatever was asked before", async () => {
  const first = await ask("raise error");
  await ask("token");
  assert.deepEqual(await ask("raise error"), first);
  for (let at = 1; at < first.hits.length; at++) {
    const [before, after] = [first.hits[at - 1], first.hits[at]];
    assert.ok(before !== undefined && after !== undefined);
    assert.ok(before.score > after.score || (before.score === after.score && numberOf(before) < numberOf(after)));
  }
});

test("no query fails, and none finds a feature that does not exist", async () => {
  for (let seed = 1; seed <= 120; seed++) {
    const typed = new Dice(seed).text([...HOSTILE, "raise", '"', " "], 8);
    for (const hit of (await ask(typed)).hits) {
      assert.ok(hit.sae < 2 && hit.feature < FEATURES && hit.feature >= 0, JSON.stringify(typed));
    }
  }
});

test("a query of conditions alone means all features; what is wrong with one is said", async () => {
  const columns = [{ name: "activation_density", type: "uint8" }];
  for (const sae of ["one", "two"]) {
    site.answers.set(`${sae}/table`, { payload: { columns } });
    site.answers.set(`${sae}/columns/0/0`, { bytes: Uint8Array.from({ length: FEATURES }, (_, at) => at) });
  }
  assert.deepEqual((await find("", "", false)).hits, []);
  assert.equal((await find("sae:two", "", false)).hits.length, FEATURES);
  assert.deepEqual(numbers((await find("density<3", "", false)).hits), [0, 1, 2, 40, 41, 42]);
  assert.equal((await find("raise", "two", false)).hits.some(({ sae }) => sae === 0), false);
  const { problems } = await find("raise is:great sae:gone a<b", "", false);
  assert.deepEqual(problems, [
    "is:great means nothing here.",
    "There is no SAE called gone.",
    "a<b is no condition: those are a name, a sign and a number.",
  ]);
});
