import assert from "node:assert/strict";
import { test } from "node:test";
import {
  addToList,
  changeLists,
  listsWith,
  listStore,
  onListsChange,
  removeFromList,
  STARRED,
  strayLists,
} from "../src/core/lists.ts";
import type { ListItem } from "../src/core/lists.ts";
import type { FeatureRow } from "../src/core/rows.ts";
import { LONGEST_NOTE } from "../src/lists/check.ts";
import { Desk } from "../src/lists/desk.ts";
import { addList, dropFeature, removeList, writeNote } from "../src/lists/edit.ts";
import { Rows } from "../src/lists/rows.ts";
import { moveByKey, showRow } from "../src/lists/show-row.ts";
import type { RowActions } from "../src/lists/show-row.ts";
import { fakeSite } from "./support/fake-site.ts";
import { Dice, HOSTILE } from "./support/random.ts";
import { printed, textOf } from "./support/template.ts";

const KEY = "feature-atlas:lists:/atlas/";
const kept = new Map<string, string>();
const storageListeners: ((event: { key: string | null }) => void)[] = [];

/** What a site answers for titles, on a page two folders deep at /atlas/. */
const site = fakeSite({
  site: {
    title: "t",
    build_id: "b 1",
    rows_per_title_shard: 4,
    saes: [{ slug: "alpha", title: "Alpha", hook_name: "h", n_features: 6, columns: [], cards: [] }],
  },
  "alpha/titles/0": {
    start: 0,
    explanations: ["zero", "", "two", "three"],
    tokens: [["a"], [], ["b", " c"], []],
    densities: [0.1, 0, 0.002, null],
  },
});
Object.defineProperty(globalThis, "location", { value: { href: "https://x.example/atlas/alpha/0.html" }, configurable: true });
// Object.keys of a real storage are the names in it: the fake one is the record itself.
const storage = new Proxy<Record<string, unknown>>(
  {},
  {
    get: (_, name) =>
      name === "getItem"
        ? (key: string) => kept.get(key) ?? null
        : name === "setItem"
          ? (key: string, text: string) => void kept.set(key, text)
          : undefined,
    ownKeys: () => [...kept.keys()],
    getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true }),
  },
);
Object.defineProperty(globalThis, "localStorage", { value: storage, configurable: true });
Object.assign(globalThis, {
  addEventListener: (type: string, listener: (event: { key: string | null }) => void) => {
    if (type === "storage") storageListeners.push(listener);
  },
});

const item = (feature_idx: number, note = ""): ListItem => ({ sae: "alpha", feature_idx, note });
const row = (explanation: string, tokens: string[] = [], density: number | null = 0.1): FeatureRow => ({
  feature: 1,
  explanation,
  tokens,
  density,
});

test("features are added once, listed by name, and taken out again", () => {
  assert.equal(addToList([item(1), item(2)]), 2);
  assert.equal(addToList([item(2), item(3), item(3)]), 1);
  assert.equal(addToList([item(1)], "Other"), 1);
  assert.deepEqual(listsWith(item(1)), [STARRED, "Other"]);
  removeFromList([item(1), item(3)]);
  assert.deepEqual(listsWith(item(1)), ["Other"]);
  assert.deepEqual(
    listStore()
      .read()
      .map(({ name, features }) => [name, features.length]),
    [
      [STARRED, 1],
      ["Other", 1],
    ],
  );
  assert.deepEqual([...kept.keys()], [KEY]);
});

test("everybody hears of changes, also of another tab's, until they stop listening", () => {
  let heard = 0;
  const stop = onListsChange(() => (heard += 1));
  addToList([item(4)]);
  assert.equal(heard, 1);
  for (const listener of storageListeners) listener({ key: KEY });
  for (const listener of storageListeners) listener({ key: "something else" });
  for (const listener of storageListeners) listener({ key: null });
  assert.equal(heard, 3);
  stop();
  addToList([item(5)]);
  assert.equal(heard, 3);
});

test("lists of other copies are offered, empty and damaged ones are not", () => {
  const file = (features: ListItem[]) => JSON.stringify({ lists: [{ name: "Old", features }] });
  kept.set("feature-atlas:lists:/old/", file([item(2)]));
  kept.set("feature-atlas:lists:/empty/", file([]));
  kept.set("feature-atlas:lists:/broken/", "{");
  kept.set("feature-atlas:lists:/old/:damaged", file([item(2)]));
  kept.set("feature-atlas:theme", "dark");
  const found = strayLists();
  assert.deepEqual(found.map(({ path }) => path), ["/old/"]);
  assert.deepEqual(found[0]?.lists[0]?.features, [item(2)]);
});

test("a desk tells what was done and takes it back, unless someone else changed the lists since", () => {
  changeLists(() => []);
  const desk = new Desk();
  assert.equal(desk.undoable, "");
  desk.change("A was made.", (lists) => addList(lists, "A"));
  desk.change("B was made.", (lists) => addList(lists, "B"));
  assert.equal(desk.said, "B was made.");
  assert.equal(desk.undoable, "B was made.");
  desk.back();
  assert.equal(desk.said, "Undone: B was made.");
  assert.deepEqual(listStore().read().map(({ name }) => name), ["A"]);
  addToList([item(1)], "A");
  assert.equal(desk.undoable, "");
  desk.back();
  assert.deepEqual(listStore().read()[0]?.features, [item(1)]);
});

