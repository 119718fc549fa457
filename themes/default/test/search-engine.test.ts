import assert from "node:assert/strict";
import { test } from "node:test";
import { parseQuery, quoteToken } from "../src/core/query.ts";
import { search } from "../src/core/search.ts";
import { compareCodePoints } from "../src/core/search-terms.ts";
import { findFeatures } from "../src/map/highlight.ts";
import { TableData } from "../src/table/data.ts";
import { loadAll } from "../src/table/loader.ts";
import { fakeSite } from "./support/fake-site.ts";

const TERMS_PER_SHARD = 4;
const FEATURES = 90;
const ROWS = 16;

const WORDS = ["error", "errors", "raise", "raised", "raises", "class", "token", "tokens", "tokenizer", "weather"];
const TOKENS = [" raise", "raise", " Raise", "raised", " error", "Error", "\n", " ", "日本", "🤗", " tokens", "("];

/** What is known of each feature of each SAE: the oracle looks here, the search only at the index. */
interface Known {
  sae: number;
  feature: number;
  words: string[];
  /** Token and its weight, 1..1000. */
  tokens: Map<string, number>;
}

const corpus: Known[] = [0, 1].flatMap((sae) =>
  Array.from({ length: FEATURES }, (_, feature) => {
    const seed = sae * 7919 + feature * 104_729;
    const words = [WORDS[seed % 10] ?? "", WORDS[(seed >> 3) % 10] ?? ""];
    const first = TOKENS[seed % 12] ?? "";
    const tokens = new Map([
      [first, 200 + (seed % 700)],
      [TOKENS[(seed >> 4) % 12] ?? "", 100 + ((seed >> 2) % 500)],
    ]);
    return { sae, feature, words: [...new Set(words)], tokens };
  }),
);

function index(field: "word" | "token"): Record<string, unknown> {
  const entries = new Map<string, [number, number, number][]>();
  for (const { sae, feature, words, tokens } of corpus) {
    const terms = field === "word" ? words.map((word) => [word, 500] as const) : [...tokens];
    for (const [term, weight] of terms) {
      entries.set(term, [...(entries.get(term) ?? []), [sae, feature, weight]]);
    }
  }
  const terms = [...entries.keys()].sort(compareCodePoints);
  const postings = terms.map((term) => (entries.get(term) ?? []).sort((a, b) => b[2] - a[2]).flat());
  const shards: Record<string, unknown> = {
    [`search/${field}/vocabulary`]: { terms, counts: postings.map((list) => list.length / 3) },
  };
  for (let start = 0; start < terms.length; start += TERMS_PER_SHARD) {
    const list = postings.slice(start, start + TERMS_PER_SHARD);
    shards[`search/${field}/${start / TERMS_PER_SHARD}`] = { postings: list };
  }
  return shards;
}

function table(sae: string): Record<string, unknown> {
  const shards: Record<string, unknown> = {};
  for (let start = 0; start < FEATURES; start += ROWS) {
    const rows = Array.from({ length: Math.min(ROWS, FEATURES - start) }, (_, at) => start + at);
    shards[`${sae}/table/${start / ROWS}`] = {
      start,
      columns: [{ name: "activation_density", label: "", doc: "", unit: "fraction" }],
      values: [rows.map((row) => row / FEATURES)],
      explanations: rows.map((row) => `feature ${row}`),
      tokens: rows.map(() => []),
      clusters: rows.map(() => -1),
    };
  }
  return shards;
}

const site = fakeSite({
  site: {
    title: "",
    build_id: "",
    saes: ["one", "two"].map((slug) => ({ slug, title: slug, hook_name: "", n_features: FEATURES })),
    features_per_shard: 16,
    rows_per_table_shard: ROWS,
    terms_per_shard: TERMS_PER_SHARD,
  },
  ...index("word"),
  ...index("token"),
  ...table("one"),
});

const keys = (list: { sae: number; feature: number }[]) => list.map(({ sae, feature }) => `${sae}/${feature}`).sort();
const find = (typed: string, preferred = "") => search(parseQuery(typed), preferred);

test("one token costs the site's facts, one vocabulary and one posting shard", async () => {
  await find('"日本"');
  const files = site.asked.splice(0).map((address) => address.replace(/^.*data\/|\.js.*$/g, ""));
  assert.deepEqual(files.slice(0, 2), ["site", "search/token/vocabulary"]);
  assert.equal(files.length, 3);
  assert.match(files[2] ?? "", /^search\/token\/\d+$/);
});

test("a quoted token finds exactly the features that fire on it, the strongest first", async () => {
  for (const token of TOKENS) {
    const { hits } = await find(quoteToken(token));
    const expected = corpus.filter(({ tokens }) => tokens.has(token));
    assert.ok(expected.length > 0);
    assert.deepEqual(keys(hits), keys(expected), token);
    const scores = hits.map(({ score }) => score);
    assert.deepEqual(
      scores,
      [...scores].sort((a, b) => b - a),
    );
    assert.ok(hits.every(({ reasons }) => reasons[0]?.term === token));
  }
});

