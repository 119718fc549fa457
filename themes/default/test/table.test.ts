import assert from "node:assert/strict";
import { test } from "node:test";
import { boundOf, EVERYTHING, rangeOf, withoutPiece, withRange } from "../src/table/conditions.ts";
import { csvNumber, csvOf, csvText } from "../src/table/csv.ts";
import { TableData, TITLES } from "../src/table/data.ts";
import { filterRows, neededForFilter } from "../src/table/filter.ts";
import { barHeight, binAt, binOf, binsOfRange, countIn, rangeOfBins } from "../src/table/histogram.ts";
import { countOf, extend, NONE, toggle, toggleAll } from "../src/table/selection.ts";
import { barsPath } from "../src/table/show-histogram.ts";
import { clickOrder, NATURAL, neededForOrder, orderText, parseOrder, sortRows } from "../src/table/sort.ts";
import { firstColumns, moved, shownColumns, stateOf, toggled, viewOf } from "../src/table/state.ts";
import { rowAfterKey, scrollFor, stretchOf, windowOf } from "../src/table/window.ts";
import { allRows, columnOf, tableOf } from "./support/table.ts";

const NAMES = ["firing_count", "activation_density", "max_activation"];

function table(): TableData {
  return tableOf(
    [
      { explanation: "raise statements", tokens: ["raise", " raise"], firing_count: 7, activation_density: 0.7, max_activation: 2 },
      { explanation: "apple", tokens: [], firing_count: 0, activation_density: 0 },
      { explanation: "error", tokens: ["x"], firing_count: 7, activation_density: 0.7, max_activation: 8 },
      { tokens: [" b"], firing_count: 5, activation_density: 0.5, max_activation: 3 },
      { explanation: "zebra", tokens: [" Raise"], firing_count: 9, activation_density: 0.9 },
      { explanation: "Élan", tokens: [], firing_count: 1, activation_density: 0.1, max_activation: 1 },
    ],
    NAMES,
  );
}

const all = [0, 1, 2, 3, 4, 5];
const rowsOf = (typed: string, data = table()) => [...filterRows(data, typed, "own").rows];

test("parts may come in any order, and what has not arrived is neither there nor zero", () => {
  const data = new TableData(5, [columnOf("x", [1])], { titles: 2, columns: 2 });
  data.addValues("x", 2, Float64Array.of(9, 8));
  assert.equal(data.value("x", 4), 9);
  assert.ok(Number.isNaN(data.value("x", 0)));
  assert.deepEqual([data.has("x", 4), data.has("x", 3), data.hasAll("x"), data.partsOf("x")], [true, false, false, 3]);
  data.addValues("x", 0, Float64Array.of(1, Number.NaN));
  data.addValues("x", 1, Float64Array.of(3, 4));
  assert.ok(data.hasAll("x"));
  assert.ok(!data.has(TITLES, 0));
  data.addTitles({ start: 2, explanations: ["two", ""], tokens: [["a"], []], densities: [0.1, null] });
  assert.deepEqual([data.has(TITLES, 2), data.has(TITLES, 3), data.has(TITLES, 4)], [true, true, false]);
  assert.equal(data.text(2), "two\na");
  assert.equal(data.text(4), "");
  data.addTitles({ start: 4, explanations: ["FOUR"], tokens: [[]], densities: [null] });
  assert.equal(data.text(4), "four", "what was read too early is not kept");
});

test("words look into explanations and tokens, quotes at whole tokens, numbers at the number too", () => {
  assert.deepEqual(rowsOf(""), all);
  assert.deepEqual(rowsOf("RAISE"), [0, 4]);
  assert.deepEqual(rowsOf("raise state"), [0]);
  assert.deepEqual(rowsOf('" raise"'), [0]);
  assert.deepEqual(rowsOf('"rais"'), []);
  assert.deepEqual(rowsOf("4"), [4]);
});

test("conditions mean columns, also by their short names; what means nothing is said", () => {
  assert.deepEqual(rowsOf("density<0.6"), [1, 3, 5]);
  assert.deepEqual(rowsOf("density<60% firing_count>0"), [3, 5]);
  assert.deepEqual(rowsOf("max>0"), [0, 2, 3, 5]);
  assert.deepEqual(rowsOf("is:dense -is:dense"), []);
  assert.deepEqual(rowsOf("sae:other"), []);
  assert.deepEqual(rowsOf("sae:own sae:other raise"), [0, 4]);
  const { rows, unknown } = filterRows(table(), "nothing<1 is:dead is:odd");
  assert.deepEqual([...rows], all);
  assert.deepEqual(unknown, ["is:odd", "nothing", "firing_tokens"]);
});

