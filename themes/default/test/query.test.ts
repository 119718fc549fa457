import assert from "node:assert/strict";
import { test } from "node:test";
import {
  columnIndex,
  columnsAsked,
  conditionsOf,
  fulfils,
  holds,
  parseQuery,
  quoteToken,
  unknownFlags,
} from "../src/core/query.ts";

const empty = { words: [], tokens: [], comparisons: [], flags: [], saes: [], feature: null, sae: "" };

test("words are lower case and normalised", () => {
  assert.deepEqual(parseQuery("  Raise  ＡＢＣ "), { ...empty, words: ["raise", "abc"] });
  assert.deepEqual(parseQuery(""), empty);
});

test("quotes hold exact tokens", () => {
  assert.deepEqual(parseQuery('" Raise"'), { ...empty, tokens: [" Raise"] });
  assert.deepEqual(parseQuery('"␣raise" word'), { ...empty, tokens: [" raise"], words: ["word"] });
  assert.deepEqual(parseQuery('"\\n\\t" ')["tokens"], ["\n\t"]);
  assert.deepEqual(parseQuery('"say \\"hi\\""')["tokens"], ['say "hi"']);
  assert.deepEqual(parseQuery('"open')["tokens"], ["open"]);
  assert.deepEqual(parseQuery('""'), empty);
});

test("a quoted token survives being written and read", () => {
  for (const token of [" raise", "\n    ", 'a"b', "\\n", "\t\r", "日本", "x␣y".replace("␣", " ")]) {
    assert.deepEqual(parseQuery(quoteToken(token))["tokens"], [token]);
  }
});

test("conditions need a name, an operator and a number", () => {
  assert.deepEqual(parseQuery("density<0.01 Max >= 1e-3 x=-2")["comparisons"], [
    { column: "density", operator: "<", value: 0.01 },
    { column: "max", operator: ">=", value: 0.001 },
    { column: "x", operator: "=", value: -2 },
  ]);
  assert.deepEqual(parseQuery("density<5%")["comparisons"], [
    { column: "density", operator: "<", value: 0.05 },
  ]);
  assert.deepEqual(parseQuery("density<"), { ...empty, words: ["density<"] });
  assert.deepEqual(parseQuery("a<b"), { ...empty, words: ["a<b"] });
  assert.deepEqual(parseQuery("a<1.2.3")["comparisons"], []);
});

test("a number names a feature, with or without its SAE", () => {
  assert.equal(parseQuery("1204").feature, 1204);
  assert.equal(parseQuery(" #7 ").feature, 7);
  const cases = ["my-sae/12", "my-sae:12", "my-sae 12", "my-sae#12", "my-sae/0/12.html"];
  for (const text of cases) {
    const { feature, sae } = parseQuery(text);
    assert.deepEqual({ feature, sae }, { feature: 12, sae: "my-sae" }, text);
  }
  assert.equal(parseQuery("12 raise").feature, null);
  assert.equal(parseQuery("1.5").feature, null);
});

test("a missing value fulfils no condition", () => {
  for (const operator of ["<", "<=", ">", ">=", "="] as const) {
    assert.equal(fulfils(Number.NaN, { column: "x", operator, value: 0 }), false);
  }
  const below = { column: "x", operator: "<", value: 2 } as const;
  assert.deepEqual(
    [1, 2, 3].map((value) => fulfils(value, below)),
    [true, false, false],
  );
  assert.deepEqual(
    [1, 2, 3].map((value) => fulfils(value, { ...below, operator: "<=" })),
    [true, true, false],
  );
  assert.deepEqual(
    [1, 2, 3].map((value) => fulfils(value, { ...below, operator: ">" })),
    [false, false, true],
  );
  assert.deepEqual(
    [1, 2, 3].map((value) => fulfils(value, { ...below, operator: ">=" })),
    [false, true, true],
  );
  assert.deepEqual(
    [1, 2, 3].map((value) => fulfils(value, { ...below, operator: "=" })),
    [false, true, false],
  );
});

test("a column is meant by its name or a part of it", () => {
  const names = ["firing_count", "activation_density", "density_lower"];
  assert.equal(columnIndex(names, "density_lower"), 2);
  assert.equal(columnIndex(names, "density"), 1);
  assert.equal(columnIndex(names, "nothing"), -1);
});

test("is: names a condition, a minus before it the opposite", () => {
  assert.deepEqual(parseQuery("is:dead -is:DENSE"), {
    ...empty,
    flags: [
      { name: "dead", negated: false },
      { name: "dense", negated: true },
    ],
  });
  assert.deepEqual(unknownFlags(parseQuery("is:dead is:great is:constructor")), ["great", "constructor"]);
  assert.deepEqual(parseQuery("is: is:a!b this:dead").words, ["is:", "is:a!b", "this:dead"]);
});

test("sae: narrows the query to SAEs, and a number may follow it", () => {
  assert.deepEqual(parseQuery("sae:one raise sae:Two-3"), { ...empty, words: ["raise"], saes: ["one", "two-3"] });
  assert.deepEqual(parseQuery("sae:one 12 density<1"), {
    ...empty,
    words: ["12"],
    saes: ["one"],
    feature: 12,
    comparisons: [{ column: "density", operator: "<", value: 1 }],
  });
  assert.deepEqual(parseQuery("sae:").words, ["sae:"]);
});

test("names may be written with hyphens, and signs as they are printed", () => {
  assert.deepEqual(parseQuery("Mean-Activation ≥ 2 x≤-1")["comparisons"], [
    { column: "mean_activation", operator: ">=", value: 2 },
    { column: "x", operator: "<=", value: -1 },
  ]);
  assert.deepEqual(parseQuery("x<1y").words, ["x<1y"]);
});

const values: Record<string, number> = { firing_tokens: 3, activation_density: 0.2, score: Number.NaN };
const meets = (typed: string) =>
  conditionsOf(parseQuery(typed)).map((condition) => holds(condition, (name) => values[name] ?? Number.NaN));

test("a feature fulfils a flag, or its opposite, or neither where it has no value", () => {
  assert.deepEqual(meets("is:dead -is:dead is:alive is:dense -is:dense is:rare -is:rare"), [
    false,
    true,
    true,
    true,
    false,
    false,
    true,
  ]);
  assert.deepEqual(meets("is:single-token -is:single-token score<1 score>=1 nothing=0"), Array(5).fill(false));
  assert.deepEqual(meets("is:great"), []);
});

test("conditions can be typed again as they are written", () => {
  const query = parseQuery("density<1% -is:dead max>=-1e-7 is:rare x=123456789.25");
  const written = conditionsOf(query).map(({ text }) => text);
  const again = parseQuery(written.join(" "));
  assert.deepEqual(again.comparisons, query.comparisons);
  assert.deepEqual(again.flags, query.flags);
  assert.deepEqual(columnsAsked(conditionsOf(query)), ["density", "max", "x", "firing_tokens", "activation_density"]);
});

test("a short name means its column before one that only holds it", () => {
  const names = ["density_lower", "activation_density", "max_activation", "climax"];
  assert.equal(columnIndex(names, "density"), 1);
  assert.equal(columnIndex(names, "max"), 2);
  assert.equal(columnIndex(["climax"], "max"), 0);
  assert.equal(columnIndex(names, "constructor"), -1);
});
