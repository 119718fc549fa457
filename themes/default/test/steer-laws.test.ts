import assert from "node:assert/strict";
import { test } from "node:test";
import { pickTexts } from "../src/frame/share-texts.ts";
import type { Step } from "../src/model/client.ts";
import {
  inActivations,
  MOST_CHOSEN,
  parseChosen,
  STRONGEST,
  withFeature,
  withMode,
  withStrength,
  writeChosen,
} from "../src/steer/chosen.ts";
import type { Chosen, Mode } from "../src/steer/chosen.ts";
import { reportJson, reportText } from "../src/steer/report.ts";
import { firstDifference, NO_RUNS, runBoth, textOf } from "../src/steer/run.ts";
import type { Runs } from "../src/steer/run.ts";
import { showChosen, showPrompt } from "../src/steer/show-form.ts";
import { showRuns, statusOf } from "../src/steer/show-runs.ts";
import { bounded, readView, viewState } from "../src/steer/state.ts";
import { fakeModel } from "./support/fake-model.ts";
import { fakeSite } from "./support/fake-site.ts";
import { Dice, HOSTILE } from "./support/random.ts";
import { printed } from "./support/template.ts";

fakeSite();

const MODES: readonly Mode[] = ["add", "clamp", "ablate"];
const signal = new AbortController().signal;
const silent = () => undefined;

function isSound({ feature, mode, strength }: Chosen): boolean {
  const least = mode === "clamp" ? 0 : -STRONGEST;
  const isWhole = Number.isInteger(feature) && feature >= 0;
  return isWhole && MODES.includes(mode) && strength >= least && strength <= STRONGEST && (mode !== "ablate" || strength === 0);
}

test("whatever an address holds, what is read is sound, and writing it reads back the same", () => {
  const signs = ["0", "1", "23", "a", "c", "x", "-", ".", ",", "5", "e", "+", " ", ...HOSTILE];
  for (let seed = 1; seed <= 500; seed++) {
    const chosen = parseChosen(new Dice(seed).text(signs, 14));
    assert.ok(chosen.every(isSound));
    assert.ok(chosen.length <= MOST_CHOSEN);
    assert.equal(new Set(chosen.map(({ feature }) => feature)).size, chosen.length);
    assert.deepEqual(parseChosen(writeChosen(chosen)), chosen);
  }
});

test("whatever is clicked and typed, what is chosen stays sound and survives the address", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const dice = new Dice(seed);
    let chosen: Chosen[] = [];
    for (let step = 0; step < 20; step++) {
      const feature = dice.whole(0, 24);
      const act = dice.whole(0, 4);
      if (act === 0) chosen = withFeature(chosen, feature);
      else if (act === 1) chosen = chosen.filter((item) => item.feature !== feature);
      else
        chosen = chosen.map((item) => {
          if (item.feature !== feature) return item;
          return act === 2 ? withMode(item, dice.pick(MODES)) : withStrength(item, dice.pick([NaN, Infinity, -Infinity, dice.between(-50, 50)]));
        });
      assert.ok(chosen.every(isSound));
      const view = { ...readView({}), chosen };
      assert.deepEqual(readView(viewState(view)), view);
    }
  }
});

test("ablating is clamping at zero, and adding nothing is adding zero", () => {
  const maxOf = (feature: number) => feature + 1;
  for (let feature = 0; feature < 30; feature++) {
    const ablated = inActivations([{ feature, mode: "ablate", strength: 0 }], maxOf);
    assert.deepEqual(ablated, inActivations([{ feature, mode: "clamp", strength: 0 }], maxOf));
    assert.deepEqual(inActivations([{ feature, mode: "add", strength: 0 }], maxOf), [{ feature, mode: "add", strength: 0 }]);
  }
});

test("bounds hold for every number, and what is within them is left as it is", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const dice = new Dice(seed);
    const some = () => dice.pick([-1, 0, 0.5, 1, 7, 1e12, dice.between(-10, 1000)]);
    const once = bounded({ tokens: some(), temperature: some(), seed: some() });
    assert.deepEqual(bounded(once), once);
    assert.ok(Number.isInteger(once.tokens) && once.tokens >= 1 && Number.isInteger(once.seed) && once.seed >= 0);
  }
});

async function someRuns(dice: Dice): Promise<Runs> {
  let last = NO_RUNS;
  const job = new AbortController();
  const prompt = dice.text(HOSTILE, 6) + "x";
  const chosen = parseChosen(dice.list(dice.whole(0, 3), () => String(dice.whole(0, 99))).join(","));
  const task = { prompt, steered: inActivations(chosen, () => dice.whole(0, 9)), sampling: { tokens: dice.whole(1, 8), temperature: 0, seed: 0 } };
  const stopAt = dice.share() < 0.3 ? dice.whole(0, 6) : Infinity;
  const changed = (runs: Runs) => {
    last = runs;
    if ((runs.plain?.steps.length ?? 0) + (runs.steered?.steps.length ?? 0) >= stopAt) job.abort();
  };
  await runBoth(fakeModel(), task, NO_RUNS, changed, job.signal).catch(silent);
  return last;
}

