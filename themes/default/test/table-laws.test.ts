import assert from "node:assert/strict";
import { test } from "node:test";
import { parseQuery } from "../src/core/query.ts";
import { rangeOf, withRange } from "../src/table/conditions.ts";
import { csvNumber, csvOf, csvText } from "../src/table/csv.ts";
import type { TableData } from "../src/table/data.ts";
import { filterRows } from "../src/table/filter.ts";
import { binOf, binsOfRange, rangeOfBins } from "../src/table/histogram.ts";
import { sortRows } from "../src/table/sort.ts";
import { fakeSite } from "./support/fake-site.ts";
import { Dice, HOSTILE } from "./support/random.ts";
import { repeat, someTable, tableOf } from "./support/table.ts";

fakeSite();

test("sorting keeps every row, does not touch its input, and does not depend on its order", () => {
  repeat((dice, data, rows) => {
    const order = { by: dice.pick(["feature", "explanation", "count", "skew"]), descending: dice.share() < 0.5 };
    const before = rows.slice();
    const sorted = sortRows(data, rows, order);
    assert.deepEqual(rows, before);
    assert.deepEqual(sorted.slice().sort(), rows.slice().sort());
    assert.deepEqual(sortRows(data, Uint32Array.from(dice.shuffled([...rows])), order), sorted);
    assert.deepEqual(sortRows(data, sorted, order), sorted);
  });
});

test("by a column: values in order, equal ones by number, those without a value last either way", () => {
  repeat((_, data, rows) => {
    for (const descending of [false, true]) {
      const sorted = sortRows(data, rows, { by: "skew", descending });
      for (const [at, row] of sorted.entries()) {
        const [left, right] = [data.value("skew", sorted[at - 1] ?? row), data.value("skew", row)];
        if (at === 0) continue;
        const byNumber = (sorted[at - 1] ?? 0) < row;
        if (Number.isNaN(left)) assert.ok(Number.isNaN(right) && byNumber, "no value comes last");
        else if (left === right) assert.ok(byNumber, "ties by number");
        else if (!Number.isNaN(right)) assert.equal(left > right, descending);
      }
    }
  });
});

test("by explanation: the empty come last either way", () => {
  repeat((_, data, rows) => {
    for (const descending of [false, true]) {
      const sorted = sortRows(data, rows, { by: "explanation", descending });
      const texts = [...sorted].map((row) => data.explanation(row));
      const full = texts.filter((text) => text !== "");
      assert.deepEqual(texts.slice(0, full.length), full);
      const alphabet = [...full].sort(new Intl.Collator("en").compare);
      assert.deepEqual(full, descending ? alphabet.reverse() : alphabet);
    }
  });
});

test("a column that is gone sorts nothing", () => {
  const data = someTable(new Dice(3), 5);
  const order = { by: "no such column", descending: true };
  assert.deepEqual([...sortRows(data, Uint32Array.of(3, 1, 4), order)], [3, 1, 4]);
});

/** What a filter of one plain word means. */
function holdsWord(data: TableData, feature: number, word: string): boolean {
  const plain = (text: string) => text.normalize("NFKC").toLowerCase();
  const texts = [data.explanation(feature), ...data.tokens(feature)];
  return texts.some((text) => plain(text).includes(plain(word))) || String(feature) === word;
}

test("a word finds what it looks like, however its characters are composed", () => {
  repeat((_, data) => {
    for (const word of ["raise", "ERROR", "é", "e\u0301", "ＡＢＣ", "abc", "fine", "ﬁne", "ｆｕｌｌ", "12", "<b>", "zzz"]) {
      const expected = [...Array(data.size).keys()].filter((feature) => holdsWord(data, feature, word));
      assert.deepEqual([...filterRows(data, word).rows], expected, word);
    }
  });
});

test("a quoted token is found to the letter, a condition by its number, and both by both", () => {
  repeat((dice, data) => {
    const bound = dice.whole(-2, 3);
    const all = [...Array(data.size).keys()];
    const cases: [string, (feature: number) => boolean][] = [
      ['" raise"', (feature) => data.tokens(feature).includes(" raise")],
      ['"\\n"', (feature) => data.tokens(feature).includes("\n")],
      ['"\\""', (feature) => data.tokens(feature).includes('"')],
      [`skew>=${bound}`, (feature) => data.value("skew", feature) >= bound],
      [`SKEW < ${bound}`, (feature) => data.value("skew", feature) < bound],
      [`density=${bound * 100}%`, (feature) => data.value("activation_density", feature) === bound],
    ];
    for (const [typed, holds] of cases) assert.deepEqual([...filterRows(data, typed).rows], all.filter(holds), typed);
    const typed = cases.map(([text]) => text).join(" ");
    const every = all.filter((feature) => cases.every(([, holds]) => holds(feature)));
    assert.deepEqual([...filterRows(data, typed).rows], every);
  });
});

test("no typed text breaks the filter, and each further word can only narrow it", () => {
  repeat((dice, data) => {
    const typed = dice.text(HOSTILE, 10).replaceAll('"', "");
    const { rows } = filterRows(data, typed);
    assert.ok(rows.every((row, at) => at === 0 || (rows[at - 1] ?? 0) < row), "ascending");
    const narrowed = new Set(filterRows(data, `${typed} raise`).rows);
    for (const row of narrowed) assert.ok(data.text(row).includes("raise"));
  });
  const data = someTable(new Dice(1), 4);
  assert.deepEqual(filterRows(data, "nonsense<1 skew>-100 other=2").unknown, ["nonsense", "other"]);
});

