import assert from "node:assert/strict";
import { test } from "node:test";
import { contextRange, heatStep, stripRuns } from "../src/examples/strip.ts";
import { groupsOf, tabsOf, turnTab } from "../src/examples/tabs.ts";

const example = (pieces: number[], peak: number, heat: number[], activation = 10) => ({
  activation,
  document: 0,
  context_idx: 0,
  position: 0,
  peak,
  pieces,
  heat,
});

test("heat is linear in nine steps, zero is none", () => {
  assert.equal(heatStep(0), 0);
  for (let strength = 1; strength <= 255; strength++) {
    const step = heatStep(strength);
    assert.ok(step >= 1 && step <= 9);
    assert.ok((step - 1) / 9 < strength / 255 && strength / 255 <= step / 9);
  }
});

test("cold text runs together, what fires stands alone with its value", () => {
  const texts = ["def ", "f", "raise", " Err", "\n"];
  const runs = stripRuns(example([0, 1, 2, 3, 4], 2, [2, 255, 3, 51], 12.5), texts, 12.5, "full");
  assert.deepEqual(
    runs.map(({ text, step, value, peak, alone }) => [text, step, value, peak, alone]),
    [
      ["def f", 0, 0, false, false],
      ["raise", 9, 12.5, true, true],
      [" Err", 2, 2.5, false, true],
      ["\n", 0, 0, false, false],
    ],
  );
});

test("the peak has its exact activation, not the one rounded to 255 steps", () => {
  const [run] = stripRuns(example([0], 0, [0, 128], 5.017), ["x"], 10, "full");
  assert.equal(run?.value, 5.017);
});

test("a window with right-to-left text has every piece for itself", () => {
  const runs = stripRuns(example([0, 1, 2], 0, [0, 255]), ["a", "שלום", "b"], 10, "full");
  assert.ok(runs.every(({ alone }) => alone));
  assert.equal(runs.map(({ text }) => text).join(""), "aשלוםb");
});

test("a short context lies around the peak, within the window", () => {
  const long = example(
    Array.from({ length: 60 }, () => 0),
    30,
    [],
  );
  const [start, stop] = contextRange(long, "short");
  assert.ok(start > 0 && stop < 60 && start < 30 && stop > 30);
  assert.deepEqual(contextRange({ ...long, peak: 0 }, "short")[0], 0);
  assert.deepEqual(contextRange({ ...long, peak: 59 }, "short")[1], 60);
  assert.deepEqual(contextRange(long, "full"), [0, 60]);
});

test("in a short context places still mean the whole window", () => {
  const pieces = Array.from({ length: 60 }, (_, at) => at);
  const texts = pieces.map(String);
  const runs = stripRuns(example(pieces, 30, [30, 255, 31, 100, 0, 50]), texts, 10, "short");
  assert.deepEqual(
    runs.filter(({ alone }) => alone).map(({ text }) => text),
    ["30", "31"],
  );
});

const group = (name: string, upper: number, count = 1) => ({
  group: name,
  lower: 0,
  upper,
  examples: Array.from({ length: count }, () => example([0], 0, [])),
});

test("there is a tab for each kind of example that exists", () => {
  const groups = [group("top", 0), group("interval", 2), group("random", 0, 0)];
  assert.deepEqual(
    tabsOf(groups).map(({ id }) => id),
    ["top", "interval"],
  );
});

test("intervals go from strong to weak, empty ones are left out", () => {
  const groups = [group("interval", 2), group("interval", 8), group("interval", 4, 0), group("top", 0)];
  assert.deepEqual(
    groupsOf(groups, "interval").map(({ upper }) => upper),
    [8, 2],
  );
});

test("tabs go round", () => {
  const tabs = tabsOf([group("top", 0), group("random", 0)]);
  assert.equal(turnTab(tabs, "top", 1), "random");
  assert.equal(turnTab(tabs, "random", 1), "top");
  assert.equal(turnTab(tabs, "top", -1), "random");
});
