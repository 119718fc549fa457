import assert from "node:assert/strict";
import { test } from "node:test";
import { contextRange, edgesOf } from "../src/examples/range.ts";
import { equalTexts, showExample } from "../src/examples/show-example.ts";
import { showStrip, tellActivation, tellLoss } from "../src/examples/show-strip.ts";
import { heatPaints, heatStep, lossClass, lossPaints, stripRuns, trimmed, windowText } from "../src/examples/strip.ts";
import { isBidi } from "../src/core/text.ts";
import { example, featureData, sceneOf } from "./support/feature.ts";
import { fakeSite } from "./support/fake-site.ts";
import { Dice, HOSTILE } from "./support/random.ts";
import { printed, textOf } from "./support/template.ts";

fakeSite();
const STRIP = { context: "full", spaces: false, reach: { before: 0, after: 0 } } as const;
const whole = (pieces: readonly unknown[]): [number, number] => [0, pieces.length];

test("heat is linear in nine steps, zero is none", () => {
  assert.equal(heatStep(0), 0);
  for (let strength = 1; strength <= 255; strength++) {
    const step = heatStep(strength);
    assert.ok(step >= 1 && step <= 9);
    assert.ok((step - 1) / 9 < strength / 255 && strength / 255 <= step / 9);
  }
});

test("a loss effect has five steps either way, linear, and none near zero", () => {
  assert.equal(lossClass(0, 1), "");
  assert.equal(lossClass(0.09, 1), "");
  assert.equal(lossClass(-0.09, 1), "");
  assert.equal(lossClass(0.11, 1), "helps1");
  assert.equal(lossClass(-0.5, 1), "hurts3");
  assert.equal(lossClass(1, 1), "helps5");
  assert.equal(lossClass(-7, 1), "hurts5");
  assert.equal(lossClass(1, 0), "");
  for (let step = 1; step <= 5; step++) assert.equal(lossClass(step / 5, 1), `helps${step}`);
});

test("unknown loss effects are not painted, known ones keep their value", () => {
  const paints = lossPaints([null, 0.25, -1, 0], 1);
  assert.deepEqual([...paints.keys()], [1, 2, 3]);
  assert.deepEqual(paints.get(2), { css: "hurts5", value: -1 });
  assert.deepEqual(paints.get(3), { css: "", value: 0 });
});

test("cold text runs together, what fires stands alone with its value", () => {
  const texts = ["def ", "f", "raise", " Err", "\n"];
  const shown = example({ pieces: [0, 1, 2, 3, 4], peak: 2, heat: [2, 255, 3, 51], activation: 12.5 });
  const runs = stripRuns(shown, texts, heatPaints(shown, 12.5), whole(texts));
  assert.deepEqual(
    runs.map(({ text, paint, peak, alone }) => [text, paint?.css, paint?.value, peak, alone]),
    [
      ["def f", undefined, undefined, false, false],
      ["raise", "a9", 12.5, true, true],
      [" Err", "a2", 2.5, false, true],
      ["\n", undefined, undefined, false, false],
    ],
  );
});

test("the peak has its exact activation, not the one rounded to 255 steps", () => {
  const paints = heatPaints(example({ heat: [0, 128], activation: 5.017 }), 10);
  assert.deepEqual(paints.get(0), { css: "a5", value: 5.017 });
});

test("a silent peak has no colour and says that it does not fire", () => {
  const silent = example({ activation: 0, pieces: [0, 1], heat: [1, 100] });
  assert.deepEqual(heatPaints(silent, 10).get(0), { css: "", value: 0 });
  const shown = printed(showStrip(silent, ["a", "b"], heatPaints(silent, 10), tellActivation(10), STRIP));
  assert.match(shown, /<span class="token peak silent" data-tip="does not fire here" tabindex="0">a<\/span>/);
});

test("a window with right-to-left text has every piece for itself", () => {
  const shown = example({ pieces: [0, 1, 2], heat: [0, 255] });
  const runs = stripRuns(shown, ["a", "שלום", "b"], heatPaints(shown, 10), [0, 3]);
  assert.ok(runs.every(({ alone }) => alone));
  assert.equal(runs.map(({ text }) => text).join(""), "aשלוםb");
});

