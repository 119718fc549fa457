import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeFeatures } from "../src/core/feature-codec.ts";
import { PackedError, rankOf, shortest, singleOf, unzigzag, Unpacker } from "../src/core/packed.ts";
import { goldenShard } from "./support/golden-shard.ts";
import { Dice } from "./support/random.ts";

const golden = goldenShard();
const bytes = new Uint8Array(Buffer.from(golden.bytes, "base64"));

/** Numbers may differ in the last digit of a single: both texts give the same single back. */
function same(found: unknown, expected: unknown, path: string): void {
  if (typeof found === "number" && typeof expected === "number") {
    assert.ok(found === expected || Math.fround(found) === Math.fround(expected), `${path}: ${found}, not ${expected}`);
  } else if (Array.isArray(found) && Array.isArray(expected)) {
    assert.equal(found.length, expected.length, path);
    found.forEach((item, at) => same(item, expected[at], `${path}[${at}]`));
  } else if (found !== null && typeof found === "object" && expected !== null && typeof expected === "object") {
    assert.deepEqual(Object.keys(found).sort(), Object.keys(expected).sort(), path);
    for (const [name, item] of Object.entries(found)) {
      same(item, (expected as Record<string, unknown>)[name], `${path}.${name}`);
    }
  } else assert.equal(found, expected, path);
}

test("the golden shard is read as Python reads it, number by number", () => {
  same(decodeFeatures(bytes, golden.common, golden.columns), golden.decoded, "shard");
});

test("doubles and integers are exact", () => {
  const found = decodeFeatures(bytes, golden.common, golden.columns);
  found.features.forEach((feature, at) => {
    feature.values.forEach((value, column) => {
      const expected = golden.decoded.features[at]?.values[column];
      if (typeof value === "number" && Number.isInteger(expected)) assert.equal(value, expected);
    });
  });
});

test("what is cut short or lengthened is refused, never misread", () => {
  const refused = (data: Uint8Array) => assert.throws(() => decodeFeatures(data, golden.common, golden.columns));
  for (let size = 0; size < bytes.length; size += 211) refused(bytes.slice(0, size));
  refused(new Uint8Array([...bytes, 0]));
  refused(new TextEncoder().encode('{"features":[]}'));
});

test("a shard of another build is told from a damaged one", () => {
  const message = { name: "Error", message: "is of another build of this site; reload the page" };
  assert.throws(() => decodeFeatures(bytes, golden.common, golden.columns + 1), message);
  assert.throws(() => decodeFeatures(bytes, golden.common.slice(1), golden.columns), message);
});

test("an own view into a larger buffer is read as well", () => {
  const room = new Uint8Array(bytes.length + 13);
  room.set(bytes, 13);
  const found = decodeFeatures(room.subarray(13), golden.common, golden.columns);
  assert.equal(found.features.length, golden.decoded.features.length);
});

test("zigzag alternates", () => {
  assert.deepEqual([0, 1, 2, 3, 4, 2 ** 41 - 1].map(unzigzag), [0, -1, 1, -2, 2, -(2 ** 40)]);
});

test("singles are written in the fewest digits that give them back", () => {
  for (const text of ["0.1", "0.2421", "66.794846", "-1e-7", "16777216", "0.3333"]) {
    assert.equal(shortest(Math.fround(Number(text))), Number(text), text);
  }
  const dice = new Dice(7);
  for (let at = 0; at < 3000; at++) {
    const value = Math.fround((dice.share() - 0.5) * 10 ** Math.floor(dice.share() * 20 - 10));
    const short = shortest(value);
    assert.equal(Math.fround(short), value);
    assert.ok(String(short).length <= String(value).length);
  }
});

test("ranks and singles are each other's way back, in order", () => {
  const values = [-Infinity, -1e30, -1, -Math.fround(1e-40), 0, Math.fround(1e-40), 0.5, 1, 3.25, 1e30];
  const ranks = values.map((value) => rankOf(Math.fround(value)));
  assert.deepEqual(ranks, [...ranks].sort((a, b) => a - b));
  ranks.forEach((rank, at) => assert.equal(singleOf(rank), Math.fround(values[at] as number)));
  assert.equal(singleOf(rankOf(1) + 1), 1 + 2 ** -23);
});

/** A shard of integers alone. */
function integersOnly(data: number[]): Unpacker<object> {
  const head = new DataView(new ArrayBuffer(20));
  [0x0a314641, 2, data.length, 0, 0].forEach((value, at) => head.setUint32(4 * at, value, true));
  return new Unpacker(new Uint8Array([...new Uint8Array(head.buffer), 0x7b, 0x7d, ...data]));
}

test("integers of any length come back; none are made up", () => {
  const found = integersOnly([0, 0x7f, 0x80, 1, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1]);
  assert.deepEqual(found.integers(5), [0, 127, 128, 2 ** 35 - 1, 2 ** 42]);
  found.finish();
  assert.throws(() => found.integers(1), PackedError);
  assert.throws(() => integersOnly([0x80]).integers(1), PackedError);
  assert.throws(() => integersOnly([1]).finish(), PackedError);
  assert.deepEqual(integersOnly([3, 0, 2, 5]).based(3), [-2, 0, 3]);
});
