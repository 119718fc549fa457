import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import type { LoadProgress, Need, OpenModel } from "../src/model/client.ts";
import { fetched, open } from "../src/model/open.ts";
import { fakeSite } from "./support/fake-site.ts";
import { FakeWorker, SILENT } from "./support/fake-worker.ts";
import { D_OUT, INFO, rejects } from "./support/model-info.ts";

const RUN = { name: "r", sae: "a", prompt_ids: [0, 1], features: [17], add: [1], target: [0], clamp: [0], masked: 1, new_tokens: [2], logits: [] };

const site = fakeSite({ site: { build_id: "b", model: true, features_per_shard: 16 }, "model/index": INFO });

beforeEach(() => {
  fetched.clear();
  site.asked.splice(0);
  for (const { key, parts } of INFO.files)
    for (let part = 0; part < parts; part++) site.answers.set(`${key}/${part}`, { bytes: Uint8Array.of(part) });
  for (const number of [0, 1]) {
    const rows = Float32Array.from({ length: 16 * D_OUT }, (_, at) => 1000 * number + at);
    site.answers.set(`a/directions/${number}`, { bytes: new Uint8Array(rows.buffer) });
  }
  FakeWorker.install(() => null);
});

function asked(): string[] {
  return site.asked.map((address) => /data\/(.*)\.js/.exec(address)?.[1] ?? address);
}

/** A model that is open, and its worker. */
async function opened(need: Need = "steer"): Promise<{ model: OpenModel; worker: FakeWorker }> {
  const model = await open(INFO, "a", need, () => undefined);
  const worker = FakeWorker.started.at(-1);
  assert.ok(worker !== undefined);
  return { model, worker };
}

test("every part reaches the worker under its place, then the graph is opened", async () => {
  const { worker } = await opened("activations");
  assert.deepEqual(worker.names, [...Array(7).fill("part"), "open"]);
  const parts = worker.received.flatMap((request) =>
    "name" in request && request.name === "part" ? [`${request.argument.file} ${request.argument.place}`] : [],
  );
  assert.deepEqual(parts.slice(0, 4), ["tokenizer.json 0", "checks.json 0", "ort.wasm 0", "a.activations.onnx 0"]);
  assert.deepEqual(parts.slice(4).sort(), ["w0 0", "w0 1", "w0 2"]);
  assert.deepEqual([...fetched].sort(), ["a.activations.onnx", "checks.json", "ort.wasm", "tokenizer.json", "w0"]);
  assert.ok(!asked().some((key) => key.includes("steer") || key.includes("unused")));
});

test("progress starts at nothing, never falls, and ends with everything", async () => {
  const seen: LoadProgress[] = [];
  await open(INFO, "a", "steer", (progress) => seen.push(progress));
  const loaded = seen.map((progress) => progress.loaded);
  assert.equal(loaded[0], 0);
  assert.deepEqual(loaded, [...loaded].sort((a, b) => a - b));
  assert.deepEqual(seen.at(-1), { step: "Starting the model", loaded: 800, total: 800 });
  assert.ok(seen.every(({ total, step }) => total === 800 && step !== ""));
});

test("the same model can be opened twice: parts are not kept in the page", async () => {
  await opened("activations");
  const first = asked().length;
  await opened("activations");
  assert.equal(asked().length, 2 * first);
});

test("a part that does not come ends the worker and is named; nothing is asked for after it", async () => {
  site.answers.set("model/w0/1", "missing");
  const seen: LoadProgress[] = [];
  await rejects(open(INFO, "a", "steer", (progress) => seen.push(progress)), "shard", /data\/model\/w0\/1\.js could not be loaded/);
  assert.equal(FakeWorker.started.at(-1)?.terminated, true);
  assert.ok(!fetched.has("w0"), "a file of which a part is missing counts as not fetched");
  const count = seen.length;
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(seen.length, count);
  assert.ok(!FakeWorker.started.at(-1)?.names.includes("open"));
});

test("what the worker refuses is passed on with its kind", async () => {
  for (const kind of ["tokenizer", "wasm", "memory", "shard"] as const) {
    FakeWorker.install(({ name }) => {
      if (name === "open") throw { kind, message: `because of ${kind}` };
      return null;
    });
    await rejects(open(INFO, "a", "steer", () => undefined), kind, new RegExp(`because of ${kind}`));
    assert.equal(FakeWorker.started.at(-1)?.terminated, true);
  }
});

test("cancelling ends the worker at once, wherever loading is", async () => {
  for (const point of ["part", "open"]) {
    const control = new AbortController();
    FakeWorker.install(({ name }) => {
      if (name !== point) return null;
      control.abort();
      return SILENT;
    });
    await rejects(open(INFO, "a", "steer", () => undefined, control.signal), "cancelled");
    assert.equal(FakeWorker.started.length, 1);
    assert.equal(FakeWorker.started[0]?.terminated, true);
  }
  const control = new AbortController();
  control.abort();
  FakeWorker.install(() => null);
  await rejects(open(INFO, "a", "steer", () => undefined, control.signal), "cancelled");
  assert.equal(FakeWorker.started.length, 0);
});

