import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { coactivationNote } from "../src/panels/lists.ts";
import { foldingNote } from "../src/panels/logits.ts";
import { panelOf, registerPanel } from "../src/panels/registry.ts";
import { sampleNote, tokenRows } from "../src/panels/token-list.ts";
import "../src/panels/data.ts";
import "../src/panels/scalar.ts";
import "../src/panels/tokens.ts";
import type { ColumnPayload } from "../src/payloads.ts";
import type { Value } from "../src/feature/model.ts";
import { html, nothing } from "../src/core/lit.ts";
import { featureData } from "./support/feature.ts";
import { fakeSite } from "./support/fake-site.ts";
import { card, col } from "./support/panels.ts";
import { Dice, HOSTILE } from "./support/random.ts";
import { lineOf, listenersOf, printed } from "./support/template.ts";

fakeSite();

test("a token list has its counts, or signed values; bars of activations end at the feature's maximum", () => {
  const list = col("tokens_x", "token_list", { unit: "activation" });
  const { draw } = card([[list, [0, 1200, 5, 1, 1, 2.5]]], { pieces: [" raise", "\n"] });
  assert.match(lineOf(draw()), /tokens x ␣raise 1,200 ↵ 1$/);
  assert.match(printed(draw()), /title="1,200 firings, mean 5"[\s\S]*title="1 firing, mean 2\.5"/);
  assert.match(printed(draw()), /<rect width="50"[\s\S]*<rect width="25"/);
  const plain = card([[col("l", "token_list", { unit: "logit" }), [0, 0, -0.5]]], { pieces: ["<b>"] });
  assert.match(lineOf(plain.draw()), /<b> −0\.50$/);
  assert.deepEqual(card([[list, []]]).draw(), []);
  assert.deepEqual(card([[list, null]]).draw(), []);
});

test("a list that was counted in a part of the corpus says so", () => {
  const share = col("top_tokens_share", "hidden", { hidden: true });
  const note = (value: Value) => sampleNote(featureData({ columns: [[share, value]] }), "top_tokens");
  assert.equal(note(0.25), "Counted in 1 of 4 contexts, drawn by a hash.");
  assert.equal(note(1), "");
  assert.equal(note(null), "");
  assert.equal(sampleNote(featureData({}), "top_tokens"), "");
});

test("the tokens it fires on, before and after share a card and a switch", () => {
  const names = ["top_tokens", "tokens_before", "tokens_after"];
  const columns = names.map((name, at): [ColumnPayload, Value] => [
    col(name, "token_list", { unit: "activation" }),
    [at, 3, 1],
  ]);
  const { scene, draw } = card(columns, { pieces: ["on", "before", "after"] });
  assert.equal(draw().length, 1);
  assert.match(lineOf(draw()), /^fires on just before just after on 3 Firings; the bar/);
  const after = { ...scene, view: { ...scene.view, tokens: "after" as const } };
  assert.match(lineOf(draw(after)), /after 3 Firings with that token after them/);
  for (const act of listenersOf(draw(), "click")) act();
  assert.deepEqual(scene.changes, [{ tokens: "on" }, { tokens: "before" }, { tokens: "after" }]);
  const one = card([[columns[0]?.[0] ?? assert.fail(), [0, 3, 1]]], { pieces: ["on"] });
  assert.equal(listenersOf(one.draw(), "click").length, 0);
});

const ENDS = ["positive_logits", "negative_logits", "raw_positive_logits", "raw_negative_logits"];
const FOLDED = "Tokens. Final norm folded: the direction is multiplied by it.";

/** The four lists of logit effects; of each pair the raw or the folded one is hidden. */
function logits(hidden: "raw" | "folded", values: Value[] = [[0, 0, 2], [1, 0, -1], [1, 0, 7], [0, 0, -8]]) {
  return card(
    ENDS.map((name, at): [ColumnPayload, Value] => [
      col(name, "token_list", { unit: "logit", hidden: name.startsWith("raw_") === (hidden === "raw"), doc: FOLDED }),
      values[at] ?? null,
    ]),
    { pieces: ["a", "b"] },
  );
}

