import assert from "node:assert/strict";
import { test } from "node:test";
import { mergeState, parseState } from "../src/core/state.ts";
import { packAddress } from "../src/frame/address.ts";
import { forgetShared, pickTexts, readShared, shareTexts } from "../src/frame/share-texts.ts";
import type { Step } from "../src/model/client.ts";
import {
  chosenNow,
  inActivations,
  MOST_CHOSEN,
  parseChosen,
  STRONGEST,
  withFeature,
  withMode,
  withStrength,
  writeChosen,
} from "../src/steer/chosen.ts";
import type { Chosen } from "../src/steer/chosen.ts";
import { chosenText, reportJson, reportText } from "../src/steer/report.ts";
import { firstDifference, NO_RUNS, runBoth, surprise, textOf } from "../src/steer/run.ts";
import type { Runs } from "../src/steer/run.ts";
import { bounded, LAST_SEED, MOST_TOKENS, PLAIN, readView, viewState } from "../src/steer/state.ts";
import { fakeModel } from "./support/fake-model.ts";
import { Dice, HOSTILE } from "./support/random.ts";

const signal = new AbortController().signal;
const GREEDY = { tokens: 4, temperature: 0, seed: 0 };

function someChosen(dice: Dice): Chosen[] {
  const features = new Set(dice.list(dice.whole(0, 6), () => dice.whole(0, 100_000)));
  return [...features].map((feature) => {
    const mode = dice.pick(["add", "clamp", "ablate"] as const);
    return withStrength({ feature, mode, strength: 0 }, dice.between(-25, 25));
  });
}

test("what an address says of features is read, its short forms too", () => {
  assert.deepEqual(parseChosen("12"), [chosenNow(12)]);
  assert.deepEqual(parseChosen("12a1.5,40c0.5,77x,3a-2,9c"), [
    { feature: 12, mode: "add", strength: 1.5 },
    { feature: 40, mode: "clamp", strength: 0.5 },
    { feature: 77, mode: "ablate", strength: 0 },
    { feature: 3, mode: "add", strength: -2 },
    { feature: 9, mode: "clamp", strength: 1 },
  ]);
  assert.deepEqual(parseChosen("5x,5a2,,x,a1,-3,1.5,12b1,12a1e5,12a+1"), [{ feature: 5, mode: "ablate", strength: 0 }]);
  assert.deepEqual(parseChosen("4c-1,5a999"), [
    { feature: 4, mode: "clamp", strength: 0 },
    { feature: 5, mode: "add", strength: STRONGEST },
  ]);
  assert.equal(parseChosen(Array.from({ length: 50 }, (_, at) => at).join(",")).length, MOST_CHOSEN);
});

test("every view survives its address; what an address makes up counts as plain", () => {
  assert.deepEqual(viewState(readView({})), { sae: "", f: "", n: "", t: "", seed: "" });
  for (let seed = 1; seed <= 300; seed++) {
    const dice = new Dice(seed);
    const chosen = someChosen(dice);
    assert.deepEqual(parseChosen(writeChosen(chosen)), chosen);
    const sampling = bounded({ tokens: dice.between(-5, 300), temperature: dice.pick([0, 0.7, 9]), seed: dice.between(-5, 5e9) });
    const view = { sae: dice.pick(["", "alpha"]), chosen, sampling };
    assert.deepEqual(readView(parseState(mergeState("?x=1", viewState(view)))), view);
    const junk = dice.text(HOSTILE.filter((sign) => !/[09]/.test(sign)), 6);
    assert.deepEqual(readView({ f: junk, n: junk, t: junk, seed: junk }), { sae: "", chosen: [], sampling: PLAIN });
  }
});

test("numbers stay within their bounds", () => {
  assert.deepEqual(bounded({ tokens: 0, temperature: -1, seed: -1 }), { tokens: 1, temperature: 0, seed: 0 });
  assert.deepEqual(bounded({ tokens: 9e9, temperature: 99, seed: 9e15 }), { tokens: MOST_TOKENS, temperature: 5, seed: LAST_SEED });
  assert.equal(withStrength(chosenNow(1), Number.NaN).strength, 0);
  assert.equal(withStrength(chosenNow(1), 1 / 3).strength, 0.3333);
  assert.ok(Object.is(withStrength(chosenNow(1), -0.000001).strength, 0));
});