test("a browser without WebAssembly is told so before anything is fetched", async () => {
  const known = globalThis.WebAssembly;
  Object.assign(globalThis, { WebAssembly: undefined });
  await rejects(open(INFO, "a", "steer", () => undefined), "wasm", /WebAssembly/);
  Object.assign(globalThis, { WebAssembly: known });
  assert.equal(asked().length, 0);
});

test("a browser that starts no worker is told so", async () => {
  FakeWorker.refusal = new Error("SecurityError");
  await rejects(open(INFO, "a", "steer", () => undefined), "wasm", /does not start the worker/);
  FakeWorker.install(() => SILENT);
  const opening = open(INFO, "a", "steer", () => undefined);
  while (FakeWorker.started.length === 0) await Promise.resolve();
  FakeWorker.started[0]?.fire("error", { message: "blocked" });
  await rejects(opening, "wasm", /does not start the worker/);
});

test("steering goes to the graph in activation units, with the feature's own direction", async () => {
  const { model, worker } = await opened();
  const steered = [
    { feature: 17, mode: "add", strength: 2.5 },
    { feature: 3, mode: "clamp", strength: 4 },
  ] as const;
  await model.generate("x", [...steered], { tokens: 2, temperature: 0, seed: 1 }, () => undefined);
  const request = worker.received.at(-1);
  assert.ok(request !== undefined && "name" in request && request.name === "generate");
  const { steering } = request.argument;
  assert.deepEqual({ ...steering, directions: [...steering.directions] }, {
    features: [17, 3],
    directions: [1002, 1003, 6, 7],
    add: [2.5, 0],
    target: [0, 4],
    clamp: [0, 1],
  });
});

test("without steering one feature does nothing", async () => {
  const { model, worker } = await opened();
  await model.generate("x", [], { tokens: 2, temperature: 0, seed: 1 }, () => undefined);
  const request = worker.received.at(-1);
  assert.ok(request !== undefined && "name" in request && request.name === "generate");
  const { steering } = request.argument;
  assert.deepEqual([steering.features, steering.add, steering.clamp, [...steering.directions]], [[0], [0], [0], [0, 0]]);
});

test("features and strengths that cannot be are refused", async () => {
  const { model } = await opened();
  const sampling = { tokens: 1, temperature: 0, seed: 0 };
  for (const feature of [-1, 20, 1.5])
    await rejects(model.generate("x", [{ feature, mode: "add", strength: 1 }], sampling, () => undefined), "input", /no feature/);
  for (const strength of [NaN, Infinity])
    await rejects(model.generate("x", [{ feature: 1, mode: "add", strength }], sampling, () => undefined), "input", /strength/);
});

test("a directions file that ends too early is named", async () => {
  // Another SAE than the other tests use: what a page has read of directions it keeps.
  const [sae] = INFO.saes;
  assert.ok(sae !== undefined);
  const info = { ...INFO, saes: [{ ...sae, slug: "c" }] };
  site.answers.set("c/directions/1", { bytes: new Uint8Array(8) });
  const model = await open(info, "c", "steer", () => undefined);
  const work = model.generate("x", [{ feature: 18, mode: "add", strength: 1 }], { tokens: 1, temperature: 0, seed: 0 }, () => undefined);
  await rejects(work, "shard", /data\/c\/directions\/1\.js holds no direction of feature 18/);
});

test("steps are told as they come; a stopped call rejects at once and the model stays open", async () => {
  const control = new AbortController();
  const step = { id: 1, text: "a", probability: 0.5, measured: [0] };
  FakeWorker.install(({ name, call }, tell) => {
    if (name !== "generate") return name === "tokenise" ? { ids: [], pieces: [], replaced: 0 } : null;
    tell({ call, step });
    control.abort();
    tell({ call, step });
    return SILENT;
  });
  const { model, worker } = await opened();
  const seen: unknown[] = [];
  const work = model.generate("x", [], { tokens: 9, temperature: 0, seed: 0 }, (each) => seen.push(each), control.signal);
  await rejects(work, "cancelled");
  assert.deepEqual(seen, [step]);
  assert.match(worker.names.at(-1) ?? "", /^cancel \d+$/);
  assert.equal(worker.terminated, false);
  assert.deepEqual((await model.tokenise("x")).ids, []);
  await rejects(model.activations("x", control.signal), "cancelled");
  assert.ok(!worker.names.includes("activations"));
});

test("reference runs are repeated one by one with their directions", async () => {
  FakeWorker.install(({ name }) => {
    if (name === "runs") return [RUN, { ...RUN, name: "s", features: [3] }];
    return name === "replay" ? { name: "r", match: true, largest: 0 } : null;
  });
  const { model, worker } = await opened();
  assert.equal((await model.checkRuns()).length, 2);
  const directions = worker.received.flatMap((request) =>
    "name" in request && request.name === "replay" ? [[...request.argument.directions]] : [],
  );
  assert.deepEqual(directions, [[1002, 1003], [6, 7]]);
});

test("closing ends the worker, what runs, and what comes after", async () => {
  FakeWorker.install(({ name }) => (name === "activations" ? SILENT : null));
  const { model, worker } = await opened("activations");
  const running = model.activations("x");
  model.close();
  await rejects(running, "cancelled");
  await rejects(model.tokenise("x"), "cancelled");
  assert.equal(worker.terminated, true);
});
