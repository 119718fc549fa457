import assert from "node:assert/strict";
import { test } from "node:test";
import { Analysis } from "../src/probe/analysis.ts";
import { FeatureNames } from "../src/probe/names.ts";
import { rank } from "../src/probe/ranking.ts";
import { showTextControls } from "../src/probe/show-controls.ts";
import { heatClass, peakOf, pieceAt, showPieces, showScale } from "../src/probe/show-pieces.ts";
import type { PieceLook } from "../src/probe/show-pieces.ts";
import { showRanking, tellCount } from "../src/probe/show-ranking.ts";
import type { RankingScene } from "../src/probe/show-ranking.ts";
import { showTextStrip, tellWhere } from "../src/probe/show-text.ts";
import { PLAIN_TEXT as DEFAULT_VIEW } from "../src/probe/view.ts";
import type { TextView } from "../src/probe/view.ts";
import "../src/panels/test.ts";
import { drawCard } from "../src/panels/registry.ts";
import { featureData, sceneOf } from "./support/feature.ts";
import { fakeSite } from "./support/fake-site.ts";
import { HOSTILE } from "./support/random.ts";
import { lineOf, listenersOf, printed, textOf } from "./support/template.ts";
import { activationsOf, piece } from "./support/text-model.ts";

const PLAIN_TEXT = { ...DEFAULT_VIEW, densest: 1 };
const ROWS = [
  [9, 0, 9],
  [1, 2, 0],
  [3, 0, 0],
];
const TEXT = activationsOf(ROWS, { pieces: [piece("<|end|>", 0, true), piece(" raise", 1), piece("\n", 2)] }, [0]);

/** A site whose SAE alpha has densities, maxima, clusters and two titles. */
function names(): Promise<FeatureNames> {
  const column = (name: string, labels: string[] = []) => ({ name, type: "float64", labels });
  const numbers = (...values: number[]) => new Uint8Array(Float64Array.from(values).buffer);
  const site = fakeSite({
    site: {
      build_id: "b",
      saes: [{ slug: "alpha", n_features: 3, title: "A" }],
      rows_per_column_shard: 8,
      rows_per_title_shard: 8,
    },
    "alpha/table": {
      columns: [column("activation_density"), column("max_activation"), column("cluster", ["errors", "names"])],
    },
    "alpha/titles/0": { start: 0, explanations: ["<b>first</b>", "", "third"], tokens: [[], [], []], densities: [] },
  });
  site.answers.set("alpha/columns/0/0", { bytes: numbers(0.5, 0.001, 0.02) });
  site.answers.set("alpha/columns/1/0", { bytes: numbers(6, 4, 2) });
  site.answers.set("alpha/columns/2/0", { bytes: numbers(1, 0, -1) });
  return new Promise((resolve) => {
    const found: FeatureNames = new FeatureNames("alpha", () => {
      const isThere = ["activation_density", "max_activation", "cluster"].every((name) => !Number.isNaN(found.value(name, 0)));
      if (found.row(0) !== undefined && found.row(1) !== undefined && isThere) resolve(found);
    });
    found.row(0);
    found.row(1);
    for (const name of ["activation_density", "max_activation", "cluster"]) found.value(name, 0);
  });
}

function look(changes: Partial<PieceLook> = {}): PieceLook {
  const value = (_: unknown, at: number) => [9, 2, 0][at] ?? 0;
  return { value, max: 9, tell: (number) => `told ${number}`, peak: 0, bos: TEXT.bos, label: "Tokens", ...changes };
}

test("heat is linear in nine steps up to full heat; zero and less have none", () => {
  assert.equal(heatClass(0, 9), "");
  assert.equal(heatClass(-1, 9), "");
  assert.equal(heatClass(1, 0), "");
  for (let step = 1; step <= 9; step++) {
    assert.equal(heatClass(step, 9), `a${step}`);
    assert.equal(heatClass(step - 0.999, 9), `a${step}`);
  }
  assert.equal(heatClass(99, 9), "a9");
  assert.match(textOf(showScale(14.2134, "activation")).replace(/\s+/g, " "), /0 14\.21 activation/);
});

test("a strip to read shows text as text, and makes stops of what fires", () => {
  const html = printed(showPieces(TEXT.pieces, look()));
  assert.match(html, /role="group"/);
  assert.match(html, /class="token a9 peak special" data-tip="told 9" tabindex="0"[^>]*>BOS</);
  assert.match(html, /class="token a2" data-tip="told 2" tabindex="-1"[^>]*> raise</);
  assert.doesNotMatch(html, /role="option"|told 0/);
  assert.equal((html.match(/tabindex/g) ?? []).length, 2);
});