test("a typed bound is the number that a float32 column can hold", () => {
  const stored = [0.1, 0.2, 0.3].map(Math.fround);
  const data = tableOf(stored.map((x) => ({ x })), ["x"], [{ type: "float32" }]);
  assert.deepEqual(rowsOf("x=0.1", data), [0]);
  assert.deepEqual(rowsOf("x<=0.2", data), [0, 1]);
  assert.deepEqual(rowsOf("x>0.2", data), [2]);
});

test("a filter waits for just what it reads", () => {
  assert.deepEqual(neededForFilter(table(), ""), []);
  assert.deepEqual(neededForFilter(table(), "density<1 gone>2"), ["activation_density"]);
  assert.deepEqual(neededForFilter(table(), 'is:rare max>1 word').sort(), ["activation_density", "max_activation", TITLES]);
  assert.deepEqual(neededForOrder(table(), NATURAL), []);
  assert.deepEqual(neededForOrder(table(), { by: "explanation", descending: true }), [TITLES]);
  assert.deepEqual(neededForOrder(table(), { by: "gone", descending: true }), []);
});

test("rows are sorted either way, missing values last, ties by number", () => {
  const data = table();
  const sorted = (text: string) => [...sortRows(data, allRows(data), parseOrder(text))];
  assert.deepEqual(sorted("max_activation"), [5, 0, 3, 2, 1, 4]);
  assert.deepEqual(sorted("-max_activation"), [2, 3, 0, 5, 1, 4]);
  assert.deepEqual(sorted("-firing_count"), [4, 0, 2, 3, 5, 1]);
  assert.deepEqual(sorted("-feature"), [5, 4, 3, 2, 1, 0]);
  assert.deepEqual(sorted("explanation"), [1, 5, 2, 0, 4, 3]);
  assert.deepEqual(sorted("-explanation"), [4, 0, 2, 5, 1, 3]);
  assert.deepEqual(sorted("no_such_column"), all);
});

test("an order survives the address", () => {
  for (const text of ["", "-max_activation", "firing_count", "-feature"])
    assert.equal(orderText(parseOrder(text)), text);
});

test("a click sorts numbers by the largest first, text by the alphabet, and again the other way", () => {
  assert.deepEqual(clickOrder(NATURAL, "max"), { by: "max", descending: true });
  assert.deepEqual(clickOrder({ by: "max", descending: true }, "max"), { by: "max", descending: false });
  assert.deepEqual(clickOrder(NATURAL, "explanation"), { by: "explanation", descending: false });
  assert.deepEqual(clickOrder(NATURAL, "feature"), { by: "feature", descending: true });
});

test("a view survives the address", () => {
  const view = { filter: '" a" density<1%', order: { by: "x", descending: true }, columns: ["y", "x"] };
  assert.deepEqual(viewOf(stateOf(view)), view);
  assert.deepEqual(stateOf(viewOf({})), { f: "", sort: "", cols: "" });
});

test("columns are shown in the order chosen, and the sorted one always", () => {
  const many = Array.from({ length: 8 }, (_, at) => columnOf(`c${at}`, [at]));
  assert.deepEqual(shownColumns(many, viewOf({})), ["explanation", "tokens", "c0", "c1", "c2", "c3"]);
  assert.deepEqual(shownColumns(many, viewOf({ sort: "-c7", cols: "c5,explanation,gone" })), ["c5", "explanation", "c7"]);
  assert.deepEqual(shownColumns(many, viewOf({ cols: "," })), []);
  assert.deepEqual(shownColumns(many, viewOf({ cols: "c5", sort: "gone" })), ["c5"]);
});

test("the most telling columns are shown first, none without a value, others where a dataset lacks them", () => {
  const columns = [...NAMES.map((name) => columnOf(name, [1])), columnOf("score", [])];
  assert.deepEqual(firstColumns(columns), ["explanation", "tokens", "activation_density", "max_activation"]);
  assert.deepEqual(firstColumns([columnOf("odd", [1])]), ["explanation", "tokens", "odd"]);
  assert.deepEqual(firstColumns([]), ["explanation", "tokens"]);
});

test("columns can be shown, hidden and moved as far as the ends", () => {
  assert.deepEqual(toggled(["a", "b"], "a"), ["b"]);
  assert.deepEqual(toggled(["a"], "b"), ["a", "b"]);
  assert.deepEqual(moved(["a", "b", "c"], "c", -1), ["a", "c", "b"]);
  assert.deepEqual(moved(["a", "b", "c"], "a", 1), ["b", "a", "c"]);
  assert.deepEqual(moved(["a", "b"], "b", 1), ["a", "b"]);
  assert.deepEqual(moved(["a", "b"], "gone", 1), ["a", "b"]);
});

