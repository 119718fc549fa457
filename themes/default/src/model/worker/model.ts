import type { ModelChecks, ModelPayload, ReferenceRun, SaeModelPayload } from "../../payloads.ts";
import { ModelError } from "../../core/model-error.ts";
import { groupPieces, TextStream } from "../characters.ts";
import type { Need, RunCheck, Sampling, Step, TextActivations } from "../client.ts";
import { CHECKS, neededFiles, RUNTIMES, TOKENIZER, weightFiles } from "../files.ts";
import type { Calls, Steering } from "../messages.ts";
import { compareActivations, compareRun, type NumbersCheck } from "../replay.ts";
import { choose, mulberry32, probability, SEEDS } from "../sampling.ts";
import { cutWindows } from "../windows.ts";
import type { Files } from "./files.ts";
import { type Graph, integers, numbersOf, openGraph, prepareRuntime } from "./runtime.ts";
import { SteeredSequence } from "./steering.ts";
import { TextTokens } from "./tokens.ts";

/** Throws where the reader has stopped the call; awaited between runs, so that the wish can arrive. */
export type Checkpoint = () => Promise<void>;

/** One graph of one SAE, ready to run. */
export class Model {
  readonly tokens: TextTokens;
  readonly #graph: Graph;
  readonly #info: ModelPayload;
  readonly #sae: SaeModelPayload;
  readonly #need: Need;
  readonly #checks: ModelChecks;

  private constructor(tokens: TextTokens, graph: Graph, { info, sae, need }: Calls["open"][0], checks: ModelChecks) {
    this.tokens = tokens;
    this.#graph = graph;
    this.#info = info;
    this.#sae = sae;
    this.#need = need;
    this.#checks = checks;
  }

  /** Opens the graph that is asked for; rejects with `ModelError` where the tokenizer fails its test. */
  static async open(files: Files, wanted: Calls["open"][0]): Promise<Model> {
    const { info, sae, need, runtime } = wanted;
    const needed = new Map(neededFiles(info, sae.slug, need, runtime).map((file) => [file.name, file]));
    const take = (name: string) => files.take(present(needed.get(name), name));
    const [json, checks] = [text(await take(TOKENIZER)), text(await take(CHECKS))];
    const known = JSON.parse(checks) as ModelChecks;
    const tokens = new TextTokens(json, info.model.bos_token_id);
    tokens.check(known.tokenizer);
    prepareRuntime(await take(RUNTIMES[runtime]));
    const weights = new Map<string, Uint8Array>();
    for (const name of weightFiles(sae, need)) weights.set(name, await take(name));
    return new Model(tokens, await openGraph(await take(sae[need]), weights, runtime), wanted, known);
  }

  /** Activations of all features on `text`, window by window. */
  async activations(text: string, checkpoint: Checkpoint): Promise<TextActivations> {
    this.#expect("activations");
    const { ids: own, replaced } = this.tokens.tokenise(text);
    const { ids, bos, bounds } = cutWindows(own, this.#sae.context_size, this.#bos());
    const width = this.#sae.d_sae;
    const values = new Float32Array(ids.length * width);
    for (const [start, stop] of bounds) {
      values.set(await this.#window(ids.slice(start, stop)), start * width);
      await checkpoint();
    }
    const pieces = groupPieces(ids.map(this.tokens.spelt));
    return { ids, pieces, windows: bounds.length, replaced, nFeatures: width, values, bos };
  }

  /** Activations of all features at each of `ids`, which fit a window. */
  async #window(ids: readonly number[]): Promise<Float32Array> {
    const outputs = await this.#graph.run({ input_ids: integers(ids, [1, ids.length]) });
    return numbersOf(outputs, "activations");
  }

  /** Repeats the activations that the build stored of this SAE; null where it stored none. */
  async check(): Promise<NumbersCheck | null> {
    this.#expect("activations");
    const stored = this.#checks.activations.find(({ sae }) => sae === this.#sae.slug);
    return stored === undefined ? null : compareActivations(stored, await this.#window(stored.ids), this.#sae.d_sae);
  }

  /** Continues `prompt` under `steering`. */
  async generate(
    { prompt, steering, sampling }: Calls["generate"][0],
    onStep: (step: Step) => void,
    checkpoint: Checkpoint,
  ): Promise<Step[]> {
    const bos = this.#bos();
    const ids = [...(bos === null ? [] : [bos]), ...this.tokens.tokenise(prompt).ids];
    this.#refuse(ids.length - (bos === null ? 0 : 1), ids.length, sampling);
    const draw = mulberry32(sampling.seed);
    const stream = new TextStream();
    const steps: Step[] = [];
    await this.#continue(ids, bos === null ? 0 : 1, steering, sampling.tokens, checkpoint, ({ logits, measured }) => {
      const id = choose(logits, sampling.temperature, draw);
      const shown = stream.push(this.tokens.spelt(id), steps.length + 1 === sampling.tokens);
      const step = { id, text: shown, probability: probability(logits, id), measured };
      steps.push(step);
      onStep(step);
      return id;
    });
    return steps;
  }

