import type { ModelFilePayload, ModelPayload, SaeModelPayload } from "../payloads.ts";
import type { Need } from "./client.ts";
import { ModelError } from "../core/model-error.ts";

/** What computes: WebAssembly on one core, or a graphics processor through WebGPU. */
export type Runtime = "wasm" | "webgpu";

/** The file of each runtime; the names of the other files are the exporter's. */
export const RUNTIMES: Record<Runtime, string> = { wasm: "ort.wasm", webgpu: "ort.webgpu.wasm" };
/** Source of the worker that runs the model with WebGPU; the other worker's is the bundle model-worker. */
export const WEBGPU_WORKER = "worker.webgpu";
export const TOKENIZER = "tokenizer.json";
export const CHECKS = "checks.json";

/** What the payload says of SAE `slug`; throws `ModelError` where it was not exported. */
export function saeOf(info: ModelPayload, slug: string): SaeModelPayload {
  const found = info.saes.find((sae) => sae.slug === slug);
  if (found === undefined) throw new ModelError("input", `The model of this atlas holds no SAE called ${slug}.`);
  return found;
}

/** Names of the weight files of one graph of `sae`. */
export function weightFiles(sae: SaeModelPayload, need: Need): string[] {
  return need === "activations" ? sae.activation_files : sae.steer_files;
}

/** The files that running one graph of an SAE takes, in the order they are fetched; throws `ModelError`. */
export function neededFiles(info: ModelPayload, slug: string, need: Need, runtime: Runtime): ModelFilePayload[] {
  const sae = saeOf(info, slug);
  const names = [TOKENIZER, CHECKS, RUNTIMES[runtime], sae[need], ...weightFiles(sae, need)];
  return names.map((name) => fileOf(info, name));
}

/** What the payload says of file `name`; throws `ModelError` where it names none. */
export function fileOf(info: ModelPayload, name: string): ModelFilePayload {
  const file = info.files.find((entry) => entry.name === name);
  if (file === undefined) throw new ModelError("shard", `data/model/index.js names no file ${name}.`);
  return file;
}
