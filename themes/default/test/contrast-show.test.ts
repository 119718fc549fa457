import assert from "node:assert/strict";
import { test } from "node:test";
import { pause } from "../src/contrast/pause.ts";
import type { Row } from "../src/contrast/rows.ts";
import type { Sides } from "../src/contrast/session.ts";
import { progressText, showForm } from "../src/contrast/show-form.ts";
import type { FormActions, FormScene } from "../src/contrast/show-form.ts";
import { showResults, told } from "../src/contrast/show-results.ts";
import type { ResultActions, ResultScene } from "../src/contrast/show-results.ts";
import { showTable } from "../src/contrast/show-table.ts";
import type { TableScene } from "../src/contrast/show-table.ts";
import { BY_SIZE, readView } from "../src/contrast/state.ts";
import type { ContrastView } from "../src/contrast/state.ts";
import { fakeSite } from "./support/fake-site.ts";
import { HOSTILE } from "./support/random.ts";
import { lineOf, listenersOf, printed, textOf } from "./support/template.ts";

fakeSite();

const done: unknown[] = [];
const note = (name: string) => (...values: unknown[]) => void done.push([name, ...values]);
const formActions = Object.fromEntries(
  ["kind", "typed", "compare", "cancel", "share"].map((name) => [name, note(name)]),
) as unknown as FormActions;
const resultActions = { change: note("change"), test: note("test"), save: note("save") } as ResultActions;

function taken(act: () => void): unknown[] {
  done.length = 0;
  act();
  return [...done];
}

const form = (changes: Partial<FormScene> = {}): FormScene => ({
  view: readView({}), a: "", b: "", progress: null, problem: "", ...changes,
});

test("a form says what each side is, and counts lines", () => {
  const texts = lineOf(showForm(form(), formActions));
  assert.ok(texts.includes("Text A") && !texts.includes("lines Set"));
  const lines = lineOf(showForm(form({ view: readView({ kind: "lines" }), a: "x\n\ny", b: "z" }), formActions));
  assert.ok(lines.includes("Set A 2 lines") && lines.includes("Set B 1 line "));
});

test("what is typed is text wherever it is shown", () => {
  const text = HOSTILE.join("");
  const html = printed(showForm(form({ a: text, problem: text }), formActions));
  assert.ok(!html.includes("<img") && !html.includes("</script>"));
  assert.ok(html.includes('role="alert"'));
});

test("every control of the form does what it says", () => {
  const scene = form({ a: "x", progress: { doing: "texts", done: 1, total: 3 } });
  const clicks = listenersOf(showForm(scene, formActions), "click");
  assert.deepEqual(taken(() => clicks[0]?.()), [["kind", "texts"]]);
  assert.deepEqual(taken(() => clicks[1]?.()), [["kind", "lines"]]);
  const share = {};
  assert.deepEqual(taken(() => clicks[2]?.({ currentTarget: share })), [["share", share]]);
  assert.deepEqual(taken(() => clicks[3]?.()), [["cancel"]]);
  const inputs = listenersOf(showForm(scene, formActions), "input");
  assert.deepEqual(taken(() => inputs[1]?.({ target: { value: "new" } })), [["typed", "b", "new"]]);
  let prevented = 0;
  const submit = listenersOf(showForm(scene, formActions), "submit")[0];
  assert.deepEqual(taken(() => submit?.({ preventDefault: () => prevented++ })), [["compare"]]);
  assert.equal(prevented, 1);
  const keys = listenersOf(showForm(scene, formActions), "keydown");
  assert.deepEqual(taken(() => keys[0]?.({ key: "Enter", ctrlKey: false, metaKey: false })), []);
  assert.deepEqual(taken(() => keys[0]?.({ key: "Enter", ctrlKey: true })), [["compare"]]);
  assert.deepEqual(taken(() => keys[1]?.({ key: "Enter", metaKey: true })), [["compare"]]);
});

