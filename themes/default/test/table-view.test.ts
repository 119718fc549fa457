import assert from "node:assert/strict";
import { test } from "node:test";
import { mergeState, parseState } from "../src/core/state.ts";
import { Brush } from "../src/table/brush.ts";
import type { TableData } from "../src/table/data.ts";
import { countOf, extend, NONE, toggle, toggleAll } from "../src/table/selection.ts";
import { leastWidth, ROW_HEIGHT, showBody, showHead } from "../src/table/show.ts";
import type { TableScene } from "../src/table/show.ts";
import { clickOrder, NATURAL, orderText, parseOrder } from "../src/table/sort.ts";
import { firstColumns, moved, shownColumns, stateOf, toggled, viewOf } from "../src/table/state.ts";
import { rowAfterKey, scrollFor, windowOf } from "../src/table/window.ts";
import { fakeSite } from "./support/fake-site.ts";
import { Dice, HOSTILE } from "./support/random.ts";
import { columnOf, NAMES, repeat, someTable, tableOf } from "./support/table.ts";
import { lineOf, listenersOf, printed } from "./support/template.ts";

fakeSite();

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

test("every view survives its address, also one that shows no column at all", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const dice = new Dice(seed);
    const view = {
      filter: dice.text(HOSTILE.filter((sign) => sign !== "\ud800"), 10),
      order: { by: dice.pick(["feature", "skew"]), descending: dice.share() < 0.5 },
      columns: dice.pick([null, [], ["skew"], ["skew", "tokens", "count"]]),
    };
    assert.deepEqual(viewOf(parseState(mergeState("?x=1", stateOf(view)))), view);
  }
  assert.equal(mergeState("?f=a&sort=-b&cols=c", stateOf({ filter: "", order: NATURAL, columns: null })), "");
});

test("columns are shown in the order chosen, each once, the sorted one among them", () => {
  const columns = NAMES.map((name) => columnOf(name, [1]));
  const chosen = { filter: "", order: { by: "count", descending: true }, columns: ["skew", "gone"] };
  assert.deepEqual(shownColumns(columns, chosen), ["skew", "count"]);
  assert.deepEqual(shownColumns([], chosen), []);
  assert.deepEqual(viewOf({ cols: "a,b,a,,b" }).columns, ["a", "b"]);
  assert.deepEqual(firstColumns(columns), ["explanation", "tokens", "activation_density"]);
});

test("moving and showing columns loses none and doubles none", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const dice = new Dice(seed);
    let shown = dice.shuffled(["a", "b", "c", "d"]).slice(0, dice.whole(0, 5));
    for (let step = 0; step < 10; step++) {
      const before = [...shown].sort();
      const name = dice.pick(["a", "b", "c", "d"]);
      shown = moved(shown, name, dice.pick([-1, 1]));
      assert.deepEqual([...shown].sort(), before);
      shown = toggled(shown, name);
      assert.equal(shown.includes(name), !before.includes(name));
      assert.equal(new Set(shown).size, shown.length);
    }
  }
});

test("a stroke is a range once it ends; the same single bin again is none; a lost pointer changes nothing", () => {
  const chosen: string[] = [];
  const column = columnOf("x", [1], { edges: [0, 1, 2, 3, 4], counts: [1, 1, 1, 1] });
  const brush = new Brush(() => undefined, (name, { low, high }) => chosen.push(`${name} ${low?.value} ${high?.value}`));
  const target = {
    setPointerCapture: () => undefined,
    getBoundingClientRect: () => ({ left: 100, width: 80 }),
  };
  const at = (clientX: number, button = 0) =>
    ({ clientX, button, pointerId: 1, currentTarget: target, preventDefault: () => undefined }) as unknown as PointerEvent;
  brush.start(at(150, 2), column);
  assert.equal(brush.drawn("x"), null, "another button draws nothing");
  brush.start(at(165), column);
  brush.move(at(125), column);
  assert.deepEqual([brush.drawn("x"), brush.drawn("y")], [[1, 3], null]);
  brush.end(column, null);
  brush.start(at(125), column);
  brush.end(column, [1, 1]);
  brush.start(at(125), column);
  brush.cancel();
  brush.end(column, null);
  assert.deepEqual(chosen, ["x 1 undefined", "x undefined undefined"]);
});

test("choosing all and then none is no choice, and a stretch holds both its ends", () => {
  repeat((dice, _, rows) => {
    assert.equal(toggleAll(toggleAll(NONE, rows), rows).chosen.size, 0);
    const [from, to] = [dice.whole(0, rows.length), dice.whole(0, rows.length)];
    const stretch = extend(toggle(NONE, rows[from] ?? 0), rows, to);
    assert.equal(stretch.chosen.size, Math.abs(from - to) + 1);
    assert.ok(stretch.chosen.has(rows[from] ?? -1) && stretch.chosen.has(rows[to] ?? -1));
    assert.equal(countOf(stretch, rows), stretch.chosen.size);
    assert.deepEqual(extend(stretch, rows, from).chosen, stretch.chosen);
  });
});

