import assert from "node:assert/strict";
import { test } from "node:test";
import { benjaminiHochberg } from "../src/contrast/adjust.ts";
import { compare } from "../src/contrast/compare.ts";
import type { Comparison, Measure } from "../src/contrast/compare.ts";
import { contrastCsv } from "../src/contrast/csv.ts";
import { permute } from "../src/contrast/permute.ts";
import { onlyOn, rowsOf, shownRows, sortedRows } from "../src/contrast/rows.ts";
import type { Row } from "../src/contrast/rows.ts";
import { clickedOrder, readView, viewState } from "../src/contrast/state.ts";
import { summarise } from "../src/contrast/summary.ts";
import type { TextSummary } from "../src/contrast/summary.ts";
import { activationsOf } from "./support/fake-model.ts";
import { Dice, HOSTILE } from "./support/random.ts";

const LETTERS = ["a", "b", "c", "d", "e", "f"];
const MEASURES: readonly Measure[] = ["max", "mean", "sum"];
const ORDERS = ["size", "difference", "feature", "density", "a", "b", "p"];
const UNKNOWN = { densities: null, maxima: null };
const exactly = { most: 99_999, seed: 0, tick: () => Promise.resolve() };

function someTexts(dice: Dice, least = 1, most = 6): string[] {
  return dice.list(dice.whole(least, most), () => dice.pick(LETTERS) + dice.text(LETTERS, 8));
}

const summaries = (texts: readonly string[]): TextSummary[] => texts.map((text) => summarise(activationsOf(text), false));

function comparisonOf(a: readonly string[], b: readonly string[], measure: Measure): Comparison {
  return compare(summaries(a), summaries(b), measure);
}

/** Feature → value, for comparisons whose lists may run over other features. */
function byFeature(comparison: Comparison, values: Float64Array): Map<number, number> {
  return new Map([...comparison.features].map((feature, at) => [feature, values[at] ?? NaN]));
}

function near(one: Map<number, number>, other: Map<number, number>, factor = 1): void {
  assert.deepEqual([...one.keys()], [...other.keys()]);
  for (const [feature, value] of one) assert.ok(Math.abs(value - factor * (other.get(feature) ?? NaN)) < 1e-9);
}

test("of one text, the mean is at most the maximum, and the maximum at most the sum", () => {
  for (let seed = 1; seed <= 100; seed++) {
    const text = new Dice(seed).pick(LETTERS) + new Dice(seed).text(LETTERS, 12);
    const { max, sum, tokens } = summarise(activationsOf(text), seed % 2 === 0);
    for (const [at, most] of max.entries()) {
      assert.ok((sum[at] ?? 0) >= most);
      assert.ok((sum[at] ?? 0) / tokens <= most + 1e-12);
    }
  }
});

test("the order of the lines changes nothing, and neither does every line twice", () => {
  for (let seed = 1; seed <= 60; seed++) {
    const dice = new Dice(seed);
    const [a, b, measure] = [someTexts(dice), someTexts(dice), dice.pick(MEASURES)];
    const one = comparisonOf(a, b, measure);
    const shuffled = comparisonOf(dice.shuffled(a), dice.shuffled(b), measure);
    near(byFeature(one, one.difference), byFeature(shuffled, shuffled.difference));
    const twice = comparisonOf([...a, ...a], [...b, ...b], measure);
    near(byFeature(one, one.difference), byFeature(twice, twice.difference));
    assert.deepEqual([...twice.firesA], [...one.firesA].map((count) => 2 * count));
  }
});

test("differences add up: A to B and B to C make A to C", () => {
  for (let seed = 1; seed <= 60; seed++) {
    const dice = new Dice(seed);
    const [a, b, c] = [someTexts(dice), someTexts(dice), someTexts(dice)];
    const measure = dice.pick(MEASURES);
    const gap = (one: readonly string[], other: readonly string[]) => {
      const found = comparisonOf(one, other, measure);
      return byFeature(found, found.difference);
    };
    const [ab, bc, ac] = [gap(a, b), gap(b, c), gap(a, c)];
    for (const feature of new Set([...ab.keys(), ...bc.keys(), ...ac.keys()])) {
      const sum = (ab.get(feature) ?? 0) + (bc.get(feature) ?? 0);
      assert.ok(Math.abs(sum - (ac.get(feature) ?? 0)) < 1e-9);
    }
  }
});

