import assert from "node:assert/strict";
import { test } from "node:test";
import { TableData } from "../src/table/data.ts";
import { filterRows } from "../src/table/filter.ts";
import { clickOrder, NATURAL, orderText, parseOrder, sortRows } from "../src/table/sort.ts";
import { firstColumns, shownColumns, stateOf, viewOf } from "../src/table/state.ts";
import { rowAfterKey, scrollFor, windowOf } from "../src/table/window.ts";

const columns = ["firing_count", "activation_density", "max_activation"].map((name) => ({
  name,
  label: name,
  doc: "",
  unit: "none",
}));

function table(): TableData {
  const data = new TableData(6);
  data.add({
    start: 3,
    columns,
    values: [
      [5, 9, 1],
      [0.5, 0.9, 0.1],
      [3, null, 1],
    ],
    explanations: ["", "zebra", "Élan"],
    tokens: [[" b"], [" Raise"], []],
    clusters: [0, 0, -1],
  });
  data.add({
    start: 0,
    columns,
    values: [
      [7, 0, 7],
      [0.7, 0, 0.7],
      [2, null, 8],
    ],
    explanations: ["raise statements", "apple", "error"],
    tokens: [["raise", " raise"], [], ["x"]],
    clusters: [0, 0, -1],
  });
  return data;
}

const all = [0, 1, 2, 3, 4, 5];

test("shards may come in any order", () => {
  const data = table();
  assert.equal(data.loaded, 6);
  assert.deepEqual([...(data.values[0] ?? [])], [7, 0, 7, 5, 9, 1]);
  assert.ok(Number.isNaN(data.value(2, 4)));
  assert.equal(data.explanations[4], "zebra");
});

test("rows that have not arrived are neither shown nor zero", () => {
  const data = new TableData(4);
  data.add({ start: 2, columns, values: [[1], [1], [1]], explanations: ["x"], tokens: [[]], clusters: [0] });
  assert.deepEqual(filterRows(data, "").rows, [2]);
  assert.ok(Number.isNaN(data.value(0, 0)));
});

test("words look into explanations and tokens, quotes at whole tokens, numbers at the number too", () => {
  const data = table();
  const rows = (typed: string) => filterRows(data, typed).rows;
  assert.deepEqual(rows(""), all);
  assert.deepEqual(rows("RAISE"), [0, 4]);
  assert.deepEqual(rows("raise state"), [0]);
  assert.deepEqual(rows('" raise"'), [0]);
  assert.deepEqual(rows('"rais"'), []);
  assert.deepEqual(rows("4"), [4]);
});

test("conditions mean columns; a name that is none is said", () => {
  const data = table();
  assert.deepEqual(filterRows(data, "density<0.6").rows, [1, 3, 5]);
  assert.deepEqual(filterRows(data, "density<60% count>0").rows, [3, 5]);
  assert.deepEqual(filterRows(data, "max>0").rows, [0, 2, 3, 5]);
  assert.deepEqual(filterRows(data, "nothing<1"), { rows: all, unknown: ["nothing"] });
});

test("rows are sorted either way, missing values last, ties by number", () => {
  const data = table();
  const sorted = (text: string) => sortRows(data, all, parseOrder(text));
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
  const view = { filter: '" a" density<1%', order: { by: "x", descending: true }, columns: ["x", "y"] };
  assert.deepEqual(viewOf(stateOf(view)), view);
  assert.deepEqual(stateOf(viewOf({})), { f: "", sort: "", cols: "" });
});

test("the sorted column is always shown", () => {
  const many = Array.from({ length: 8 }, (_, at) => ({ name: `c${at}`, label: "", doc: "", unit: "" }));
  assert.deepEqual(shownColumns(many, viewOf({})), [0, 1, 2]);
  assert.deepEqual(shownColumns(many, viewOf({ sort: "-c7" })), [0, 1, 2, 7]);
  assert.deepEqual(shownColumns(many, viewOf({ cols: "c5,gone" })), [5]);
});

test("the most telling columns are shown first, others where a dataset lacks them", () => {
  assert.deepEqual(firstColumns(columns), ["activation_density", "max_activation", "firing_count"]);
  assert.deepEqual(firstColumns([]), []);
});

test("every row in view is drawn, and few others", () => {
  for (const count of [0, 1, 5, 40, 1000]) {
    for (let scrollTop = 0; scrollTop <= Math.max(0, count * 38 - 600); scrollTop += 7) {
      const { start, stop } = windowOf(scrollTop, 600, 38, count);
      assert.ok(start >= 0 && stop <= count && start <= stop);
      assert.ok(start * 38 <= scrollTop);
      assert.ok(stop === count || stop * 38 >= scrollTop + 600);
      assert.ok(stop - start < 60);
    }
  }
});

test("a list that got shorter than the scroll position still shows its end", () => {
  const { start, stop } = windowOf(100_000, 600, 38, 30);
  assert.equal(stop, 30);
  assert.ok(start <= 14);
});

test("a row is brought into view by the shortest way", () => {
  assert.equal(scrollFor(10, 0, 400, 40), 40);
  assert.equal(scrollFor(5, 0, 400, 40), 0);
  assert.equal(scrollFor(2, 400, 400, 40), 80);
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
