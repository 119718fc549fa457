import assert from "node:assert/strict";
import { test } from "node:test";
import { mergeState, parseState } from "../src/core/state.ts";
import { TableData } from "../src/table/data.ts";
import { filterRows } from "../src/table/filter.ts";
import { leastWidth, ROW_HEIGHT, showBody, showHead } from "../src/table/show.ts";
import { clickOrder, NATURAL, orderText, parseOrder, sortRows } from "../src/table/sort.ts";
import { firstColumns, shownColumns, stateOf, viewOf } from "../src/table/state.ts";
import { rowAfterKey, scrollFor, windowOf } from "../src/table/window.ts";
import { fakeSite } from "./support/fake-site.ts";
import { Dice, HOSTILE } from "./support/random.ts";
import { lineOf, listenersOf, printed } from "./support/template.ts";

fakeSite();
const columns = ["count", "activation_density", "skew"].map((name) => ({ name, label: name, doc: "", unit: "none" }));
const TEXTS = ["", "raise an error", "Error classes", "zebra", "Élan", "élan", "ＦＵＬＬ width", "ﬁne print", "12 monkeys"];
const TOKENS = [" raise", "raise", "\n", "é", "e\u0301", "ＡＢＣ", "<b>", '"', " "];

function someTable(dice: Dice, size = dice.whole(1, 60)): TableData {
  const data = new TableData(size);
  const step = dice.whole(1, 20);
  const starts = Array.from({ length: Math.ceil(size / step) }, (_, at) => at * step);
  for (const start of dice.shuffled(starts)) {
    const count = Math.min(step, size - start);
    const value = () => dice.pick([null, 0, -1, dice.whole(-3, 4), dice.between(0, 1)]);
    data.add({
      start,
      columns,
      values: columns.map(() => dice.list(count, value)),
      explanations: dice.list(count, () => dice.pick(TEXTS)),
      tokens: dice.list(count, () => dice.list(dice.whole(0, 4), () => dice.pick(TOKENS))),
      clusters: dice.list(count, () => -1),
    });
  }
  return data;
}

function repeat(work: (dice: Dice, data: TableData, rows: number[]) => void): void {
  for (let seed = 1; seed <= 60; seed++) {
    const dice = new Dice(seed);
    const data = someTable(dice);
    work(dice, data, dice.shuffled(Array.from({ length: data.size }, (_, at) => at)));
  }
}

test("sorting keeps every row, does not touch its input, and does not depend on its order", () => {
  repeat((dice, data, rows) => {
    const order = { by: dice.pick(["feature", "explanation", "count", "skew"]), descending: dice.share() < 0.5 };
    const before = [...rows];
    const sorted = sortRows(data, rows, order);
    assert.deepEqual(rows, before);
    assert.deepEqual([...sorted].sort((a, b) => a - b), [...rows].sort((a, b) => a - b));
    assert.deepEqual(sortRows(data, dice.shuffled(rows), order), sorted);
    assert.deepEqual(sortRows(data, sorted, order), sorted);
  });
});

test("by a column: values in order, equal ones by number, those without a value last either way", () => {
  repeat((_, data, rows) => {
    for (const descending of [false, true]) {
      const sorted = sortRows(data, rows, { by: "skew", descending });
      for (const [at, row] of sorted.entries()) {
        const [left, right] = [data.value(2, sorted[at - 1] ?? row), data.value(2, row)];
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
      const texts = sortRows(data, rows, { by: "explanation", descending }).map((row) => data.explanations[row] ?? "");
      const full = texts.filter((text) => text !== "");
      assert.deepEqual(texts.slice(0, full.length), full);
      const alphabet = [...full].sort(new Intl.Collator("en").compare);
      assert.deepEqual(full, descending ? alphabet.reverse() : alphabet);
    }
  });
});

test("a column that is gone sorts nothing", () => {
  const data = someTable(new Dice(3), 5);
  assert.deepEqual(sortRows(data, [3, 1, 4], { by: "no such column", descending: true }), [3, 1, 4]);
});

test("any text of the address is an order, and any order is a text", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const dice = new Dice(seed);
    const order = { by: dice.pick(["feature", "explanation", "a_b", "x"]), descending: dice.share() < 0.5 };
    assert.deepEqual(parseOrder(orderText(order)), order);
    assert.equal(typeof parseOrder(dice.text(HOSTILE, 6)).by, "string");
  }
  assert.equal(orderText(NATURAL), "");
  const twice = clickOrder(clickOrder(NATURAL, "skew"), "skew");
  assert.deepEqual(twice, { by: "skew", descending: false });
});

/** What a filter of one plain word means. */
function holdsWord(data: TableData, feature: number, word: string): boolean {
  const plain = (text: string) => text.normalize("NFKC").toLowerCase();
  const texts = [data.explanations[feature] ?? "", ...(data.tokens[feature] ?? [])];
  return texts.some((text) => plain(text).includes(plain(word))) || String(feature) === word;
}

test("a word finds what it looks like, however its characters are composed", () => {
  repeat((_, data) => {
    for (const word of ["raise", "ERROR", "é", "e\u0301", "ＡＢＣ", "abc", "fine", "ﬁne", "ｆｕｌｌ", "12", "<b>", "zzz"]) {
      const expected = [...Array(data.size).keys()].filter((feature) => holdsWord(data, feature, word));
      assert.deepEqual(filterRows(data, word), { rows: expected, unknown: [] }, word);
    }
  });
});