test("bounds are read from the filter and written back into it, and nothing else there changes", () => {
  const data = table();
  const typed = 'Raise  max>=1 "a b" density < 50% max<8';
  assert.deepEqual(rangeOf(data, typed, "max_activation"), {
    low: { column: "max", operator: ">=", value: 1 },
    high: { column: "max", operator: "<", value: 8 },
  });
  const range = { low: null, high: { column: "max", operator: "<=" as const, value: 3 } };
  assert.equal(withRange(data, typed, "max_activation", range), 'Raise "a b" density < 50% max_activation<=3');
  assert.equal(withRange(data, typed, "max_activation", EVERYTHING), 'Raise "a b" density < 50%');
  assert.deepEqual(rangeOf(data, "max>1 max>=4 max>=2", "max_activation").low?.value, 4);
  const { low, high } = rangeOf(data, "max=4", "max_activation");
  assert.equal(low, high);
  assert.equal(withRange(data, "", "max_activation", { low, high }), "max_activation=4");
  assert.equal(withoutPiece(typed, 1), 'Raise "a b" density < 50% max<8');
});

test("a number field is a bound, no bound, or nothing that counts", () => {
  assert.deepEqual(boundOf(" 1e-3 ", "x", ">="), { column: "x", operator: ">=", value: 0.001 });
  assert.equal(boundOf("", "x", ">="), null);
  assert.equal(boundOf("abc", "x", "<="), undefined);
  assert.equal(boundOf("Infinity", "x", "<="), undefined);
});

test("bins hold their lower bound, and the last one its upper bound too", () => {
  const edges = [0, 1, 10, 100];
  assert.deepEqual([0, 0.5, 1, 9.9, 10, 100].map((value) => binOf(edges, value)), [0, 0, 1, 1, 2, 2]);
  assert.deepEqual([-1, 101, Number.NaN].map((value) => binOf(edges, value)), [-1, -1, -1]);
  assert.equal(binOf([], 1), -1);
  const column = columnOf("max_activation", [1], { edges: [0, 2, 4, 8], counts: [1, 2, 1] });
  assert.deepEqual(countIn(column, table(), Uint32Array.of(0, 1, 2, 3, 4, 5)), [1, 2, 1]);
  assert.deepEqual(countIn(columnOf("gone", [1]), table(), Uint32Array.of(0)), [0, 0]);
});

test("a drawn stretch of bins is a range, and its ends are no bounds at the ends of the histogram", () => {
  const column = columnOf("x", [1], { edges: [0, 1, 10, 100], counts: [1, 1, 1] });
  assert.deepEqual(rangeOfBins(column, [1, 1]), {
    low: { column: "x", operator: ">=", value: 1 },
    high: { column: "x", operator: "<", value: 10 },
  });
  assert.deepEqual(rangeOfBins(column, [0, 2]), EVERYTHING);
  assert.deepEqual(rangeOfBins(columnOf("x", []), [0, 0]), EVERYTHING);
  for (const bins of [[0, 0], [0, 1], [1, 1], [1, 2], [2, 2]] as const)
    assert.deepEqual(binsOfRange(column, rangeOfBins(column, bins)), bins);
  assert.equal(binsOfRange(column, EVERYTHING), null);
  assert.deepEqual(binsOfRange(column, { low: { column: "x", operator: ">=", value: 100 }, high: null }), [2, 2]);
  assert.equal(binsOfRange(column, { low: { column: "x", operator: ">", value: 500 }, high: null }), null);
  assert.deepEqual([-0.1, 0, 0.34, 0.99, 1].map((share) => binAt(share, 3)), [0, 0, 1, 2, 2]);
});

test("a rare value is still seen in a histogram, nothing is not", () => {
  assert.equal(barHeight(0, 100), 0);
  assert.equal(barHeight(100, 100), 1);
  assert.ok(barHeight(1, 1e6) >= 0.04);
  assert.equal(barsPath([0, 4, 1], 4), "M1.08 20v-20h.84v20zM2.08 20v-10h.84v10z");
  assert.equal(barsPath([0], 0), "");
});

test("rows are chosen one by one, in stretches, all at once", () => {
  const rows = Uint32Array.of(9, 3, 7, 1, 5);
  const one = toggle(NONE, 3);
  assert.deepEqual([[...one.chosen], one.anchor], [[3], 3]);
  assert.deepEqual([...toggle(one, 3).chosen], []);
  assert.deepEqual([...extend(one, rows, 3).chosen].sort(), [1, 3, 7]);
  assert.deepEqual([...extend(extend(one, rows, 3), rows, 0).chosen].sort(), [1, 3, 7, 9]);
  assert.deepEqual([...extend(NONE, rows, 4).chosen], [5]);
  assert.deepEqual(extend(one, rows, 99), one);
  const every = toggleAll(one, rows);
  assert.equal(countOf(every, rows), 5);
  assert.equal(countOf(toggleAll(every, rows), rows), 0);
  assert.deepEqual([...toggleAll(toggle(NONE, 42), rows).chosen].sort((a, b) => a - b), [1, 3, 5, 7, 9, 42], "others stay");
});

