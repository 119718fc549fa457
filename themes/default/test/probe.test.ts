import assert from "node:assert/strict";
import { messageOf } from "../src/core/message.ts";
import { test } from "node:test";
import type { Piece } from "../src/model/client.ts";
import { pieceValue, scored, strongest, tokensOf } from "../src/probe/aggregate.ts";
import type { Joining } from "../src/probe/aggregate.ts";
import { Analysis } from "../src/probe/analysis.ts";
import { agreement, megabytes } from "../src/probe/facts.ts";
import { grouped } from "../src/probe/groups.ts";
import { cutAfter, fitText, mostTokens } from "../src/probe/limit.ts";
import { noticesOf } from "../src/probe/notices.ts";
import { CLUSTER, DENSITY, isDenser, LARGEST, piecesOf, rank, shareOf } from "../src/probe/ranking.ts";
import type { Known } from "../src/probe/ranking.ts";
import { PLAIN_TEXT as DEFAULT_VIEW } from "../src/probe/view.ts";
import { fakeSite } from "./support/fake-site.ts";
import { activationsOf, FakeModel, modelInfo, piece } from "./support/text-model.ts";
import { Dice } from "./support/random.ts";

fakeSite();

const PLAIN_TEXT = { ...DEFAULT_VIEW, densest: 1 };
const ROWS = [
  [9, 0, 9, 0],
  [1, 2, 0, 0],
  [3, 0, 0, 0],
  [0, 2, 0, 0],
];
const BOS = activationsOf(ROWS, {}, [0]);

/** What is known of features, from plain tables. */
function known(columns: Record<string, readonly number[]>): Known {
  return { value: (column, feature) => columns[column]?.[feature] ?? Number.NaN };
}

test("the tokens looked at are those of the chosen pieces, else all but BOS", () => {
  assert.deepEqual(tokensOf(BOS, [], false), [1, 2, 3]);
  assert.deepEqual(tokensOf(BOS, [], true), [0, 1, 2, 3]);
  assert.deepEqual(tokensOf(BOS, [3, 1], false), [1, 3]);
  // Who locks BOS itself means it.
  assert.deepEqual(tokensOf(BOS, [0], false), [0]);
  assert.deepEqual(tokensOf(BOS, [17], false), []);
  const wide = { ...BOS, pieces: [{ text: "é", start: 1, stop: 3, special: false }] };
  assert.deepEqual(tokensOf(wide, [0, 0], false), [1, 2]);
});

test("activations are joined by their largest, their sum or their mean over all tokens", () => {
  const value = (joining: Joining) => scored(BOS, [1, 2, 3], joining).map((one) => [one.feature, one.value, one.token]);
  assert.deepEqual(value("max"), [
    [0, 3, 2],
    [1, 2, 1],
  ]);
  assert.deepEqual(value("sum"), [
    [0, 4, 2],
    [1, 4, 1],
  ]);
  assert.deepEqual(value("mean"), [
    [0, 4 / 3, 2],
    [1, 4 / 3, 1],
  ]);
  assert.deepEqual(scored(BOS, [], "mean"), []);
});

test("scores equal a plain look at every number", () => {
  const dice = new Dice(5);
  for (let round = 0; round < 60; round += 1) {
    const [tokens, features] = [dice.whole(1, 9), dice.whole(1, 12)];
    const rows = dice.list(tokens, () => dice.list(features, () => (dice.share() < 0.6 ? 0 : Math.fround(dice.between(0, 9)))));
    const looked = dice.shuffled(rows.map((_, at) => at)).slice(0, dice.whole(0, tokens + 1)).sort((a, b) => a - b);
    const joining = dice.pick<Joining>(["max", "sum", "mean"]);
    const found = new Map(scored(activationsOf(rows), looked, joining).map((one) => [one.feature, one]));
    for (let feature = 0; feature < features; feature += 1) {
      const own = looked.map((token) => rows[token]?.[feature] as number);
      const [sum, most] = [own.reduce((total, value) => total + value, 0), Math.max(0, ...own)];
      const one = found.get(feature);
      if (most === 0) {
        assert.equal(one, undefined);
        continue;
      }
      const value = { max: most, sum, mean: sum / looked.length }[joining];
      assert.ok(Math.abs((one?.value ?? 0) - value) < 1e-9);
      assert.equal(one?.largest, most);
      assert.equal(one.token, looked[own.indexOf(most)]);
    }
  }
});

