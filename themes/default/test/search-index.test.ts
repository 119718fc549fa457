import assert from "node:assert/strict";
import { test } from "node:test";
import { PackedError, Varints } from "../src/core/packed.ts";
import {
  blocksOf,
  compareCodePoints,
  entriesOf,
  lowerBound,
  placeOf,
  searchKey,
  shardOf,
  unitOf,
} from "../src/core/search-index.ts";
import { leb128, sorted, unitBytes } from "./support/fake-index.ts";
import { Dice, HOSTILE } from "./support/random.ts";

const ALPHABET = ["a", "b", "ab", "é", "Ａ", "\u{1f600}", "\uff21", "日", "_", "1"];

test("code point order is a total order, and that of the code points", () => {
  const points = (text: string) => [...text].map((character) => character.codePointAt(0) ?? 0);
  const byDefinition = (left: string, right: string) => {
    const [a, b] = [points(left), points(right)];
    const at = a.findIndex((point, place) => point !== b[place]);
    return at === -1 ? a.length - b.length : (a[at] ?? 0) - (b[at] ?? -1);
  };
  for (let seed = 1; seed <= 500; seed++) {
    const dice = new Dice(seed);
    const [left, right] = [dice.text(ALPHABET, 5), dice.text(ALPHABET, 5)];
    assert.equal(Math.sign(compareCodePoints(left, right)), Math.sign(byDefinition(left, right)));
    assert.equal(Math.sign(compareCodePoints(left, right)), -Math.sign(compareCodePoints(right, left)) || 0);
  }
});

test("the lower bound splits the keys into those below and those not", () => {
  for (let seed = 1; seed <= 100; seed++) {
    const dice = new Dice(seed);
    const keys = sorted(dice.list(40, () => dice.text(ALPHABET, 4)));
    const wanted = dice.text(ALPHABET, 4);
    const at = lowerBound(keys, wanted);
    assert.ok(keys.slice(0, at).every((key) => compareCodePoints(key, wanted) < 0));
    assert.ok(keys.slice(at).every((key) => compareCodePoints(key, wanted) >= 0));
  }
});

test("the blocks of a prefix hold every key that a linear scan finds, and hardly more", () => {
  for (let seed = 1; seed <= 400; seed++) {
    const dice = new Dice(seed);
    const keys = sorted(dice.list(dice.whole(0, 60), () => dice.text(ALPHABET, 4)));
    const size = dice.whole(1, 6);
    const blocks = keys.filter((_, at) => at % size === 0);
    const prefix = dice.text(ALPHABET, 3);
    const [first, last] = blocksOf({ blocks, n_keys: keys.length, shard_starts: [] }, prefix);
    const found = keys.slice(first * size, last * size).filter((key) => key.startsWith(prefix));
    assert.deepEqual(found, keys.filter((key) => key.startsWith(prefix)), `${seed} ${prefix}`);
    for (const block of blocks.slice(first + 1, last)) assert.ok(block.startsWith(prefix));
  }
});

test("a key is folded whatever its spelling, and folding again changes nothing", () => {
  for (const text of [" Raise", "RAISE\n", "raise", "ｒａｉｓｅ", "\u3000raise\u00a0"]) assert.equal(searchKey(text), "raise");
  for (const blank of ["", " ", "\n\t\r\f\v "]) assert.equal(searchKey(blank), "");
  for (let seed = 1; seed <= 300; seed++) {
    const key = searchKey(new Dice(seed).text(HOSTILE, 8));
    assert.equal(searchKey(key), key);
  }
});

test("numbers are read as they were written, and nothing is read beyond the end", () => {
  const numbers = [0, 1, 127, 128, 16_383, 16_384, 2 ** 31, 2 ** 40 + 5, 2 ** 53 - 1];
  const reader = new Varints(Uint8Array.from(leb128(numbers)), 0);
  assert.deepEqual(numbers.map(() => reader.next()), numbers);
  assert.ok(reader.done);
  assert.throws(() => reader.next(), PackedError);
  assert.throws(() => new Varints(Uint8Array.of(0x80, 1), 0, 1).next(), PackedError);
});

test("each unit of a posting shard gives back its postings", () => {
  for (let seed = 1; seed <= 100; seed++) {
    const dice = new Dice(seed);
    const units = dice.list(dice.whole(1, 6), () => {
      const numbers = new Set(dice.list(dice.whole(1, 20), () => dice.whole(0, 5000)));
      return [...numbers].map((number): [number, number] => [number, dice.whole(0, 1001)]);
    });
    const parts = units.map(unitBytes);
    const bytes = Uint8Array.from([...leb128([units.length, ...parts.map(({ length }) => length)]), ...parts.flat()]);
    for (const [at, unit] of units.entries()) {
      const expected = [...unit].sort(([a], [b]) => a - b);
      const { numbers, weights } = unitOf(bytes, at, unit.length, "k");
      assert.deepEqual([...numbers], expected.map(([number]) => number));
      assert.deepEqual([...weights], expected.map(([, weight]) => Math.fround(weight / 1000)));
      assert.throws(() => unitOf(bytes, at, unit.length + 1, "k"), /data\/k\.js is damaged/);
    }
    assert.throws(() => unitOf(bytes, units.length, 3, "k"), /is damaged/);
  }
});

test("a unit lies in the last shard that starts at it or before", () => {
  for (let seed = 1; seed <= 100; seed++) {
    const dice = new Dice(seed);
    const shard_starts = [0];
    while (dice.share() < 0.8) shard_starts.push((shard_starts.at(-1) ?? 0) + dice.whole(1, 5));
    const unit = dice.whole(0, 30);
    const linear = shard_starts.filter((start) => start <= unit).length - 1;
    assert.equal(shardOf({ blocks: [], n_keys: 0, shard_starts }, unit), linear);
  }
});

test("entries know their spelling and where their postings are", () => {
  const shard = { first_unit: 7, keys: ["a", "b"], entries: [0, 0, 1, 0, 1, 9, 1, 4, 3], spellings: ["", " A", ""] };
  const directory = { fields: ["word", "token", "seen", "example", "phrase"], postings_per_unit: 4 };
  assert.deepEqual(entriesOf(shard, "terms", directory), [
    { book: "terms", key: "a", field: "word", text: "a", count: 1, unit: 7 },
    { book: "terms", key: "a", field: "token", text: " A", count: 9, unit: 8 },
    { book: "terms", key: "b", field: "phrase", text: "b", count: 3, unit: 11 },
  ]);
});

test("a number names one feature of one SAE", () => {
  const saes = [3, 0, 5].map((n_features, at) => ({ slug: `s${at}`, n_features }));
  const places = Array.from({ length: 8 }, (_, number) => placeOf({ saes } as never, number));
  const expected = saes.flatMap(({ n_features: count }, sae) => Array.from({ length: count }, (_, feature) => ({ sae, feature })));
  assert.deepEqual(places, expected);
});
