// The facts of a model that no test runs: one SAE, whose graphs share a weight file in three parts.
import assert from "node:assert/strict";
import { ModelError } from "../../src/core/model-error.ts";
import type { ModelFilePayload, ModelPayload } from "../../src/payloads.ts";

export const D_OUT = 2;

function file(name: string, parts = 1): ModelFilePayload {
  return { name, key: `model/${name.replaceAll(".", "-")}`, bytes: 8 * parts, parts, sha256: "", transfer: 100 * parts };
}

export const GATE = { n_tokens: 1, top_overlap: 1, relative_error: 0, flips: 0, l0: 1, largest_error: 0, logits_error: 0, argmax_agreement: 1 };
export const INFO: ModelPayload = {
  precision: "fp32",
  directions: "float32",
  files: ["ort.wasm", "tokenizer.json", "checks.json", "a.activations.onnx", "a.steer.onnx", "w1", "unused"]
    .map((name) => file(name))
    .concat(file("w0", 3)),
  saes: [
    {
      slug: "a",
      activations: "a.activations.onnx",
      steer: "a.steer.onnx",
      activation_files: ["w0"],
      steer_files: ["w0", "w1"],
      hook_name: "h",
      hook_name_out: "",
      d_sae: 20,
      d_out: D_OUT,
      prepend_bos: true,
      context_size: 8,
      gate: GATE,
    },
  ],
  model: { name: "m", vocabulary_size: 4, n_layers: 1, kv_heads: [1], d_head: [2], context_size: 16, bos_token_id: 0 },
  versions: [],
};

/** Rejects with a `ModelError` of `kind` whose message is like `message`. */
export async function rejects(work: Promise<unknown>, kind: string, message = /./): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof ModelError, String(error));
    assert.equal(error.kind, kind);
    assert.match(error.message, message);
    return true;
  });
}
