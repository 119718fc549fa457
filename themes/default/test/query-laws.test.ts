import assert from "node:assert/strict";
import { test } from "node:test";
import { columnIndex, fulfils, parseQuery, quoteToken } from "../src/core/query.ts";
import type { Comparison } from "../src/core/query.ts";
import { addPostings, combine } from "../src/core/search-rank.ts";
import type { PartHits } from "../src/core/search-rank.ts";
import {
  compareCodePoints,
  distanceWithin,
  lowerBound,
  matchLooseToken,
  matchToken,
  matchWord,
} from "../src/core/search-terms.ts";
import { Dice, HOSTILE } from "./support/random.ts";

test("every token survives being quoted, alone and among words", () => {
  for (const token of [...HOSTILE, "␣", "\\␣", "␣ ␣", "\\\\", '\\"', "\\n"]) {
    assert.deepEqual(parseQuery(quoteToken(token)).tokens, [token], JSON.stringify(token));
  }
  for (let seed = 1; seed <= 400; seed++) {
    const dice = new Dice(seed);
    const tokens = dice.list(dice.whole(1, 4), () => `${dice.text(HOSTILE, 8)}x`);
    const query = parseQuery(`one ${tokens.map(quoteToken).join(" ")} two`);
    assert.deepEqual(query.tokens, tokens);
    assert.deepEqual(query.words, ["one", "two"]);
  }
});

test("no text fails, and words are never empty, never upper case, and hold no outer space", () => {
  for (let seed = 1; seed <= 500; seed++) {
    const text = new Dice(seed).text([...HOSTILE, "a<1", "x >= 2%", "12", "#", "s/"], 14);
    const { words, comparisons, tokens } = parseQuery(text);
    for (const word of words) {
      assert.notEqual(word, "");
      assert.equal(word, word.toLowerCase());
      assert.doesNotMatch(word, /^\s|\s$/);
    }
    for (const { value } of comparisons) assert.ok(!Number.isNaN(value));
    for (const token of tokens) assert.notEqual(token, "");
  }
});

test("conditions read the same with and without spaces, in percent and as a fraction", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const dice = new Dice(seed);
    const operator = dice.pick(["<", "<=", ">", ">=", "="] as const);
    const value = dice.whole(-500, 500);
    const expected = [{ column: "max_x", operator, value }];
    for (const gap of ["", " ", "  "]) {
      assert.deepEqual(parseQuery(`Max_X${gap}${operator}${gap}${value}`).comparisons, expected);
    }
    const [percent] = parseQuery(`d${operator}${value}%`).comparisons;
    assert.equal(percent?.value, value / 100);
  }
});

test("for every number and bound exactly one of less, equal and more holds", () => {
  const dice = new Dice(1);
  for (let round = 0; round < 200; round++) {
    const [value, bound] = [dice.whole(-3, 4), dice.whole(-3, 4)];
    const holds = (operator: Comparison["operator"]) => fulfils(value, { column: "", operator, value: bound });
    assert.equal([holds("<"), holds("="), holds(">")].filter(Boolean).length, 1);
    assert.equal(holds("<="), holds("<") || holds("="));
    assert.equal(holds(">="), holds(">") || holds("="));
  }
});

test("an exact column name wins over an earlier one that only holds it", () => {
  assert.equal(columnIndex(["max_activation", "activation"], "activation"), 1);
  assert.equal(columnIndex(["max_activation", "activation"], "act"), 0);
  assert.equal(columnIndex([], "x"), -1);
});

const ALPHABET = ["a", "b", "ab", "é", "Ａ", "\u{1f600}", "\uff21", "日", "_", "1"];

test("code point order is a total order, and that of the code points", () => {
  const points = (text: string) => [...text].map((character) => character.codePointAt(0) ?? 0);
  const byDefinition = (left: string, right: string) => {
    const [a, b] = [points(left), points(right)];
    const at = a.findIndex((point, place) => point !== b[place]);
    return at === -1 ? a.length - b.length : (a[at] ?? 0) - (b[at] ?? -1);
  };
  for (let seed = 1; seed <= 500; seed++) {
    const dice = new Dice(seed);
    const [left, right] = [dice.text(ALPHABET, 5), dice.text(ALPHABET, 5)];
    assert.equal(Math.sign(compareCodePoints(left, right)), Math.sign(byDefinition(left, right)));
    assert.equal(Math.sign(compareCodePoints(left, right)), -Math.sign(compareCodePoints(right, left)) || 0);
  }
});