test("a piece has the largest activation of its tokens, and BOS only where it counts", () => {
  const whole: Piece = { text: "日", start: 1, stop: 4, special: false };
  assert.equal(pieceValue(BOS, 0, whole, false), 3);
  assert.equal(pieceValue(BOS, 3, whole, false), 0);
  assert.equal(pieceValue(BOS, 0, piece("", 0), false), 0);
  assert.equal(pieceValue(BOS, 0, piece("", 0), true), 9);
});

test("the strongest feature of a token is one that counts; of none it is -1", () => {
  assert.deepEqual(strongest(BOS, () => true).map(({ feature }) => feature), [0, 1, 0, 1]);
  assert.deepEqual(strongest(BOS, (feature) => feature !== 0), [
    { feature: 2, value: 9 },
    { feature: 1, value: 2 },
    { feature: -1, value: 0 },
    { feature: 1, value: 2 },
  ]);
});

test("an analysis keeps an answer until another is asked for", () => {
  const text = activationsOf(ROWS, {}, [0]);
  let asked = 0;
  const counting = {
    value: (column: string, feature: number) => {
      asked += Number(column === DENSITY && feature > 0);
      return [0.5, 0.001, 0.2, 0][feature] ?? Number.NaN;
    },
  };
  const analysis = new Analysis(text, counting);
  const view = { ...PLAIN_TEXT, densest: 0.1 };
  assert.deepEqual(analysis.topsOf(view).map(({ feature }) => feature), [-1, 1, -1, 1]);
  const before = asked;
  assert.equal(analysis.topsOf(view), analysis.topsOf({ ...view, joining: "sum" }));
  assert.equal(asked, before);
  // BOS is in the text for the one who counts it, and dense features for the one who asks for all.
  assert.deepEqual(analysis.topsOf({ ...PLAIN_TEXT, bos: true }).map(({ feature }) => feature), [0, 1, 0, 1]);
  assert.equal(analysis.firingOn(view, []), analysis.firingOn(view, []));
  assert.equal(analysis.firingOn(view, [1]).tokens, 1);
  assert.deepEqual([0, 3, 9, -1].map((token) => analysis.pieceOf(token)), [0, 3, -1, -1]);
});

test("a ranking filters by density, sorts by any column, and puts what is unknown last", () => {
  const columns = known({ [DENSITY]: [0.5, 0.01], [LARGEST]: [30, 2.5], [CLUSTER]: [1, -1] });
  const analysis = new Analysis(BOS, columns);
  const features = (changes: Partial<typeof PLAIN_TEXT>, looked: number[] = []) =>
    rank(analysis, { ...PLAIN_TEXT, ...changes }, looked, columns).groups.map((group) => [
      group.key,
      ...group.features.map(({ feature }) => feature),
    ]);
  const by = (name: string, descending: boolean) => ({ order: { by: name, descending } });
  assert.deepEqual(features({}), [[-1, 0, 1]]);
  assert.deepEqual(features(by("value", false)), [[-1, 1, 0]]);
  assert.deepEqual(features(by("share", true)), [[-1, 1, 0]]);
  assert.deepEqual(features(by("density", false)), [[-1, 1, 0]]);
  assert.deepEqual(features({ ...by("density", true), bos: true }), [[-1, 0, 1, 2]]);
  assert.deepEqual(features({ ...by("density", false), bos: true }), [[-1, 1, 0, 2]]);
  assert.deepEqual(features(by("feature", false)), [[-1, 0, 1]]);
  assert.deepEqual(features({ densest: 0.1 }), [[-1, 1]]);
  assert.deepEqual(features({ grouping: "token" }), [
    [1, 1],
    [2, 0],
  ]);
  assert.deepEqual(features({ grouping: "cluster" }), [
    [1, 0],
    [-1, 1],
  ]);
  assert.deepEqual(features({}, [3]), [[-1, 1]]);
  const { count, denser, tokens } = rank(analysis, { ...PLAIN_TEXT, densest: 0.1 }, [], columns);
  assert.deepEqual([count, denser, tokens], [1, 1, 3]);
});

test("a feature of unknown density is listed, and a share needs a maximum", () => {
  const columns = known({ [DENSITY]: [0.5], [LARGEST]: [4] });
  const sparse = { ...PLAIN_TEXT, densest: 0.1 };
  assert.equal(isDenser(0, sparse, columns), true);
  assert.equal(isDenser(1, sparse, columns), false);
  assert.equal(isDenser(0, PLAIN_TEXT, columns), false);
  const one = { feature: 0, value: 9, largest: 2, token: 0 };
  assert.equal(shareOf(one, columns), 0.5);
  assert.ok(Number.isNaN(shareOf({ ...one, feature: 1 }, columns)));
});

