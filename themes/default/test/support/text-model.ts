// A model in memory, for texts: a token per code point, activations from a table, and no worker.
import { ModelError } from "../../src/model/client.ts";
import type { OpenModel, Piece, TextActivations } from "../../src/model/client.ts";
import type { ModelPayload, SaeModelPayload } from "../../src/payloads.ts";

/** A piece that is one token at `at`. */
export function piece(text: string, at: number, special = false): Piece {
  return { text, start: at, stop: at + 1, special };
}

/** Activations of a text given as rows, one per token; `bos` are the tokens that are BOS. */
export function activationsOf(
  rows: readonly (readonly number[])[],
  changes: Partial<TextActivations> = {},
  bos: readonly number[] = [],
): TextActivations {
  return {
    ids: rows.map((_, at) => at),
    pieces: rows.map((_, at) => piece(`t${at}`, at, bos.includes(at))),
    replaced: 0,
    windows: 1,
    nFeatures: rows[0]?.length ?? 0,
    values: Float32Array.from(rows.flat()),
    bos: rows.map((_, at) => bos.includes(at)),
    ...changes,
  };
}

/** The model's facts of SAEs called alpha and beta. */
export function modelInfo(precision = "int8"): ModelPayload {
  const gate = {
    n_tokens: 4096,
    top_overlap: 0.9912,
    relative_error: 0.0123,
    flips: 0.5,
    l0: 20,
    largest_error: 0.1,
    logits_error: 0.1,
    argmax_agreement: 0.99,
  };
  const sae = (slug: string): SaeModelPayload => ({
    slug,
    activations: `${slug}.activations.onnx`,
    steer: `${slug}.steer.onnx`,
    activation_files: [],
    steer_files: [],
    hook_name: "blocks.1",
    hook_name_out: "",
    d_sae: 4,
    d_out: 2,
    prepend_bos: true,
    context_size: 8,
    gate,
  });
  const model = {
    name: "fake",
    vocabulary_size: 10,
    n_layers: 1,
    kv_heads: [1],
    d_head: [1],
    context_size: 8,
    bos_token_id: 0,
  };
  return { precision, directions: "float32", files: [], saes: [sae("alpha"), sae("beta")], model, versions: [] };
}

/** An open model that notes what it is asked, and answers when the test lets it. */
export class FakeModel implements OpenModel {
  readonly info = modelInfo();
  readonly sae = modelInfo().saes[0] as SaeModelPayload;
  readonly runtime = "wasm";
  readonly refusal = "";
  readonly ended = new Promise<ModelError>(() => undefined);
  /** Texts that were run, in order. */
  readonly asked: string[] = [];
  /** Runs that wait for their answer. */
  readonly waiting: { text: string; answer: () => void; fail: (error: unknown) => void }[] = [];
  /** Whether runs are answered at once. */
  prompt = true;
  /** Whether runs end when they are told to; else their answer comes late. */
  obeys = true;

  tokenise(text: string): ReturnType<OpenModel["tokenise"]> {
    const pieces = [...text].map((character, at) => piece(character, at));
    return Promise.resolve({ ids: pieces.map((_, at) => at), pieces, replaced: 0 });
  }

  activations(text: string, signal?: AbortSignal): Promise<TextActivations> {
    this.asked.push(text);
    const found = activationsOf([...text].map((_, at) => [at, 1, 0, 0]));
    return new Promise((resolve, reject) => {
      if (this.obeys) signal?.addEventListener("abort", () => reject(new ModelError("cancelled", "cancelled")));
      if (this.prompt) resolve(found);
      else this.waiting.push({ text, answer: () => resolve(found), fail: reject });
    });
  }

  generate(): ReturnType<OpenModel["generate"]> {
    return Promise.resolve([]);
  }

  checkRuns(): ReturnType<OpenModel["checkRuns"]> {
    return Promise.resolve([]);
  }

  close(): void {
    this.prompt = true;
  }
}
