import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { test } from "node:test";
import { ModelError } from "../src/core/model-error.ts";
import { failureOf } from "../src/model/failure.ts";
import { compareActivations, compareRun, TOLERANCE } from "../src/model/replay.ts";
import { Files } from "../src/model/worker/files.ts";
import { TextTokens } from "../src/model/worker/tokens.ts";
import type { ModelFilePayload, ReferenceRun } from "../src/payloads.ts";
import { toLetters } from "./support/letters.ts";

/** `bytes` as a data file holds them. */
function packed(bytes: Uint8Array): string {
  return toLetters(gzipSync(bytes));
}

function payload(name: string, bytes: Uint8Array): ModelFilePayload {
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  return { name, key: name, bytes: bytes.length, parts: 2, sha256, transfer: 0 };
}

async function rejects(work: Promise<unknown>, kind: string, message: RegExp): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof ModelError, String(error));
    assert.equal(error.kind, kind);
    assert.match(error.message, message);
    return true;
  });
}

const WHOLE = Uint8Array.from({ length: 1000 }, (_, at) => (at * 7) % 251);

async function filled(parts: Record<number, Uint8Array>): Promise<Files> {
  const files = new Files();
  for (const [place, part] of Object.entries(parts)) await files.add("f", Number(place), packed(part));
  return files;
}

test("parts become the file in whatever order they came, and are forgotten", async () => {
  const files = await filled({ 1: WHOLE.subarray(600), 0: WHOLE.subarray(0, 600) });
  assert.deepEqual(await files.take(payload("f", WHOLE)), WHOLE);
  await rejects(files.take(payload("f", WHOLE)), "shard", /file f is damaged/);
});

test("a file that is not the one the build wrote is refused", async () => {
  const changed = Uint8Array.from(WHOLE);
  changed[999] = 1;
  const wrong: Record<number, Uint8Array>[] = [
    { 0: WHOLE.subarray(0, 600) },
    { 1: WHOLE.subarray(600) },
    { 0: WHOLE, 1: WHOLE.subarray(600) },
    { 0: changed },
    {},
  ];
  for (const parts of wrong) await rejects((await filled(parts)).take(payload("f", WHOLE)), "shard", /damaged, or belongs/);
});

test("a part that cannot be unpacked is refused", async () => {
  const files = new Files();
  for (const text of ["%%%", packed(WHOLE).slice(0, 40), packed(WHOLE).slice(0, 41), toLetters(Buffer.from("no gzip"))])
    await rejects(files.add("f", 0, text), "shard", /file f is damaged/);
});

test("without the browser's SHA-256 the length must do", async () => {
  const known = Object.getOwnPropertyDescriptor(globalThis, "crypto");
  Object.defineProperty(globalThis, "crypto", { value: {}, configurable: true });
  try {
    const files = await filled({ 0: WHOLE });
    assert.equal((await files.take({ ...payload("f", WHOLE), sha256: "" })).length, 1000);
    await rejects((await filled({ 0: WHOLE.subarray(1) })).take(payload("f", WHOLE)), "shard", /damaged/);
  } finally {
    if (known !== undefined) Object.defineProperty(globalThis, "crypto", known);
  }
});

test("failures are told apart as a reader can act on them", () => {
  const kind = (error: unknown) => failureOf(error, "wasm").kind;
  assert.equal(kind(new RangeError("Array buffer allocation failed")), "memory");
  assert.equal(kind(new Error("Can't create a session. ERROR_CODE: 6, ERROR_MESSAGE: std::bad_alloc")), "memory");
  assert.equal(kind(new Error("Out of memory")), "memory");
  assert.equal(kind(123456), "memory");
  assert.equal(kind(new WebAssembly.CompileError("bad magic")), "wasm");
  assert.equal(kind("anything"), "wasm");
  assert.match(failureOf(new Error("no available backend"), "wasm").message, /does not run in this browser: no available backend/);
  const onGpu = failureOf(new Error("mapAsync failed"), "webgpu");
  assert.deepEqual([onGpu.kind, /graphics processor: mapAsync failed/.test(onGpu.message)], ["gpu", true]);
  assert.equal(failureOf(new Error("Out of memory"), "webgpu").kind, "memory");
  assert.deepEqual(failureOf(new ModelError("input", "x"), "webgpu"), { kind: "input", message: "x" });
});

const RUN: ReferenceRun = {
  name: "r",
  sae: "a",
  prompt_ids: [],
  features: [],
  add: [],
  target: [],
  clamp: [],
  masked: 0,
  new_tokens: [4, 5],
  logits: [
    [2, 100],
    [0, -0.5],
  ],
};

