import assert from "node:assert/strict";
import { test } from "node:test";
import { logitChanges, showLogitChanges } from "../src/examples/effects.ts";
import { showHeatLegend, showLossLegend } from "../src/examples/legend.ts";
import { lossScale } from "../src/examples/show-example.ts";
import { chosenGroups, showExamples, showsLoss, tellShown } from "../src/examples/show-examples.ts";
import { groupsOf, intervalAt, intervalsOf, TABS, tabsOf, turnTab } from "../src/examples/tabs.ts";
import type { View } from "../src/feature/view.ts";
import { column, example, featureData, group, sceneOf } from "./support/feature.ts";
import { fakeSite } from "./support/fake-site.ts";
import { lineOf, listenersOf, printed } from "./support/template.ts";

fakeSite();

test("the legend has ten steps for heat, and eleven from harm to help", () => {
  assert.equal(printed(showHeatLegend(14.213, false)).match(/<i /g)?.length, 10);
  assert.match(lineOf(showHeatLegend(14.213, false)), /^0 14\.21 activation · underlined/);
  assert.match(lineOf(showHeatLegend(14.213, true)), /dashed = where it does not fire$/);
  const loss = printed(showLossLegend(0.5));
  const steps = [...loss.matchAll(/<i class="([a-z]+\d?)"/g)].map(([, name]) => name);
  const hurts = ["hurts5", "hurts4", "hurts3", "hurts2", "hurts1"];
  assert.deepEqual(steps, [...hurts, "none", "helps1", "helps2", "helps3", "helps4", "helps5"]);
  assert.match(lineOf(showLossLegend(0.5)), /^−0\.500 \+0\.500 nats/);
});

const groups = () => [
  group("top", [example(), example({ activation: 8 })]),
  group("interval", [example()], 8, 10),
  group("interval", [example()], 0, 2),
  group("interval", [], 4, 6),
  group("random", []),
  group("near_miss", [example({ activation: 0 })]),
  group("same_token", [example({ activation: 0 })]),
];

test("there is a tab for each kind of example that exists", () => {
  assert.deepEqual(tabsOf(groups()).map(({ id }) => id), ["top", "interval", "counter"]);
  assert.deepEqual(tabsOf([]), []);
});

test("intervals go from strong to weak, counter-examples from near to far, empty ones are left out", () => {
  assert.deepEqual(groupsOf(groups(), "interval").map(({ upper }) => upper), [10, 2]);
  assert.deepEqual(groupsOf(groups(), "counter").map(({ group: name }) => name), ["same_token", "near_miss"]);
  assert.deepEqual(intervalsOf(groups()).map(({ upper }) => upper), [2, 10]);
});

test("a strength leads to the interval that holds it, or the nearest with examples", () => {
  assert.equal(intervalAt(groups(), 1), 0);
  assert.equal(intervalAt(groups(), 9), 1);
  assert.equal(intervalAt(groups(), 3), 0);
  assert.equal(intervalAt(groups(), 7), 1);
  assert.equal(intervalAt(groups(), 99), 1);
  assert.equal(intervalAt([], 1), null);
});

test("tabs go round", () => {
  const tabs = tabsOf([group("top", [example()]), group("random", [example()])]);
  assert.equal(turnTab(tabs, "top", 1), "random");
  assert.equal(turnTab(tabs, "random", 1), "top");
  assert.equal(turnTab(tabs, "top", -1), "random");
});

const withEffects = () =>
  featureData({
    pieces: ["a", " b"],
    payload: {
      groups: groups(),
      effects: [{ rank: 1, effects: [-0.5], raised: [1, 0.75, 0.5], lowered: [0, -0.25, null] }],
    },
  });

test("one interval alone is shown where the view asks for one that exists", () => {
  const tab = TABS.find(({ id }) => id === "interval") ?? assert.fail();
  const uppers = (interval: number | null) =>
    chosenGroups(tab, sceneOf(withEffects(), { tab: "interval", interval })).map(({ upper }) => upper);
  assert.deepEqual(uppers(null), [10, 2]);
  assert.deepEqual(uppers(0), [2]);
  assert.deepEqual(uppers(9), [10, 2]);
});

test("what is shown is told in words, for those who do not see it change", () => {
  const told = (view: Partial<View>) => {
    const tab = TABS.find(({ id }) => id === view.tab) ?? assert.fail();
    return tellShown(tab, sceneOf(withEffects(), view));
  };
  assert.equal(told({ tab: "top" }), "Top examples: 2 examples");
  assert.equal(told({ tab: "interval" }), "By strength: 2 examples");
  assert.equal(told({ tab: "interval", interval: 0 }), "By strength, activation 0 – 2.000: 1 example");
});

