import assert from "node:assert/strict";
import { test } from "node:test";
import { columnIndex, fulfils, parseQuery, quoteToken } from "../src/core/query.ts";

const empty = { words: [], tokens: [], comparisons: [], feature: null, sae: "" };

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
