import type { ModelFilePayload, ModelPayload, SaeModelPayload } from "../payloads.ts";
import type { Need } from "./client.ts";
import { ModelError } from "../core/model-error.ts";

/** The runtime; the names of the other files are the exporter's. */
export const RUNTIME = "ort.wasm";
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
export function neededFiles(info: ModelPayload, slug: string, need: Need): ModelFilePayload[] {
  const sae = saeOf(info, slug);
  return [TOKENIZER, CHECKS, RUNTIME, sae[need], ...weightFiles(sae, need)].map((name) => {
    const file = info.files.find((entry) => entry.name === name);
    if (file === undefined) throw new ModelError("shard", `data/model/index.js names no file ${name}.`);
    return file;
  });
}
