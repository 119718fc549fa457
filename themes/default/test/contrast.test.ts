import assert from "node:assert/strict";
import { test } from "node:test";
import { compare } from "../src/contrast/compare.ts";
import type { Measure } from "../src/contrast/compare.ts";
import { contrastCsv } from "../src/contrast/csv.ts";
import { linesOf } from "../src/contrast/lines.ts";
import { onlyOn, rowsOf, shownRows, sortedRows } from "../src/contrast/rows.ts";
import type { Row } from "../src/contrast/rows.ts";
import { countedOf, Findings, readSides, textsOf } from "../src/contrast/session.ts";
import type { Counting, Progress } from "../src/contrast/session.ts";
import { BY_SIZE, clickedOrder, readView, ROWS, viewState } from "../src/contrast/state.ts";
import { summarise } from "../src/contrast/summary.ts";
import { mergeState, parseState } from "../src/core/state.ts";
import { ModelError } from "../src/model/client.ts";
import { activationsOf, fakeModel, FEATURES } from "./support/fake-model.ts";
import { Dice, HOSTILE } from "./support/random.ts";

const MEASURES: readonly Measure[] = ["max", "mean", "sum"];
const LETTERS = ["a", "b", "c", "d", "e"];
const signal = new AbortController().signal;
const silent = () => Promise.resolve();

/** What counts of feature `feature` on `text`, from the fake's own rule. */
function valueOn(text: string, feature: number, measure: Measure): number {
  const fired = [...text].flatMap((character, at) => (character.codePointAt(0) === feature ? [at + 1] : []));
  const sum = fired.reduce((one, other) => one + other, 0);
  if (measure === "max") return Math.max(0, ...fired);
  return measure === "sum" ? sum : sum / [...text].length;
}

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

test("a line is what stands between line ends of any system, and blank ones are none", () => {
  assert.deepEqual(linesOf("a\nb\r\nc\rd\n\n \t\n"), ["a", "b", "c", "d"]);
  assert.deepEqual(linesOf(" a \n"), [" a "]);
  assert.deepEqual(linesOf(""), []);
  assert.deepEqual(textsOf("a\nb", "texts"), ["a\nb"]);
  assert.deepEqual(textsOf("", "texts"), []);
  assert.deepEqual(textsOf(" ", "texts"), [" "]);
});

test("a summary holds exactly the features that fire, without BOS", () => {
  for (let seed = 1; seed <= 50; seed++) {
    const text = new Dice(seed).text([...LETTERS, "日"], 12);
    const summary = summarise(activationsOf(text), false);
    const fired = [...new Set([...text].map((letter) => letter.codePointAt(0) ?? 0))].filter((code) => code < FEATURES);
    assert.deepEqual([...summary.features], fired.sort((a, b) => a - b));
    assert.equal(summary.tokens, [...text].length);
    for (const [at, feature] of summary.features.entries()) {
      assert.equal(summary.max[at], valueOn(text, feature, "max"));
      assert.equal(summary.sum[at], valueOn(text, feature, "sum"));
      assert.equal(summary.peak[at], String.fromCodePoint(feature));
    }
  }
});

test("a comparison is the difference of means of what counts, feature by feature", () => {
  for (let seed = 1; seed <= 60; seed++) {
    const dice = new Dice(seed);
    const texts = () => dice.list(dice.whole(1, 6), () => dice.text(LETTERS, 8) + dice.pick(LETTERS));
    const [a, b] = [texts(), texts()];
    const measure = dice.pick(MEASURES);
    const found = compare(
      a.map((text) => summarise(activationsOf(text), false)),
      b.map((text) => summarise(activationsOf(text), false)),
      measure,
    );
    const wanted = [...new Set([...a, ...b].join(""))].map((letter) => letter.charCodeAt(0)).sort((x, y) => x - y);
    assert.deepEqual([...found.features], wanted);
    for (const [at, feature] of found.features.entries()) {
      const own = (side: readonly string[]) => side.map((text) => valueOn(text, feature, measure));
      const fires = (side: readonly string[]) => side.filter((text) => valueOn(text, feature, "max") > 0).length;
      assert.ok(Math.abs((found.a[at] ?? NaN) - mean(own(a))) < 1e-9);
      assert.ok(Math.abs((found.b[at] ?? NaN) - mean(own(b))) < 1e-9);
      assert.ok(Math.abs((found.difference[at] ?? NaN) - mean(own(a)) + mean(own(b))) < 1e-9);
      assert.deepEqual([found.firesA[at], found.firesB[at]], [fires(a), fires(b)]);
      assert.equal(found.peak[at], String.fromCharCode(feature));
    }
  }
});

