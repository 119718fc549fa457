import assert from "node:assert/strict";
import { test } from "node:test";
import { columnIndex, conditionsOf, fulfils, holds, parseQuery, quoteToken, unknownFlags } from "../src/core/query.ts";
import type { Comparison } from "../src/core/query.ts";
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

test("what is written of conditions reads back the same, in any order among other words", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const dice = new Dice(seed);
    const typed = dice.list(dice.whole(0, 5), () => {
      const value = dice.pick([0, 1, -2.5, 1e-9, 123_456_789.25, dice.between(-1, 1)]);
      return dice.pick([`max_activation${dice.pick(["<", "<=", ">", ">=", "="] as const)}${value}`, "is:dead", "-is:rare"]);
    });
    const query = parseQuery(dice.shuffled([...typed, "word", '"a token"']).join(" "));
    const written = conditionsOf(query).map(({ text }) => text);
    assert.deepEqual([...written].sort(), typed.map((text) => conditionsOf(parseQuery(text))[0]?.text ?? "").sort());
    assert.deepEqual(conditionsOf(parseQuery(written.join(" "))), conditionsOf(query));
    assert.deepEqual([query.words, query.tokens], [["word"], ["a token"]]);
  }
});

test("with all values known, a flag and its opposite hold for different features", () => {
  const dice = new Dice(5);
  for (let round = 0; round < 200; round++) {
    const values: Record<string, number> = {
      firing_tokens: dice.whole(0, 2),
      activation_density: dice.pick([0, 1e-5, 0.05, 0.1, 0.2]),
      single_token: dice.whole(0, 2),
    };
    for (const name of ["dead", "alive", "dense", "rare", "single-token"]) {
      const [plain, opposite] = conditionsOf(parseQuery(`is:${name} -is:${name}`)).map((condition) =>
        holds(condition, (column) => values[column] ?? Number.NaN),
      );
      assert.notEqual(plain, opposite);
    }
  }
});

test("any text at all is taken apart without loss of its words, numbers stay features", () => {
  for (let seed = 1; seed <= 500; seed++) {
    const text = new Dice(seed).text([...HOSTILE, "is:x ", "sae:a ", "-is:dead ", " 1 ", "≤", "name<"], 10);
    const query = parseQuery(text);
    for (const name of unknownFlags(query)) assert.equal(query.flags.some((flag) => flag.name === name), true);
    if (query.feature !== null) assert.ok(Number.isInteger(query.feature) && query.feature >= 0);
    for (const slug of query.saes) assert.match(slug, /^[a-z0-9-]+$/);
  }
});