test("every token knows its piece; tokens of none know that", () => {
  const pieces = [piece("a", 0), { text: "é", start: 1, stop: 3, special: false }];
  assert.deepEqual([...piecesOf({ ids: [5, 6, 7, 8], pieces })], [0, 1, 1, -1]);
});

test("groups keep the order of their features; tokens stand as in the text, no cluster last", () => {
  const one = (feature: number) => ({ feature, value: 1, largest: 1, token: 0 });
  const features = [4, 1, 3, 2].map(one);
  const keys = new Map([
    [4, 7],
    [1, 2],
    [3, -1],
    [2, 7],
  ]);
  const keyOf = ({ feature }: { feature: number }) => keys.get(feature) ?? -1;
  const told = (grouping: "" | "token" | "cluster") =>
    grouped(features, grouping, keyOf).map(({ key, features: own }) => [key, own.map(({ feature }) => feature)]);
  assert.deepEqual(told(""), [[-1, [4, 1, 3, 2]]]);
  assert.deepEqual(told("token"), [
    [-1, [3]],
    [2, [1]],
    [7, [4, 2]],
  ]);
  assert.deepEqual(told("cluster"), [
    [7, [4, 2]],
    [2, [1]],
    [-1, [3]],
  ]);
});

test("sizes are told in megabytes, small ones in kilobytes", () => {
  assert.equal(megabytes(12_345_678), "12.3 MB");
  assert.equal(megabytes(100_000), "0.1 MB");
  assert.equal(megabytes(99_001), "100 kB");
  assert.equal(megabytes(1), "1 kB");
  assert.equal(megabytes(0), "0 kB");
});

test("the agreement of an SAE is a sentence; of another there is none", () => {
  const told = agreement(modelInfo(), "alpha").replaceAll("\u202f", "");
  assert.equal(told, "int8; agrees with the original on 4,096 tokens: top-20 overlap 0.991, median relative error 0.012");
  assert.equal(agreement(modelInfo(), "gamma"), "");
  assert.equal(messageOf(new Error("x")), "x");
  assert.equal(messageOf("y"), "y");
});

test("a reader is told of windows, of replaced halves and of what is left out", () => {
  const sae = { context_size: 128, prepend_bos: true };
  const text = { windows: 1, replaced: 0, ids: [1, 2, 3] };
  assert.deepEqual(noticesOf(text, 0, sae), []);
  const [windows, halves, cut] = noticesOf({ ...text, windows: 3, replaced: 2 }, 1234, sae);
  assert.match(windows ?? "", /context of 128 tokens: read in 3 windows.*with BOS/);
  assert.match(halves ?? "", /^2 half characters .*U\+FFFD/);
  assert.match(cut ?? "", /first 3 tokens.*1,234 characters/);
  assert.match(noticesOf({ ...text, replaced: 1 }, 0, sae)[0] ?? "", /^A half character /);
  assert.doesNotMatch(noticesOf({ ...text, windows: 2 }, 0, { ...sae, prepend_bos: false })[0] ?? "", /BOS/);
});

test("a text is cut after its last whole character that fits, never inside one", () => {
  const pieces = [piece("ab", 0), { text: "🤗", start: 1, stop: 4, special: false }, piece("c", 4)];
  assert.deepEqual(cutAfter("ab🤗c", pieces, 5), { text: "ab🤗c", cut: 0 });
  assert.deepEqual(cutAfter("ab🤗c", pieces, 4), { text: "ab🤗", cut: 1 });
  assert.deepEqual(cutAfter("ab🤗c", pieces, 3), { text: "ab", cut: 3 });
  // A tokenizer that drops a character shifts the end by one, but not into a pair.
  assert.deepEqual(cutAfter("-a🤗c", [piece("a🤗", 0), piece("c", 1)], 1), { text: "-a", cut: 3 });
});

test("a short text is not counted, a long one is cut to what a tab can hold", async () => {
  const model = new FakeModel();
  assert.equal(mostTokens(4), 4096);
  assert.equal(mostTokens(24_576), 1302);
  assert.equal(mostTokens(1e9), 1);
  assert.deepEqual(await fitText(model, "abc"), { text: "abc", cut: 0 });
  const long = "x".repeat(5000);
  assert.deepEqual(await fitText(model, long), { text: "x".repeat(4096), cut: 904 });
  assert.deepEqual(await fitText(model, "x".repeat(4096)), { text: "x".repeat(4096), cut: 0 });
});
