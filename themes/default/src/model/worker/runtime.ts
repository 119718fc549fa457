// The only place that knows onnxruntime-web.
import * as ort from "onnxruntime-web/wasm";
import type { Runtime } from "../files.ts";

/** Numbers of a graph, by the name of the input or output. */
export type Tensors = Record<string, ort.Tensor>;

/** A graph that is ready to run. */
export interface Graph {
  run(inputs: Tensors): Promise<Tensors>;
}

/** Prepares the runtime; `wasm` is the only way to it where nothing can be fetched. Call once, ahead of `openGraph`. */
export function prepareRuntime(wasm: Uint8Array): void {
  ort.env.wasm.wasmBinary = wasm;
  // Several threads need headers that a static host does not send.
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "error";
}

/** Opens the graph in the bytes `graph`, whose weights lie in `files`, by name. Rejects with what the runtime says. */
export function openGraph(
  graph: Uint8Array,
  files: ReadonlyMap<string, Uint8Array>,
  runtime: Runtime,
): Promise<Graph> {
  return ort.InferenceSession.create(graph, {
    executionProviders: [runtime],
    graphOptimizationLevel: "all",
    externalData: [...files].map(([path, data]) => ({ path, data })),
    logSeverityLevel: 3,
  });
}

/** Waits until the graphics processor of the open graph is gone; the browser's reason. */
export async function whenLost(): Promise<string> {
  const { reason, message } = await (await ort.env.webgpu.device).lost;
  return message === "" ? reason : message;
}

/** Single-precision numbers as a tensor of the given shape. */
export function floats(values: Float32Array | readonly number[], shape: readonly number[]): ort.Tensor {
  return new ort.Tensor("float32", Float32Array.from(values), shape);
}

/** Whole numbers as a tensor of the given shape. */
export function integers(values: readonly number[], shape: readonly number[]): ort.Tensor {
  return new ort.Tensor("int64", BigInt64Array.from(values, BigInt), shape);
}

/** The numbers of output `name`; throws where the graph has none of that name. */
export function numbersOf(outputs: Tensors, name: string): Float32Array {
  const found = outputs[name]?.data;
  if (!(found instanceof Float32Array)) throw new Error(`the graph gives no ${name}`);
  return found;
}