  /** The reference runs of this SAE. */
  runs(): ReferenceRun[] {
    return this.#checks.runs.filter(({ sae }) => sae === this.#sae.slug);
  }

  /** Repeats a reference run. */
  async replay({ run, directions }: Calls["replay"][0], checkpoint: Checkpoint): Promise<RunCheck> {
    const { features, add, target, clamp } = run;
    const tokens: number[] = [];
    let last = new Float32Array();
    const steering = { features, directions, add, target, clamp };
    await this.#continue(run.prompt_ids, run.masked, steering, run.new_tokens.length, checkpoint, ({ logits }) => {
      const id = choose(logits, 0, () => 0);
      tokens.push(id);
      last = new Float32Array(logits);
      return id;
    });
    return compareRun(run, tokens, last);
  }

  /** Reads `ids`, then `count - 1` times the token that `next` chose: the last one needs no reading. */
  async #continue(
    ids: readonly number[],
    masked: number,
    steering: Steering,
    count: number,
    checkpoint: Checkpoint,
    next: (last: { logits: Float32Array; measured: number[] }) => number,
  ): Promise<void> {
    this.#expect("steer");
    const sequence = new SteeredSequence(this.#graph, this.#info.model, this.#sae, steering);
    let unread: readonly number[] = ids;
    for (let step = 0; step < count; step++) {
      unread = [next(await sequence.read(unread, step === 0 ? masked : 0))];
      await checkpoint();
    }
  }

  /** The token in front of every window; null where the SAE wants none. */
  #bos(): number | null {
    return this.#sae.prepend_bos ? this.#info.model.bos_token_id : null;
  }

  #expect(need: Need): void {
    if (this.#need !== need) throw new ModelError("input", `The model was opened for ${this.#need}, not ${need}.`);
  }

  #refuse(own: number, length: number, { tokens, temperature, seed }: Sampling): void {
    const longest = this.#info.model.context_size;
    if (own === 0) throw new ModelError("input", "The prompt is empty: there is nothing to continue.");
    if (!Number.isInteger(tokens) || tokens < 1) throw new ModelError("input", "Ask for one token or more.");
    if (!(temperature >= 0) || temperature === Infinity)
      throw new ModelError("input", "The temperature must be a number from 0 up.");
    if (!Number.isInteger(seed) || seed < 0 || seed >= SEEDS)
      throw new ModelError("input", `The seed must be a whole number from 0 to ${SEEDS - 1}.`);
    if (length + tokens > longest)
      throw new ModelError(
        "input",
        `The prompt has ${length} tokens; with ${tokens} more it is longer than the ${longest} that the model can read.`,
      );
  }
}

function present<Value>(value: Value | undefined, name: string): Value {
  if (value === undefined) throw new ModelError("shard", `data/model/index.js names no file ${name}.`);
  return value;
}

function text(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}
