import assert from "node:assert/strict";
import { test } from "node:test";
import { showReason, showTitle, showTokens } from "../src/core/hit-view.ts";
import { cutAt, showMarked, showText, showToken } from "../src/core/show.ts";
import { badges, displayText, inlineText, isBidi } from "../src/core/text.ts";
import { showExample } from "../src/examples/show-strip.ts";
import { contextRange, stripRuns } from "../src/examples/strip.ts";
import { showResult, showSyntax } from "../src/search/show-result.ts";
import { fakeSite } from "./support/fake-site.ts";
import { Dice, HOSTILE } from "./support/random.ts";
import { escaped, lineOf, printed, textOf } from "./support/template.ts";

fakeSite();
const INVISIBLE = /[\u202a-\u202e\u2066-\u2069\u200b-\u200f\ufeff\u00ad]/;

function texts(count: number, work: (text: string, dice: Dice) => void): void {
  for (let seed = 1; seed <= count; seed++) {
    const dice = new Dice(seed);
    work(dice.text(HOSTILE, 20), dice);
  }
}

test("badges cut a text without losing or changing anything", () => {
  texts(300, (text) => {
    const runs = badges(text);
    const back = runs.map(([kind, run]) =>
      kind === "text" ? run : String.fromCodePoint(Number.parseInt(run.slice(2), 16)),
    );
    assert.equal(back.join(""), text);
    for (const [kind, run] of runs) if (kind === "text") assert.doesNotMatch(run, INVISIBLE);
    assert.doesNotMatch(inlineText(text), INVISIBLE);
  });
});

test("shown once or shown again is the same, and nothing shown turns the direction of the page", () => {
  texts(200, (text) => {
    assert.equal(displayText(displayText(text)), displayText(text));
    assert.equal(inlineText(inlineText(text)), inlineText(text));
    if (!/[\u0590-\u08ff]/.test(text)) assert.equal(isBidi(inlineText(text)), false);
  });
});

test("data is text: what is shown has exactly the characters of the data, none of them markup", () => {
  texts(300, (text) => {
    const shown = badges(text).map(([kind, run]) => (kind === "badge" ? run : displayText(run)));
    assert.equal(textOf(showText(text)), shown.join(""));
    const tags = [...printed(showText(text)).matchAll(/<(\/?[a-z]+)/g)].map(([, name]) => name);
    assert.ok(tags.every((name) => name === "span" || name === "/span"), tags.join());
  });
});

test("cutting at terms loses nothing, marks only terms, and marks each that is there", () => {
  texts(300, (text, dice) => {
    const terms = dice.list(dice.whole(0, 3), () => dice.text(HOSTILE, 2));
    const runs = cutAt(text, terms);
    assert.equal(runs.map(([, run]) => run).join(""), text);
    const wanted = terms.map((term) => term.trim().toLowerCase()).filter((term) => term !== "");
    for (const [marked, run] of runs) {
      assert.notEqual(run, "");
      if (marked) assert.ok(wanted.includes(run.toLowerCase()), run);
      else for (const term of wanted) assert.ok(!/^[a-z0-9<&]+$/.test(term) || !run.toLowerCase().includes(term), run);
    }
  });
});

test("the longer of two terms is marked, and marks hold badges too", () => {
  assert.equal(printed(showMarked("raised", ["raise", "raised"])), "<mark>raised</mark>");
  assert.match(printed(showMarked("a\u202eb", ["a\u202eb"])), /^<mark>a<span class="badge"[^>]*>U\+202E<\/span>b<\/mark>$/);
});

test("a token stands in isolation with its outer spaces visible", () => {
  assert.equal(printed(showToken(" a b ")), '<bdi class="token">␣a b␣</bdi>');
  assert.equal(textOf(showToken("\n\u200d")), "↵U+200D");
});

test("titles, tokens and reasons say why, and are harmless", () => {
  const row = { feature: 1, explanation: "raise <b> errors", tokens: [" raise"], cluster: 0, columns: [], values: [] };
  const reason = (kind: "word" | "token" | "number", term: string, how: "exact" | "similar" = "exact") =>
    ({ kind, term, how, weight: 0.5 }) as const;
  assert.equal(textOf(showTitle(undefined)), "…");
  assert.equal(printed(showTitle(row, [reason("word", "raise")])), "<mark>raise</mark> &lt;b&gt; errors");
  assert.equal(printed(showTitle(row, [reason("token", "raise")])), escaped(row.explanation));
  assert.match(printed(showTokens(row.tokens, [reason("token", " raise")])), /class="found"/);
  assert.doesNotMatch(printed(showTokens(row.tokens, [reason("token", "raise")])), /class="found"/);
  assert.equal(lineOf(showReason(reason("number", "1"))), "number");
  assert.equal(lineOf(showReason(reason("word", "<i>", "similar"))), "similar word <i>");
  assert.equal(lineOf(showReason(reason("token", " x"))), "token ␣x 0.50");
});

