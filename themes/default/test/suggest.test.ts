import assert from "node:assert/strict";
import { test } from "node:test";
import { suggest } from "../src/search/suggest.ts";
import { indexShards } from "./support/fake-index.ts";
import type { Fact } from "./support/fake-index.ts";
import { fakeSite } from "./support/fake-site.ts";

const FEATURES = 12;

/** Feature n of `one` is explained by `raise` where n is even; of `two` by `raise` and `error`. */
const facts: Fact[] = Array.from({ length: 2 * FEATURES }, (_, number): Fact[] => {
  const word = (term: string): Fact => ({ field: "word", term, number, weight: 900 });
  if (number >= FEATURES) return [word("raise"), word("error")];
  return number % 2 === 0 ? [word("raise")] : [word("class")];
}).flat();

const column = { name: "firing_tokens", label: "", doc: "", unit: "tokens", kind: "scalar", type: "uint8", least: 0, largest: 1, missing: 0, edges: [], counts: [], labels: [] };
const site = fakeSite({
  site: {
    build_id: "b 1",
    rows_per_column_shard: 100,
    saes: ["one", "two"].map((slug) => ({ slug, title: slug, n_features: FEATURES })),
  },
  "one/table": { columns: [column] },
  "two/table": { columns: [column] },
});
const CUT = { keysPerBlock: 3, postingsPerUnit: 50, postingsPerShard: 100, keysPerSpelling: 2 };
for (const [key, answer] of indexShards(facts, CUT)) site.answers.set(key, answer);
// Of either SAE the first three features never fire.
const firing = Uint8Array.from({ length: FEATURES }, (_, feature) => Number(feature > 2));
for (const slug of ["one", "two"]) site.answers.set(`${slug}/columns/0/0`, { bytes: firing });

const named = async (typed: string, preferred = "", within = "") =>
  (await suggest(typed, preferred, within)).map(({ sae, feature }) => `${sae}/${feature}`);

test("words find the features of every SAE, or of the one that is asked for", async () => {
  const all = await named("raise");
  assert.ok(all.some((hit) => hit.startsWith("0/")) && all.some((hit) => hit.startsWith("1/")));
  const one = await named("raise", "one", "one");
  assert.deepEqual(one.sort(), ["0/0", "0/10", "0/2", "0/4", "0/6", "0/8"]);
  assert.deepEqual(await named("error", "one", "one"), []);
});

test("a number is the feature of the preferred SAE first, and of no other where one is asked for", async () => {
  assert.deepEqual(await named("5", "two"), ["1/5", "0/5"]);
  assert.deepEqual(await named("5", "two", "two"), ["1/5"]);
  assert.deepEqual(await named("one/5", "two"), ["0/5"]);
  assert.deepEqual(await named("99", "two"), []);
});

test("what a query asks of the SAE and of numbers holds for suggestions too", async () => {
  assert.deepEqual(await named("sae:one 5", "two"), ["0/5"]);
  assert.deepEqual((await named("raise is:dead", "one", "one")).sort(), ["0/0", "0/2"]);
  assert.deepEqual((await named("raise -is:dead", "one", "one")).sort(), ["0/10", "0/4", "0/6", "0/8"]);
});

test("conditions alone name no feature, and nothing typed suggests nothing", async () => {
  assert.deepEqual(await named(""), []);
  assert.deepEqual(await named("is:dead"), []);
  assert.deepEqual(await named("sae:one"), []);
});