test("a strip to choose from is a list box with one stop for Tab", () => {
  const chosen: number[] = [];
  const choosing = look({ chosen: new Set([1]), choose: (at) => chosen.push(at) });
  const shown = showPieces(TEXT.pieces, choosing);
  const html = printed(shown);
  assert.match(html, /role="listbox"\s+aria-multiselectable="true"/);
  assert.equal((html.match(/tabindex="0"/g) ?? []).length, 1);
  assert.match(html, /aria-selected="true"[^>]*data-piece="1"[^>]*tabindex="0"/s);
  // White space needs a name of its own.
  assert.match(html, /aria-label="↵"/);
  class Hit {
    closest = (): unknown => ({ dataset: { piece: "2" } });
  }
  Object.assign(globalThis, { Element: Hit });
  let prevented = 0;
  const event = (key: string) => ({ target: new Hit(), key, preventDefault: () => (prevented += 1) });
  assert.equal(pieceAt(event("") as unknown as Event), 2);
  listenersOf(shown, "click")[0]?.(event(""));
  for (const key of ["Enter", " ", "x"]) listenersOf(shown, "keydown")[0]?.(event(key));
  assert.deepEqual(chosen, [2, 2, 2]);
  assert.equal(prevented, 2);
});

test("without a chosen piece Tab stops at the peak, without that at the first text", () => {
  const stop = (changes: Partial<PieceLook>) =>
    /data-piece="(\d)"[^>]*tabindex="0"/s.exec(printed(showPieces(TEXT.pieces, look({ choose: () => undefined, ...changes }))))?.[1];
  assert.equal(stop({ chosen: new Set() }), "0");
  assert.equal(stop({ peak: 2 }), "2");
  assert.equal(stop({ peak: -1 }), "1");
});

test("hostile text stays text, whatever it holds", () => {
  const pieces = HOSTILE.map((text, at) => piece(text, at));
  for (const choose of [undefined, () => undefined]) {
    const changes = choose === undefined ? {} : { choose };
    const html = printed(showPieces(pieces, look({ value: () => 1, ...changes })));
    assert.doesNotMatch(html, /<(script|img)/);
    assert.ok(html.includes("&lt;/script&gt;"));
    assert.match(html, /class="badge"[^>]*>U\+202E/);
  }
  // Next to right-to-left text every piece is isolated, silent ones too.
  const silent = printed(showPieces([piece("a", 0), piece("שלום", 1)], look({ value: () => 0, peak: -1 })));
  assert.equal((silent.match(/class="token"/g) ?? []).length, 2);
});

test("the peak is the first of the largest values, and nothing where all are zero", () => {
  assert.equal(peakOf(TEXT.pieces, (_, at) => [1, 3, 3][at] ?? 0), 1);
  assert.equal(peakOf(TEXT.pieces, () => 0), -1);
  assert.equal(peakOf([], () => 1), -1);
});

test("the controls say what holds, and change one thing at a time", () => {
  const changes: Partial<TextView>[] = [];
  const shown = showTextControls(PLAIN_TEXT, true, (change) => void changes.push(change));
  const pressed = printed(shown).match(/aria-pressed="true"[^>]*>\s*[^<]*/g)?.map((button) => button.split(">")[1]?.trim());
  assert.deepEqual(pressed, ["max", "all", "none"]);
  for (const act of listenersOf(shown, "click")) act();
  assert.deepEqual(changes, [
    { joining: "max" },
    { joining: "sum" },
    { joining: "mean" },
    { densest: 0.1 },
    { densest: 0.01 },
    { densest: 1 },
    { bos: true },
    { grouping: "" },
    { grouping: "token" },
    { grouping: "cluster" },
  ]);
  assert.doesNotMatch(textOf(showTextControls(PLAIN_TEXT, false, () => undefined)), /BOS/);
});

/** A scene of the text's features that notes what it is asked for. */
async function scene(view: Partial<TextView> = {}, most = 20): Promise<RankingScene & { asked: unknown[] }> {
  const known = await names();
  const analysis = new Analysis(TEXT, known);
  const shown = { ...PLAIN_TEXT, ...view };
  const asked: unknown[] = [];
  return {
    ranking: rank(analysis, shown, [], known),
    view: shown,
    names: known,
    pieces: TEXT.pieces,
    pieceOf: (token) => analysis.pieceOf(token),
    most,
    sort: (by) => asked.push(by),
    colour: (feature) => asked.push(feature),
    more: () => asked.push("more"),
    asked,
  };
}

test("a row links to its feature, with value, share of the maximum, density and token", async () => {
  const shown = showRanking(await scene());
  const html = printed(shown);
  assert.match(html, /href="[^"]*alpha\/0\/0\.html"/);
  assert.ok(html.includes("&lt;b&gt;first&lt;/b&gt;"));
  assert.match(lineOf(shown).replaceAll("\u202f", ""), /<b>first<\/b> 0 3\.000 50% 50\.0% ↵/);
  assert.match(lineOf(shown).replaceAll("\u202f", ""), /no explanation 1 2\.000 50% 0\.100% ␣raise/);
});