test("a search result links its page and shows its numbers; the syntax list links searches", () => {
  const columns = ["max_activation", "b", "c", "d"].map((name) => ({ name, label: name, doc: "<", unit: "none" }));
  const row = { feature: 1500, explanation: "<x>", tokens: [], cluster: 0, columns, values: [1, null, 2, 3] };
  const result = showResult({ sae: 0, feature: 1500, score: 1, reasons: [], slug: "s", row }, "T\u202e");
  assert.match(printed(result), /<a href="\.\.\/s\/1\/1500\.html">/);
  assert.match(lineOf(result), /^<x> s\/1500 TU\+202E max_activation 1\.000 b – c 2\.000$/);
  const links = [...printed(showSyntax()).matchAll(/href="([^"]*)"/g)].map(([, href]) => href ?? "");
  const queries = links.map((href) => new URL(href.replaceAll("&amp;", "&"), "http://x/").searchParams.get("q"));
  assert.deepEqual(queries, ["raise", '"␣raise"', "1204", "error density<0.1%"]);
});

function someExample(dice: Dice) {
  const count = dice.whole(1, 50);
  const pieces = dice.list(count, () => dice.whole(0, HOSTILE.length));
  const hot = dice.shuffled(pieces.map((_, at) => at)).slice(0, dice.whole(0, 6));
  const heat = hot.flatMap((at) => [at, dice.whole(1, 256)]);
  return { activation: 7.25, document: 0, context_idx: 0, position: 0, peak: dice.whole(0, count), pieces, heat };
}

test("runs keep the text of the window, the one peak, and every token that fires", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const dice = new Dice(seed);
    const example = someExample(dice);
    const context = dice.pick(["short", "full"] as const);
    const [start, stop] = contextRange(example, context);
    const runs = stripRuns(example, HOSTILE, 10, context);
    const window = example.pieces.slice(start, stop).map((piece) => HOSTILE[piece] ?? "");
    assert.equal(runs.map(({ text }) => text).join(""), window.join(""));
    assert.equal(runs.filter(({ peak }) => peak).length, 1);
    assert.ok(runs.filter(({ peak }) => peak).every(({ value }) => value === 7.25));
    const hot = new Set(example.heat.filter((at, place) => place % 2 === 0 && at >= start && at < stop));
    assert.equal(runs.filter(({ step }) => step > 0).length, hot.size);
    assert.ok(runs.every(({ value, alone }) => value === 0 || alone));
    assert.ok(runs.every(({ alone }, at) => alone || runs[at - 1]?.alone !== false), "cold text runs together");
    assert.ok(!isBidi(window.join("")) || runs.length === window.length);
  }
});

test("a strip shows its text to the letter, and says where it was cut", () => {
  for (let seed = 1; seed <= 100; seed++) {
    const example = someExample(new Dice(seed));
    const shard = { pieces: [...HOSTILE], documents: ["<d>\u202e"], features: [] };
    const shown = showExample(example, shard, 10, { context: "short", spaces: false });
    const [start, stop] = contextRange(example, "short");
    assert.match(textOf(shown), /7\.250\s+<d>U\+202E/);
    assert.doesNotMatch(printed(shown), /<img|<\/script/);
    const cuts = printed(shown).match(/class="cut"/g)?.length ?? 0;
    assert.equal(cuts, Number(start > 0) + Number(stop < example.pieces.length));
    assert.equal(printed(shown).match(/tabindex="0"/g)?.length, 1, "one stop for the Tab key");
  }
});

test("asked for, every space is a dot and every tab an arrow", () => {
  const example = { ...someExample(new Dice(1)), pieces: [0, 1], peak: 1, heat: [] };
  const shard = { pieces: ["a  b", "\tc"], documents: [], features: [] };
  const shown = printed(showExample(example, shard, 10, { context: "full", spaces: true }));
  assert.match(shown, /<pre class="strip">a·\u200b·\u200bb<span class="token peak"[^>]*>→\tc<\/span><\/pre>/);
});
