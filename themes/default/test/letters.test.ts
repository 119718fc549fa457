import assert from "node:assert/strict";
import { test } from "node:test";
import { fromLetters } from "../src/core/letters.ts";
import { toLetters } from "./support/letters.ts";

/** What `tests/unit/test_letters.py` has for the same bytes. */
const TWIN: [number[], string][] = [
  [[], "\u3030"],
  [[0], "\u3030\u3030\u3030\u3030\u3036"],
  [[1, 2, 3], "\u3070\u7060\u3030\u3030\u3034"],
  [[255, 0, 128, 7, 1, 2, 3], "\uaf70\u4030\u6834\u3433\u3030"],
];

/** Bytes that look like chance, the same every time. */
function noise(count: number, seed = 1): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length: count }, () => {
    state = (state * 1103515245 + 12345) % 2 ** 31;
    return state >> 16;
  });
}

test("bytes of every length come back", () => {
  for (let length = 0; length < 200; length++) {
    const bytes = noise(length, length + 1);
    assert.deepEqual([...fromLetters(toLetters(bytes))], [...bytes], String(length));
  }
});

test("the extremes come back", () => {
  for (const value of [0, 1, 127, 128, 254, 255]) {
    for (const length of [6, 7, 8, 13, 14]) {
      const bytes = new Uint8Array(length).fill(value);
      assert.deepEqual([...fromLetters(toLetters(bytes))], [...bytes]);
    }
  }
});

test("letters are what Python writes", () => {
  for (const [bytes, letters] of TWIN) {
    assert.equal(toLetters(Uint8Array.from(bytes)), letters);
    assert.deepEqual([...fromLetters(letters)], bytes);
  }
});

test("what no bytes were made into is refused, wherever it stands", () => {
  const good = toLetters(noise(70));
  const strange = ["\u0000", '"', "A", "\u302f", "\u30b0", "\u312f", "\uafb0", "\ud800", "\ufeff", "\uffff"];
  for (const letter of strange) {
    for (let at = 0; at < good.length; at++) {
      assert.throws(() => fromLetters(good.slice(0, at) + letter + good.slice(at + 1)), /not the letters/);
    }
  }
});

test("a text cut short or lengthened is refused", () => {
  const good = toLetters(noise(20));
  for (let length = 0; length < good.length; length++) {
    // Whole groups with a letter after them may pass for a shorter text only if that letter is a number of zeros.
    const text = good.slice(0, length);
    const fill = text.charCodeAt(length - 1) - 0x3030;
    if (length % 4 === 1 && fill >= 0 && fill < 7 && length > 1) continue;
    assert.throws(() => fromLetters(text), /not the letters/, String(length));
  }
  for (const more of ["\u3030", "\u3030\u3030", "\u3030\u3030\u3030"]) {
    assert.throws(() => fromLetters(good + more), /not the letters/);
  }
  assert.throws(() => fromLetters("\u3031"), /not the letters/);
  assert.throws(() => fromLetters(`${good.slice(0, -1)}\u3037`), /not the letters/);
});

test("a file is a seventh larger than what it carries", () => {
  const bytes = noise(100_000);
  assert.ok(toLetters(bytes).length * 2 < (bytes.length * 8) / 7 + 10);
});
