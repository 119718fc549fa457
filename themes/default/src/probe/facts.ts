import { decimal, integer } from "../core/numbers.ts";
import type { ModelPayload } from "../payloads.ts";

/** `12345678` bytes as `12.3 MB`; of less than 100 kB as `12 kB`. */
export function megabytes(bytes: number): string {
  if (bytes < 100_000) return `${integer(Math.ceil(bytes / 1000))} kB`;
  return `${(bytes / 1e6).toLocaleString("en-US", { minimumFractionDigits: 1, maximumFractionDigits: 1 })} MB`;
}

/** How exactly the model of `sae` gives the features of the original, in a sentence; "" for an SAE it does not run. */
export function agreement({ precision, saes }: ModelPayload, sae: string): string {
  const gate = saes.find(({ slug }) => slug === sae)?.gate;
  if (gate === undefined) return "";
  const figures = `top-20 overlap ${decimal(gate.top_overlap, 3)}, median relative error ${decimal(gate.relative_error, 2)}`;
  return `${precision}; agrees with the original on ${integer(gate.n_tokens)} tokens: ${figures}`;
}