test("logit effects are shown as stored, and the others on demand; the page says which", () => {
  const { scene, draw } = logits("raw");
  assert.equal(draw().length, 1);
  assert.match(lineOf(draw()), /a \+2\.00 b −1\.00 Final norm folded\.$/);
  const other = { ...scene, view: { ...scene.view, otherLogits: true } };
  assert.match(lineOf(draw(other)), /b \+7\.00 a −8\.00 Shown raw: W_dec · W_U, nothing folded/);
  for (const act of listenersOf(draw(), "click")) act();
  assert.deepEqual(scene.changes, [{ otherLogits: false }, { otherLogits: true }]);
  assert.match(printed(draw()), /aria-pressed="true"[^>]*>\s*final norm folded in/);
});

test("an atlas that shows raw effects has it the other way round", () => {
  const { scene, draw } = logits("folded");
  assert.match(lineOf(draw()), /b \+7\.00 a −8\.00 Shown raw/);
  assert.match(lineOf(draw({ ...scene, view: { ...scene.view, otherLogits: true } })), /a \+2\.00/);
  for (const act of listenersOf(draw(), "click")) act();
  assert.deepEqual(scene.changes, [{ otherLogits: true }, { otherLogits: false }]);
});

test("with one kind of effects alone there is nothing to switch, and without any nothing to see", () => {
  const alone = logits("raw", [[0, 0, 2], [1, 0, -1], null, null]);
  assert.equal(listenersOf(alone.draw(), "click").length, 0);
  assert.match(lineOf(alone.draw()), /a \+2\.00/);
  const raw = logits("folded", [null, null, [0, 0, 2], [1, 0, -1]]);
  assert.match(lineOf(raw.draw()), /^a \+2\.00 b −1\.00 Shown raw/);
  assert.deepEqual(logits("raw", [null, null, null, null]).draw(), []);
});

test("what was folded is read from the definition", () => {
  assert.equal(foldingNote(FOLDED), "Final norm folded.");
  assert.equal(foldingNote("Tokens. Shown raw: as it is."), "Shown raw.");
  assert.equal(foldingNote("Tokens."), "");
});

test("neighbours link their pages, with all their numbers under headings", () => {
  const fields = ["feature_idx", "value", "count", "pmi"];
  const together = col("coactivation", "feature_list", { unit: "correlation", fields });
  const columns: [ColumnPayload, Value][] = [
    [col("neighbours", "feature_list", { unit: "cosine" }), [1204, 0.714, 3, 0.5]],
    [together, [7, 0.25, 1234, null]],
    [col("sampled_tokens", "hidden", { hidden: true }), 5000],
    [col("sampled_firing_tokens", "hidden", { hidden: true }), 40],
  ];
  const { draw } = card(columns, { titles: [[1204, "raise <b>"]] });
  assert.equal(draw().length, 2);
  assert.match(printed(draw()), /href="\.\.\/alpha\/1\/1204\.html">raise &lt;b&gt;</);
  assert.match(lineOf(draw()), /by decoder direction\s+cosine raise <b> 0\.71 feature 3 0\.50/);
  assert.match(lineOf(draw()), /phi\s*tokens\s*PMI feature 7 0\.25\s*1,234\s*–/);
  assert.match(lineOf(draw()), /Counted on a sample of 5,000 tokens, on 40 of which this feature fires\.$/);
  assert.equal(coactivationNote(featureData({})), "");
});

test("sources have the share of their tokens, and their names are text", () => {
  const { draw } = card([[col("sources", "source_list"), ["<i>\u202e", 3, 0.01, "", 1, 0.005]]]);
  assert.match(lineOf(draw()), /^<i>U\+202E 1\.00\u202f% \(no name\) 0\.500\u202f%/);
  assert.match(printed(draw()), /title="3 firings, 0\.01 of the tokens"/);
  assert.deepEqual(card([[col("sources", "source_list"), []]]).draw(), []);
});

test("neurons have their weight, either way, and the alignment below", () => {
  const columns: [ColumnPayload, Value][] = [
    [col("top_neurons", "neuron_list", { hidden: true }), [12, 0.5, 0.1, 3, -0.25, 0.05]],
    [col("neuron_alignment", "scalar"), 0.62],
  ];
  const shown = card(columns).draw();
  assert.match(lineOf(shown[0]), /^dimension bar weight share 12 0\.500 10\u202f% 3 −0\.250 5\.0\u202f% /);
  assert.match(lineOf(shown[0]), / neuron alignment 0\.620$/);
  const [positive = "", negative = ""] = printed(shown[0]).split('class="negative"');
  assert.match(positive, /class="positive"[\s\S]*<rect width="100"/);
  assert.match(negative, /<rect width="50"/);
});

