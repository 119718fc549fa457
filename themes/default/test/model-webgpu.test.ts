import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { downloadSize } from "../src/model/client.ts";
import { fetched, open } from "../src/model/open.ts";
import { isLarge, offersWebGpu } from "../src/model/webgpu.ts";
import type { ModelFilePayload, ModelPayload } from "../src/payloads.ts";
import { fakeSite } from "./support/fake-site.ts";
import { type Behaviour, FakeWorker, SILENT } from "./support/fake-worker.ts";
import { INFO, rejects } from "./support/model-info.ts";

function file(name: string, transfer: number): ModelFilePayload {
  return { name, key: `model/${name.replaceAll(".", "-")}`, bytes: 8, parts: 1, sha256: "", transfer };
}

const WITH: ModelPayload = { ...INFO, files: [...INFO.files, file("ort.webgpu.wasm", 120), file("worker.webgpu", 7)] };
const site = fakeSite({ site: { build_id: "b", model: true, features_per_shard: 16 } });
const RUN = { name: "r", sae: "a", features: [] };

/** A browser whose graphics processor answers `adapter`. */
function browser(adapter: () => Promise<unknown>, suspends = true): void {
  Object.defineProperty(globalThis, "navigator", { value: { gpu: { requestAdapter: adapter } }, configurable: true });
  if (suspends) Object.assign(WebAssembly, { Suspending: class {} });
  else delete (WebAssembly as { Suspending?: unknown }).Suspending;
}
const adapter = (isFallbackAdapter: boolean) => () => Promise.resolve({ info: { isFallbackAdapter } });

/** The runtime of each worker that was opened, in order. */
function opened(): string[] {
  return FakeWorker.started.flatMap(({ received }) =>
    received.flatMap((request) => ("name" in request && request.name === "open" ? [request.argument.runtime] : [])),
  );
}

/** Answers as a model whose check on the graphics processor gives `check`, and whose reference runs are `runs`. */
function model(check: unknown, runs: unknown[] = [], replayed: unknown = null): Behaviour {
  return ({ name }) => {
    if (name === "runs") return runs;
    if (name === "replay") return replayed;
    return name === "check" ? check : null;
  };
}

beforeEach(() => {
  fetched.clear();
  for (const { key, parts } of WITH.files)
    for (let part = 0; part < parts; part++) site.answers.set(`${key}/${part}`, { bytes: Uint8Array.of(part) });
  FakeWorker.install(() => null);
});

test("WebGPU is offered where atlas, browser and machine have it", async () => {
  browser(adapter(false));
  assert.equal(await offersWebGpu(WITH), true);
  assert.equal(await offersWebGpu(INFO), false);
  browser(adapter(true));
  assert.equal(await offersWebGpu(WITH), false);
  browser(() => Promise.resolve(null));
  assert.equal(await offersWebGpu(WITH), false);
  browser(() => Promise.reject(new Error("blocked")));
  assert.equal(await offersWebGpu(WITH), false);
  browser(adapter(false), false);
  assert.equal(await offersWebGpu(WITH), false);
  Object.defineProperty(globalThis, "navigator", { value: {}, configurable: true });
  assert.equal(await offersWebGpu(WITH), false);
});

test("a graph is large by the weights that it loads", () => {
  const weighing = (bytes: number) => ({
    ...WITH,
    files: WITH.files.map((each) => (each.name === "w0" || each.name === "unused" ? { ...each, bytes } : each)),
  });
  assert.equal(isLarge(WITH, "a", "steer"), false);
  assert.equal(isLarge(weighing(31e6), "a", "activations"), false);
  assert.equal(isLarge(weighing(32e6), "a", "activations"), true);
});

test("the size ahead is that of the runtime that is chosen", () => {
  assert.equal(downloadSize(WITH, "a", "activations", "webgpu") - downloadSize(WITH, "a", "activations"), 20);
  assert.throws(() => downloadSize(INFO, "a", "activations", "webgpu"), /names no file ort\.webgpu\.wasm/);
});