test("the examples have their tabs, the selected one is the stop, and arrow keys turn it", () => {
  const scene = sceneOf(withEffects(), { tab: "counter" });
  const page = printed(showExamples(scene));
  const selected = [...page.matchAll(/id="examples-tab-(\w+)"\s+aria-selected="true"/g)];
  assert.deepEqual(
    selected.map(([, id]) => id),
    ["counter"],
  );
  assert.equal(page.match(/role="tab"/g)?.length, 3);
  assert.match(page, /<h3>Same token, silent<\/h3>[\s\S]*<h3>Near misses<\/h3>/);
  assert.equal(page.match(/class="activation silent">silent/g)?.length, 2);
  assert.doesNotMatch(page, /class="token a\d/);
  const [turn] = listenersOf(showExamples(scene), "keydown");
  const focused: string[] = [];
  const currentTarget = { querySelector: (name: string) => ({ focus: () => void focused.push(name) }) };
  const press = (key: string) => turn?.({ key, preventDefault: () => undefined, currentTarget });
  press("ArrowRight");
  press("ArrowLeft");
  press("a");
  assert.deepEqual(scene.changes, [{ tab: "top" }, { tab: "interval" }]);
  assert.deepEqual(focused, ["#examples-tab-top", "#examples-tab-interval"]);
});

test("loss effects colour the top examples that have one, and no others are shown then", () => {
  const scene = sceneOf(withEffects(), { colouring: "loss" });
  assert.equal(showsLoss(scene), true);
  const page = printed(showExamples(scene));
  assert.equal(page.match(/<li class="example"/g)?.length, 1);
  assert.match(page, /data-rank="1"/);
  assert.match(page, /class="token hurts5 peak" data-tip="−0\.50 nats/);
  assert.doesNotMatch(page, /class="token a\d/);
  assert.match(lineOf(showExamples(scene)), /the strongest 1 of 2 top examples/);
  assert.equal(showsLoss(sceneOf(withEffects(), { colouring: "loss", tab: "random" })), false);
  assert.equal(showsLoss(sceneOf(featureData({ payload: { groups: groups() } }), { colouring: "loss" })), false);
  assert.doesNotMatch(printed(showExamples(sceneOf(featureData({ payload: { groups: groups() } })))), /loss effect/);
});

test("the scale of the loss effects is the largest of the feature, either way", () => {
  assert.equal(lossScale(withEffects()), 0.5);
  assert.equal(lossScale(featureData({})), 0);
});

test("changed logits are measured beside direct; a hook without direct ones has a dash", () => {
  assert.deepEqual(logitChanges([0, -0.25, null], ["a"]), [{ token: "a", measured: -0.25, direct: null }]);
  const data = withEffects();
  const [effect] = data.payload.effects;
  const line = lineOf(showLogitChanges(effect ?? assert.fail(), data, " b"));
  assert.match(line, /after ␣b with the feature/);
  assert.match(line, /Raised measured direct ␣b \+0\.75 \+0\.50/);
  assert.match(line, /Lowered measured direct a −0\.25 –/);
  assert.equal(lineOf(showLogitChanges({ rank: 0, effects: [], raised: [], lowered: [] }, data, "a")), "");
});

test("every switch says what it would change", () => {
  const scene = sceneOf(withEffects(), { tab: "top" });
  for (const act of listenersOf(showExamples(scene), "click")) if (act.length === 0) act();
  const expected: Partial<View>[] = [
    { colouring: "loss" },
    { colouring: "activation" },
    { context: "short" },
    { context: "sentence" },
    { context: "full" },
    { spaces: true },
    { tab: "interval" },
    { tab: "counter" },
  ];
  const made = scene.changes.map((change) => JSON.stringify(change));
  for (const change of expected) assert.ok(made.includes(JSON.stringify(change)), JSON.stringify(change));
  const intervals = sceneOf(withEffects(), { tab: "interval", interval: 0 });
  for (const act of listenersOf(showExamples(intervals), "click")) if (act.length === 0) act();
  for (const interval of [null, 0, 1]) assert.ok(intervals.changes.some((made) => made.interval === interval));
});

test("a dead feature has sentences in place of examples, and one without kept examples says so", () => {
  const firing = column("firing_tokens", "scalar", { unit: "tokens" });
  const dead = lineOf(showExamples(sceneOf(featureData({ columns: [[firing, 0]] }))));
  assert.match(dead, /never fired on the 1,000 counted tokens/);
  assert.match(lineOf(showExamples(sceneOf(featureData({})))), /No examples of this feature were kept/);
});

test("a site that had to leave examples out says what it holds", () => {
  const choice = { budget: 1e9, fitted: true, top: 5, others: 2, before: 12, after: 6 };
  const data = featureData({ pieces: ["a"], payload: { groups: groups() }, site: { choice } });
  const told = lineOf(showExamples(sceneOf(data)));
  assert.match(told, /below 1\.0 GB, this site holds at most 5 top examples and 2 of each/);
  assert.match(told, /of 12 \+ 1 \+ 6 tokens each; the dataset has more/);
  assert.doesNotMatch(lineOf(showExamples(sceneOf(withEffects()))), /this site holds/);
});
