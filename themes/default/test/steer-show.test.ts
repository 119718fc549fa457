import assert from "node:assert/strict";
import { test } from "node:test";
import type { Step } from "../src/model/client.ts";
import { chosenNow, MOST_CHOSEN, parseChosen } from "../src/steer/chosen.ts";
import type { Continuation, Runs } from "../src/steer/run.ts";
import { NO_RUNS } from "../src/steer/run.ts";
import { showChosen, showPrompt } from "../src/steer/show-form.ts";
import type { ChosenActions, ChosenScene, PromptActions, PromptScene } from "../src/steer/show-form.ts";
import { showRuns, statusOf, unlikeliness } from "../src/steer/show-runs.ts";
import { PLAIN } from "../src/steer/state.ts";
import { fakeSite } from "./support/fake-site.ts";
import { HOSTILE } from "./support/random.ts";
import { lineOf, listenersOf, printed } from "./support/template.ts";

fakeSite();

const done: unknown[] = [];
const note = (name: string) => (...values: unknown[]) => void done.push([name, ...values]);

function taken(act: () => void): unknown[] {
  done.length = 0;
  act();
  return [...done];
}

const chosenActions = { change: note("change"), remove: note("remove"), add: note("add") } as ChosenActions;
const promptActions = Object.fromEntries(
  ["typed", "sample", "run", "cancel", "share"].map((name) => [name, note(name)]),
) as unknown as PromptActions;

const chosenScene = (changes: Partial<ChosenScene> = {}): ChosenScene => ({
  sae: "alpha",
  chosen: parseChosen("5a2,7c0.5,9x,3a1"),
  maxOf: (feature) => (feature === 3 ? 0 : feature === 7 ? NaN : 10),
  titleOf: (feature) => (feature === 5 ? { feature, explanation: "<b>five", tokens: [], density: null } : undefined),
  lists: [],
  ...changes,
});

test("a steered feature shows its name, and its strength in both units", () => {
  const html = printed(showChosen(chosenScene(), chosenActions));
  assert.ok(html.includes("&lt;b&gt;five") && html.includes('href="../alpha/0/5.html"'));
  const text = lineOf(showChosen(chosenScene(), chosenActions));
  assert.ok(text.includes("× max 10.0 = 20.0"));
  assert.ok(text.includes("set to 0"));
  assert.ok(text.includes("it never fired, so this changes nothing"));
});

test("mode and strength change by every control, within their bounds", () => {
  const shown = showChosen(chosenScene(), chosenActions);
  const changes = listenersOf(shown, "change");
  const modes = [0, 2, 4].map((at) => taken(() => changes[at]?.({ target: { value: "ablate" } }))[0]);
  assert.deepEqual(modes, [5, 7, 9].map((feature) => ["change", { feature, mode: "ablate", strength: 0 }]));
  const figure = { valueAsNumber: 999 };
  assert.deepEqual(taken(() => changes[1]?.({ target: figure })), [["change", { feature: 5, mode: "add", strength: 20 }]]);
  assert.equal(figure.valueAsNumber, 20);
  const empty = { valueAsNumber: NaN };
  assert.deepEqual(taken(() => changes[1]?.({ target: empty })), [["change", { feature: 5, mode: "add", strength: 0 }]]);
  const slider = listenersOf(shown, "input")[1];
  assert.deepEqual(taken(() => slider?.({ target: { valueAsNumber: -1 } })), [["change", { feature: 7, mode: "clamp", strength: 0 }]]);
  const clicks = listenersOf(shown, "click");
  assert.deepEqual(taken(() => clicks[2]?.()), [["remove", 9]]);
});

test("features are added by the picker and by the reader's lists, until there are enough", () => {
  const lists = [{ name: "<i>mine", features: [1, 2] }, { name: "other", features: [4] }];
  const shown = showChosen(chosenScene({ lists }), chosenActions);
  assert.ok(lineOf(shown).includes("<i>mine (2)"));
  const picked = listenersOf(shown, "atlas-pick")[0];
  assert.deepEqual(taken(() => picked?.({ detail: 12 })), [["add", [12]]]);
  const add = listenersOf(shown, "click").at(-1);
  const currentTarget = { parentElement: { querySelector: () => ({ selectedIndex: 1 }) } };
  assert.deepEqual(taken(() => add?.({ currentTarget })), [["add", [4]]]);
  const full = Array.from({ length: MOST_CHOSEN }, (_, at) => chosenNow(at));
  const filled = showChosen(chosenScene({ chosen: full, lists }), chosenActions);
  assert.equal(listenersOf(filled, "atlas-pick").length, 0);
  assert.ok(lineOf(filled).includes("No more than 16 features") && !lineOf(filled).includes("mine"));
  assert.ok(lineOf(showChosen(chosenScene({ chosen: [] }), chosenActions)).includes("Choose one or more"));
});

const promptScene = (changes: Partial<PromptScene> = {}): PromptScene => ({
  prompt: "def", sampling: PLAIN, busy: false, problem: "", notice: "", ...changes,
});