test("what a range says is what its rows fulfil, whatever else is typed", () => {
  repeat((dice, data) => {
    const word = dice.pick(["", "raise", '" raise"', "count>=0", "is:odd", "skew<3 skew>=-2"]);
    const [low, high] = [dice.whole(-3, 2), dice.whole(-1, 4)];
    const range = {
      low: dice.share() < 0.3 ? null : { column: "skew", operator: dice.pick([">", ">="] as const), value: low },
      high: dice.share() < 0.3 ? null : { column: "skew", operator: dice.pick(["<", "<="] as const), value: high },
    };
    const typed = withRange(data, word, "skew", range);
    assert.deepEqual(rangeOf(data, typed, "skew"), range);
    const others = withRange(data, word, "skew", { low: null, high: null });
    assert.deepEqual(parseQuery(others).words, parseQuery(word).words);
    const bounds = [range.low, range.high].filter((bound) => bound !== null);
    const expected = [...filterRows(data, others).rows].filter((row) => {
      const value = data.value("skew", row);
      return bounds.every(({ operator, value: bound }) => {
        if (operator === ">") return value > bound;
        if (operator === ">=") return value >= bound;
        return operator === "<" ? value < bound : value <= bound;
      });
    });
    assert.deepEqual([...filterRows(data, typed).rows], expected, typed);
  });
});

test("a brushed stretch lets through exactly the values of its bins, and is drawn again as that stretch", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const dice = new Dice(seed);
    const edges = [...new Set(dice.list(dice.whole(2, 12), () => dice.whole(-20, 20)))].sort((a, b) => a - b);
    if (edges.length < 2) continue;
    const bins = edges.length - 1;
    const values = dice.list(40, () => dice.pick([Number.NaN, ...edges.slice(0, -1), dice.between(edges[0] ?? 0, edges.at(-1) ?? 0)]));
    const data = tableOf(values.map((skew) => ({ skew })), ["skew"], [{ edges, counts: edges.slice(1).map(() => 1) }]);
    const column = data.column("skew");
    assert.ok(column !== undefined);
    const first = dice.whole(0, bins);
    const last = dice.whole(first, bins);
    const range = rangeOfBins(column, [first, last]);
    const whole = first === 0 && last === bins - 1;
    assert.deepEqual(binsOfRange(column, range), whole ? null : [first, last]);
    const rows = new Set(filterRows(data, withRange(data, "", "skew", range)).rows);
    for (const [row, value] of values.entries()) {
      const bin = binOf(edges, value);
      assert.equal(rows.has(row), whole || (bin >= first && bin <= last), `${value} in ${edges}`);
    }
  }
});

/** Fields of CSV, read as RFC 4180 says. */
function readCsv(text: string): string[][] {
  const lines: string[][] = [[]];
  const pattern = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/gy;
  let match = pattern.exec(text);
  let reached = 0;
  while (match !== null && match[0] !== "") {
    const [whole, quoted, plain = "", end] = match;
    lines.at(-1)?.push(quoted?.replaceAll('""', '"') ?? plain);
    if (end === "\r\n") lines.push([]);
    reached += whole.length;
    match = pattern.exec(text);
  }
  assert.equal(reached, text.length, "every byte belongs to a field");
  assert.deepEqual(lines.pop(), []);
  return lines;
}

test("a file gives back every number and every text, and none begins like a formula", () => {
  for (let seed = 1; seed <= 120; seed++) {
    const dice = new Dice(seed);
    const texts = dice.list(4, () => dice.text([...HOSTILE, "=", "@", ",", "\r\n"], 8));
    const numbers = dice.list(4, () => Math.fround(dice.pick([Number.NaN, dice.between(-1e6, 1e6), dice.share() * 1e-9])));
    const rows = texts.map((text, at) => ({ explanation: text, tokens: [text, "a"], x: numbers[at] ?? 0 }));
    const data = tableOf(rows, ["x"], [{ type: "float32" }]);
    const [head, ...lines] = readCsv(csvOf(data, Uint32Array.of(0, 1, 2, 3), ["explanation", "x", "tokens"]));
    assert.deepEqual(head, ["feature_idx", "explanation", "x", "tokens"]);
    for (const [at, [feature, explanation = "", x, tokens = ""]] of lines.entries()) {
      assert.equal(feature, String(at));
      assert.doesNotMatch(explanation, /^[=+\-@\t\r\n]/);
      assert.equal(explanation.replace(/^'(?='*[=+\-@\t\r\n])/, ""), texts[at]);
      assert.deepEqual(JSON.parse(tokens), [texts[at], "a"]);
      const value = numbers[at] ?? 0;
      if (Number.isNaN(value)) assert.equal(x, "");
      else assert.equal(Math.fround(Number(x)), value);
    }
  }
});

test("numbers in a file are as short as they can be", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const dice = new Dice(seed);
    const typed = Number(dice.between(-1000, 1000).toPrecision(dice.whole(1, 8)));
    assert.equal(csvNumber(Math.fround(typed), "float32"), String(typed));
    assert.equal(csvNumber(typed, "float64"), String(typed));
  }
  assert.equal(csvText(""), "");
});
