import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { groupPieces } from "../src/model/characters.ts";
import { choose, mulberry32, probability } from "../src/model/sampling.ts";
import { cutWindows, wellFormed } from "../src/model/windows.ts";

// What Python computes: tests/unit/front/test_model_twins.py.
interface Golden {
  draws: [number, number[]][];
  logits: number[][];
  choices: [number, number, number, number[]][];
  probabilities: [number, number, number][];
  windows: [number, number, number | null, { ids: number[]; bos: boolean[]; bounds: [number, number][] }][];
  well_formed: [string, string, number][];
  pieces: [(number[] | null)[], [string, number, number][]][];
}
const path = new URL("../../../../tests/support/model_cases.json", import.meta.url);
const golden = JSON.parse(readFileSync(path, "utf8")) as Golden;
const rows = golden.logits.map((row) => Float32Array.from(row));

function rowOf(number: number): Float32Array {
  const row = rows[number];
  assert.ok(row !== undefined);
  return row;
}

test("a seed draws the numbers that it draws in Python", () => {
  for (const [seed, expected] of golden.draws) {
    const draw = mulberry32(seed);
    assert.deepEqual(
      expected.map(() => draw()),
      expected,
      `seed ${seed}`,
    );
  }
});

test("equal logits and an equal seed give the tokens that they give in Python", () => {
  for (const [number, temperature, seed, expected] of golden.choices) {
    const draw = mulberry32(seed);
    const chosen = expected.map(() => choose(rowOf(number), temperature, draw));
    assert.deepEqual(chosen, expected, `row ${number}, temperature ${temperature}, seed ${seed}`);
  }
});

test("probabilities are those of Python, but for the last digits", () => {
  for (const [number, id, expected] of golden.probabilities) {
    const found = probability(rowOf(number), id);
    assert.ok(Math.abs(found - expected) <= 1e-12 * expected, `${found}, not ${expected}`);
  }
});

test("texts are cut into the windows that they are cut into in Python", () => {
  for (const [count, size, bos, expected] of golden.windows) {
    const ids = Array.from({ length: count }, (_, id) => id);
    assert.deepEqual(cutWindows(ids, size, bos), expected, `${count} tokens in windows of ${size}`);
  }
});

test("lone surrogates are replaced as in Python", () => {
  for (const [text, valid, replaced] of golden.well_formed)
    assert.deepEqual(wellFormed(text), { text: valid, replaced }, JSON.stringify(text));
});

test("tokens are grouped to whole characters as in Python", () => {
  for (const [tokens, expected] of golden.pieces) {
    const spelt = tokens.map((token) => (token === null ? "<special>" : Uint8Array.from(token)));
    const found = groupPieces(spelt).map(({ text, start, stop }) => [text, start, stop]);
    assert.deepEqual(found, expected, JSON.stringify(tokens));
  }
});