test("what computes as the build did is kept", async () => {
  FakeWorker.install(model({ match: true, largest: 0 }));
  const found = await open(WITH, "a", "activations", () => undefined, undefined, "webgpu");
  assert.deepEqual([found.runtime, found.refusal, opened()], ["webgpu", "", ["webgpu"]]);
  assert.ok(fetched.has("ort.webgpu.wasm") && !fetched.has("ort.wasm"));
});

for (const [why, check, told] of [
  ["other numbers", { match: false, largest: 0.25 }, /other numbers than the build stored \(off by 0\.25\)/],
  ["nothing to compare", null, /stored nothing to check/],
] as const)
  test(`${why}: WebAssembly computes, and the reader is told`, async () => {
    FakeWorker.install(model(check));
    const found = await open(WITH, "a", "activations", () => undefined, undefined, "webgpu");
    assert.deepEqual([found.runtime, opened()], ["wasm", ["webgpu", "wasm"]]);
    assert.match(found.refusal, told);
    assert.deepEqual(FakeWorker.started.map(({ terminated }) => terminated), [true, false]);
  });

test("a steered model is checked by its reference runs", async () => {
  const seen = async (runs: unknown[], match: boolean) => {
    FakeWorker.install(model(null, runs, { name: "r", match, largest: 2 }));
    return (await open(WITH, "a", "steer", () => undefined, undefined, "webgpu")).runtime;
  };
  assert.equal(await seen([RUN, RUN], true), "webgpu");
  assert.equal(await seen([RUN], false), "wasm");
  assert.equal(await seen([], true), "wasm");
});

test("only what WebAssembly may do better is tried there", async () => {
  const failing = (kind: string) => (request: Parameters<Behaviour>[0]) => {
    if (request.name === "open" && request.argument.runtime === "webgpu")
      throw Object.assign(new Error("refused"), { kind });
    return null;
  };
  for (const kind of ["gpu", "memory", "wasm"]) {
    FakeWorker.install(failing(kind));
    const found = await open(WITH, "a", "activations", () => undefined, undefined, "webgpu");
    assert.deepEqual([found.runtime, found.refusal], ["wasm", "refused"]);
  }
  for (const kind of ["tokenizer", "shard", "cancelled"]) {
    FakeWorker.install(failing(kind));
    await rejects(open(WITH, "a", "activations", () => undefined, undefined, "webgpu"), kind, /refused/);
    assert.equal(FakeWorker.started.length, 1);
  }
});

test("a graphics processor that never answers is not waited for", async () => {
  const behaviour: Behaviour = ({ name }) => (name === "check" ? SILENT : null);
  FakeWorker.install(behaviour);
  mock.timers.enable({ apis: ["setTimeout"] });
  const opening = open(WITH, "a", "activations", () => undefined, undefined, "webgpu");
  while (!FakeWorker.started.some(({ names }) => names.includes("check"))) await new Promise(setImmediate);
  mock.timers.tick(120_000);
  const found = await opening;
  mock.timers.reset();
  assert.equal(found.runtime, "wasm");
  assert.match(found.refusal, /did not answer in time/);
});

test("a graphics processor that is lost ends the model, and says why", async () => {
  FakeWorker.install(model({ match: true, largest: 0 }));
  const found = await open(WITH, "a", "activations", () => undefined, undefined, "webgpu");
  FakeWorker.started[0]?.tell({ lost: "the driver was updated" });
  const reason = await found.ended;
  assert.deepEqual([reason.kind, /lost: the driver was updated/.test(reason.message)], ["gpu", true]);
  await rejects(found.activations("x"), "gpu", /driver/);
});

test("who stops while the worker's source is on its way starts nothing", async () => {
  const control = new AbortController();
  const opening = open(WITH, "a", "activations", () => undefined, control.signal, "webgpu");
  control.abort();
  await rejects(opening, "cancelled");
  assert.deepEqual([opened(), FakeWorker.started.map(({ terminated }) => terminated)], [[], [true]]);
});

test("closing a model ends it as something that was wished", async () => {
  const found = await open(WITH, "a", "activations", () => undefined);
  found.close();
  assert.equal((await found.ended).kind, "cancelled");
});
