// A model in memory: a token is a character, feature f fires on the character with code point f, the more the later it stands.
import { ModelError } from "../../src/model/client.ts";
import type { OpenModel, Piece, Sampling, Steered, Step, TextActivations } from "../../src/model/client.ts";

export const FEATURES = 128;

/** Activation of every feature on `text`, a BOS first. */
export function activationsOf(text: string, nFeatures = FEATURES): TextActivations {
  const characters = [...text];
  const values = new Float32Array((characters.length + 1) * nFeatures);
  // BOS fires on a feature of its own, and must not be counted.
  values[1] = 99;
  for (const [at, character] of characters.entries()) {
    const feature = character.codePointAt(0) ?? 0;
    if (feature < nFeatures) values[(at + 1) * nFeatures + feature] = at + 1;
  }
  const pieces: Piece[] = [
    { text: "<bos>", start: 0, stop: 1, special: true },
    ...characters.map((character, at) => ({ text: character, start: at + 1, stop: at + 2, special: false })),
  ];
  const ids = [0, ...characters.map((character) => character.codePointAt(0) ?? 0)];
  const bos = ids.map((_, at) => at === 0);
  return { ids, pieces, windows: 1, replaced: 0, nFeatures, values, bos };
}

/** What the fake was asked, and how it fails. */
export interface FakeModel extends OpenModel {
  asked: string[];
}

/** An open model; `fails` of a text is thrown in its place. */
export function fakeModel(fails: (text: string) => Error | null = () => null): FakeModel {
  const asked: string[] = [];
  const note = (text: string, signal?: AbortSignal) => {
    asked.push(text);
    if (signal?.aborted === true) throw new ModelError("cancelled", "cancelled");
    const failure = fails(text);
    if (failure !== null) throw failure;
  };
  return {
    asked,
    info: { precision: "fp32", saes: [] } as unknown as OpenModel["info"],
    sae: { slug: "alpha", d_sae: FEATURES, context_size: 64, prepend_bos: true } as OpenModel["sae"],
    runtime: "wasm",
    refusal: "",
    ended: new Promise(() => undefined),
    tokenise: (text) => Promise.resolve({ ...activationsOf(text), windows: undefined } as never),
    activations: async (text, signal) => {
      await Promise.resolve();
      note(text, signal);
      return activationsOf(text);
    },
    generate: async (prompt, steered, sampling, onStep, signal) => {
      const steps: Step[] = [];
      for (const step of stepsOf(prompt, steered, sampling)) {
        await Promise.resolve();
        note(`${prompt}+${steps.length}${steered.length > 0 ? " steered" : ""}`, signal);
        steps.push(step);
        onStep(step);
      }
      return steps;
    },
    checkRuns: () => Promise.resolve([]),
    close: () => undefined,
  };
}

function stepsOf(prompt: string, steered: readonly Steered[], { tokens, seed }: Sampling): Step[] {
  return Array.from({ length: tokens }, (_, at) => {
    const shift = at > 0 ? steered.reduce((sum, { strength }) => sum + strength, 0) : 0;
    const id = 97 + ((prompt.length + at + seed + Math.round(shift)) % 26);
    return { id, text: String.fromCharCode(id), probability: 1 / (at + 1), measured: steered.map(() => at) };
  });
}