test("a side compared with itself has no difference, and the test says so", async () => {
  for (let seed = 1; seed <= 30; seed++) {
    const texts = someTexts(new Dice(seed), 2);
    const comparison = comparisonOf(texts, texts, "mean");
    assert.ok(comparison.difference.every((value) => Math.abs(value) < 1e-12));
    assert.ok((await permute(comparison, exactly)).p.every((p) => p === 1));
  }
});

test("p does not change with the order of lines, the names of the sides, or the unit of a feature", async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const dice = new Dice(seed);
    const [a, b, measure] = [someTexts(dice, 2), someTexts(dice, 2), dice.pick(MEASURES)];
    const own = comparisonOf(a, b, measure);
    const { p } = await permute(own, exactly);
    const swapped = await permute(comparisonOf(b, a, measure), exactly);
    assert.deepEqual([...swapped.p].map((value) => value.toFixed(12)), [...p].map((value) => value.toFixed(12)));
    const shuffled = await permute(comparisonOf(dice.shuffled(a), dice.shuffled(b), measure), exactly);
    assert.deepEqual([...shuffled.p], [...p]);
    const scaled = { ...own, values: own.values.map((value) => value * 37), difference: own.difference.map((value) => value * 37) };
    assert.deepEqual([...(await permute(scaled, exactly)).p], [...p]);
    assert.ok(p.every((value) => value > 0 && value <= 1));
  }
});

test("an exact p is a whole number of relabellings, the observed one among them", async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const dice = new Dice(seed);
    const { p, count } = await permute(comparisonOf(someTexts(dice), someTexts(dice), "max"), exactly);
    for (const value of p) {
      assert.ok(Math.abs(value * count - Math.round(value * count)) < 1e-6);
      assert.ok(value * count >= 1 - 1e-9);
    }
  }
});

test("q is at least p, ordered as p, and does not depend on the order of the features", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const dice = new Dice(seed);
    const p = Float64Array.from(dice.list(dice.whole(1, 30), () => dice.pick([dice.share(), dice.share() / 100, 1])));
    const q = benjaminiHochberg(p);
    for (const [at, value] of q.entries()) {
      assert.ok(value >= (p[at] ?? 1) - 1e-15 && value <= 1);
      for (const [other, larger] of p.entries()) if (larger >= (p[at] ?? 0)) assert.ok((q[other] ?? 0) >= value);
    }
    const order = dice.shuffled([...p.keys()]);
    const moved = benjaminiHochberg(Float64Array.from(order, (at) => p[at] ?? 1));
    for (const [place, at] of order.entries()) assert.equal(moved[place], q[at]);
  }
});

test("features without a sign of difference make the others' q larger, never smaller", () => {
  for (let seed = 1; seed <= 100; seed++) {
    const dice = new Dice(seed);
    const p = dice.list(dice.whole(1, 12), () => dice.share() / 10);
    const q = benjaminiHochberg(Float64Array.from(p));
    const more = benjaminiHochberg(Float64Array.from([...p, ...dice.list(5, () => 1)]));
    for (const [at, value] of q.entries()) assert.ok((more[at] ?? 0) >= value);
  }
});

/** Rows of a comparison of random texts, with p where there are several. */
async function someRows(dice: Dice): Promise<Row[]> {
  const comparison = comparisonOf(someTexts(dice), someTexts(dice), dice.pick(MEASURES));
  const densities = Float64Array.from({ length: 128 }, () => dice.pick([NaN, 0, 0.001, 0.2, 1]));
  return rowsOf(comparison, { ...UNKNOWN, densities }, dice.pick([1, 0.1]), dice.share() < 0.5 ? null : await permute(comparison, exactly));
}