test("a quoted token is found to the letter, a condition by its number, and both by both", () => {
  repeat((dice, data) => {
    const bound = dice.whole(-2, 3);
    const all = [...Array(data.size).keys()];
    const cases: [string, (feature: number) => boolean][] = [
      ['" raise"', (feature) => data.tokens[feature]?.includes(" raise") === true],
      ['"\\n"', (feature) => data.tokens[feature]?.includes("\n") === true],
      ['"\\""', (feature) => data.tokens[feature]?.includes('"') === true],
      [`skew>=${bound}`, (feature) => data.value(2, feature) >= bound],
      [`SKEW < ${bound}`, (feature) => data.value(2, feature) < bound],
      [`density=${bound * 100}%`, (feature) => data.value(1, feature) === bound],
    ];
    for (const [typed, holds] of cases) assert.deepEqual(filterRows(data, typed).rows, all.filter(holds), typed);
    const typed = cases.map(([text]) => text).join(" ");
    const every = all.filter((feature) => cases.every(([, holds]) => holds(feature)));
    assert.deepEqual(filterRows(data, typed).rows, every);
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

test("every view survives its address, also one that shows no column at all", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const dice = new Dice(seed);
    const view = {
      filter: dice.text(HOSTILE.filter((sign) => sign !== "\ud800"), 10),
      order: { by: dice.pick(["feature", "skew"]), descending: dice.share() < 0.5 },
      columns: dice.pick([null, [], ["skew"], ["count", "skew"]]),
    };
    assert.deepEqual(viewOf(parseState(mergeState("?x=1", stateOf(view)))), view);
  }
  assert.equal(mergeState("?f=a&sort=-b&cols=c", stateOf({ filter: "", order: NATURAL, columns: null })), "");
});

test("columns are shown in table order, each once, the sorted one among them", () => {
  const chosen = { filter: "", order: { by: "count", descending: true }, columns: ["skew", "gone", "skew"] };
  assert.deepEqual(shownColumns(columns, chosen), [0, 2]);
  assert.deepEqual(shownColumns([], chosen), []);
  assert.deepEqual(firstColumns([]), []);
  assert.equal(new Set(firstColumns(columns)).size, 3);
});

test("a window holds every row in view, is at most so much larger, and lies within the list", () => {
  for (let seed = 1; seed <= 400; seed++) {
    const dice = new Dice(seed);
    const count = dice.pick([0, 1, 5, 40, 16_384]);
    const height = dice.whole(1, 1500);
    const top = dice.between(-200, Math.max(0, count * ROW_HEIGHT - height));
    const { start, stop } = windowOf(top, height, ROW_HEIGHT, count);
    assert.ok(start >= 0 && start <= stop && stop <= count);
    for (let row = 0; row < count; row += count > 100 ? 7 : 1) {
      const seen = (row + 1) * ROW_HEIGHT > top && row * ROW_HEIGHT < top + height;
      if (seen) assert.ok(row >= start && row < stop, `row ${row} of ${start}..${stop}`);
    }
    assert.ok(stop - start <= height / ROW_HEIGHT + 40);
  }
});

test("after the shortest scroll a row is wholly in view, and a row in view scrolls nothing", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const dice = new Dice(seed);
    const [row, top, height] = [dice.whole(0, 500), dice.between(0, 9000), dice.whole(ROW_HEIGHT, 900)];
    const after = scrollFor(row, top, height, ROW_HEIGHT);
    assert.ok(row * ROW_HEIGHT >= after - 1e-9 && (row + 1) * ROW_HEIGHT <= after + height + 1e-9);
    assert.equal(scrollFor(row, after, height, ROW_HEIGHT), after);
  }
});

test("no key leads out of the list, Home and End reach its ends, other keys are left alone", () => {
  for (let from = -1; from < 9; from++) {
    for (const key of ["ArrowDown", "ArrowUp", "PageDown", "PageUp", "Home", "End"]) {
      const row = rowAfterKey(key, from, 9, 4) ?? -5;
      assert.ok(row >= 0 && row < 9, `${key} from ${from}`);
    }
    assert.equal(rowAfterKey("Home", from, 9, 4), 0);
    assert.equal(rowAfterKey("End", from, 9, 4), 8);
    for (const key of ["a", "Enter", "Tab", " "]) assert.equal(rowAfterKey(key, from, 9, 4), null);
  }
  assert.equal(rowAfterKey("ArrowDown", -1, 0, 4), null);
});

test("hostile explanations and tokens are text in the table, and a row without tokens is dead", () => {
  const data = new TableData(2);
  const evil = "<img src=x>\u202e";
  const values = [
    [1, null],
    [0, 0],
    [1, 2],
  ];
  data.add({ start: 0, columns, values, explanations: [evil, ""], tokens: [[evil], []], clusters: [0, 0] });
  const body = showBody(data, [0], "s", [1, 0], { start: 0, stop: 2 });
  assert.doesNotMatch(printed(body), /<img|\u202e/);
  assert.match(printed(body), /aria-rowindex="2" class="dead"[^]*aria-rowindex="3" class=""/);
  assert.match(lineOf(body), /^1 no explanation – 0 <img src=x>U\+202E/);
  assert.equal(leastWidth(2) - leastWidth(1), leastWidth(1) - leastWidth(0));
});

test("headings say how the table is sorted, and sort it", () => {
  const asked: string[] = [];
  const data = someTable(new Dice(1), 3);
  const head = showHead(data, [0, 2], { by: "skew", descending: true }, (by) => asked.push(by));
  for (const listener of listenersOf(head, "click")) listener();
  assert.deepEqual(asked, ["feature", "explanation", "count", "skew"]);
  const said = [...printed(head).matchAll(/aria-sort="([a-z]*)"/g)].map(([, how]) => how);
  assert.deepEqual(said, ["none", "none", "none", "descending"]);
});
