import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { describeModel, downloadSize, type LoadProgress, openModel } from "../src/model/client.ts";
import { neededFiles } from "../src/model/files.ts";
import { fetched } from "../src/model/open.ts";
import { fakeSite } from "./support/fake-site.ts";
import { FakeWorker } from "./support/fake-worker.ts";
import { INFO, rejects } from "./support/model-info.ts";

const site = fakeSite({ site: { build_id: "b", model: true, features_per_shard: 16 }, "model/index": INFO });

beforeEach(() => {
  fetched.clear();
  site.asked.splice(0);
  for (const { key, parts } of INFO.files)
    for (let part = 0; part < parts; part++) site.answers.set(`${key}/${part}`, { bytes: Uint8Array.of(part) });
  FakeWorker.install(() => null);
});

test("the site tells whether it holds a model, and the model's facts are read once", async () => {
  assert.equal((await describeModel())?.precision, "fp32");
  await describeModel();
  assert.ok(site.asked.length <= 1);
});

test("the size ahead is that of what the graph needs, without what this page has fetched", async () => {
  assert.equal(downloadSize(INFO, "a", "activations"), 700);
  assert.equal(downloadSize(INFO, "a", "steer"), 800);
  await import("../src/entries/model.ts");
  fetched.add("ort.wasm").add("w0");
  assert.equal(downloadSize(INFO, "a", "steer"), 400);
  assert.throws(() => downloadSize(INFO, "b", "steer"), /no SAE called b/);
});

test("a payload that names no such file is refused", () => {
  const without = { ...INFO, files: INFO.files.filter(({ name }) => name !== "w1") };
  assert.equal(neededFiles(without, "a", "activations", "wasm").length, 5);
  assert.throws(() => neededFiles(without, "a", "steer", "wasm"), /names no file w1/);
});

test("a bundle that does not come is a data file that does not come", async () => {
  await rejects(openModel("a", "steer", () => undefined), "shard", /assets\/model.*\.js could not be loaded/);
});

test("pages get to the model through the bundles, which are loaded once", async () => {
  const { head } = document;
  const loaded: string[] = [];
  const append = head.append.bind(head);
  Object.assign(head, {
    append: (script: HTMLScriptElement & { fire(type: string): void }) => {
      const bundle = /assets\/([a-z-]+)\.js/.exec(script.src)?.[1];
      if (bundle === undefined) return append(script);
      loaded.push(bundle);
      queueMicrotask(() => script.fire("load"));
    },
  });
  await import("../src/entries/model.ts");
  const seen: LoadProgress[] = [];
  const model = await openModel("a", "activations", (progress) => seen.push(progress));
  assert.equal(model.sae.slug, "a");
  assert.equal(model.info.precision, "fp32");
  assert.equal(seen.at(-1)?.loaded, 700);
  await openModel("a", "steer", () => undefined);
  assert.deepEqual(loaded.sort(), ["model", "model-worker"]);
  await rejects(openModel("b", "steer", () => undefined), "input", /no SAE called b/);
  const known = globalThis.atlasModel;
  globalThis.atlasModel = undefined;
  await rejects(openModel("a", "steer", () => undefined), "shard", /assets\/model\.js is damaged/);
  globalThis.atlasModel = known;
  Object.assign(globalThis, { atlasModelWorker: undefined });
  await rejects(openModel("a", "steer", () => undefined), "shard", /assets\/model-worker\.js is damaged/);
});