test("a file holds exact numbers, exact tokens, and no formula", () => {
  assert.equal(csvText("plain"), "plain");
  assert.equal(csvText('a "b", c\nd'), '"a ""b"", c\nd"');
  for (const evil of ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "\n=1", "＝1"]) assert.ok(csvText(evil).replace(/^"/, "").startsWith("'"));
  assert.equal(csvNumber(Math.fround(0.1), "float32"), "0.1");
  assert.equal(csvNumber(Math.fround(16777216), "float32"), "16777216");
  assert.equal(csvNumber(-0.1, "float64"), "-0.1");
  assert.equal(csvNumber(1e-7, "float64"), "1e-7");
  assert.equal(csvNumber(Number.NaN, "float32"), "");
  const labels = [{ type: "uint8", labels: ["=cmd", "b"] }];
  const data = tableOf([{ explanation: "=1", tokens: [" a", '"'], x: 1 }, { x: 0 }, {}], ["x"], labels);
  assert.equal(
    csvOf(data, Uint32Array.of(2, 0, 1), ["x", "tokens", "explanation", "gone"]),
    'feature_idx,x,x_label,tokens,explanation\r\n2,,,[],\r\n0,1,b,"["" a"",""\\""""]",\'=1\r\n1,0,\'=cmd,[],\r\n',
  );
});

const frame = (count: number, view = 600) => ({ view, row: 34, count });

test("every row in view is drawn, and few others", () => {
  for (const count of [0, 1, 5, 40, 1000]) {
    for (let scrollTop = 0; scrollTop <= Math.max(0, count * 34 - 600); scrollTop += 7) {
      const { start, stop, above, below } = windowOf(scrollTop, frame(count));
      assert.ok(start >= 0 && stop <= count && start <= stop);
      assert.equal(above, start * 34);
      assert.equal(below, (count - stop) * 34);
      assert.ok(above <= scrollTop);
      assert.ok(stop === count || stop * 34 >= scrollTop + 600);
      assert.ok(stop - start < 60);
    }
  }
});

test("a list that got shorter than the scroll position still shows its end", () => {
  const { start, stop } = windowOf(100_000, frame(30));
  assert.equal(stop, 30);
  assert.ok(start <= 14);
});

test("a list longer than a browser can scroll is reached from end to end", () => {
  const long = frame(1_000_000);
  assert.ok(stretchOf(long) > 1);
  assert.equal(stretchOf(frame(131_072)), 1);
  const first = windowOf(0, long);
  assert.deepEqual([first.start, first.above], [0, 0]);
  const end = 12_000_000 - long.view;
  const last = windowOf(end, long);
  assert.equal(last.stop, 1_000_000);
  assert.equal(last.below, 0);
  for (const at of [0, 1, 40, 500_000, 999_999]) {
    const scrollTop = scrollFor(at, end / 3, long);
    const { start, stop, above, below } = windowOf(scrollTop, long);
    assert.ok(start <= at && at < stop, `row ${at} is drawn`);
    const top = above + (at - start) * 34;
    assert.ok(top >= scrollTop - 1 && top + 34 <= scrollTop + long.view + 1, `row ${at} is seen`);
    assert.ok(Math.abs(above + (stop - start) * 34 + below - 12_000_000) <= 1, "the height never changes");
  }
});

test("a row is brought into view by the shortest way", () => {
  const small = { view: 400, row: 40, count: 100 };
  assert.equal(scrollFor(10, 0, small), 40);
  assert.equal(scrollFor(5, 0, small), 0);
  assert.equal(scrollFor(2, 400, small), 80);
});

test("keys go from row to row and stop at the ends", () => {
  assert.equal(rowAfterKey("ArrowDown", -1, 50, 10), 0);
  assert.equal(rowAfterKey("ArrowDown", 49, 50, 10), 49);
  assert.equal(rowAfterKey("ArrowUp", 0, 50, 10), 0);
  assert.equal(rowAfterKey("PageDown", 5, 50, 10), 15);
  assert.equal(rowAfterKey("Home", 40, 50, 10), 0);
  assert.equal(rowAfterKey("End", 0, 50, 10), 49);
  assert.equal(rowAfterKey("x", 0, 50, 10), null);
  assert.equal(rowAfterKey("End", 0, 0, 10), null);
});
