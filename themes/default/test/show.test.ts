import assert from "node:assert/strict";
import { test } from "node:test";
import { cutAt, showMarked, showText, showToken } from "../src/core/show.ts";
import { badges, displayText, inlineText, isBidi } from "../src/core/text.ts";
import { fakeSite } from "./support/fake-site.ts";
import { Dice, HOSTILE } from "./support/random.ts";
import { printed, textOf } from "./support/template.ts";

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