test("sides changed about change the sign and nothing else", () => {
  const sum = (text: string) => summarise(activationsOf(text), false);
  const one = compare([sum("aab")], [sum("abc"), sum("c")], "mean");
  const other = compare([sum("abc"), sum("c")], [sum("aab")], "mean");
  assert.deepEqual([...one.difference], [...other.difference].map((value) => 0 - value));
  assert.deepEqual([...one.firesA], [...other.firesB]);
});

const row = (feature: number, changes: Partial<Row> = {}): Row => ({
  feature, density: 0.01, a: 1, b: 0, difference: 1, firesA: 1, firesB: 0, peak: "x", p: NaN, q: NaN, ...changes,
});

test("a feature is of one side alone where it never fires on the other", () => {
  assert.equal(onlyOn(row(1)), "a");
  assert.equal(onlyOn(row(1, { firesA: 0, firesB: 2 })), "b");
  assert.equal(onlyOn(row(1, { firesB: 1 })), "");
});

test("what is listed is what was asked for, sorted, the unknown last either way", () => {
  const rows = [
    row(1, { difference: -3, firesA: 0, firesB: 1 }),
    row(2, { difference: 2 }),
    row(3, { difference: 0.5, firesB: 1, p: 0.2 }),
    row(4, { difference: -0.1, firesB: 1, p: 0.01 }),
  ];
  const numbers = (found: readonly Row[]) => found.map(({ feature }) => feature);
  assert.deepEqual(numbers(shownRows(rows, "all")), [1, 2, 3, 4]);
  assert.deepEqual(numbers(shownRows(rows, "a")), [2, 3]);
  assert.deepEqual(numbers(shownRows(rows, "b")), [1, 4]);
  assert.deepEqual(numbers(shownRows(rows, "only-a")), [2]);
  assert.deepEqual(numbers(shownRows(rows, "only-b")), [1]);
  assert.deepEqual(numbers(sortedRows(rows, BY_SIZE)), [1, 2, 3, 4]);
  assert.deepEqual(numbers(sortedRows(rows, { by: "difference", descending: true })), [2, 3, 4, 1]);
  assert.deepEqual(numbers(sortedRows(rows, { by: "p", descending: false })), [4, 3, 1, 2]);
  assert.deepEqual(numbers(sortedRows(rows, { by: "p", descending: true })), [3, 4, 1, 2]);
  assert.deepEqual(numbers(sortedRows(rows, { by: "feature", descending: true })), [4, 3, 2, 1]);
});

test("dense features are left out, and q counts those that are left; an unknown density passes", () => {
  const comparison = compare([summarise(activationsOf("ab"), false)], [summarise(activationsOf("bc"), false)], "max");
  const densities = new Float64Array(FEATURES).fill(0.5);
  densities[97] = 0.001;
  densities[99] = NaN;
  const permutation = { exact: true, count: 2, p: Float64Array.of(0.1, 0.2, 0.3) };
  const all = rowsOf(comparison, { densities, maxima: null }, 1, permutation);
  assert.deepEqual(all.map(({ feature }) => feature), [97, 98, 99]);
  assert.deepEqual(all.map(({ q }) => Number(q.toFixed(9))), [0.3, 0.3, 0.3]);
  const sparse = rowsOf(comparison, { densities, maxima: null }, 0.01, permutation);
  assert.deepEqual(sparse.map(({ feature }) => feature), [97, 99]);
  assert.deepEqual(sparse.map(({ q }) => q), [0.2, 0.3]);
  assert.ok(rowsOf(comparison, { densities: null, maxima: null }, 0.01, null).every(({ q, density }) => Number.isNaN(q) && Number.isNaN(density)));
});