test("a short context lies around the peak, within the window", () => {
  const pieces = Array.from({ length: 60 }, () => 0);
  const long = example({ pieces, peak: 30 });
  const [start, stop] = contextRange(long, ["x"], "short");
  assert.ok(start > 0 && stop < 60 && start < 30 && stop > 30);
  assert.deepEqual(contextRange({ ...long, peak: 0 }, ["x"], "short")[0], 0);
  assert.deepEqual(contextRange({ ...long, peak: 59 }, ["x"], "short")[1], 60);
  assert.deepEqual(contextRange(long, ["x"], "full"), [0, 60]);
});

/** The sentence of piece number `peak` of `texts`. */
function sentence(texts: string[], peak: number): string {
  const shown = example({ pieces: texts.map((_, at) => at), peak });
  return windowText(shown, texts, contextRange(shown, texts, "sentence"));
}

test("a sentence ends at its sign or at the end of its line", () => {
  const prose = ["It", " rained.", " Then", " the", " sun", " shone", "!", " We", " left", "."];
  assert.equal(sentence(prose, 4), " Then the sun shone!");
  assert.equal(sentence(prose, 2), " Then the sun shone!");
  assert.equal(sentence(prose, 9), " We left.");
  const code = ["if", " x", ":", "\n", "    ", "raise", " Error", "(", ")", "\n", "return"];
  assert.equal(sentence(code, 5), "    raise Error()\n");
  assert.equal(sentence(code, 3), "if x:\n");
  assert.equal(sentence(code, 10), "return");
  assert.equal(sentence(["日本", "語。", "次の", "文。"], 2), "次の文。");
  assert.equal(sentence(["   "], 0), "   ");
});

test("a sentence holds its own piece, whatever the text is", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const dice = new Dice(seed);
    const texts = dice.list(dice.whole(1, 30), () => dice.text(HOSTILE, 4) || " ");
    const peak = dice.whole(0, texts.length);
    const shown = example({ pieces: texts.map((_, at) => at), peak });
    const [start, stop] = contextRange(shown, texts, "sentence");
    assert.ok(start <= peak && peak < stop && start >= 0 && stop <= texts.length);
  }
});

test("a window that is shorter than it could be tells where its text begins or ends", () => {
  const texts = ["a", "é"];
  const inside = example({ pieces: [0, 0, 0, 0, 0], peak: 2, position: 40 });
  assert.deepEqual(edgesOf(inside, texts, { before: 2, after: 2 }), { start: "", end: false });
  assert.deepEqual(edgesOf(inside, texts, { before: 3, after: 3 }), { start: "document", end: true });
  const early = edgesOf({ ...inside, position: 2 }, texts, { before: 3, after: 2 });
  assert.deepEqual(early, { start: "context", end: false });
  const wide = example({ pieces: [1, 0, 0, 1], peak: 2 });
  assert.deepEqual(edgesOf(wide, texts, { before: 3, after: 2 }), { start: "", end: false }, "é may be two tokens");
  assert.equal(edgesOf({ ...inside, peak: 0 }, texts, { before: 1, after: 1 }).start, "document");
});

test("cut contexts lose the empty space at their ends, but never their own piece", () => {
  const texts = ["\n\n  ", "  x", " y", "\n", "  "];
  const shown = (peak: number, context: "short" | "sentence" | "full") =>
    trimmed(stripRuns(example({ pieces: [0, 1, 2, 3, 4], peak }), texts, new Map(), [0, 5]), context)
      .map(({ text }) => text)
      .join("");
  assert.equal(shown(2, "full"), "\n\n    x y\n  ");
  assert.equal(shown(2, "sentence"), "x y");
  assert.equal(shown(2, "short"), "    x y");
  assert.equal(shown(0, "sentence"), "\n\n    x y");
  assert.equal(shown(3, "sentence"), "x y\n");
});