test("all scalars are one table, each with unit, exact value, definition", () => {
  const columns: [ColumnPayload, Value][] = [
    [col("firing_tokens", "scalar", { unit: "tokens" }), 12345],
    [col("density", "scalar", { unit: "fraction" }), 0.00115],
    [col("odd", "scalar"), null],
  ];
  const shown = card(columns).draw();
  assert.equal(shown.length, 1);
  assert.match(lineOf(shown), /^firing tokens 12,345 tokens density 0\.115\u202f% odd –$/);
  assert.match(printed(shown), /href="\.\.\/about\.html#c-density" data-tip="What density is\."/);
  assert.match(printed(shown), /<span title="0\.00115">/);
});

test("a panel registered for a column's name wins over its kind, and its neighbours may join it", () => {
  registerPanel("special", {
    draw: (entries) => html`<p>${entries.map(({ column: { name } }) => name)}</p>`,
    takes: ({ name }) => name === "joined",
  });
  const plain = { id: "c", title: "", panel: "", columns: [], kept: false };
  assert.notEqual(panelOf(col("special", "scalar"), plain), panelOf(col("other", "scalar"), plain));
  assert.equal(panelOf(col("x", "token_list", { hidden: true }), plain), undefined);
  assert.notEqual(panelOf(col("x", "token_list"), plain), undefined);
  assert.equal(panelOf(col("x", "token_list"), { ...plain, panel: "special" }), panelOf(col("special", "text"), plain));
  const shown = card([[col("special", "scalar"), 1], [col("a", "scalar"), 2], [col("joined", "scalar"), 3]]).draw();
  assert.deepEqual(shown.map(lineOf), ["specialjoined", "a 2"]);
});

test("a card needs no column where it names a panel; what draws nothing leaves no trace", () => {
  registerPanel("alone", { draw: () => html`<p>alone</p>` });
  registerPanel("empty", { draw: () => nothing });
  assert.deepEqual(card([], {}, "alone").draw().map(lineOf), ["alone"]);
  assert.deepEqual(card([], {}, "empty").draw(), []);
  assert.deepEqual(card([], {}, "unknown").draw(), []);
  assert.deepEqual(card([[col("odd", "no such kind"), 1]]).draw(), []);
});

test("texts of a corpus are text in every panel", () => {
  for (let seed = 1; seed <= 100; seed++) {
    const dice = new Dice(seed);
    const text = dice.text(HOSTILE, 12);
    const columns: [ColumnPayload, Value][] = [
      [col("t", "token_list"), [0, 1, 1]],
      [col("s", "source_list"), [text, 1, 0.5]],
      [col("f", "feature_list"), [1, 0.5]],
      [col("w", "text"), text],
    ];
    const page = printed(card(columns, { pieces: [text], titles: [[1, text]] }).draw());
    assert.doesNotMatch(page, /<(img|script|\/script)/);
    assert.doesNotMatch(page, /[\u202e\u2066\u200b]/);
  }
});

test("the card of the data has its files, the line of Python, and links to where it all is", () => {
  const [drawn] = card([], { payload: { feature_idx: 20 } }, "data").draw();
  assert.match(lineOf(drawn), /^JSON numbers as CSV examples as CSV /);
  assert.match(lineOf(drawn), / atlas\.open\("data"\)\.feature\(20, sae="alpha"\) copy /);
  const links = [...printed(drawn).matchAll(/href="([^"]*)"/g)].map(([, address]) => address);
  assert.deepEqual(links, ["../about.html#data", "../data/alpha/features/1.js"]);
  assert.match(lineOf(drawn), /content hash 0123456789abcdef01$/);
  assert.equal(listenersOf(drawn, "click").length, 4);
});

test("every panel is on the list that the page loads", () => {
  const all = readFileSync(new URL("../../src/panels/all.ts", import.meta.url), "utf8");
  for (const name of ["coords", "data", "histogram", "lists", "logits", "scalar", "token-list", "tokens"])
    assert.ok(all.includes(`"./${name}.ts"`), name);
});

test("a token of a list that the shard lacks is empty, not an error", () => {
  const rows = tokenRows({ column: col("t", "token_list"), value: [9, 1, 2] }, ["a"]);
  assert.deepEqual(rows, [{ token: "", count: 1, value: 2 }]);
});