test("headings sort, rows colour the text, and a second press takes the colour back", async () => {
  const plain = await scene();
  const found = listenersOf(showRanking(plain), "click");
  for (const act of found) act();
  assert.deepEqual(plain.asked, ["feature", "value", "share", "density", 0, 1]);
  const own = await scene({ feature: 1 });
  for (const act of listenersOf(showRanking(own), "click").slice(4)) act();
  assert.deepEqual(own.asked, [0, null]);
  assert.match(printed(showRanking(own)), /aria-sort="descending"/);
  assert.match(printed(showRanking(own)), /aria-pressed="true"\s+aria-label="Colour the text by feature 1"/);
});

test("groups are named after their token or their cluster", async () => {
  const told = async (grouping: TextView["grouping"]) => lineOf(showRanking(await scene({ grouping, bos: true })));
  assert.match(await told("token"), /at <\|end\|> 2 features .* at ␣raise 1 feature/);
  assert.match(await told("cluster"), /names 1 feature .* errors 1 feature .*no cluster 1 feature/);
});

test("a long list is shown step by step", async () => {
  const cut = await scene({}, 1);
  const shown = showRanking(cut);
  assert.doesNotMatch(textOf(shown), /no explanation/);
  assert.match(textOf(shown), /Show more/);
  listenersOf(shown, "click").at(-1)?.();
  assert.equal(cut.asked.at(-1), "more");
});

test("how many features fire where is a sentence", () => {
  const ranking = { groups: [], count: 2, denser: 0, tokens: 3 };
  assert.equal(tellCount(ranking, "on the text"), "2 features fire on the text (3 tokens).");
  assert.equal(
    tellCount({ ...ranking, count: 1, tokens: 1, denser: 1200 }, "at this token"),
    "1 feature fires at this token (1 token); 1,200 denser ones are left out.",
  );
  assert.equal(tellWhere(PLAIN_TEXT, null), "on the text");
  assert.equal(tellWhere({ ...PLAIN_TEXT, bos: true }, null), "on the text, BOS included");
  assert.equal(tellWhere(PLAIN_TEXT, 3), "at this token");
  assert.equal(tellWhere({ ...PLAIN_TEXT, locks: [1] }, null), "at the locked token");
  assert.equal(tellWhere({ ...PLAIN_TEXT, locks: [1, 2] }, 1), "at the locked tokens");
});

test("a text is coloured by the strongest feature, or by one of the reader's choice on its own scale", async () => {
  const known = await names();
  const analysis = new Analysis(TEXT, known);
  const asked: unknown[] = [];
  const strip = (view: Partial<TextView>) =>
    showTextStrip({
      analysis,
      view: { ...PLAIN_TEXT, ...view },
      names: known,
      lock: (at) => asked.push(at),
      colour: (feature) => asked.push(feature),
    });
  const all = printed(strip({}));
  assert.match(all, /data-tip="no feature fires here"[^>]*>BOS/);
  assert.match(all, /data-tip="2\.000 of feature 1"/);
  assert.match(all, /class="token a9 peak"[^>]*data-tip="3\.000 of feature 0"/s);
  const own = strip({ feature: 0 });
  // Its largest activation in the corpus is 6: half of that is the fifth of nine steps.
  assert.match(printed(own), /class="token a5 peak"[^>]*data-tip="3\.000 · 50\u202f% of the maximum"/s);
  assert.match(lineOf(own), /6\.000 activation of feature 0: <b>first<\/b>/);
  listenersOf(own, "click")[0]?.();
  assert.deepEqual(asked, [null]);
  assert.match(printed(strip({ feature: 0, bos: true })), /a9 peak special[^>]*data-tip="9\.000/s);
});

test("numbers that cannot be read leave their place empty", async () => {
  fakeSite({ site: { build_id: "b", saes: [] } });
  const known = new FeatureNames("nowhere", () => assert.fail("nothing arrives"));
  assert.ok(Number.isNaN(known.value("activation_density", 0)));
  assert.equal(known.row(3), undefined);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(known.label("cluster", 0), "");
  assert.equal(known.row(3), undefined);
});

test("the box of a feature page is offered only where the site has a model", () => {
  const card = { id: "test", title: "Test", panel: "test", columns: [], kept: false };
  const drawn = (model: boolean) => drawCard(card, sceneOf(featureData({ site: { model } })));
  assert.deepEqual(drawn(false), []);
  assert.match(printed(drawn(true)), /<atlas-test-offer/);
});
