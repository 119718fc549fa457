import type { ModelFilePayload, ModelPayload, SaeModelPayload } from "../payloads.ts";
import { loadBundle } from "../core/lazy.ts";
import { messageOf } from "../core/message.ts";
import { ModelError, type ModelErrorKind } from "../core/model-error.ts";
import { fetchPayload, loadBytes, ShardError } from "../core/shards.ts";
import type { LoadProgress, Need, OpenModel, RunCheck, Steered } from "./client.ts";
import { loadDirections } from "./directions.ts";
import { fileOf, neededFiles, type Runtime, saeOf, WEBGPU_WORKER } from "./files.ts";
import { cancelled, WorkerLink } from "./link.ts";
import type { Calls, Steering } from "./messages.ts";

type Wanted = Calls["open"][0];

/** Data files that are on their way at the same time. */
const AT_ONCE = 3;

/** A part has some megabytes, and whoever waits for it sees how far it has come and can stop. */
const PATIENCE_MS = 600_000;

/** Names of the files that this page has fetched: a browser has them in its cache. */
export const fetched = new Set<string>();

/** A graphics processor that takes longer to start and to be checked is no faster than WebAssembly. */
const GPU_PATIENCE_MS = 120_000;

/** Failures of WebGPU that WebAssembly may not have. */
const FALLS_BACK: ReadonlySet<ModelErrorKind> = new Set(["gpu", "memory", "wasm"]);

/** As `openModel`, for a model whose facts are known. */
export async function open(
  info: ModelPayload,
  slug: string,
  need: Need,
  onProgress: (progress: LoadProgress) => void,
  signal?: AbortSignal,
  runtime: Runtime = "wasm",
): Promise<OpenModel> {
  const wanted = { info, sae: saeOf(info, slug), need };
  try {
    return await start({ ...wanted, runtime }, onProgress, signal);
  } catch (error) {
    if (runtime === "wasm" || !(error instanceof ModelError) || !FALLS_BACK.has(error.kind)) throw error;
    const model = await start({ ...wanted, runtime: "wasm" }, onProgress, signal);
    return { ...model, refusal: error.message };
  }
}

