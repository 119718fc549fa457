// The worker's own end: what it answers to the page, whatever it is asked and in whatever order.
import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { test } from "node:test";
import type { Answer, Request } from "../src/model/messages.ts";
import type { ModelPayload, SaeModelPayload } from "../src/payloads.ts";
import { toLetters } from "./support/letters.ts";

const answers: Answer[] = [];
let listener: (event: { data: Request }) => void = () => assert.fail("the worker does not listen");
Object.assign(globalThis, {
  addEventListener: (_: string, given: typeof listener) => (listener = given),
  postMessage: (answer: Answer) => answers.push(answer),
});
await import("../src/model/worker/main.ts");

const SAE: SaeModelPayload = {
  slug: "a",
  activations: "a.onnx",
  steer: "s.onnx",
  activation_files: [],
  steer_files: [],
  hook_name: "h",
  hook_name_out: "",
  d_sae: 1,
  d_out: 1,
  prepend_bos: false,
  context_size: 4,
  gate: { n_tokens: 1, top_overlap: 1, relative_error: 0, flips: 0, l0: 1, largest_error: 0, logits_error: 0, argmax_agreement: 1 },
};
const TEXTS = { "tokenizer.json": "{}", "checks.json": '{"tokenizer": [], "runs": []}', "ort.wasm": "\0asm", "a.onnx": "x" };
const INFO: ModelPayload = {
  precision: "fp32",
  directions: "float32",
  files: Object.entries(TEXTS).map(([name, text]) => ({ name, key: name, bytes: text.length, parts: 1, sha256: "0", transfer: 1 })),
  saes: [SAE],
  model: { name: "m", vocabulary_size: 1, n_layers: 0, kv_heads: [], d_head: [], context_size: 4, bos_token_id: null },
  versions: [],
};

/** Sends `requests`, and gives the answers to all calls among them, once they are there. */
async function ask(...requests: Request[]): Promise<Answer[]> {
  answers.splice(0);
  for (const data of requests) listener({ data });
  const calls = requests.filter((request) => "call" in request).length;
  for (let wait = 0; wait < 4000 && answers.length < calls; wait++) await new Promise((resolve) => setTimeout(resolve, 5));
  return [...answers];
}

function part(call: number, file: string, text: string, place = 0): Request {
  return { call, name: "part", argument: { file, place, payload: toLetters(gzipSync(text)) } };
}

test("before a model is open, only parts and opening are possible", async () => {
  const [tokens, runs, taken] = await ask(
    { call: 1, name: "tokenise", argument: { text: "x" } },
    { call: 2, name: "runs", argument: null },
    part(3, "other", "abc"),
  );
  assert.deepEqual(tokens, { call: 1, kind: "input", message: "The model is not open." });
  assert.equal((runs as { kind: string }).kind, "input");
  assert.deepEqual(taken, { call: 3, value: null });
});

test("answers come in the order of the calls", async () => {
  const found = await ask(part(7, "f", "a".repeat(100_000)), part(6, "g", "b"), part(5, "h", "c"));
  assert.deepEqual(found.map((answer) => "call" in answer && answer.call), [7, 6, 5]);
});

test("a part that is damaged fails its own call and no other", async () => {
  const bad: Request = { call: 1, name: "part", argument: { file: "f", place: 0, payload: "%" } };
  const [one, two] = await ask(bad, part(2, "f", "abc"));
  assert.ok(one !== undefined && "kind" in one);
  assert.deepEqual([one.kind, one.call], ["shard", 1]);
  assert.deepEqual(two, { call: 2, value: null });
});

test("a call that was stopped while it waited is not begun", async () => {
  const [one, two] = await ask(part(1, "f", "abc"), part(2, "f", "abc"), { cancel: 2 });
  assert.deepEqual(one, { call: 1, value: null });
  assert.deepEqual(two, { call: 2, kind: "cancelled", message: "Stopped." });
});

test("a wish that comes too late does not stop a later call of another number", async () => {
  await ask(part(1, "f", "abc"));
  const [later] = await ask({ cancel: 1 }, part(2, "f", "abc"));
  assert.deepEqual(later, { call: 2, value: null });
});

test("opening without the files, or with other files, names the file", async () => {
  const open: Request = { call: 9, name: "open", argument: { info: INFO, sae: SAE, need: "activations", runtime: "wasm" } };
  const [missing] = await ask(open);
  assert.ok(missing !== undefined && "kind" in missing);
  assert.deepEqual([missing.kind, /file tokenizer\.json is damaged/.test(missing.message)], ["shard", true]);
  // The digests of the payload are not theirs.
  const all = Object.entries(TEXTS).map(([name, text], at) => part(at, name, text));
  const found = await ask(...all, open);
  const last = found.at(-1);
  assert.ok(last !== undefined && "kind" in last);
  assert.deepEqual([last.kind, last.call], ["shard", 9]);
});
