import type { ModelShapePayload, SaeModelPayload } from "../../payloads.ts";
import type { Steering } from "../messages.ts";
import { floats, type Graph, integers, numbersOf, type Tensors } from "./runtime.ts";

/** What a step of the steered model says of its last position. */
export interface Last {
  /** Of the next token. */
  logits: Float32Array;
  /** Activation of each steered feature, before steering. */
  measured: number[];
}

/** A sequence that grows; what was read before is remembered as keys and values. */
export class SteeredSequence {
  readonly #graph: Graph;
  readonly #model: ModelShapePayload;
  readonly #fixed: Tensors;
  readonly #width: number;
  #past: Tensors;

  /** An empty sequence under `steering`. */
  constructor(graph: Graph, model: ModelShapePayload, sae: SaeModelPayload, steering: Steering) {
    this.#graph = graph;
    this.#model = model;
    this.#width = steering.features.length;
    this.#fixed = {
      features: integers(steering.features, [this.#width]),
      directions: floats(steering.directions, [this.#width, sae.d_out]),
      add: floats(steering.add, [this.#width]),
      target: floats(steering.target, [this.#width]),
      clamp: floats(steering.clamp, [this.#width]),
    };
    this.#past = emptyPast(model);
  }

  /** Reads `ids`, the first `masked` of them unsteered. */
  async read(ids: readonly number[], masked: number): Promise<Last> {
    const mask = ids.map((_, at) => (at < masked ? 0 : 1));
    const outputs = await this.#graph.run({
      ...this.#fixed,
      ...this.#past,
      input_ids: integers(ids, [1, ids.length]),
      mask: floats(mask, [1, ids.length]),
    });
    this.#past = presentAsPast(outputs, this.#model);
    const measured = numbersOf(outputs, "measured");
    return { logits: numbersOf(outputs, "logits"), measured: [...measured.subarray(measured.length - this.#width)] };
  }
}

function emptyPast({ n_layers, kv_heads, d_head }: ModelShapePayload): Tensors {
  const past: Tensors = {};
  for (let layer = 0; layer < n_layers; layer++)
    for (const name of ["key", "value"])
      past[`past_${name}.${layer}`] = floats([], [1, kv_heads[layer] ?? 0, 0, d_head[layer] ?? 0]);
  return past;
}

function presentAsPast(outputs: Tensors, { n_layers }: ModelShapePayload): Tensors {
  const past: Tensors = {};
  for (let layer = 0; layer < n_layers; layer++)
    for (const name of ["key", "value"]) {
      const present = outputs[`present_${name}.${layer}`];
      if (present === undefined) throw new Error(`the graph gives no present_${name}.${layer}`);
      past[`past_${name}.${layer}`] = present;
    }
  return past;
}
