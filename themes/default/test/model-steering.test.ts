import assert from "node:assert/strict";
import { test } from "node:test";
import { floats, type Graph, integers, numbersOf, type Tensors } from "../src/model/worker/runtime.ts";
import { SteeredSequence } from "../src/model/worker/steering.ts";
import type { ModelShapePayload, SaeModelPayload } from "../src/payloads.ts";

const MODEL: ModelShapePayload = {
  name: "m",
  vocabulary_size: 3,
  n_layers: 2,
  // Layers need not be alike.
  kv_heads: [2, 1],
  d_head: [4, 8],
  context_size: 16,
  bos_token_id: 0,
};
const SAE = { slug: "a", d_out: 2 } as SaeModelPayload;
const STEERING = { features: [5, 6], directions: Float32Array.of(1, 2, 3, 4), add: [1, 0], target: [0, 2], clamp: [0, 1] };

/** A graph that remembers what it was given; its keys and values are as long as all it has read. */
class FakeGraph implements Graph {
  readonly seen: Tensors[] = [];
  readonly outputs: (inputs: Tensors, call: number) => Tensors;

  constructor(outputs: (inputs: Tensors, call: number) => Tensors) {
    this.outputs = outputs;
  }

  run(inputs: Tensors): Promise<Tensors> {
    this.seen.push(inputs);
    return Promise.resolve(this.outputs(inputs, this.seen.length));
  }
}

function answers(inputs: Tensors, call: number): Tensors {
  const sequence = inputs["input_ids"]?.dims[1] ?? 0;
  const outputs: Tensors = {
    logits: floats([call, 0, 0], [1, 3]),
    measured: floats(Array.from({ length: 2 * sequence }, (_, at) => 10 * call + at), [1, sequence, 2]),
  };
  for (const name of ["key", "value"])
    for (const layer of [0, 1]) {
      const [, heads = 0, past = 0, width = 0] = inputs[`past_${name}.${layer}`]?.dims ?? [];
      const shape = [1, heads, past + sequence, width];
      outputs[`present_${name}.${layer}`] = floats(new Float32Array(heads * (past + sequence) * width), shape);
    }
  return outputs;
}

function shapes(inputs: Tensors | undefined): Record<string, readonly number[]> {
  return Object.fromEntries(Object.entries(inputs ?? {}).map(([name, tensor]) => [name, tensor.dims]));
}

function values(inputs: Tensors | undefined, name: string): number[] {
  return Array.from((inputs?.[name]?.data ?? []) as ArrayLike<number | bigint>, Number);
}

test("the prompt is read with an empty memory of every layer's own shape", async () => {
  const graph = new FakeGraph(answers);
  await new SteeredSequence(graph, MODEL, SAE, STEERING).read([7, 8, 9], 1);
  assert.deepEqual(shapes(graph.seen[0]), {
    input_ids: [1, 3],
    mask: [1, 3],
    features: [2],
    directions: [2, 2],
    add: [2],
    target: [2],
    clamp: [2],
    "past_key.0": [1, 2, 0, 4],
    "past_value.0": [1, 2, 0, 4],
    "past_key.1": [1, 1, 0, 8],
    "past_value.1": [1, 1, 0, 8],
  });
  assert.deepEqual(values(graph.seen[0], "input_ids"), [7, 8, 9]);
  assert.deepEqual(values(graph.seen[0], "mask"), [0, 1, 1]);
  assert.deepEqual(values(graph.seen[0], "features"), [5, 6]);
  assert.deepEqual(values(graph.seen[0], "directions"), [1, 2, 3, 4]);
  assert.deepEqual(
    ["add", "target", "clamp"].map((name) => values(graph.seen[0], name)),
    [STEERING.add, STEERING.target, STEERING.clamp],
  );
});

test("every further token is read alone, steered, with all that was read before", async () => {
  const graph = new FakeGraph(answers);
  const sequence = new SteeredSequence(graph, MODEL, SAE, STEERING);
  await sequence.read([7, 8, 9], 1);
  await sequence.read([4], 0);
  await sequence.read([5], 0);
  const last = graph.seen[2];
  assert.deepEqual(shapes(last)["past_key.1"], [1, 1, 4, 8]);
  assert.deepEqual(shapes(last)["past_value.0"], [1, 2, 4, 4]);
  assert.deepEqual(shapes(last)["input_ids"], [1, 1]);
  assert.deepEqual(values(last, "mask"), [1]);
});

test("logits and measured activations are those of the last position", async () => {
  const sequence = new SteeredSequence(new FakeGraph(answers), MODEL, SAE, STEERING);
  const first = await sequence.read([7, 8, 9], 0);
  assert.deepEqual([...first.logits], [1, 0, 0]);
  assert.deepEqual(first.measured, [14, 15]);
  assert.deepEqual((await sequence.read([1], 0)).measured, [20, 21]);
});

test("a graph that lacks an output is named", async () => {
  const without = (name: string) =>
    new FakeGraph((inputs, call) => {
      const outputs = answers(inputs, call);
      delete outputs[name];
      return outputs;
    });
  for (const name of ["logits", "measured", "present_key.0", "present_value.1"]) {
    const sequence = new SteeredSequence(without(name), MODEL, SAE, STEERING);
    await assert.rejects(sequence.read([1], 0), new RegExp(`gives no ${name}`));
  }
});

test("numbers become tensors of the kinds that the graphs take", () => {
  const ids = integers([1, 2 ** 31, 0], [1, 3]);
  assert.deepEqual([ids.type, [...(ids.data as BigInt64Array)]], ["int64", [1n, 2n ** 31n, 0n]]);
  const some = Float32Array.of(1.5, 2);
  const tensor = floats(some, [2]);
  some[0] = 9;
  assert.deepEqual([tensor.type, [...numbersOf({ x: tensor }, "x")]], ["float32", [1.5, 2]]);
  assert.throws(() => numbersOf({ x: ids }, "x"), /gives no x/);
});
