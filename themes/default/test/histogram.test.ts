import assert from "node:assert/strict";
import { test } from "node:test";
import { barHeights, binsOf, isGeometric, layBars } from "../src/panels/bars.ts";
import { factorTicks, fromOctaves, stepTicks, toOctaves } from "../src/panels/bars.ts";
import type { Bin } from "../src/panels/bars.ts";
import { shownRange, tellBar, tickText } from "../src/panels/histogram.ts";
import { example, featureData, group, sceneOf } from "./support/feature.ts";
import { fakeSite } from "./support/fake-site.ts";
import { card, col } from "./support/panels.ts";
import { Dice } from "./support/random.ts";
import { lineOf, listenersOf, printed } from "./support/template.ts";

fakeSite();

/** Bins of float bits as the pass makes them: 8 an octave, equally wide within it. */
function floatBins(from: number, to: number): Bin[] {
  const bins: Bin[] = [];
  for (let octave = from; octave < to; octave++) {
    for (let part = 0; part < 8; part++) {
      const lower = 2 ** octave * (1 + part / 8);
      bins.push({ lower, upper: 2 ** octave * (1 + (part + 1) / 8), count: 1 + octave - from + part });
    }
  }
  return bins;
}

test("octaves are even for bins of float bits, and there is a way back", () => {
  for (const [at, { lower }] of floatBins(-3, 4).entries()) {
    assert.ok(Math.abs(toOctaves(lower) - (-3 + at / 8)) < 1e-12);
    assert.ok(Math.abs(fromOctaves(toOctaves(lower)) - lower) < 1e-12);
  }
});

test("bins that grow are told from bins that do not", () => {
  assert.equal(isGeometric(floatBins(0, 3)), true);
  assert.equal(isGeometric([{ lower: 0, upper: 1, count: 1 }, { lower: 1, upper: 2, count: 1 }]), false);
  assert.equal(isGeometric([{ lower: -1, upper: 1, count: 1 }, { lower: 1, upper: 9, count: 1 }]), false);
  assert.equal(isGeometric([]), false);
});

test("a linear axis holds zero, every bar is as wide as its range, and no count is lost", () => {
  const bins = floatBins(2, 4);
  const { bars, ticks } = layBars(bins, false, 64);
  assert.equal(bars.length, 16);
  assert.deepEqual(ticks, [0, 5, 10, 15].map((value) => ({ value, at: value / 16 })));
  for (const { lower, upper, left, right } of bars) assert.deepEqual([left * 16, right * 16], [lower, upper]);
});

test("ticks are few and round, and lie on their axis", () => {
  assert.deepEqual(stepTicks(0, 40), [0, 10, 20, 30, 40]);
  assert.deepEqual(stepTicks(-1.07, 0.93), [-1, -0.5, 0, 0.5]);
  assert.deepEqual(stepTicks(0, 0.3), [0, 0.1, 0.2, 0.3]);
  assert.deepEqual(factorTicks(13, 40), stepTicks(13, 40));
  assert.deepEqual(factorTicks(0.012, 400), [0.1, 1, 10, 100]);
  assert.deepEqual(factorTicks(1, 8), [1, 2, 5]);
  for (let seed = 1; seed <= 300; seed++) {
    const dice = new Dice(seed);
    const low = 10 ** dice.between(-6, 5);
    const high = low * (1 + 10 ** dice.between(-2, 6));
    for (const ticks of [stepTicks(low, high), stepTicks(-low, high), factorTicks(low, high)]) {
      assert.ok(ticks.length >= 1 && ticks.length <= 7, `${low} ${high} ${ticks.join()}`);
      assert.ok(ticks.every((tick, at) => at === 0 || tick > (ticks[at - 1] ?? tick)));
      assert.ok(ticks.every((tick) => tick <= high * 1.001 && tick >= -low * 1.001));
    }
  }
  assert.deepEqual([0, 0.5, 20, 1000, 1e-6, 2.5].map(tickText), ["0", "0.5", "20", "1,000", "1e−6", "2.5"]);
});

test("bins too narrow to be seen are joined", () => {
  const bins = floatBins(-4, 4);
  const { bars } = layBars(bins, false, 16);
  assert.equal(total(bars), total(bins));
  assert.equal(bars.length, 16);
  assert.deepEqual([bars[0]?.lower, bars[0]?.upper], [1 / 16, 1]);
});

test("on a logarithmic axis bins of float bits are equally wide", () => {
  const { bars, ticks } = layBars(floatBins(0, 3), true, 64);
  assert.equal(bars.length, 24);
  for (const { left, right } of bars) assert.ok(Math.abs(right - left - 1 / 24) < 1e-9);
  assert.deepEqual(ticks.map(({ value }) => value), [1, 2, 5]);
  assert.ok(ticks[0]?.at === 0 && Math.abs((ticks[1]?.at ?? 0) - 1 / 3) < 1e-9);
  const coarse = layBars(floatBins(0, 3), true, 12).bars;
  assert.equal(coarse.length, 12);
  assert.deepEqual([coarse[0]?.lower, coarse[0]?.upper], [1, 1.25]);
});

function total(bins: readonly Bin[]): number {
  return bins.reduce((sum, { count }) => sum + count, 0);
}