test("a mode keeps the strength where it can", () => {
  const added = withStrength(chosenNow(1), -2);
  assert.deepEqual(withMode(added, "clamp"), { feature: 1, mode: "clamp", strength: 0 });
  assert.deepEqual(withMode(added, "ablate"), { feature: 1, mode: "ablate", strength: 0 });
  assert.deepEqual(withMode(withMode(added, "ablate"), "add"), chosenNow(1));
});

test("a feature is steered once, and not more than fit", () => {
  assert.deepEqual(withFeature([chosenNow(1)], 1), [chosenNow(1)]);
  const many = Array.from({ length: 40 }, (_, at) => at).reduce<Chosen[]>(withFeature, []);
  assert.equal(many.length, MOST_CHOSEN);
});

test("strengths are times the maximum; ablating holds at zero, and what never fired has no unit", () => {
  const chosen = parseChosen("1a2,2c0.5,3x,4a3");
  assert.deepEqual(inActivations(chosen, (feature) => (feature === 4 ? 0 : 10)), [
    { feature: 1, mode: "add", strength: 20 },
    { feature: 2, mode: "clamp", strength: 5 },
    { feature: 3, mode: "clamp", strength: 0 },
    { feature: 4, mode: "add", strength: 0 },
  ]);
});

async function ran(task: Parameters<typeof runBoth>[1], before = NO_RUNS, model = fakeModel()): Promise<[Runs, Runs[], string[]]> {
  const seen: Runs[] = [];
  await runBoth(model, task, before, (runs) => seen.push(runs), signal);
  return [seen.at(-1) ?? NO_RUNS, seen, model.asked];
}

const steered = inActivations([chosenNow(3)], () => 2);

test("first the model's own continuation comes, then the steered one, token by token", async () => {
  const [last, seen] = await ran({ prompt: "ab", steered, sampling: GREEDY });
  assert.deepEqual([last.plain?.done, last.steered?.done], [true, true]);
  assert.deepEqual(last.plain?.task.steered, []);
  const lengths = seen.map(({ plain, steered: other }) => `${plain?.steps.length ?? "-"} ${other?.steps.length ?? "-"}`);
  assert.deepEqual([...new Set(lengths)], ["0 -", "1 -", "2 -", "3 -", "4 -", "4 0", "4 1", "4 2", "4 3", "4 4"]);
  assert.equal(firstDifference(last.plain?.steps ?? [], last.steered?.steps ?? []), 1);
});

test("what was run and has not changed is not run again", async () => {
  const [first] = await ran({ prompt: "ab", steered, sampling: GREEDY });
  const [, , again] = await ran({ prompt: "ab", steered, sampling: GREEDY }, first);
  assert.deepEqual(again, []);
  const [, , other] = await ran({ prompt: "ab", steered: inActivations([chosenNow(4)], () => 5), sampling: GREEDY }, first);
  assert.ok(other.length === 4 && other.every((asked) => asked.endsWith("steered")));
  const [, , longer] = await ran({ prompt: "ab", steered, sampling: { ...GREEDY, tokens: 5 } }, first);
  assert.equal(longer.length, 10);
});

test("a cancelled continuation tells nothing more and is not taken for a whole one", async () => {
  const job = new AbortController();
  const model = fakeModel();
  const seen: Runs[] = [];
  const stop = (runs: Runs) => {
    seen.push(runs);
    if (runs.plain?.steps.length === 2) job.abort();
  };
  await assert.rejects(runBoth(model, { prompt: "ab", steered, sampling: GREEDY }, NO_RUNS, stop, job.signal), { kind: "cancelled" });
  assert.equal(seen.at(-1)?.plain?.steps.length, 2);
  const [, , asked] = await ran({ prompt: "ab", steered, sampling: GREEDY }, seen.at(-1));
  assert.equal(asked.length, 8);
});

test("tokens that come after the reader has cancelled are not shown", async () => {
  const job = new AbortController();
  const seen: Runs[] = [];
  const generate = (_: string, __: unknown, ___: unknown, onStep: (step: Step) => void) => {
    onStep(step(1));
    job.abort();
    onStep(step(2));
    return Promise.resolve([step(1), step(2)]);
  };
  await runBoth({ generate }, { prompt: "a", steered, sampling: GREEDY }, NO_RUNS, (runs) => seen.push(runs), job.signal);
  assert.equal(seen.at(-1)?.plain?.steps.length, 1);
  assert.equal(seen.at(-1)?.plain?.done, false);
});