test("a window holds every row in view, is at most so much larger, and lies within the list", () => {
  for (let seed = 1; seed <= 400; seed++) {
    const dice = new Dice(seed);
    const count = dice.pick([0, 1, 5, 40, 16_384]);
    const height = dice.whole(1, 1500);
    const top = dice.between(-200, Math.max(0, count * ROW_HEIGHT - height));
    const frame = { view: height, row: ROW_HEIGHT, count };
    const { start, stop } = windowOf(top, frame);
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
    const frame = { view: height, row: ROW_HEIGHT, count: 600 };
    const after = scrollFor(row, top, frame);
    assert.ok(row * ROW_HEIGHT >= after - 1e-9 && (row + 1) * ROW_HEIGHT <= after + height + 1e-9);
    assert.equal(scrollFor(row, after, frame), after);
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

/** A scene of two columns whose actions are noted. */
function sceneOf(data: TableData, more: Partial<TableScene> = {}): { scene: TableScene; asked: string[] } {
  const asked: string[] = [];
  const scene: TableScene = {
    data,
    sae: "s",
    shown: ["explanation", "tokens", "skew"],
    order: { by: "skew", descending: true },
    rows: Uint32Array.from({ length: data.size }, (_, at) => at),
    window: { start: 0, stop: data.size, above: 0, below: 0 },
    selection: NONE,
    current: 0,
    actions: {
      sort: (by) => asked.push(by),
      arrange: (name) => asked.push(`arrange ${name}`),
      pick: (row) => asked.push(`pick ${row}`),
      pickAll: () => asked.push("all"),
      histogram: ({ name }) => `[${name}]`,
    },
    ...more,
  };
  return { scene, asked };
}

test("hostile explanations and tokens are text in the table, and a row without tokens is dead", () => {
  const evil = "<img src=x>\u202e";
  const data = tableOf([{ explanation: evil, tokens: [evil], skew: 1 }, { skew: Number.NaN }], ["skew"]);
  const { scene } = sceneOf(data, { rows: Uint32Array.of(1, 0), current: 1, selection: toggle(NONE, 0) });
  const body = showBody(scene);
  assert.doesNotMatch(printed(body), /<img|\u202e/);
  assert.match(printed(body), /aria-rowindex="2"[^>]*aria-selected="false"[^>]*class=" dead"/);
  assert.match(printed(body), /aria-rowindex="3"[^>]*aria-selected="true"[^>]*class="current"/);
  assert.match(lineOf(body), /^1 no explanation – 0 <img src=x>U\+202E/);
});

test("a category shows the name of its group, hostile or not, and what has not arrived is no number", () => {
  const labels = ["<b>", "two"];
  const data = tableOf([{ group: 0 }, { group: 1 }, {}], ["group", "late"], [{ kind: "category", labels }]);
  const { scene } = sceneOf(data, { shown: ["group"] });
  assert.match(lineOf(showBody(scene)), /^0 <b> 0 1 two 1 2 none$/);
  assert.doesNotMatch(printed(showBody(scene)), /<b>/);
  assert.ok(leastWidth(data, ["group", "late"]) > leastWidth(data, ["group"]));
});

test("headings say how the table is sorted, sort it, and open what else there is", () => {
  const { scene, asked } = sceneOf(someTable(new Dice(1), 3));
  const head = showHead(scene);
  for (const listener of listenersOf(head, "click")) listener({ currentTarget: null });
  for (const listener of listenersOf(head, "change")) listener();
  assert.deepEqual(asked, ["feature", "explanation", "arrange explanation", "arrange tokens", "skew", "arrange skew", "all"]);
  const said = [...printed(head).matchAll(/aria-sort="([a-z]*)"/g)].map(([, how]) => how);
  assert.deepEqual(said, ["none", "none", "descending"]);
  assert.match(lineOf(head), /# explanation ⋯ fires most on ⋯ skew ⋯ \[skew\]/);
});

test("the mark of all rows is full, half or empty as the rows are", () => {
  const data = someTable(new Dice(2), 4);
  const rows = Uint32Array.of(0, 1, 2, 3);
  const mark = (selection: typeof NONE) => /checked="(\w+)"\s+indeterminate="(\w+)"/.exec(printed(showHead(sceneOf(data, { selection }).scene)))?.slice(1);
  assert.deepEqual(mark(NONE), ["false", "false"]);
  assert.deepEqual(mark(toggle(NONE, 2)), ["false", "true"]);
  assert.deepEqual(mark(toggleAll(NONE, rows)), ["true", "false"]);
});
