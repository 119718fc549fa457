import assert from "node:assert/strict";
import { test } from "node:test";
import { openIndex } from "../src/core/search-index.ts";
import { cosineAt, DIMENSIONS, mean, nearest, nearestShards, searchMeaning } from "../src/core/search-meaning.ts";
import { FINE, indexShards, leb128, sorted, vectorShards } from "./support/fake-index.ts";
import { fakeSite } from "./support/fake-site.ts";
import { Dice } from "./support/random.ts";

const row = (dice: Dice) => dice.list(DIMENSIONS, () => dice.whole(-127, 128));

function cosine(left: readonly number[], right: readonly number[]): number {
  const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, value, at) => sum + value * (b[at] ?? 0), 0);
  return dot(left, right) / Math.sqrt(dot(left, left) * dot(right, right));
}

test("a cosine is that of the definition, and 0 for nothing", () => {
  for (let seed = 1; seed <= 50; seed++) {
    const dice = new Dice(seed);
    const rows = [row(dice), row(dice), row(dice)];
    const query = row(dice);
    for (const [at, own] of rows.entries()) {
      const found = cosineAt(Int8Array.from(rows.flat()), at, Int8Array.from(query));
      assert.ok(Math.abs(found - cosine(own, query)) < 1e-12);
    }
  }
  assert.equal(cosineAt(new Int8Array(DIMENSIONS), 0, new Int8Array(DIMENSIONS).fill(1)), 0);
});

test("the mean is taken place by place; of nothing there is none", () => {
  assert.equal(mean([]), null);
  const rows = [new Int8Array(DIMENSIONS).fill(2), new Int8Array(DIMENSIONS).fill(5)];
  assert.deepEqual([...(mean(rows) ?? [])], Array(DIMENSIONS).fill(3.5));
});

test("a shard gives its features that are alike, with their numbers", () => {
  const dice = new Dice(3);
  const query = row(dice);
  const near = query.map((value) => Math.round(value * 0.5));
  const far = query.map((value) => -value);
  const rows = [near, far, near];
  const bytes = Uint8Array.from([...leb128([3, 4, 0, 9]), ...Uint8Array.from(Int8Array.from(rows.flat()))]);
  const found = nearest(bytes, Int8Array.from(query));
  assert.deepEqual(found.map(([number]) => number), [4, 15]);
  assert.ok(found.every(([, value]) => value > 0.99));
});

test("the shard whose middle is most alike comes first, ties by number", () => {
  const [one, other] = [Array(DIMENSIONS).fill(1) as number[], Array(DIMENSIONS).fill(-1) as number[]];
  const centres = Int8Array.from([...other, ...one, ...other, ...one]);
  assert.deepEqual(nearestShards(centres, Int8Array.from(one)), [1, 3, 0, 2]);
});

test("what is found is what a comparison with every feature finds", async () => {
  const dice = new Dice(11);
  const words = ["error", "raise", "class", "token", "weather", "rain", "sun"];
  const facts = words.map((term, number) => ({ field: "word" as const, term, number, weight: 500 }));
  const vectors = new Map(words.map((word) => [word, row(dice)]));
  const features = Array.from({ length: 40 }, (_, number) => {
    const base = vectors.get(dice.pick(words)) ?? [];
    const own = base.map((value) => Math.max(-127, Math.min(127, value + dice.whole(-90, 91))));
    return [number, own] as const;
  });
  const parts = [0, 1, 2, 3].map((part) => features.filter(([number]) => number % 4 === part));
  const keys = sorted(words);
  const site = fakeSite({ site: { saes: [{ slug: "one", n_features: 40 }] } });
  for (const [key, answer] of indexShards(facts, FINE, parts.length)) site.answers.set(key, answer);
  const shards = vectorShards(keys, FINE.keysPerBlock, (key) => vectors.get(key) ?? [], parts);
  for (const [key, answer] of shards) site.answers.set(key, answer);
  const index = await openIndex();
  for (const asked of [["error"], ["raise", "class"], ["Sun", "unknownword"]]) {
    const known = asked.flatMap((word) => vectors.get(word.toLowerCase()) ?? []);
    const query = Array.from({ length: DIMENSIONS }, (_, at) =>
      asked.reduce((sum, _word, word) => sum + (known[word * DIMENSIONS + at] ?? 0), 0),
    );
    const expected = features.map(([number, own]) => [number, cosine(own, query)] as const).filter(([, value]) => value >= 0.45);
    const found = await searchMeaning(index, asked);
    assert.ok(expected.length > 0);
    assert.deepEqual([...found.keys()].sort((a, b) => a - b), expected.map(([number]) => number));
    for (const [number, value] of expected) {
      assert.ok(Math.abs((found.get(number)?.reasons[0]?.weight ?? 0) - value) < 1e-9);
    }
  }
  assert.equal((await searchMeaning(index, ["nothing"])).size, 0);
  assert.equal((await searchMeaning(index, [])).size, 0);
});