test("values can be shares of each feature's maximum; what never fired in the corpus has none", () => {
  const comparison = compare([summarise(activationsOf("aab"), false)], [summarise(activationsOf("c"), false)], "max");
  const maxima = new Float64Array(FEATURES).fill(4);
  maxima[98] = 0;
  const rows = rowsOf(comparison, { densities: null, maxima }, 1, null);
  assert.deepEqual(rows.map(({ a, b, difference }) => [a, b, difference]), [[0.5, 0, 0.5], [NaN, NaN, NaN], [0, 0.25, -0.25]]);
  assert.deepEqual(sortedRows(rows, BY_SIZE).map(({ feature }) => feature), [97, 99, 98]);
});

test("the file holds exact numbers, and no text of it is run by a spreadsheet", () => {
  const rows = [row(12, { difference: 1 / 3, peak: "=1+1", p: 0.05, q: 0.5 }), row(13, { density: NaN, firesA: 0, firesB: 3 })];
  const explanation = (feature: number) => (feature === 12 ? '=cmd("x"), y' : "");
  const lines = contrastCsv(rows, { measure: "mean", bos: false, unit: "activation", sets: true, explanation }).split("\r\n");
  assert.deepEqual(lines, [
    "feature_idx,explanation,strongest_on,activation_density,mean_a,mean_b,difference,only,lines_a,lines_b,p,q",
    `12,"'=cmd(""x""), y","""=1+1""",0.01,1,0,${1 / 3},a,1,0,0.05,0.5`,
    '13,,"""x""",,1,0,1,b,0,3,,',
    "",
  ]);
  const shares = contrastCsv(rows, { measure: "max", bos: true, unit: "share", sets: false, explanation });
  assert.ok(shares.includes(",max_with_bos_share_a,max_with_bos_share_b,") && !shares.includes("lines_a"));
});

test("every view survives its address; what an address makes up counts as plain", () => {
  const plain = readView({});
  assert.deepEqual(viewState(plain), { sae: "", kind: "", by: "", bos: "", in: "", show: "", densest: "", sort: "", relabellings: "", rows: "" });
  for (let seed = 1; seed <= 200; seed++) {
    const dice = new Dice(seed);
    const odd = HOSTILE.filter((sign) => sign !== "a");
    const view = {
      sae: dice.pick(["", "alpha", "b-2"]),
      kind: dice.pick(["texts", "lines"] as const),
      measure: dice.pick(MEASURES),
      bos: dice.pick([false, true]),
      unit: dice.pick(["activation", "share"] as const),
      show: dice.pick(["all", "a", "b", "only-a", "only-b"] as const),
      densest: dice.pick([1, 0.5, 0.1, 0.01, 0.001]),
      order: dice.pick([BY_SIZE, { by: "difference", descending: true }, { by: "feature", descending: false }, { by: "p", descending: false }]),
      relabellings: dice.pick([9999, 99999]),
      rows: dice.pick([ROWS, 3 * ROWS]),
    };
    assert.deepEqual(readView(parseState(mergeState("?x=1", viewState(view)))), view);
    const junk = Object.fromEntries(Object.keys(viewState(view)).map((name) => [name, dice.text(odd, 5)]));
    const read = readView({ ...junk, sae: "" });
    assert.deepEqual({ ...read, rows: ROWS }, plain);
    assert.ok(read.rows >= ROWS);
  }
});

test("the heading of the difference goes round: either way, A first, B first", () => {
  let order = BY_SIZE;
  const seen = Array.from({ length: 4 }, () => {
    order = clickedOrder(order, "difference");
    return `${order.by} ${order.descending}`;
  });
  assert.deepEqual(seen, ["difference true", "difference false", "size true", "difference true"]);
  assert.deepEqual(clickedOrder(BY_SIZE, "p"), { by: "p", descending: false });
  assert.deepEqual(clickedOrder({ by: "p", descending: false }, "p"), { by: "p", descending: true });
  assert.deepEqual(clickedOrder(BY_SIZE, "density"), { by: "density", descending: true });
});

test("both sides are run text by text, with progress told before each", async () => {
  const model = fakeModel();
  const told: Progress[] = [];
  const tick = (progress: Progress) => Promise.resolve(void told.push(progress));
  const sides = await readSides(model, "lines", { a: "ab\n\nb", b: "c" }, tick, signal);
  assert.deepEqual(model.asked, ["ab", "b", "c"]);
  assert.deepEqual(told.map(({ done, total }) => `${done}/${total}`), ["0/3", "1/3", "2/3"]);
  assert.deepEqual([sides.own.a.length, sides.own.b.length, sides.cut, sides.sae], [2, 1, 0, "alpha"]);
});

