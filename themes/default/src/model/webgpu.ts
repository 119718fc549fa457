// Whether a reader is offered WebGPU; the runtime for it is downloaded only where they take it.
import type { ModelPayload } from "../payloads.ts";
import type { Need } from "./client.ts";
import { RUNTIMES, saeOf, weightFiles } from "./files.ts";

/** Stored weights from which a run on one core takes long enough (about 50 ms for 32 tokens) to be worth speeding up. */
const LARGE_BYTES = 32e6;

/**
 * Whether this atlas brings the runtime for WebGPU, and this browser has a graphics processor for it. One that is
 * imitated in software is none: WebAssembly is faster. A browser may take long to answer, and nothing may wait for it.
 */
export async function offersWebGpu(info: ModelPayload): Promise<boolean> {
  if (!info.files.some(({ name }) => name === RUNTIMES.webgpu)) return false;
  const gpu = navigator.gpu as GPU | undefined;
  // The runtime waits for the processor by suspending WebAssembly (JSPI), which is younger than WebGPU.
  if (gpu === undefined || typeof WebAssembly === "undefined" || !("Suspending" in WebAssembly)) return false;
  const adapter = await gpu.requestAdapter().catch(() => null);
  return adapter !== null && !adapter.info.isFallbackAdapter;
}

/** Whether one graph of SAE `slug` is so large that a graphics processor is worth trying first. */
export function isLarge(info: ModelPayload, slug: string, need: Need): boolean {
  const names = new Set(weightFiles(saeOf(info, slug), need));
  return info.files.reduce((sum, { name, bytes }) => sum + (names.has(name) ? bytes : 0), 0) >= LARGE_BYTES;
}