test("bars never overlap, never leave the axis, and keep every count, whatever the bins are", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const dice = new Dice(seed);
    let edge = dice.pick([0, -3.5, 0.001, 7]);
    const bins = dice.list(dice.whole(1, 90), () => {
      const lower = edge + dice.pick([0, 0, dice.share()]);
      edge = lower + dice.between(0.01, 2);
      return { lower, upper: edge, count: dice.whole(1, 1000) };
    });
    const { bars } = layBars(bins, isGeometric(bins) && dice.share() < 0.5, 64);
    assert.ok(bars.length <= 64);
    assert.equal(total(bars), total(bins));
    for (const [at, bar] of bars.entries()) {
      assert.ok(bar.left >= -1e-9 && bar.left < bar.right && bar.right <= 1 + 1e-9 && bar.lower < bar.upper);
      const next = bars[at + 1];
      if (next !== undefined) assert.ok(bar.right <= next.left + 1e-9 && bar.upper <= next.lower);
    }
    for (const log of [false, true]) {
      const heights = barHeights(bars, log);
      assert.equal(Math.max(...heights), 1);
      assert.ok(heights.every((height) => height > 0));
    }
  }
});

test("the area of a bar tells its count, or its height the logarithm", () => {
  const bars = [
    { lower: 0, upper: 1, count: 10, left: 0, right: 0.25 },
    { lower: 1, upper: 4, count: 15, left: 0.25, right: 1 },
  ];
  assert.deepEqual(barHeights(bars, false), [1, 0.5]);
  const [first = 0, second = 0] = barHeights(bars, true);
  assert.ok(first === 1 && Math.abs(second - Math.log(6) / Math.log(11)) < 1e-12);
  assert.deepEqual(barHeights([], false), []);
});

test("a bar is told with its range and its count, one of which is no plural", () => {
  assert.equal(tellBar({ lower: 0.5, upper: 1, count: 1234 }, "firings"), "0.500 to 1.00: 1,234 firings");
  assert.equal(tellBar({ lower: 0, upper: 1, count: 1 }, "firings"), "0 to 1.00: 1 firing");
});

test("empty bins are left out", () => {
  assert.deepEqual(binsOf({ column: col("h", "histogram"), value: [0, 1, 3, 1, 2, 0, 2, 3, 1] }).length, 2);
  assert.deepEqual(binsOf({ column: col("h", "histogram"), value: null }), []);
});

const activations = col("activation_histogram", "histogram", { unit: "activation" });
const intervals = [group("interval", [example()], 0, 2), group("interval", [example()], 2, 4)];

test("the histogram of activations leads to the examples of a bar, by name for those who do not see it", () => {
  const { scene, draw } = card([[activations, [0, 1, 5, 1, 2, 1, 2, 3, 9]]], { payload: { groups: intervals } });
  const page = printed(draw());
  assert.deepEqual(
    [...page.matchAll(/<button\s+type="button"\s+aria-label="([^"]*)"/g)].map(([, label]) => label),
    [
      "0 to 1.00: 5 firings. Show such examples",
      "1.00 to 2.00: 1 firing. Show such examples",
      "2.00 to 3.00: 9 firings. Show such examples",
    ],
  );
  const stops = [...page.matchAll(/data-tip="([^"]*)"\s+data-grow="\d+"\s+tabindex="(0|-1)"/g)];
  assert.deepEqual(stops.map(([, , tab]) => tab), ["-1", "-1", "0"], "the highest bar is the one stop");
  for (const act of listenersOf(draw(), "click").slice(0, 3)) act();
  assert.deepEqual(scene.changes, [
    { tab: "interval", interval: 0 },
    { tab: "interval", interval: 0 },
    { tab: "interval", interval: 1 },
  ]);
});

test("without intervals the bars are looked at only", () => {
  const page = printed(card([[activations, [0, 1, 5]]]).draw());
  assert.match(page, /<i role="img" aria-label="0 to 1\.00: 5 firings"/);
  assert.doesNotMatch(page, /Show such examples|Choose a bar/);
});

test("the axes of the activations are switched, the one of the strengths where bins grow", () => {
  const flat = floatBins(0, 2).flatMap(({ lower, upper, count }) => [lower, upper, count]);
  const { scene, draw } = card([[activations, flat]]);
  for (const act of listenersOf(draw(), "click")) act();
  const wanted = [{ strengths: "linear" }, { strengths: "log" }, { counts: "linear" }, { counts: "log" }];
  assert.deepEqual(scene.changes, wanted);
  const widths = (page: string) => new Set([...page.matchAll(/ width="([\d.]+)"/g)].map(([, width]) => width)).size;
  assert.ok(widths(printed(draw())) > 1);
  assert.equal(widths(printed(draw({ ...scene, view: { ...scene.view, strengths: "log" } }))), 1);
  assert.equal(listenersOf(card([[activations, [0, 1, 5]]]).draw(), "click").length, 2);
});

test("what the examples on the page are is marked in the histogram", () => {
  const groups = [group("top", [example({ activation: 9 }), example({ activation: 5 })]), ...intervals];
  const data = featureData({ payload: { groups } });
  assert.deepEqual(shownRange(sceneOf(data)), [5, Number.POSITIVE_INFINITY]);
  assert.deepEqual(shownRange(sceneOf(data, { tab: "interval", interval: 0 })), [0, 2]);
  assert.equal(shownRange(sceneOf(data, { tab: "interval" })), null);
  assert.equal(shownRange(sceneOf(data, { tab: "random" })), null);
  assert.equal(shownRange(sceneOf(featureData({}))), null);
});

test("logits have their two colours, positions none", () => {
  const logits = printed(card([[col("l", "histogram", { unit: "logit" }), [-1, 0, 5, 0, 1, 2]]]).draw());
  assert.match(logits, /<rect class="negative"[\s\S]*<rect class="positive"/);
  const positions = lineOf(card([[col("p", "histogram", { unit: "position" }), [0, 16, 5]]]).draw());
  assert.match(positions, /from to firings 0 16\.0 5/);
});