test("progress is told in words, never beyond the end", () => {
  assert.equal(progressText({ doing: "texts", done: 0, total: 1200 }), "Text 1 of 1,200");
  assert.equal(progressText({ doing: "texts", done: 3, total: 3 }), "Text 3 of 3");
  assert.equal(progressText({ doing: "relabellings", done: 256, total: 9999 }), "Relabelling 256 of 9,999");
});

const summary = (tokens: number) => ({
  tokens, windows: 1, replaced: 0, features: new Uint32Array(), max: new Float64Array(), sum: new Float64Array(), peak: [],
});
const sidesOf = (changes: Partial<Sides> = {}): Sides => ({
  kind: "lines", sae: "alpha", own: { a: [summary(3), summary(1)], b: [summary(1)] },
  all: { a: [summary(4), summary(2)], b: [summary(2)] }, cut: 0, ...changes,
});

test("what was compared is told, with everything that was not as expected", () => {
  assert.equal(told(sidesOf(), false), "A: 2 lines, 4 tokens; B: 1 line, 1 token. BOS, the same in every text, is left out.");
  assert.equal(told(sidesOf(), true), "A: 2 lines, 6 tokens; B: 1 line, 2 tokens. BOS, which begins every window, counts.");
  // Where windows begin with no BOS there is none to speak of, whatever an address says.
  for (const bos of [false, true]) assert.equal(told(sidesOf({ all: null }), bos), "A: 2 lines, 4 tokens; B: 1 line, 1 token.");
  const odd = { ...summary(5), windows: 3, replaced: 2 };
  const text = told(sidesOf({ kind: "texts", own: { a: [odd], b: [summary(1)] }, cut: 1234 }), false);
  assert.ok(text.startsWith("A: 5 tokens; B: 1 token."));
  assert.ok(text.includes("read in 4 windows") && text.includes("2 half characters") && text.includes("1,234 characters"));
});

const row = (feature: number, changes: Partial<Row> = {}): Row => ({
  feature, density: 0.01, a: 1, b: 0.5, difference: 0.5, firesA: 2, firesB: 1, peak: " x", p: 0.05, q: 0.2, ...changes,
});
const results = (changes: Partial<ResultScene> = {}, view: Partial<ContrastView> = {}): ResultScene => ({
  view: { ...readView({}), ...view },
  sides: sidesOf(),
  rows: [row(1), row(2, { difference: -1, firesA: 0 }), row(3, { firesB: 0 })],
  permutation: { exact: true, count: 3, p: new Float64Array() },
  hasDensity: true,
  hasMaxima: true,
  stale: false,
  busy: false,
  ...changes,
});

test("each choice of features tells how many it holds", () => {
  const text = lineOf(showResults(results(), resultActions));
  for (const choice of ["all 3", "stronger in A 2", "stronger in B 1", "only in A 1", "only in B 1"]) assert.ok(text.includes(choice));
});

test("switches say what they change, and those of what the dataset lacks are not there", () => {
  const changes = listenersOf(showResults(results(), resultActions), "change");
  const given = ["sum", "1", "share", "0.1", "99999"].map((value, at) => taken(() => changes[at]?.({ target: { value } }))[0]);
  assert.deepEqual(given, [
    ["change", { measure: "sum" }],
    ["change", { bos: true }],
    ["change", { unit: "share" }],
    ["change", { densest: 0.1 }],
    ["change", { relabellings: 99999 }],
  ]);
  const less = results({ hasDensity: false, hasMaxima: false, sides: sidesOf({ kind: "texts", all: null }), permutation: null });
  assert.equal(listenersOf(showResults(less, resultActions), "change").length, 1);
});

test("how p is meant is told: which relabellings, the smallest that can come out, the number of tests", () => {
  const exact = lineOf(showResults(results(), resultActions));
  assert.ok(exact.includes("all 3 relabellings were looked at") && exact.includes("3 features are tested at once"));
  assert.ok(exact.includes("so few lines give no p below 0.33"));
  const twenty = Array.from({ length: 20 }, () => summary(1));
  const many = sidesOf({ own: { a: twenty, b: twenty }, all: null });
  const drawn = lineOf(showResults(results({ sides: many, permutation: { exact: false, count: 9999, p: new Float64Array() } }), resultActions));
  assert.ok(drawn.includes("of 9,999 relabellings drawn at random (seed 0)") && drawn.includes("p = (b + 1) / (9,999 + 1)"));
  assert.ok(!drawn.includes("so few lines"));
  assert.ok(drawn.includes("10.2202/1544-6115.1585"));
});