test("temperature and seed are asked for only where tokens are drawn", () => {
  const greedy = lineOf(showPrompt(promptScene(), promptActions));
  assert.ok(greedy.includes("tokens") && !greedy.includes("temperature") && !greedy.includes("seed"));
  const drawn = showPrompt(promptScene({ sampling: { tokens: 5, temperature: 0.7, seed: 3 } }), promptActions);
  assert.ok(lineOf(drawn).includes("temperature") && lineOf(drawn).includes("seed"));
  const changes = listenersOf(drawn, "change");
  const given = [{ valueAsNumber: 9 }, { value: "greedy" }, { valueAsNumber: 0.2 }, { valueAsNumber: 8 }];
  assert.deepEqual(
    given.map((target, at) => taken(() => changes[at]?.({ target }))[0]),
    [["sample", { tokens: 9 }], ["sample", { temperature: 0 }], ["sample", { temperature: 0.2 }], ["sample", { seed: 8 }]],
  );
  const empty = { valueAsNumber: NaN };
  assert.deepEqual(taken(() => changes[0]?.({ target: empty })), []);
  assert.equal(empty.valueAsNumber, 5);
});

test("the prompt is text, and its buttons do what they say", () => {
  const prompt = HOSTILE.join("");
  const html = printed(showPrompt(promptScene({ prompt, problem: prompt, notice: prompt, busy: true }), promptActions));
  assert.ok(!html.includes("<img") && html.includes('role="alert"') && html.includes("text-notice"));
  assert.ok(!printed(showPrompt(promptScene(), promptActions)).includes("text-notice"));
  const busy = listenersOf(showPrompt(promptScene({ busy: true }), promptActions), "click");
  assert.deepEqual([taken(() => busy[0]?.()), taken(() => busy[1]?.())], [[["run"]], [["cancel"]]]);
  const idle = listenersOf(showPrompt(promptScene(), promptActions), "click");
  assert.deepEqual(taken(() => idle[1]?.({ currentTarget: 1 })), [["share", 1]]);
  assert.equal(idle.length, 2);
  const typed = listenersOf(showPrompt(promptScene(), promptActions), "input")[0];
  assert.deepEqual(taken(() => typed?.({ target: { value: "x" } })), [["typed", "x"]]);
  const key = listenersOf(showPrompt(promptScene(), promptActions), "keydown")[0];
  assert.deepEqual(taken(() => key?.({ key: "Enter" })), []);
  assert.deepEqual(taken(() => key?.({ key: "Enter", ctrlKey: true })), [["run"]]);
});

const step = (id: number, probability: number, text = `t${id}`): Step => ({ id, text, probability, measured: [id / 2] });
const runOf = (steps: Step[], isSteered: boolean, isDone = true): Continuation => ({
  task: {
    prompt: "a\nb",
    steered: isSteered ? [{ feature: 5, mode: "add", strength: 2 }] : [],
    sampling: { ...PLAIN, tokens: 3 },
  },
  steps,
  done: isDone,
});
const both = (steered: Step[]): Runs => ({ plain: runOf([step(1, 0.6), step(2, 0.3), step(3, 0.001)], false), steered: runOf(steered, true) });

test("the less likely a token is, the more it is marked", () => {
  assert.deepEqual([1, 0.5, 0.49, 0.2, 0.19, 0.05, 0.04, 0.01, 0.009, 0].map(unlikeliness), [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]);
});

test("how two continuations compare is said in words", () => {
  assert.equal(statusOf(both([step(1, 1), step(9, 1)])), "They differ from token 2 on.");
  assert.equal(statusOf(both([step(1, 1), step(2, 1), step(3, 1)])), "Both are the same, token for token.");
  assert.equal(statusOf({ plain: runOf([step(1, 1)], false, false), steered: null }), "Token 1 of 3 …");
  assert.equal(statusOf({ plain: runOf([], false), steered: runOf([], false) }), "No feature is steered: both are the same.");
  assert.equal(statusOf({ plain: runOf([], false), steered: null }), "Cancelled.");
  assert.equal(statusOf(NO_RUNS), "Cancelled.");
});

test("every token tells its probability, and the first that differs is marked", () => {
  const runs = both([step(1, 0.6), step(9, 0.04, "<b>"), step(4, 0.2, "")]);
  const html = printed(showRuns(runs, [5], { copy: note("copy") }));
  const tips = [...html.matchAll(/data-tip="([^"]*)" tabindex="([^"]*)"/g)].map(([, tip, tab]) => `${tip} ${tab}`);
  assert.equal(tips.length, 6);
  assert.ok(tips[0]?.startsWith("token 1: probability 60.0") && tips[0].endsWith(" 0"));
  assert.ok(tips[4]?.includes("4.00") && tips[4].includes("the first that differs") && tips[4].endsWith(" -1"));
  assert.ok(html.includes("&lt;b&gt;") && !html.includes("<b>"));
  assert.ok(html.includes("part of a character"));
  assert.equal([...html.matchAll(/first-other/g)].length, 1);
});

test("the same numbers are in the table, exactly", () => {
  const html = printed(showRuns(both([step(1, 0.123456789)]), [5], { copy: note("copy") }));
  assert.ok(html.includes('title="0.123456789"') && html.includes('title="0.5"'));
  assert.equal([...html.matchAll(/<th scope="row">/g)].length, 3);
});

test("both are copied only when they are whole", () => {
  const shown = showRuns(both([step(1, 1)]), [5], { copy: note("copy") });
  const clicks = listenersOf(shown, "click");
  assert.deepEqual(taken(() => clicks[0]?.({ currentTarget: "b" })), [["copy", "text", "b"]]);
  assert.deepEqual(taken(() => clicks[1]?.({ currentTarget: "b" })), [["copy", "json", "b"]]);
  const running = printed(showRuns({ ...both([]), steered: runOf([], true, false) }, [], { copy: note("copy") }));
  assert.equal([...running.matchAll(/ disabled/g)].length, 2);
});