test("the lower bound splits the terms into those below and those not", () => {
  for (let seed = 1; seed <= 100; seed++) {
    const dice = new Dice(seed);
    const terms = [...new Set(dice.list(40, () => dice.text(ALPHABET, 4)))].sort(compareCodePoints);
    const wanted = dice.text(ALPHABET, 4);
    const at = lowerBound(terms, wanted);
    assert.ok(terms.slice(0, at).every((term) => compareCodePoints(term, wanted) < 0));
    assert.ok(terms.slice(at).every((term) => compareCodePoints(term, wanted) >= 0));
  }
});

test("distance is the same both ways, grows with what is allowed, and is 0 only for equals", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const dice = new Dice(seed);
    const [left, right] = [dice.text(["a", "b", "c"], 6), dice.text(["a", "b", "c"], 6)];
    assert.equal(distanceWithin(left, right, 0), left === right);
    for (const allowed of [0, 1, 2]) {
      assert.equal(distanceWithin(left, right, allowed), distanceWithin(right, left, allowed));
      if (distanceWithin(left, right, allowed)) assert.ok(distanceWithin(left, right, allowed + 1));
    }
  }
});

function vocabulary(dice: Dice) {
  const terms = [...new Set(dice.list(60, () => dice.text(["a", "b", "c", " ", "A", "é"], 6)))].sort(compareCodePoints);
  return { terms, counts: terms.map(() => dice.whole(1, 20)) };
}

test("a word's matches are the terms that begin with it, the exact one first, then the frequent", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const dice = new Dice(seed);
    const shard = vocabulary(dice);
    const word = `a${dice.text(["a", "b"], 1)}`;
    const expected = shard.terms.filter((term) => term.startsWith(word));
    const matches = matchWord(shard, word);
    assert.equal(matches.length, Math.min(12, expected.length));
    for (const [at, { term, text, how }] of matches.entries()) {
      assert.equal(shard.terms[term], text);
      assert.equal(how, text === word ? "exact" : "prefix");
      assert.ok(how === "prefix" || at === 0);
      const next = matches[at + 1];
      if (how === "prefix" && next !== undefined) assert.ok((shard.counts[term] ?? 0) >= (shard.counts[next.term] ?? 0));
    }
  }
});

test("any token is found by what a reader would type for it, without quotes", () => {
  const terms = [" raise", "ＡＢＣ", "Caf\u0065\u0301", "ﬁne", "\u00a0x1", "É"].sort(compareCodePoints);
  const shard = { terms, counts: terms.map(() => 1) };
  for (const term of terms) {
    const [word = ""] = parseQuery(term).words;
    const exact = matchLooseToken(shard, word).filter(({ how }) => how === "exact");
    assert.deepEqual(exact.map(({ text }) => text), [term], JSON.stringify(term));
    assert.deepEqual(matchToken(shard, term).map(({ text }) => text), [term]);
  }
});

test("every feature that answers all words is found with the sum of its parts, none twice", () => {
  for (let seed = 1; seed <= 100; seed++) {
    const dice = new Dice(seed);
    const parts = dice.list(dice.whole(1, 4), () => {
      const found: PartHits = new Map();
      for (const text of ["x", "y"]) {
        const postings = dice.list(dice.whole(0, 12), () => [dice.whole(0, 2), dice.whole(0, 9), dice.whole(1, 1001)]);
        addPostings(found, dice.pick(["word", "token"] as const), { term: 0, text, how: "exact" }, postings.flat());
      }
      return found;
    });
    const { hits, complete } = combine(parts);
    const keys = hits.map(({ sae, feature }) => `${sae}/${feature}`);
    assert.equal(new Set(keys).size, keys.length);
    const everywhere = [...(parts[0]?.keys() ?? [])].filter((key) => parts.every((part) => part.has(key)));
    if (everywhere.length > 0) assert.deepEqual([...keys].sort(), everywhere.sort());
    else assert.equal(complete, parts.every((part) => part.size === 0));
    if (everywhere.length === 0) continue;
    for (const { sae, feature, score } of hits) {
      const sum = parts.reduce((total, part) => total + (part.get(`${sae}/${feature}`)?.score ?? 0), 0);
      assert.ok(Math.abs(score - sum) < 1e-9);
    }
    const scores = hits.map(({ score }) => score);
    assert.deepEqual(scores, [...scores].sort((a, b) => b - a));
  }
});

test("ranking leaves the parts as they were, and half a posting is none", () => {
  const part: PartHits = new Map();
  addPostings(part, "word", { term: 0, text: "x", how: "prefix" }, [0, 1, 500, 0, 2]);
  assert.equal(part.size, 1);
  const before = structuredClone([...part]);
  combine([part, part]);
  assert.deepEqual([...part], before);
  assert.deepEqual(combine([]), { hits: [], complete: true });
});