test("a test that was not made can be made; single texts have none, and stale results are said to be", () => {
  const untested = showResults(results({ permutation: null }), resultActions);
  assert.ok(lineOf(untested).includes("was not made"));
  const clicks = listenersOf(untested, "click");
  assert.deepEqual(taken(() => clicks.at(-1)?.()), [["test"]]);
  assert.ok(!lineOf(showResults(results({ permutation: null, busy: true }), resultActions)).includes("was not made"));
  const single = results({ permutation: null, sides: sidesOf({ kind: "texts" }) });
  assert.ok(!lineOf(showResults(single, resultActions)).includes("was not made"));
  assert.ok(lineOf(showResults(results({ stale: true }), resultActions)).includes("changed since"));
});

const table = (changes: Partial<TableScene> = {}): TableScene => ({
  sae: "alpha",
  rows: [row(7), row(1204, { difference: -0.25, firesA: 0, density: NaN, p: NaN, q: NaN })],
  order: BY_SIZE,
  measure: "max",
  unit: "activation",
  sets: { nA: 2, nB: 3 },
  widest: 0.5,
  titleOf: (feature) => (feature === 7 ? { feature, explanation: "<b>raise</b>", tokens: [], density: 0.1 } : undefined),
  sort: note("sort"),
  ...changes,
});

test("a row has its links, exact numbers and lines; what is unknown is a dash", () => {
  const html = printed(showTable(table()));
  assert.ok(html.includes('href="../alpha/0/7.html"') && html.includes('href="../alpha/1/1204.html"'));
  assert.ok(html.includes('href="../steer.html?sae=alpha&f=1204"') || html.includes("steer.html?sae=alpha&amp;f=1204"));
  assert.ok(html.includes("&lt;b&gt;raise") && !html.includes("<b>raise"));
  assert.ok(html.includes('title="p 0.05, q 0.2"') && html.includes('title="no value"'));
  const text = lineOf(showTable(table()));
  assert.ok(text.includes("2/2 · 1/3") && text.includes("only B") && text.includes("+0.50") && text.includes("−0.25"));
  assert.ok(text.includes("␣x"));
  assert.ok(!textOf(showTable(table({ sets: null }))).includes("2/2"));
});

test("bars end at the widest difference, to the side that fires more, and nowhere without a number", () => {
  const html = printed(showTable(table({ rows: [row(1), row(2, { difference: -0.25 }), row(3, { difference: NaN })] })));
  const bars = [...html.matchAll(/<rect class="bar" x="([^"]*)" y="1" width="([^"]*)"/g)].map(([, x, width]) => [Number(x), Number(width)]);
  assert.deepEqual(bars, [[0, 50], [50, 25], [50, 0]]);
});

test("headings sort, and say what they are sorted by and what they mean", () => {
  const clicks = listenersOf(showTable(table()), "click");
  assert.deepEqual(clicks.map((click) => taken(click)[0]), ["feature", "difference", "a", "b", "density", "p"].map((by) => ["sort", by]));
  assert.ok(printed(showTable(table())).includes('aria-sort="other"'));
  const sorted = printed(showTable(table({ order: { by: "a", descending: true }, unit: "share" })));
  assert.ok(sorted.includes('aria-sort="descending"') && sorted.includes("divided by the feature’s largest activation"));
});

test("what begins is drawn at once, long work lets the browser breathe, short work does not wait", async () => {
  let drawn = 0;
  const breathe = pause();
  await breathe(() => drawn++);
  assert.equal(drawn, 1, "what begins is drawn at once");
  await breathe(() => drawn++);
  assert.equal(drawn, 1);
  const until = performance.now() + 30;
  while (performance.now() < until);
  await breathe(() => drawn++);
  assert.equal(drawn, 2);
});