test("edges are marked only where the view does not cut before them", () => {
  const texts = Array.from({ length: 40 }, (_, at) => `w${at} `);
  const shown = example({ pieces: texts.map((_, at) => at), peak: 20 });
  const view = { ...STRIP, reach: { before: 26, after: 26 } };
  const full = showStrip(shown, texts, new Map(), tellLoss, view);
  assert.match(printed(full), /^<pre[^>]*><span class="edge edge-begin"/);
  assert.match(printed(full), /<span class="edge edge-end"[^>]*><\/span><\/pre>$/);
  assert.equal(textOf(full), texts.join(""));
  const short = showStrip(shown, texts, new Map(), tellLoss, { ...view, context: "short" });
  assert.match(textOf(short), /^…[^…]*…$/);
  assert.doesNotMatch(printed(short), /class="edge/);
});

function someExample(dice: Dice) {
  const pieces = dice.list(dice.whole(1, 50), () => dice.whole(0, HOSTILE.length));
  const hot = dice.shuffled(pieces.map((_, at) => at)).slice(0, dice.whole(0, 6));
  const heat = hot.flatMap((at) => [at, dice.whole(1, 256)]);
  return example({ activation: 7.25, peak: dice.whole(0, pieces.length), pieces, heat });
}

test("runs keep the text of the window, the one peak, and every token that fires", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const dice = new Dice(seed);
    const shown = someExample(dice);
    const [start, stop] = contextRange(shown, HOSTILE, dice.pick(["short", "sentence", "full"] as const));
    const runs = stripRuns(shown, HOSTILE, heatPaints(shown, 10), [start, stop]);
    const window = shown.pieces.slice(start, stop).map((piece) => HOSTILE[piece] ?? "");
    assert.equal(runs.map(({ text }) => text).join(""), window.join(""));
    assert.equal(runs.map(({ text }) => text).join(""), windowText(shown, HOSTILE, [start, stop]));
    const peaks = runs.filter(({ peak }) => peak);
    assert.deepEqual(peaks.map(({ paint }) => paint?.value), [7.25]);
    const hot = new Set(shown.heat.filter((at, place) => place % 2 === 0 && at >= start && at < stop));
    assert.equal(runs.filter(({ paint }) => paint !== null && paint.css !== "").length, hot.size);
    assert.ok(runs.every(({ paint, alone }) => paint === null || alone));
    assert.ok(runs.every(({ alone }, at) => alone || runs[at - 1]?.alone !== false), "cold text runs together");
    assert.ok(!isBidi(window.join("")) || runs.length === window.length);
  }
});

test("a strip shows its text to the letter, and says where it was cut", () => {
  for (let seed = 1; seed <= 100; seed++) {
    const shown = someExample(new Dice(seed));
    const data = featureData({ pieces: [...HOSTILE], documents: ["<d>\u202e"], site: {} });
    const content = showExample(shown, { group: "top", rank: 0 }, sceneOf(data, { context: "short" }));
    const [start, stop] = contextRange(shown, HOSTILE, "short");
    assert.match(textOf(content), /7\.250\s+copy\s+figure\s+<d>U\+202E/);
    assert.doesNotMatch(printed(content), /<img|<\/script/);
    const cuts = printed(content).match(/class="cut"/g)?.length ?? 0;
    assert.equal(cuts, Number(start > 0) + Number(stop < shown.pieces.length));
    assert.equal(printed(content).match(/tabindex="0"/g)?.length, 1, "one stop for the Tab key");
  }
});

test("asked for, every space is a dot and every tab an arrow", () => {
  const shown = example({ pieces: [0, 1], peak: 1, activation: 1 });
  const strip = printed(showStrip(shown, ["a  b", "\tc"], new Map(), tellLoss, { ...STRIP, spaces: true }));
  assert.match(strip, /<pre class="strip" data-rove>a·\u200b·\u200bb<span class="token peak">→\tc<\/span><\/pre>/);
});

test("values are told in words", () => {
  assert.equal(tellActivation(10)(5), "5.000 · 50\u202f% of the maximum");
  assert.equal(tellActivation(0)(5), "5.000");
  assert.equal(tellActivation(10)(0), "does not fire here");
  assert.equal(tellLoss(0.314), "+0.31 nats · the feature helps to predict it");
  assert.equal(tellLoss(-0.5), "−0.50 nats · the feature hinders predicting it");
  assert.equal(tellLoss(0), "0 nats");
  assert.equal(equalTexts(2), "and 1 equal text");
  assert.equal(equalTexts(1235), "and 1,234 equal texts");
});