test("a desk joins the typing of one note into one step", () => {
  changeLists(() => [{ name: "A", description: "", features: [item(1), item(2)] }]);
  const desk = new Desk();
  for (const note of ["o", "on", "one"]) desk.change("note", (lists) => writeNote(lists, "A", item(1), note), "A/1");
  desk.change("note", (lists) => writeNote(lists, "A", item(2), "two"), "A/2");
  desk.change("dropped", (lists) => dropFeature(lists, "A", item(2)));
  desk.change("gone", (lists) => removeList(lists, "A"));
  for (let back = 0; back < 3; back += 1) desk.back();
  assert.deepEqual(listStore().read()[0]?.features, [item(1, "one"), item(2)]);
  desk.back();
  assert.deepEqual(listStore().read()[0]?.features, [item(1), item(2)]);
});

/** Waits until `holds`; the clock of a busy machine is no measure. */
async function until(holds: () => boolean): Promise<void> {
  for (let round = 0; round < 1000 && !holds(); round += 1) await new Promise((done) => setTimeout(done, 5));
}

test("rows are loaded once when first asked for; what this atlas has not is known as missing", async () => {
  const rows = new Rows();
  let arrived = 0;
  const stop = rows.onArrival(() => (arrived += 1));
  const wanted = [item(0), item(2), item(9), { ...item(1), sae: "gone" }];
  for (const feature of [...wanted, ...wanted]) assert.equal(rows.of(feature), null);
  await until(() => arrived === 4);
  assert.equal(arrived, 4);
  const found = wanted.map((feature) => rows.of(feature));
  assert.deepEqual(found.slice(2), ["missing", "missing"]);
  assert.equal((found[0] as FeatureRow).explanation, "zero");
  assert.deepEqual((found[1] as FeatureRow).tokens, ["b", " c"]);
  stop();
});

test("a row that could not be loaded is asked for again", async () => {
  const rows = new Rows();
  assert.equal(rows.of(item(4)), null);
  await until(() => site.asked.some((address) => address.includes("titles/1")) && site.present.size === 0);
  assert.equal(rows.of(item(4)), null);
  site.answers.set("alpha/titles/1", { payload: { start: 4, explanations: ["four", ""], tokens: [[], []], densities: [0.5, 0] } });
  await until(() => rows.of(item(4)) !== null);
  assert.equal((rows.of(item(4)) as FeatureRow).explanation, "four");
});

const actions: RowActions = { move: () => undefined, drop: () => undefined, write: () => undefined };

test("a listed feature is shown with its page, tokens, density and note", () => {
  const shown = printed(showRow(item(1, "a\nnote"), row("fires on x", [" x", "\n"], 0.002), null));
  assert.match(shown, /href="\.\.\/alpha\/0\/1\.html"/);
  assert.match(shown, /data-feature="alpha\/1"/);
  const text = textOf(showRow(item(1, "a\nnote"), row("fires on x", [" x"], 0.002), null)).replace(/\s+/g, " ");
  for (const part of ["fires on x", "alpha/1", "0.200\u202f%".replace(/\s/u, " "), "␣x", "a↵ note"]) assert.ok(text.includes(part), `${part} in ${text}`);
});

test("a feature without an explanation has its number, an unknown one no link", () => {
  assert.match(textOf(showRow(item(7), row(""), null)), /Feature 7/);
  assert.match(textOf(showRow(item(7), null, null)), /Feature 7/);
  const missing = printed(showRow(item(7), "missing", null));
  assert.match(missing, /not in this atlas/);
  assert.doesNotMatch(missing, /href/);
});

test("with actions every control names its feature; without, there is none", () => {
  const shown = printed(showRow(item(1, "n"), row("x"), actions));
  for (const label of ["Move up alpha/1", "Move down alpha/1", "Remove alpha/1", "Note on alpha/1"])
    assert.ok(shown.includes(`aria-label="${label}"`), label);
  assert.ok(shown.includes(`maxlength="${LONGEST_NOTE}"`));
  assert.doesNotMatch(printed(showRow(item(1, "n"), row("x"), null)), /<button|<textarea/);
});

test("hostile explanations, tokens and notes are shown as text", () => {
  const dice = new Dice(41);
  for (let round = 0; round < 300; round += 1) {
    const [title, token, note] = dice.list(3, () => dice.text(HOSTILE, 12)) as [string, string, string];
    const shown = printed(showRow(item(1, note), row(title, [token]), dice.pick([null, actions])));
    assert.doesNotMatch(shown.replace(/<\/?(?:li|div|a|bdi|code|span|p|button|textarea|!--[^>]*)(?:\s[^<>]*)?>/g, ""), /[<>]/);
  }
});

test("Alt with an arrow moves, any other key does not", () => {
  const moves: number[] = [];
  let used = 0;
  const press = (key: string, held: Partial<KeyboardEvent> = {}) =>
    moveByKey(
      {
        key,
        altKey: false,
        ctrlKey: false,
        metaKey: false,
        preventDefault: () => (used += 1),
        stopPropagation: () => undefined,
        ...held,
      } as unknown as KeyboardEvent,
      (by) => moves.push(by),
    );
  press("ArrowUp", { altKey: true });
  press("ArrowDown", { altKey: true });
  press("ArrowDown");
  press("ArrowDown", { altKey: true, ctrlKey: true });
  press("ArrowLeft", { altKey: true });
  press("x", { altKey: true });
  assert.deepEqual(moves, [-1, 1]);
  assert.equal(used, 2);
});
