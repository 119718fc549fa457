// What pages see of the model that runs in the browser. The rest is loaded when a reader first asks for it.
import { messageOf } from "../core/message.ts";
import type { ModelPayload, SaeModelPayload } from "../payloads.ts";
import { loadSite } from "../core/data.ts";
import { loadBundle } from "../core/lazy.ts";
import { ModelError } from "../core/model-error.ts";
import { loadShard } from "../core/shards.ts";
import type { ModelBundle } from "../entries/model.ts";
import { neededFiles, type Runtime } from "./files.ts";

export { ModelError, type ModelErrorKind } from "../core/model-error.ts";
export type { Runtime } from "./files.ts";

/** Which graph of an SAE: tokens to activations, or tokens and steering to the next token. */
export type Need = "activations" | "steer";

/** How far loading has come, in bytes of data files. */
export interface LoadProgress {
  /** What is being done, for people. */
  step: string;
  loaded: number;
  total: number;
}

/** Whole characters, and the tokens [start, stop) that they are made of. */
export interface Piece {
  /** For a special token its name; for bytes that are no character `<0xE6>`. */
  text: string;
  start: number;
  stop: number;
  special: boolean;
}

/** A text as tokens. */
export interface Tokens {
  /** Nothing is added in front or behind. */
  ids: number[];
  pieces: Piece[];
  /** Lone surrogates, each replaced by U+FFFD. */
  replaced: number;
}

/** What an SAE makes of a text. */
export interface TextActivations extends Tokens {
  /** The tokens of all windows, the BOS that begins a window included; empty where the text is. */
  ids: number[];
  windows: number;
  nFeatures: number;
  /** Row after row, one of `nFeatures` numbers per token. */
  values: Float32Array;
  /** Per token, whether it is a BOS that no text holds. */
  bos: boolean[];
}

/** A feature that is turned up or down. */
export interface Steered {
  feature: number;
  /** "add": `strength` comes on top of what is measured; "clamp": the activation is set to it. */
  mode: "add" | "clamp";
  /** In units of activation. */
  strength: number;
}

/** How a continuation is chosen. */
export interface Sampling {
  /** How many tokens; it never stops before. */
  tokens: number;
  /** 0 takes the most likely token each time. */
  temperature: number;
  /** 0 to 2^32 - 1. */
  seed: number;
}

/** One token of a continuation. */
export interface Step {
  id: number;
  /** The characters that it completes, so that the texts of all steps are the text: empty for half a character. */
  text: string;
  /** Of the token, at temperature 1. */
  probability: number;
  /** Activation of each steered feature where the token was chosen, before steering. */
  measured: number[];
}

/** A reference run of the build, repeated here. */
export interface RunCheck {
  name: string;
  /** Same tokens, and no logit further away than `TOLERANCE` (model/replay.ts). */
  match: boolean;
  /** Largest |difference| of the logits that the build stored, relative to max(1, |stored|). */
  largest: number;
}

/**
 * The model, loaded and checked. Every method rejects with `ModelError`; one that is given a `signal` rejects with the
 * kind "cancelled" as soon as that is aborted, and the model stays open.
 */
export interface OpenModel {
  info: ModelPayload;
  sae: SaeModelPayload;
  /** What computes. */
  runtime: Runtime;
  /** Why it is not the graphics processor that was asked for; empty where that computes, or was not asked for. */
  refusal: string;
  /** Resolves once the model can be asked no more, with the reason: the kind "cancelled" after `close`. */
  ended: Promise<ModelError>;
  /** The tokens of `text`. */
  tokenise(text: string): Promise<Tokens>;
  /** Activations of all features on `text`, window by window; needs a model opened for "activations". */
  activations(text: string, signal?: AbortSignal): Promise<TextActivations>;
  /** Continues `prompt`, telling each token as it comes; needs a model opened for "steer". */
  generate(
    prompt: string,
    steered: Steered[],
    sampling: Sampling,
    onStep: (step: Step) => void,
    signal?: AbortSignal,
  ): Promise<Step[]>;
  /** Repeats the reference runs of this SAE; needs a model opened for "steer". */
  checkRuns(signal?: AbortSignal): Promise<RunCheck[]>;
  /** Ends the worker and frees its memory; what still runs is cancelled. */
  close(): void;
}

/** The facts of this atlas's model; null where it has none. Rejects with `ModelError`. */
export async function describeModel(): Promise<ModelPayload | null> {
  try {
    return (await loadSite()).model ? await loadShard<ModelPayload>("model/index") : null;
  } catch (error) {
    throw new ModelError("shard", messageOf(error));
  }
}

/** Bytes of the data files that opening the model of `sae` will fetch; what this page has fetched before is not counted. */
export function downloadSize(info: ModelPayload, sae: string, need: Need, runtime: Runtime = "wasm"): number {
  const fetched = globalThis.atlasModel?.fetched;
  return neededFiles(info, sae, need, runtime)
    .filter(({ name }) => fetched?.has(name) !== true)
    .reduce((sum, { transfer }) => sum + transfer, 0);
}

/**
 * Loads the model of `sae` into a worker and checks its tokenizer. Rejects with `ModelError`; aborting `signal` ends the
 * worker at once. With the runtime "webgpu" the model must compute what the build stored; where it does not, or the graphics
 * processor fails, WebAssembly computes instead, and the model's `refusal` says why.
 */
export async function openModel(
  sae: string,
  need: Need,
  onProgress: (progress: LoadProgress) => void,
  signal?: AbortSignal,
  runtime: Runtime = "wasm",
): Promise<OpenModel> {
  const info = await describeModel();
  if (info === null) throw new ModelError("input", "This atlas holds no model.");
  const bundle = await loadModelBundle(runtime);
  return bundle.open(info, sae, need, onProgress, signal, runtime);
}

async function loadModelBundle(runtime: Runtime): Promise<ModelBundle> {
  try {
    // The worker is asked for ahead, so that both are on their way at once.
    await Promise.all([loadBundle("model"), runtime === "wasm" ? loadBundle("model-worker") : null]);
  } catch (error) {
    throw new ModelError("shard", messageOf(error));
  }
  if (globalThis.atlasModel === undefined) throw new ModelError("shard", "assets/model.js is damaged.");
  return globalThis.atlasModel;
}
