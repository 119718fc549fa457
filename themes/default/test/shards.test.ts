import assert from "node:assert/strict";
import { test } from "node:test";
import {
  loadFeature,
  loadMap,
  loadSae,
  loadSite,
  loadTable,
  loadTitles,
  loadTitlesOf,
  piecesOf,
} from "../src/core/data.ts";
import { loadRow } from "../src/core/rows.ts";
import { loadBytes, loadShard, ShardError } from "../src/core/shards.ts";
import { fakeSite, packed } from "./support/fake-site.ts";
import { goldenShard } from "./support/golden-shard.ts";

const golden = goldenShard();
const FACTS: { [name: string]: unknown; saes: { [name: string]: unknown }[] } = {
  title: "t",
  build_id: "b 1",
  saes: [{ slug: "one", title: "One", hook_name: "h", n_features: 100, columns: Array(golden.columns).fill({}) }],
  features_per_shard: 16,
  rows_per_title_shard: 32,
  rows_per_column_shard: 64,
};
// Everything else is asked for by the build that this shard names, so it is read first and kept.
const site = fakeSite({ site: FACTS });

/** Rejects with an error for people that names the data file. */
async function rejects(work: Promise<unknown>, message: string): Promise<void> {
  await assert.rejects(work, (error: Error) => {
    assert.ok(error instanceof ShardError);
    assert.equal(error.message, message);
    return true;
  });
}

test("a shard is a script below the root, and its address names the build that `site` tells", async () => {
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

test("bytes come as they are, once, and damaged ones are refused", async () => {
  site.asked.splice(0);
  site.answers.set("raw", { bytes: Uint8Array.of(0, 255, 10, 13, 123) });
  assert.deepEqual(await loadBytes("raw"), Uint8Array.of(0, 255, 10, 13, 123));
  assert.equal(await loadBytes("raw"), await loadBytes("raw"));
  assert.equal(site.asked.splice(0).length, 1);
  site.answers.set("torn", { text: packed({ a: 1 }).slice(0, 12) });
  await rejects(loadBytes("torn"), "data/torn.js is damaged");
});

test("a file that never comes is given up, and its late answer does no harm", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  site.answers.set("slow", "silent");
  const loading = loadShard("slow");
  await new Promise(setImmediate);
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


const titles = { start: 32, explanations: ["first", ""], tokens: [["a"], []], densities: [0.25, null] };

test("every kind of data has its own address", async () => {
  site.answers.set("one/table", { payload: { columns: [] } });
  site.answers.set("one/titles/1", { payload: titles });
  site.answers.set("one/map", { payload: { feature_idx: [] } });
  assert.equal((await loadSite()).build_id, "b 1");
  assert.equal((await loadSae("one")).n_features, 100);
  assert.deepEqual(await loadTable("one"), { columns: [] });
  assert.equal((await loadTitles("one", 1)).start, 32);
  assert.equal((await loadTitlesOf("one", 63)).start, 32);
  assert.deepEqual(await loadMap("one"), { feature_idx: [] });
});

test("the common pieces are put together from their ends", () => {
  assert.deepEqual(piecesOf({ shared: "0230", rest: ["in", "t", "o", "a"] }), ["in", "int", "into", "a"]);
  assert.deepEqual(piecesOf({ shared: "0z", rest: ["x".repeat(50), "y"] }), ["x".repeat(50), `${"x".repeat(35)}y`]);
  assert.deepEqual(piecesOf({ shared: "01", rest: ["a🤗b", "🤗c"] }), ["a🤗b", "a🤗c"]);
  assert.deepEqual(piecesOf({ shared: "", rest: [] }), []);
});

test("an SAE or a feature that the site does not have is an error", async () => {
  await rejects(loadSae("none"), "data/site.js knows no SAE called none");
});

test("a feature is decoded from its shard, the common pieces and what the site says of its columns", async () => {
  site.answers.set("pieces", { payload: { shared: "0".repeat(golden.common.length), rest: golden.common } });
  site.answers.set("one/features/0", { bytes: new Uint8Array(Buffer.from(golden.bytes, "base64")) });
  const { payload, shard } = await loadFeature("one", 4);
  assert.equal(payload.feature_idx, 4);
  assert.equal(shard.features.length, golden.decoded.features.length);
  assert.equal((await loadFeature("one", 5)).shard, shard);
  await rejects(loadFeature("one", 12), "data/one/features/0.js does not hold feature 12");
  site.answers.set("one/features/3", { bytes: Uint8Array.of(1, 2, 3) });
  await rejects(loadFeature("one", 50), "data/one/features/3.js is no feature shard");
});

test("a row is what lists say of a feature, and what is missing is null or empty", async () => {
  assert.deepEqual(await loadRow("one", 32), { feature: 32, explanation: "first", tokens: ["a"], density: 0.25 });
  assert.deepEqual(await loadRow("one", 33), { feature: 33, explanation: "", tokens: [], density: null });
  assert.deepEqual((await loadRow("one", 60)).tokens, []);
});