test("every choice of rows is a part of all, and the parts of a side belong together", async () => {
  for (let seed = 1; seed <= 60; seed++) {
    const rows = await someRows(new Dice(seed));
    const [a, b] = [shownRows(rows, "a"), shownRows(rows, "b")];
    assert.ok(a.every((row) => !b.includes(row)));
    assert.equal(a.length + b.length + rows.filter(({ difference }) => difference === 0).length, rows.length);
    const [onlyA, onlyB] = [shownRows(rows, "only-a"), shownRows(rows, "only-b")];
    assert.ok(onlyA.every((row) => a.includes(row)) && onlyB.every((row) => b.includes(row)));
    assert.deepEqual(shownRows(rows, "all"), rows);
    assert.ok(rows.every((row) => row.firesA + row.firesB > 0));
  }
});

test("sorting loses no row, doubles none, and is the same whatever the order before", async () => {
  for (let seed = 1; seed <= 60; seed++) {
    const dice = new Dice(seed);
    const rows = await someRows(dice);
    const order = { by: dice.pick(ORDERS), descending: dice.share() < 0.5 };
    const sorted = sortedRows(rows, order);
    assert.equal(new Set(sorted).size, rows.length);
    assert.deepEqual(sortedRows(dice.shuffled(rows), order), sorted);
  }
});

test("clicks on headings lead from any order to any other, and always survive the address", () => {
  for (let seed = 1; seed <= 100; seed++) {
    const dice = new Dice(seed);
    let view = readView({});
    for (let clicks = 0; clicks < 12; clicks++) {
      const by = dice.pick(ORDERS.filter((name) => name !== "size"));
      view = { ...view, order: clickedOrder(view.order, by) };
      assert.ok(view.order.by === by || (by === "difference" && view.order.by === "size"));
      assert.deepEqual(readView(viewState(view)), view);
    }
  }
});

/** The fields of an RFC 4180 file, read by its grammar. */
function parsed(text: string): string[][] {
  const rows: string[][] = [[]];
  const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|$)/gy;
  for (let match = field.exec(text); match !== null && match[0] !== ""; match = field.exec(text)) {
    rows.at(-1)?.push(match[1] === undefined ? (match[2] ?? "") : match[1].replaceAll('""', '"'));
    if (match[3] === "\r\n") rows.push([]);
  }
  return rows.slice(0, -1);
}

test("a file gives back every number and every text, whatever stands in it", async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const dice = new Dice(seed);
    const rows = (await someRows(dice)).map((row) => ({ ...row, peak: dice.text(HOSTILE, 4) }));
    const texts = new Map(rows.map(({ feature }) => [feature, dice.text(HOSTILE, 6)]));
    const facts = { measure: dice.pick(MEASURES), bos: false, unit: "activation", sets: true, explanation: (feature: number) => texts.get(feature) ?? "" } as const;
    const [head = [], ...lines] = parsed(contrastCsv(rows, facts));
    assert.equal(lines.length, rows.length);
    for (const [at, line] of lines.entries()) {
      const row = rows[at] as Row;
      const value = (name: string) => line[head.indexOf(name)] ?? "gone";
      const number = (name: string) => (value(name) === "" ? NaN : Number(value(name)));
      assert.equal(number("feature_idx"), row.feature);
      assert.deepEqual([number(`${facts.measure}_a`), number(`${facts.measure}_b`)], [row.a, row.b]);
      assert.deepEqual([number("difference"), number("p"), number("q")], [row.difference, row.p, row.q]);
      assert.deepEqual([number("lines_a"), number("lines_b"), value("only")], [row.firesA, row.firesB, onlyOn(row)]);
      assert.equal(JSON.parse(value("strongest_on")), row.peak);
      const text = texts.get(row.feature) ?? "";
      assert.equal(value("explanation").replace(/^'(?='*[=+\-@\t\r\n＝＋－＠])/, ""), text);
    }
  }
});