test("a text that is too long is cut, and how much is told", async () => {
  const sides = await readSides(fakeModel(), "texts", { a: "a".repeat(5000), b: "b" }, silent, signal);
  assert.ok(sides.cut > 0);
  assert.equal((sides.own.a[0]?.tokens ?? 0) + sides.cut, 5000);
});

test("cancelling ends the reading, and a failure of the model is passed on", async () => {
  const job = new AbortController();
  const tick = ({ done }: Progress) => {
    if (done === 1) job.abort();
    return Promise.resolve();
  };
  const model = fakeModel();
  await assert.rejects(readSides(model, "lines", { a: "a\nb\nc", b: "d" }, tick, job.signal), { kind: "cancelled" });
  assert.equal(model.asked.length, 2);
  const broken = fakeModel(() => new ModelError("memory", "no room"));
  await assert.rejects(readSides(broken, "texts", { a: "a", b: "b" }, silent, signal), /no room/);
});

test("findings are worked out once for each measure and number of relabellings; single texts are not tested", async () => {
  const sides = await readSides(fakeModel(), "lines", { a: "ab\nab\nb", b: "c\nbc\nc" }, silent, signal);
  const findings = new Findings(sides);
  const [max, sum] = (["max", "sum"] as const).map((measure) => ({ measure, bos: false })) as [Counting, Counting];
  assert.equal(findings.comparison(max), findings.comparison(max));
  assert.notEqual(findings.comparison(max), findings.comparison(sum));
  assert.equal(findings.permutation(max, 9999), null);
  let ticks = 0;
  const tick = () => Promise.resolve(void ticks++);
  await findings.test(max, 9999, tick);
  const made = findings.permutation(max, 9999);
  assert.deepEqual([made?.exact, made?.count], [true, 20]);
  await findings.test(max, 9999, tick);
  assert.equal(ticks, 1);
  assert.equal(findings.permutation(sum, 9999), null);
  const single = new Findings(await readSides(fakeModel(), "texts", { a: "a", b: "b" }, silent, signal));
  await single.test(max, 9999, tick);
  assert.equal(single.permutation(max, 9999), null);
});

test("with BOS a summary counts one token more, and what fires on it", () => {
  for (const text of ["a", "abc", "日b"]) {
    const [own, all] = [false, true].map((bos) => summarise(activationsOf(text), bos));
    assert.equal(all?.tokens, (own?.tokens ?? 0) + 1);
    assert.deepEqual([...(all?.features ?? [])], [1, ...(own?.features ?? [])]);
    assert.deepEqual([all?.max[0], all?.sum[0], all?.peak[0]], [99, 99, "<bos>"]);
    assert.deepEqual([...(all?.max.slice(1) ?? [])], [...(own?.max ?? [])]);
  }
});

test("BOS counts where it is asked for, in findings of their own", async () => {
  const sides = await readSides(fakeModel(), "lines", { a: "ab\nb", b: "c" }, silent, signal);
  const findings = new Findings(sides);
  const [left, counted] = [false, true].map((bos) => ({ measure: "mean", bos }) as const) as [Counting, Counting];
  assert.deepEqual([...findings.comparison(left).features], [97, 98, 99]);
  const { features, a, b, difference } = findings.comparison(counted);
  assert.deepEqual([...features], [1, 97, 98, 99]);
  // 99 on BOS: means over 3 and 2 tokens on side A, over 2 on side B.
  assert.deepEqual([a[0], b[0], difference[0]], [(33 + 49.5) / 2, 49.5, (33 + 49.5) / 2 - 49.5]);
  await findings.test(counted, 9999, silent);
  assert.equal(findings.permutation(left, 9999), null);
  assert.equal(findings.permutation(counted, 9999)?.p.length, 4);
});

test("an SAE whose windows have no BOS counts the same either way", async () => {
  const model = fakeModel();
  const bare = { ...model, sae: { ...model.sae, prepend_bos: false } };
  const sides = await readSides(bare, "texts", { a: "ab", b: "c" }, silent, signal);
  assert.equal(sides.all, null);
  assert.equal(countedOf(sides, true), sides.own);
  assert.deepEqual([...new Findings(sides).comparison({ measure: "max", bos: true }).features], [97, 98, 99]);
});
