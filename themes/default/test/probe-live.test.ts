import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { ModelError } from "../src/model/client.ts";
import { LiveText } from "../src/probe/live.ts";
import { fakeSite } from "./support/fake-site.ts";
import { FakeModel } from "./support/text-model.ts";

fakeSite();

/** Lets everything that waits for a promise go on. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

/** A live text on a fake model, with a clock that the test moves. */
function start(): { live: LiveText; model: FakeModel; told: () => number; pause: () => Promise<void> } {
  mock.timers.enable({ apis: ["setTimeout"] });
  const model = new FakeModel();
  let told = 0;
  const live = new LiveText(() => (told += 1));
  const pause = async () => {
    mock.timers.tick(1000);
    await settle();
  };
  return { live, model, told: () => told, pause };
}

/** Tokens of the text that is shown; undefined where there is none. */
function tokens(live: LiveText): number | undefined {
  return live.activations?.ids.length;
}

test("only the text at which typing paused is run", async () => {
  const { live, model, pause } = start();
  live.use(model);
  for (const text of ["r", "ra", "rai"]) live.type(text);
  assert.equal(live.busy, true);
  await pause();
  assert.deepEqual(model.asked, ["rai"]);
  assert.equal(live.busy, false);
  assert.equal(tokens(live), 3);
  mock.timers.reset();
});

test("a text typed before there is a model is run as soon as there is one", async () => {
  const { live, model, pause } = start();
  live.type("early");
  await pause();
  assert.deepEqual([live.busy, live.activations], [false, null]);
  live.use(model);
  await settle();
  assert.deepEqual(model.asked, ["early"]);
  assert.equal(tokens(live), 5);
  mock.timers.reset();
});

for (const obeys of [true, false]) test(`an answer that comes late is dropped, whether its run ends (${obeys}) or not`, async () => {
  const { live, model, pause } = start();
  model.obeys = obeys;
  live.use(model);
  live.type("one");
  await pause();
  model.prompt = false;
  live.type("two!");
  await pause();
  live.type("three");
  await pause();
  assert.equal(tokens(live), 3);
  assert.equal(live.busy, true);
  const [late, current] = model.waiting;
  late?.answer();
  await settle();
  assert.equal(tokens(live), 3);
  current?.answer();
  await settle();
  assert.equal(tokens(live), 5);
  assert.deepEqual([live.busy, live.problem], [false, ""]);
  mock.timers.reset();
});

test("an empty text is not run, and shows nothing", async () => {
  const { live, model, pause } = start();
  live.use(model);
  live.type("word");
  await pause();
  live.type("");
  assert.equal(live.busy, false);
  await pause();
  assert.deepEqual(model.asked, ["word"]);
  assert.equal(live.activations, null);
  mock.timers.reset();
});

test("what goes wrong is told in the words of the error, and the next text may work", async () => {
  const { live, model, pause } = start();
  model.prompt = false;
  live.use(model);
  live.type("large");
  await pause();
  model.waiting[0]?.fail(new ModelError("memory", "There is too little memory."));
  await settle();
  assert.equal(live.problem, "There is too little memory.");
  assert.equal(live.activations, null);
  model.prompt = true;
  live.type("small");
  await pause();
  assert.equal(live.problem, "");
  assert.equal(tokens(live), 5);
  mock.timers.reset();
});

test("a run that was cancelled elsewhere is no problem", async () => {
  const { live, model, pause } = start();
  model.prompt = false;
  live.use(model);
  live.type("text");
  await pause();
  model.waiting[0]?.fail(new ModelError("cancelled", "cancelled"));
  await settle();
  assert.equal(live.problem, "");
  mock.timers.reset();
});

test("a long text is cut, and says by how much", async () => {
  const { live, model, pause } = start();
  live.use(model);
  live.type("x".repeat(5000));
  await pause();
  assert.equal(model.asked[0]?.length, 4096);
  assert.equal(live.cut, 904);
  live.type("short");
  await pause();
  assert.equal(live.cut, 0);
  mock.timers.reset();
});

test("without its model nothing is left of a text, and stopping ends what runs", async () => {
  const { live, model, told, pause } = start();
  live.use(model);
  live.type("gone");
  await pause();
  live.use(null);
  assert.equal(live.activations, null);
  model.prompt = false;
  live.use(model);
  await settle();
  live.stop();
  const before = told();
  model.waiting[0]?.answer();
  await settle();
  assert.deepEqual([live.activations, live.busy, told()], [null, false, before]);
  mock.timers.reset();
});
