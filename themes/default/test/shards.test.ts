import assert from "node:assert/strict";
import { test } from "node:test";
import {
  loadFeature,
  loadMap,
  loadPostings,
  loadSae,
  loadSite,
  loadTable,
  loadTableOf,
  loadVocabulary,
} from "../src/core/data.ts";
import { loadRow } from "../src/core/rows.ts";
import { loadShard, ShardError } from "../src/core/shards.ts";
import { fakeSite, packed } from "./support/fake-site.ts";

const site = fakeSite();

/** Rejects with an error for people that names the data file. */
async function rejects(work: Promise<unknown>, message: string): Promise<void> {
  await assert.rejects(work, (error: Error) => {
    assert.ok(error instanceof ShardError);
    assert.equal(error.message, message);
    return true;
  });
}

test("a shard is a script below the root, and its address names the build", async () => {
  site.answers.set("a/b/0", { payload: { text: "日本語 </script>" } });
  assert.deepEqual(await loadShard("a/b/0"), { text: "日本語 </script>" });
  assert.deepEqual(site.asked.splice(0), ["../data/a/b/0.js?v=b%201"]);
});

test("a shard is read once, also when it is wanted twice at the same time", async () => {
  site.answers.set("once", { payload: [1] });
  const [first, second] = await Promise.all([loadShard("once"), loadShard("once")]);
  assert.equal(first, second);
  assert.equal(await loadShard("once"), first);
  assert.equal(site.asked.splice(0).length, 1);
});

test("no script stays behind", async () => {
  site.answers.set("tidy", { payload: 1 });
  await loadShard("tidy");
  await loadShard("not-there").catch(() => undefined);
  assert.equal(site.present.size, 0);
});

test("a missing file is said, and asked for again the next time", async () => {
  await rejects(loadShard("later"), "data/later.js could not be loaded");
  site.answers.set("later", { payload: "here" });
  assert.equal(await loadShard("later"), "here");
});

test("a file that holds another shard is refused", async () => {
  site.answers.set("mixed", { key: "other" });
  await rejects(loadShard("mixed"), "data/mixed.js holds other data than its name says");
});

test("a damaged file is refused, and read anew the next time", async () => {
  site.answers.set("bad", { text: packed({ a: 1 }).slice(0, 12) });
  await rejects(loadShard("bad"), "data/bad.js is damaged");
  site.answers.set("bad", { payload: 2 });
  assert.equal(await loadShard("bad"), 2);
});

test("a file that never comes is given up, and its late answer does no harm", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  site.answers.set("slow", "silent");
  const loading = loadShard("slow");
  context.mock.timers.tick(60_000);
  await rejects(loading, "data/slow.js did not arrive in time");
  globalThis.atlasShard("slow", packed("late"));
  context.mock.timers.reset();
  site.answers.set("slow", { payload: "anew" });
  assert.equal(await loadShard("slow"), "anew");
});

test("data nobody asked for is ignored", () => {
  globalThis.atlasShard("unasked", packed(1));
});

const FACTS = {
  title: "t",
  build_id: "b",
  saes: [{ slug: "one", title: "One", hook_name: "h", n_features: 100 }],
  features_per_shard: 16,
  rows_per_table_shard: 32,
  terms_per_shard: 4,
};

const feature = (index: number) => ({ feature_idx: index, max_activation: index, groups: [] });
const tableShard = {
  start: 32,
  columns: [{ name: "x", label: "x", doc: "", unit: "none" }],
  values: [[1, null]],
  explanations: ["first", ""],
  tokens: [["a"], []],
  clusters: [4, -1],
};

test("every kind of data has its own address", async () => {
  site.answers.set("site", { payload: FACTS });
  site.answers.set("one/features/2", { payload: { pieces: [], documents: [], features: [feature(32), feature(35)] } });
  site.answers.set("one/table/1", { payload: tableShard });
  site.answers.set("one/map", { payload: { feature_idx: [] } });
  site.answers.set("search/word/vocabulary", { payload: { terms: [], counts: [] } });
  site.answers.set("search/token/3", { payload: { postings: [] } });
  assert.equal((await loadSite()).build_id, "b");
  assert.equal((await loadSae("one")).n_features, 100);
  assert.equal((await loadFeature("one", 35)).payload.max_activation, 35);
  assert.equal((await loadTable("one", 1)).start, 32);
  assert.equal((await loadTableOf("one", 63)).start, 32);
  assert.deepEqual(await loadMap("one"), { feature_idx: [] });
  assert.deepEqual(await loadVocabulary("word"), { terms: [], counts: [] });
  assert.deepEqual(await loadPostings("token", 3), { postings: [] });
});

test("an SAE or a feature that the site does not have is an error", async () => {
  await rejects(loadSae("none"), "data/site.js knows no SAE called none");
  await rejects(loadFeature("one", 33), "data/one/features/2.js does not hold feature 33");
});

test("a row knows its columns, and what is missing is null or empty", async () => {
  const row = await loadRow("one", 32);
  assert.deepEqual(row, {
    feature: 32,
    explanation: "first",
    tokens: ["a"],
    cluster: 4,
    columns: tableShard.columns,
    values: [1],
  });
  assert.deepEqual((await loadRow("one", 33)).values, [null]);
  assert.deepEqual((await loadRow("one", 60)).explanation, "");
});
