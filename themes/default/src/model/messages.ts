// What the page and the worker say to each other.
import type { ModelErrorKind } from "../core/model-error.ts";
import type { ModelFilePayload, ModelPayload, ReferenceRun, SaeModelPayload } from "../payloads.ts";
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
  open: [{ info: ModelPayload; sae: SaeModelPayload; need: Need; files: ModelFilePayload[] }, null];
  tokenise: [{ text: string }, Tokens];
  activations: [{ text: string }, TextActivations];
  generate: [{ prompt: string; steering: Steering; sampling: Sampling }, Step[]];
  /** The reference runs of the SAE. */
  runs: [null, ReferenceRun[]];
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
  | { call: number; kind: ModelErrorKind; message: string };