test("tokens only ever come on at the end, and a continuation is done once and for all", async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const dice = new Dice(seed);
    const seen: Runs[] = [];
    const task = { prompt: "p", steered: [], sampling: { tokens: dice.whole(1, 9), temperature: 0, seed } };
    await runBoth(fakeModel(), task, NO_RUNS, (runs) => seen.push(runs), signal);
    for (const [at, later] of seen.slice(1).entries()) {
      const before = seen[at] as Runs;
      for (const name of ["plain", "steered"] as const) {
        const [old, now] = [before[name], later[name]];
        if (old === null) continue;
        assert.deepEqual(now?.steps.slice(0, old.steps.length), old.steps);
        assert.ok(!old.done || now?.done === true);
      }
    }
  }
});

test("reports of any runs can be read by programs, and hold the text of every token", async () => {
  const origin = { atlas: HOSTILE.join(""), build: "b", sae: "alpha", precision: "fp32" };
  for (let seed = 1; seed <= 60; seed++) {
    const runs = await someRuns(new Dice(seed));
    const chosen = parseChosen("5,7x");
    const found = JSON.parse(reportJson(runs, chosen, origin)) as Record<"unsteered" | "steered", { text: string; tokens: Step[] } | null>;
    assert.deepEqual(found.unsteered?.tokens ?? null, runs.plain?.steps ?? null);
    assert.equal(found.steered?.text ?? "", textOf(runs.steered?.steps ?? []));
    const text = reportText(runs, chosen, origin);
    assert.ok(text.includes((runs.plain?.task.prompt ?? "") + textOf(runs.plain?.steps ?? [])));
  }
});

test("any runs are shown without an element that is not ours, and their state is said", async () => {
  for (let seed = 1; seed <= 60; seed++) {
    const runs = await someRuns(new Dice(seed));
    const html = printed(showRuns(runs, [5], { copy: silent }));
    assert.ok(!/<(img|script|b|iframe)\b/i.test(html));
    assert.equal([...html.matchAll(/data-tip=/g)].length, (runs.plain?.steps.length ?? 0) + (runs.steered?.steps.length ?? 0));
    assert.ok(statusOf(runs).length > 0);
    const stops = [...html.matchAll(/data-tip="[^"]*" tabindex="0"/g)].length;
    assert.equal(stops, [runs.plain, runs.steered].filter((run) => (run?.steps.length ?? 0) > 0).length);
  }
});

test("the first difference is the first, either way about", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const dice = new Dice(seed);
    const steps = () => dice.list(dice.whole(0, 6), (): Step => ({ id: dice.whole(0, 3), text: "t", probability: 1, measured: [] }));
    const [one, other] = [steps(), steps()];
    const at = firstDifference(one, other);
    assert.equal(firstDifference(other, one), at);
    const common = Math.min(one.length, other.length);
    const same = (stop: number) => Array.from({ length: stop }, (_, place) => one[place]?.id === other[place]?.id).every(Boolean);
    if (at === -1) assert.ok(same(common));
    else assert.ok(at < common && same(at) && one[at]?.id !== other[at]?.id);
  }
});

test("hostile names, lists and prompts are text in the form", () => {
  for (let seed = 1; seed <= 60; seed++) {
    const dice = new Dice(seed);
    const text = () => dice.text(HOSTILE, 8);
    const form = showChosen(
      {
        sae: "alpha",
        chosen: parseChosen("5,7x,9c2"),
        maxOf: () => 1,
        titleOf: (feature) => ({ feature, explanation: text(), tokens: [text()], density: 0.1 }),
        lists: [{ name: text(), features: [1] }],
      },
      { change: silent, remove: silent, add: silent },
    );
    const actions = { typed: silent, sample: silent, run: silent, cancel: silent, share: silent };
    const sampling = { tokens: 1, temperature: 0, seed: 0 };
    const prompt = showPrompt({ prompt: text(), sampling, busy: true, problem: text(), notice: text() }, actions);
    assert.ok(!/<(img|script|b|iframe)\b/i.test(printed(form) + printed(prompt)));
  }
});

test("shared texts are picked from anything, and only texts", () => {
  for (let seed = 1; seed <= 100; seed++) {
    const dice = new Dice(seed);
    const value = Object.fromEntries(dice.list(4, () => [dice.pick(["a", "b", "c"]), dice.pick([1, null, "x", [], {}, text(dice)])]));
    const found = pickTexts(value, ["a", "b"]);
    for (const [name, picked] of Object.entries(found)) assert.equal(picked, value[name]);
    for (const name of ["a", "b"]) assert.equal(Object.hasOwn(found, name), typeof value[name] === "string");
  }
});

const text = (dice: Dice) => dice.text(HOSTILE, 5);