test("a word finds explanations that have it or begin with it, and tokens whatever their case and spaces", async () => {
  for (const word of ["raise", "rais", "error", "token", "weather"]) {
    const { hits } = await find(word);
    const expected = corpus.filter(
      ({ words, tokens }) =>
        words.some((known) => known.startsWith(word)) ||
        [...tokens.keys()].some((token) => token.trim().toLowerCase().startsWith(word)),
    );
    assert.deepEqual(keys(hits), keys(expected), word);
  }
});

test("an exact word is worth more than the beginning of a longer one", async () => {
  const { hits } = await find("error");
  const onlyLonger = ({ reasons }: (typeof hits)[number]) => reasons.every(({ how }) => how === "prefix");
  const firstLonger = hits.findIndex(onlyLonger);
  assert.ok(firstLonger > 0);
  const before = hits.slice(0, firstLonger);
  assert.ok(before.every((hit) => hit.reasons.some(({ how }) => how === "exact")));
});

test("all words must be answered", async () => {
  const { hits, complete } = await find("error class");
  const expected = corpus.filter(
    ({ words, tokens }) =>
      words.includes("class") &&
      (words.some((word) => word.startsWith("error")) || tokens.has(" error") || tokens.has("Error")),
  );
  assert.ok(complete);
  assert.deepEqual(keys(hits), keys(expected));
});

test("where no feature answers everything, that is said and the best are shown", async () => {
  const { hits, complete } = await find("weather nosuchword");
  assert.equal(complete, false);
  const weather = (await find("weather")).hits;
  assert.deepEqual(keys(hits), keys(weather));
});

test("a slip of the finger still finds the word", async () => {
  const { hits } = await find("wether");
  assert.ok(hits.length > 0);
  assert.ok(hits.every(({ reasons }) => reasons[0]?.how === "similar" && reasons[0].term === "weather"));
});

test("a number comes first, in the preferred SAE before the others", async () => {
  const { hits } = await find("17", "two");
  assert.deepEqual(
    hits.map(({ sae, feature }) => [sae, feature]),
    [
      [1, 17],
      [0, 17],
    ],
  );
});

test("a query that says nothing finds nothing", async () => {
  assert.deepEqual(await find(""), { hits: [], complete: true });
  assert.deepEqual((await find("zzzzzz")).hits, []);
});

test("on the map a search means the SAE that is shown", async () => {
  const none = () => Promise.reject(new Error("the table is not needed"));
  const expected = corpus.filter(({ sae, tokens }) => sae === 1 && tokens.has("(")).map(({ feature }) => feature);
  assert.deepEqual((await findFeatures('"("', "two", none)).sort(), expected.sort());
});

async function loadedTable(): Promise<TableData> {
  const data = new TableData(FEATURES);
  await loadAll("one", data, () => undefined);
  return data;
}

test("on the map a condition narrows a search, or stands alone", async () => {
  const alone = await findFeatures("density<0.1", "one", loadedTable);
  assert.deepEqual(alone, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
  const both = await findFeatures('"(" density<0.5', "one", loadedTable);
  const expected = corpus.filter(({ sae, feature, tokens }) => sae === 0 && tokens.has("(") && feature < 45);
  assert.deepEqual(
    both.sort((a, b) => a - b),
    expected.map(({ feature }) => feature),
  );
  assert.deepEqual(await findFeatures("nothing<1", "one", loadedTable), []);
});

test("a table is loaded whole, and every arrival is told", async () => {
  const data = new TableData(FEATURES);
  const seen: number[] = [];
  await loadAll("one", data, () => seen.push(data.loaded));
  assert.equal(data.loaded, FEATURES);
  assert.equal(seen.length, Math.ceil(FEATURES / ROWS));
  assert.deepEqual(seen, [...seen].sort((a, b) => a - b));
  for (let row = 0; row < FEATURES; row++) assert.equal(data.explanations[row], `feature ${row}`);
});

test("a table that cannot be loaded whole says so, and keeps what has arrived", async () => {
  for (const [key, answer] of [...site.answers]) {
    if (key.startsWith("one/table/")) site.answers.set(key.replace("one", "two"), answer);
  }
  site.answers.delete("two/table/1");
  const data = new TableData(FEATURES);
  await assert.rejects(loadAll("two", data, () => undefined), /data\/two\/table\/1\.js could not be loaded/);
  assert.equal(data.loaded, FEATURES - ROWS);
  assert.equal(data.has(ROWS), false);
  assert.equal(data.has(FEATURES - 1), true);
});
