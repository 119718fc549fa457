// What the page and the worker say to each other.
import type { ModelErrorKind } from "../core/model-error.ts";
import type { ModelPayload, ReferenceRun, SaeModelPayload } from "../payloads.ts";
import type { Runtime } from "./files.ts";
import type { NumbersCheck } from "./replay.ts";
import type { Need, RunCheck, Sampling, Step, TextActivations, Tokens } from "./client.ts";

/** Features that are turned up or down, as the graph takes them: one entry each. */
export interface Steering {
  features: number[];
  /** Row after row, [features, d_out]. */
  directions: Float32Array;
  add: number[];
  target: number[];
  /** 1: set to `target`; 0: only `add` counts. */
  clamp: number[];
}

/** What the worker can be asked, by name: argument and answer. */
export interface Calls {
  /** Part `place` of a file, as its data file holds it. */
  part: [{ file: string; place: number; payload: string }, null];
  /** All parts are there: checks the tokenizer and opens the graph. */
  open: [{ info: ModelPayload; sae: SaeModelPayload; need: Need; runtime: Runtime }, null];
  tokenise: [{ text: string }, Tokens];
  activations: [{ text: string }, TextActivations];
  generate: [{ prompt: string; steering: Steering; sampling: Sampling }, Step[]];
  /** The reference runs of the SAE. */
  runs: [null, ReferenceRun[]];
  /** Repeats the activations that the build stored of the SAE; null where it stored none. */
  check: [null, NumbersCheck | null];
  replay: [{ run: ReferenceRun; directions: Float32Array }, RunCheck];
}
export type CallName = keyof Calls;

/** A call under a number of its own, or the wish that call `cancel` ends. */
export type Request =
  | { [Name in CallName]: { call: number; name: Name; argument: Calls[Name][0] } }[CallName]
  | { cancel: number };

/** What happened to a call. */
export type Answer =
  | { call: number; value: unknown }
  | { call: number; step: Step }
  | { call: number; kind: ModelErrorKind; message: string }
  /** The graphics processor is gone, for the browser's own reason. */
  | { lost: string };