const step = (id: number, probability = 0.5): Step => ({ id, text: `<${id}>`, probability, measured: [] });

test("continuations are compared as far as both have come", () => {
  assert.equal(firstDifference([step(1), step(2)], [step(1)]), -1);
  assert.equal(firstDifference([step(1), step(2)], [step(1), step(3)]), 1);
  assert.equal(firstDifference([], []), -1);
  assert.equal(textOf([step(1), step(2)]), "<1><2>");
  assert.ok(Math.abs(surprise([step(1, 0.5), step(2, 0.25)]) - (3 * Math.LN2) / 2) < 1e-12);
});

test("a report names all that is needed to run it again", async () => {
  const [runs] = await ran({ prompt: 'a"b', steered, sampling: { ...GREEDY, temperature: 0.7, seed: 5 } });
  const origin = { atlas: "An\u202eatlas", build: "b1", sae: "alpha", precision: "fp32" };
  const json = JSON.parse(reportJson(runs, [chosenNow(3)], origin)) as Record<string, unknown>;
  assert.deepEqual(json["features"], [{ feature_idx: 3, mode: "add", strength: 1, activation: 2 }]);
  assert.deepEqual(json["sampling"], { tokens: 4, temperature: 0.7, seed: 5 });
  assert.deepEqual([json["prompt"], json["build"], json["sae"]], ['a"b', "b1", "alpha"]);
  assert.equal((json["steered"] as { tokens: unknown[] }).tokens.length, 4);
  const text = reportText(runs, [chosenNow(3)], origin);
  assert.ok(text.includes('a"b') && text.includes("temperature 0.7, seed 5") && text.includes("[U+202E]"));
  assert.equal(chosenText([]), "no feature steered");
  assert.equal(chosenText(parseChosen("1c0.5,2x")), "feature 1 held at 0.5 × its maximum; feature 2 ablated");
});

/** The parts of the window that addresses and the clipboard need. */
function fakeAddress(hash = ""): { address: () => string; copied: string[] } {
  const copied: string[] = [];
  const location = { pathname: "/x.html", search: "?f=1", hash, href: "" };
  const replaceState = (_: unknown, __: string, url: string) => {
    location.hash = url.includes("#") ? url.slice(url.indexOf("#")) : "";
    location.href = `https://x.example${url}`;
  };
  const note = { append: () => undefined, remove: () => undefined };
  Object.defineProperty(globalThis, "window", { configurable: true, value: { location, history: { replaceState }, setTimeout: () => 0 } });
  Object.defineProperty(globalThis, "document", { configurable: true, value: { createElement: () => note } });
  const writeText = (text: string) => Promise.resolve(void copied.push(text));
  Object.defineProperty(globalThis, "navigator", { configurable: true, value: { clipboard: { writeText } } });
  return { address: () => location.hash, copied };
}

const button = { after: () => undefined } as unknown as HTMLElement;

test("a shared text comes back exactly, and only what was asked for", async () => {
  const texts = { a: HOSTILE.join("\n"), b: "" };
  const { address, copied } = fakeAddress();
  await shareTexts(button, texts);
  assert.equal(copied.length, 1);
  assert.ok(copied[0]?.startsWith("https://x.example/x.html?f=1#share="));
  assert.deepEqual(await readShared(["a", "b", "c"]), texts);
  assert.deepEqual(await readShared(["b"]), { b: "" });
  forgetShared();
  assert.equal(address(), "");
  assert.deepEqual(await readShared(["a"]), {});
});

test("what anybody wrote into an address is checked", async () => {
  for (const value of [null, 3, "x", [], { prompt: 3 }, { prompt: null }, { constructor: "x" }])
    assert.deepEqual(pickTexts(value, ["prompt", "toString"]), {});
  assert.deepEqual(pickTexts({ prompt: "x", other: "y" }, ["prompt"]), { prompt: "x" });
  fakeAddress("#share=%%%");
  await assert.rejects(readShared(["prompt"]), /cannot be read: a part of it is missing/);
  fakeAddress(`#share=${await packAddress("x".repeat(3_000_000))}`);
  await assert.rejects(readShared(["prompt"]), /more than can be shown/);
  const { address } = fakeAddress("#other");
  forgetShared();
  assert.equal(address(), "#other");
});