test("a reference run matches where tokens are the same and logits near", () => {
  const check = (tokens: number[], ...logits: number[]) => compareRun(RUN, tokens, Float32Array.from(logits));
  assert.deepEqual(check([4, 5], -0.5, 0, 100), { name: "r", match: true, largest: 0 });
  const near = check([4, 5], -0.5, 0, 100 + 50 * TOLERANCE);
  assert.equal(near.match, true);
  assert.ok(Math.abs(near.largest - TOLERANCE / 2) < 1e-5);
  assert.equal(check([4, 5], -0.5 + 2 * TOLERANCE, 0, 100).match, false);
  assert.equal(check([4], -0.5, 0, 100).match, false);
  assert.equal(check([4, 6], -0.5, 0, 100).match, false);
  assert.deepEqual([check([4, 5], NaN, 0, 100).match, check([4, 5], NaN, 0, 100).largest], [false, Infinity]);
  assert.deepEqual([check([4, 5], -0.5).match, check([4, 5], -0.5).largest], [false, Infinity]);
});

/** A byte-level tokenizer without merges: each byte a token of its own, and one special token. */
function byteLevel(change: object = {}): string {
  const isVisible = (byte: number) => (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
  let hidden = 0;
  const names = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isVisible(byte) ? byte : 0x100 + hidden++));
  return JSON.stringify({
    version: "1.0",
    added_tokens: [
      { id: 256, content: "<|end|>", single_word: false, lstrip: false, rstrip: false, normalized: false, special: true },
    ],
    normalizer: null,
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: null,
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: { type: "BPE", vocab: Object.fromEntries(names.map((name, id) => [name, id])), merges: [], unk_token: null },
    ...change,
  });
}

test("text becomes tokens and whole characters; a special token spelt out is one", () => {
  const tokens = new TextTokens(byteLevel(), 256);
  assert.deepEqual(tokens.tokenise("aé\ud800<|end|>"), {
    ids: [97, 0xc3, 0xa9, 0xef, 0xbf, 0xbd, 256],
    pieces: [
      { text: "a", start: 0, stop: 1, special: false },
      { text: "é", start: 1, stop: 3, special: false },
      { text: "\ufffd", start: 3, stop: 6, special: false },
      { text: "<|end|>", start: 6, stop: 7, special: true },
    ],
    replaced: 1,
  });
  assert.deepEqual(tokens.tokenise(""), { ids: [], pieces: [], replaced: 0 });
});

test("a tokenizer that gives other ids than the build stored is refused", () => {
  const tokens = new TextTokens(byteLevel(), null);
  tokens.check([
    ["ab", [97, 98]],
    ["", []],
  ]);
  assert.throws(() => tokens.check([["ab", [97, 98]], ["ab", [97]], ["é", [233]]]), (error) => {
    assert.ok(error instanceof ModelError);
    assert.equal(error.kind, "tokenizer");
    assert.match(error.message, /cuts 2 of 3 test strings into other tokens/);
    return true;
  });
});

test("a tokenizer that cannot be read here is refused by kind", () => {
  for (const json of ["{", byteLevel({ normalizer: { type: "Nmt" } }), byteLevel({ model: { type: "Unknown" } })])
    assert.throws(() => new TextTokens(json, null), (error) => error instanceof ModelError && error.kind === "tokenizer");
});

test("activations match where the stored ones are near and nothing else is stronger", () => {
  const eight: [number, number][] = [9, 8, 7, 6, 5, 4, 3, 2].map((value, feature) => [feature, value]);
  const stored = { sae: "a", ids: [1, 2], strongest: [eight, [[3, 0.5] as [number, number]]] };
  const check = (change: (values: Float32Array) => void) => {
    const values = new Float32Array(20);
    for (const [feature, value] of eight) values[feature] = value;
    values[13] = 0.5;
    change(values);
    return compareActivations(stored, values, 10);
  };
  assert.deepEqual(check(() => undefined), { match: true, largest: 0 });
  // As strong as the weakest that is stored is still in order; stronger is not.
  assert.equal(check((values) => values.set([2], 8)).match, true);
  assert.ok(Math.abs(check((values) => values.set([3], 8)).largest - 0.5) < 1e-6);
  // A token of which fewer are stored: one at its threshold may fire.
  assert.equal(check((values) => values.set([0.2], 15)).match, true);
  assert.equal(check((values) => values.set([9 + 8 * TOLERANCE], 0)).match, true);
  assert.equal(check((values) => values.set([9 + 10 * TOLERANCE], 0)).match, false);
  assert.equal(check((values) => values.set([0], 13)).match, false);
  assert.deepEqual(check((values) => values.set([NaN], 13)), { match: false, largest: Infinity });
  assert.deepEqual(check((values) => values.set([NaN], 8)), { match: false, largest: Infinity });
  assert.equal(compareActivations(stored, new Float32Array(10), 10).match, false);
});
