import { messageOf } from "../core/message.ts";
import { ModelError, type ModelErrorKind } from "../core/model-error.ts";
import type { Runtime } from "./files.ts";

const MEMORY = /memory|alloc|array (buffer )?length|too large/i;

/**
 * What `error` of a model that `runtime` computes means for a reader. A runtime that cannot get memory throws a
 * RangeError, says so in words, or throws the bare number of a C++ exception.
 */
export function failureOf(error: unknown, runtime: Runtime): { kind: ModelErrorKind; message: string } {
  if (error instanceof ModelError) return { kind: error.kind, message: error.message };
  const said = messageOf(error);
  if (error instanceof RangeError || typeof error === "number" || MEMORY.test(said))
    return {
      kind: "memory",
      message: "The browser gives the model too little memory. Fewer open tabs or a shorter text may help.",
    };
  if (runtime === "webgpu")
    return { kind: "gpu", message: `The model does not run on this graphics processor: ${said}` };
  return { kind: "wasm", message: `The model does not run in this browser: ${said}` };
}