async function start(
  wanted: Wanted,
  onProgress: (progress: LoadProgress) => void,
  signal: AbortSignal | undefined,
): Promise<OpenModel> {
  const { info, sae, need, runtime } = wanted;
  const files = neededFiles(info, sae.slug, need, runtime);
  const isStopped = () => signal?.aborted === true;
  if (isStopped()) throw cancelled();
  const link = await startLink(info, runtime);
  const stop = () => link.end(cancelled());
  signal?.addEventListener("abort", stop, { once: true });
  // It may have been told so while the worker's source was on its way.
  if (isStopped()) stop();
  try {
    await feed(link, files, onProgress);
    const total = sizeOf(files);
    onProgress({ step: "Starting the model", loaded: total, total });
    const opening = link.call("open", wanted);
    const model = openModelOf(link, wanted);
    if (runtime === "wasm") await opening;
    else await inTime(link, opening.then(() => check(link, model, need)));
    return model;
  } catch (error) {
    const told = asModelError(error);
    link.end(told);
    throw told;
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}

/** Waits for `work` on the graphics processor, and ends the worker where that takes too long. */
async function inTime(link: WorkerLink, work: Promise<void>): Promise<void> {
  const late = new ModelError("gpu", "The graphics processor did not answer in time.");
  const timer = window.setTimeout(() => link.end(late), GPU_PATIENCE_MS);
  await work.finally(() => window.clearTimeout(timer));
}

/** Throws `ModelError` unless the open model computes what the build stored. */
async function check(link: WorkerLink, model: OpenModel, need: Need): Promise<void> {
  const found = need === "steer" ? await model.checkRuns() : [await link.call("check", null)];
  const [first] = found;
  if (first === undefined || first === null) throw new ModelError("gpu", "The build stored nothing to check WebGPU with.");
  const wrong = found.find((each) => each?.match === false);
  if (wrong !== undefined && wrong !== null)
    throw new ModelError(
      "gpu",
      `The graphics processor computes other numbers than the build stored (off by ${wrong.largest.toPrecision(2)}).`,
    );
}

async function startLink(info: ModelPayload, runtime: Runtime): Promise<WorkerLink> {
  if (typeof WebAssembly === "undefined" || typeof Worker === "undefined")
    throw new ModelError("wasm", "This browser does not run WebAssembly, which the model needs.");
  return new WorkerLink(await told(runtime === "wasm" ? workerBundle() : webgpuWorker(info)));
}

async function workerBundle(): Promise<string> {
  if (globalThis.atlasModelWorker === undefined)
    await loadBundle("model-worker").catch((error: unknown) => Promise.reject(new ModelError("shard", messageOf(error))));
  if (globalThis.atlasModelWorker === undefined) throw new ModelError("shard", "assets/model-worker.js is damaged.");
  return globalThis.atlasModelWorker;
}

/** A data file, for only the atlas that brings the runtime has it. */
async function webgpuWorker(info: ModelPayload): Promise<string> {
  return new TextDecoder().decode(await loadBytes(`${fileOf(info, WEBGPU_WORKER).key}/0`));
}

/** Hands every part of `files` to the worker, a few at a time and in order, telling how many bytes have come. */
async function feed(
  link: WorkerLink,
  files: readonly ModelFilePayload[],
  onProgress: (progress: LoadProgress) => void,
): Promise<void> {
  const parts = files.flatMap((file) => Array.from({ length: file.parts }, (_, place) => ({ file, place })));
  const missing = new Map(files.map((file) => [file.name, file.parts]));
  const total = sizeOf(files);
  let loaded = 0;
  let next = 0;
  let stopped = false;
  onProgress({ step: "Loading the model", loaded, total });
  const work = async () => {
    for (let part = parts[next++]; part !== undefined && !stopped; part = parts[next++]) {
      const { file, place } = part;
      const payload = await fetchPayload(`${file.key}/${place}`, PATIENCE_MS);
      await link.call("part", { file: file.name, place, payload });
      const left = (missing.get(file.name) ?? 0) - 1;
      missing.set(file.name, left);
      if (left === 0) fetched.add(file.name);
      loaded += file.transfer / file.parts;
      if (!stopped) onProgress({ step: "Loading the model", loaded: Math.min(total, Math.round(loaded)), total });
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  } finally {
    stopped = true;
  }
}

function sizeOf(files: readonly ModelFilePayload[]): number {
  return files.reduce((sum, { transfer }) => sum + transfer, 0);
}

function asModelError(error: unknown): ModelError {
  if (error instanceof ModelError) return error;
  if (error instanceof ShardError) return new ModelError("shard", error.message);
  return new ModelError("wasm", messageOf(error));
}

function openModelOf(link: WorkerLink, { info, sae, runtime }: Wanted): OpenModel {
  return {
    info,
    sae,
    runtime,
    refusal: "",
    ended: link.ended,
    tokenise: (text) => link.call("tokenise", { text }),
    activations: (text, signal) => link.call("activations", { text }, { signal }),
    generate: async (prompt, steered, sampling, onStep, signal) => {
      const steering = await told(steeringOf(info, sae, steered));
      return link.call("generate", { prompt, steering, sampling }, { signal, onStep });
    },
    checkRuns: async (signal) => {
      const checks: RunCheck[] = [];
      for (const run of await link.call("runs", null, { signal })) {
        const directions = await told(loadDirections(info, sae, run.features));
        checks.push(await link.call("replay", { run, directions }, { signal }));
      }
      return checks;
    },
    close: () => link.end(cancelled()),
  };
}

/** `work`, whose failures become `ModelError`. */
function told<Value>(work: Promise<Value>): Promise<Value> {
  return work.catch((error: unknown) => Promise.reject(asModelError(error)));
}

/** `steered` as the graph takes it: it wants one feature at least, so without any a feature that does nothing. */
async function steeringOf(info: ModelPayload, sae: SaeModelPayload, steered: readonly Steered[]): Promise<Steering> {
  if (steered.length === 0)
    return { features: [0], directions: new Float32Array(sae.d_out), add: [0], target: [0], clamp: [0] };
  const wrong = steered.find(({ strength }) => !Number.isFinite(strength));
  if (wrong !== undefined) throw new ModelError("input", `The strength of feature ${wrong.feature} is no number.`);
  const features = steered.map(({ feature }) => feature);
  return {
    features,
    directions: await loadDirections(info, sae, features),
    add: steered.map(({ mode, strength }) => (mode === "add" ? strength : 0)),
    target: steered.map(({ mode, strength }) => (mode === "clamp" ? strength : 0)),
    clamp: steered.map(({ mode }) => (mode === "clamp" ? 1 : 0)),
  };
}
