import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileText, ListStore } from "../src/core/lists.ts";
import type { Keep } from "../src/core/lists.ts";
import {
  checkLists,
  cleanName,
  cleanNote,
  isFeatureNumber,
  isSlug,
  joinSameNames,
  LONGEST_NAME,
  LONGEST_NOTE,
  MOST_FEATURES,
  MOST_LISTS,
  parseLists,
} from "../src/lists/check.ts";
import type { FeatureList, ListItem } from "../src/lists/check.ts";
import {
  addList,
  describeList,
  dropFeature,
  freeName,
  mergeLists,
  moveFeature,
  moveList,
  removeList,
  renameList,
  Undo,
  writeNote,
} from "../src/lists/edit.ts";
import { Dice, HOSTILE } from "./support/random.ts";

const CASES = JSON.parse(
  readFileSync(join(import.meta.dirname, "../../../../tests/support/list_cases.json"), "utf8"),
) as { slugs: { good: string[]; bad: string[] }; files: { value: unknown; good: boolean }[] };

const item = (feature_idx: number, note = "", sae = "alpha"): ListItem => ({ sae, feature_idx, note });
const list = (name: string, ...features: ListItem[]): FeatureList => ({ name, description: "", features });

/** A storage that can be full, forbidden or written to by others. */
class FakeStorage implements Keep {
  readonly kept = new Map<string, string>();
  full = false;
  forbidden = false;

  getItem(key: string): string | null {
    if (this.forbidden) throw new Error("SecurityError");
    return this.kept.get(key) ?? null;
  }

  setItem(key: string, value: string): void {
    if (this.forbidden) throw new Error("SecurityError");
    if (this.full) throw new Error("QuotaExceededError");
    this.kept.set(key, value);
  }
}

const KEY = "feature-atlas:lists:/here/";

function stored(storage: FakeStorage): ListStore {
  return new ListStore(() => storage, KEY);
}

test("what is kept is there in the next tab, and is the file that is exported", () => {
  const storage = new FakeStorage();
  const wanted = [list("Starred", item(3, "a note"))];
  stored(storage).change(() => wanted);
  assert.deepEqual(stored(storage).read(), wanted);
  assert.equal(storage.kept.get(KEY), fileText(wanted));
  assert.deepEqual(parseLists(fileText(wanted, { build_id: "b" })), { lists: wanted, problems: [] });
});

test("two tabs that change lists in turn lose nothing of each other", () => {
  const storage = new FakeStorage();
  const [one, two] = [stored(storage), stored(storage)];
  one.change((lists) => [...lists, list("A")]);
  two.change((lists) => [...lists, list("B")]);
  one.change((lists) => [...lists, list("C")]);
  for (const tab of [one, two]) assert.deepEqual(tab.read().map(({ name }) => name), ["A", "B", "C"]);
});

test("a full storage keeps the changes on the page, says so, and writes them when there is room", () => {
  const storage = new FakeStorage();
  const store = stored(storage);
  store.change(() => [list("A")]);
  storage.full = true;
  store.change((lists) => [...lists, list("B")]);
  assert.match(store.problem, /full/);
  assert.deepEqual(store.read().map(({ name }) => name), ["A", "B"]);
  assert.deepEqual(stored(storage).read().map(({ name }) => name), ["A"]);
  storage.full = false;
  stored(storage).change((lists) => [...lists, list("from another tab")]);
  store.change((lists) => [...lists, list("C")]);
  assert.equal(store.problem, "");
  assert.deepEqual(stored(storage).read().map(({ name }) => name), ["A", "B", "C", "from another tab"]);
});

test("a forbidden storage works for as long as the page is open, and says so", () => {
  const storage = new FakeStorage();
  storage.forbidden = true;
  const store = stored(storage);
  assert.deepEqual(store.read(), []);
  assert.match(store.problem, /keeps nothing/);
  store.change((lists) => [...lists, list("A", item(1))]);
  store.change((lists) => [...lists, list("B")]);
  assert.deepEqual(store.read().map(({ name }) => name), ["A", "B"]);
  assert.match(store.problem, /Export/);
  const never = new ListStore(() => {
    throw new Error("SecurityError");
  }, KEY);
  never.change(() => [list("A")]);
  assert.deepEqual(never.read(), [list("A")]);
});

test("damaged content is set aside whole before anything is written over it", () => {
  for (const damaged of ["{", '{"lists": 3}', "null", '{"version":9,"lists":[]}']) {
    const storage = new FakeStorage();
    storage.kept.set(KEY, damaged);
    const store = stored(storage);
    assert.deepEqual(store.read(), []);
    assert.match(store.problem, /damaged/);
    store.change(() => [list("new")]);
    assert.equal(storage.kept.get(`${KEY}:damaged`), damaged);
    assert.deepEqual(stored(storage).read(), [list("new")]);
  }
});

test("of partly damaged content the good part is shown, and nothing is lost without room to set it aside", () => {
  const storage = new FakeStorage();
  const damaged = JSON.stringify({ lists: [list("good", item(1)), { name: "bad" }] });
  storage.kept.set(KEY, damaged);
  storage.full = true;
  const store = stored(storage);
  assert.deepEqual(store.read().map(({ name }) => name), ["good", "bad"]);
  store.change((lists) => [...lists, list("new")]);
  assert.match(store.problem, /no room/);
  assert.equal(storage.kept.get(KEY), damaged);
  assert.deepEqual(store.read().map(({ name }) => name), ["good", "bad", "new"]);
  storage.full = false;
  store.change((lists) => lists.slice());
  assert.equal(storage.kept.get(`${KEY}:damaged`), damaged);
  assert.deepEqual(stored(storage).read().map(({ name }) => name), ["good", "bad", "new"]);
});

test("both sides of the project judge the same files alike", () => {
  for (const slug of CASES.slugs.good) assert.equal(isSlug(slug), true, slug);
  for (const slug of CASES.slugs.bad) assert.equal(isSlug(slug), false, JSON.stringify(slug));
  for (const { value, good } of CASES.files) {
    const { lists, problems } = checkLists(value);
    assert.equal(problems.length === 0 && lists.length > 0, good, JSON.stringify(value));
  }
});

test("hostile JSON gives only checked lists, whatever it holds", () => {
  const dice = new Dice(11);
  const junk = (depth: number): unknown =>
    dice.pick<() => unknown>([
      () => dice.text(HOSTILE, 9),
      () => dice.whole(-9, 9) / 2,
      () => null,
      () => dice.pick([true, 1e308, -0, 2 ** 31]),
      () => (depth > 0 ? dice.list(dice.whole(0, 4), () => junk(depth - 1)) : []),
      () => {
        const keys = ["name", "lists", "features", "sae", "feature_idx", "note", "description", "format", "version", "__proto__"];
        const pairs = dice.list(dice.whole(0, 5), () => [dice.pick(keys), depth > 0 ? junk(depth - 1) : "alpha"]);
        return Object.fromEntries(pairs) as unknown;
      },
    ])();
  for (let round = 0; round < 3000; round += 1) {
    const { lists } = parseLists(JSON.stringify(junk(5)));
    for (const { name, description, features } of lists) {
      assert.ok(name !== "" && name.length <= LONGEST_NAME && name === cleanName(name));
      assert.equal(description, cleanNote(description));
      for (const { sae, feature_idx, note } of features) {
        assert.ok(isSlug(sae) && isFeatureNumber(feature_idx) && note.length <= LONGEST_NOTE);
      }
    }
    assert.deepEqual(checkLists({ lists }), { lists, problems: [] });
  }
  assert.equal(({} as Record<string, unknown>)["name"], undefined);
});

test("a prototype's keys count for nothing", () => {
  const { lists, problems } = checkLists(JSON.parse('{"__proto__": {"name": "x", "features": []}}'));
  assert.deepEqual(lists, []);
  assert.equal(problems.length, 1);
});

test("what is too much is left out and said", () => {
  const many = { lists: Array.from({ length: MOST_LISTS + 1 }, (_, at) => list(`list ${at}`)) };
  assert.equal(checkLists(many).lists.length, MOST_LISTS);
  assert.match(checkLists(many).problems[0] ?? "", /first 500 of 501/);
  const long = list("long", ...Array.from({ length: MOST_FEATURES + 1 }, (_, at) => item(at)));
  const read = checkLists(long);
  assert.equal(read.lists[0]?.features.length, MOST_FEATURES);
  assert.equal(read.problems.length, 1);
  const noisy = checkLists({ lists: Array.from({ length: 60 }, () => 3) });
  assert.equal(noisy.problems.length, 21);
  assert.equal(noisy.problems.at(-1), "… and more.");
  const cut = checkLists(list(`${"x".repeat(LONGEST_NAME - 1)}🤗🤗`, item(1, "é".repeat(LONGEST_NOTE + 9))));
  assert.equal(cut.lists[0]?.name, "x".repeat(LONGEST_NAME - 1));
  assert.equal(cut.lists[0]?.features[0]?.note.length, LONGEST_NOTE);
});

test("equal names and features become one that lacks nothing", () => {
  const joined = joinSameNames([list("A", item(1, "one"), item(2)), list("B"), list("A", item(2, "two"), item(1, "other"))]);
  assert.deepEqual(joined, [list("A", item(1, "one\nother"), item(2, "two")), list("B")]);
  assert.deepEqual(joinSameNames([...joined, ...joined]), joined);
});

test("merging is idempotent, keeps every feature, and keeps every note, for any lists", () => {
  const dice = new Dice(5);
  const any = () =>
    checkLists({
      lists: dice.list(dice.whole(0, 4), () =>
        list(dice.pick(["A", "B", "C"]), ...dice.list(dice.whole(0, 5), () => item(dice.whole(0, 4), dice.text(HOSTILE, 4)))),
      ),
    }).lists;
  for (let round = 0; round < 400; round += 1) {
    const [ours, theirs] = [any(), any()];
    const merged = mergeLists(ours, theirs);
    assert.deepEqual(mergeLists(merged, theirs), merged);
    assert.deepEqual(mergeLists(merged, ours), merged);
    for (const { name, features } of [...ours, ...theirs]) {
      for (const feature of features) {
        const found = merged
          .find((one) => one.name === name)
          ?.features.find(({ sae, feature_idx }) => sae === feature.sae && feature_idx === feature.feature_idx);
        assert.ok(found?.note.includes(feature.note), JSON.stringify([feature, found]));
      }
    }
  }
});

test("lists are made, renamed, described, moved and removed", () => {
  let lists = addList(addList([], "  A \n list "), "B");
  assert.deepEqual(lists.map(({ name }) => name), ["A list", "B"]);
  lists = addList(lists, "B");
  assert.deepEqual(lists.map(({ name }) => name), ["A list", "B", "B (2)"]);
  assert.deepEqual(addList(lists, "   "), lists);
  assert.deepEqual(renameList(lists, "B", "A list").map(({ name }) => name), ["A list", "A list (2)", "B (2)"]);
  assert.deepEqual(renameList(lists, "B", " "), lists);
  assert.deepEqual(renameList(lists, "B", "B"), lists);
  assert.equal(describeList(lists, "B", "about")[1]?.description, "about");
  assert.deepEqual(moveList(lists, "B (2)", -2).map(({ name }) => name), ["B (2)", "A list", "B"]);
  assert.deepEqual(moveList(lists, "A list", -1), lists);
  assert.deepEqual(moveList(lists, "nothing", 1), lists);
  assert.deepEqual(removeList(lists, "B").map(({ name }) => name), ["A list", "B (2)"]);
  assert.equal(freeName(lists, "C"), "C");
});

test("features are moved, annotated and dropped; other lists stay as they are", () => {
  const lists = [list("A", item(1), item(2), item(3)), list("B", item(2))];
  assert.deepEqual(moveFeature(lists, "A", item(3), -1)[0]?.features, [item(1), item(3), item(2)]);
  assert.deepEqual(moveFeature(lists, "A", item(3), 1), lists);
  assert.deepEqual(dropFeature(lists, "A", item(2))[0]?.features, [item(1), item(3)]);
  assert.equal(dropFeature(lists, "A", item(2))[1], lists[1]);
  assert.deepEqual(writeNote(lists, "A", item(2), " as typed ")[0]?.features[1], item(2, " as typed "));
  assert.equal(writeNote(lists, "A", item(2), "x".repeat(LONGEST_NOTE + 1))[0]?.features[1]?.note.length, LONGEST_NOTE);
});

test("any chain of changes can be undone, step by step", () => {
  const dice = new Dice(3);
  for (let round = 0; round < 60; round += 1) {
    const undo = new Undo(100);
    const states: FeatureList[][] = [[list("A", item(1), item(2)), list("B", item(3))]];
    const now = () => states.at(-1) ?? [];
    const name = () => dice.pick(["A", "B", "C", "D"]);
    for (let step = 0; step < 12; step += 1) {
      const after = dice.pick([
        () => addList(now(), name()),
        () => removeList(now(), name()),
        () => renameList(now(), name(), dice.text(HOSTILE, 5)),
        () => moveFeature(now(), name(), item(dice.whole(1, 4)), dice.whole(-2, 3)),
        () => writeNote(now(), name(), item(dice.whole(1, 4)), dice.text(HOSTILE, 5)),
      ])();
      undo.note(now(), after, `step ${step}`);
      states.push(after);
    }
    while (states.length > 1) {
      const state = states.pop() ?? [];
      assert.notEqual(undo.what(state), "");
      assert.deepEqual(undo.back(state), now());
    }
    assert.equal(undo.what(now()), "");
    assert.deepEqual(undo.back(now()), now());
  }
});

test("typing one note is one step, and what another tab changed since is not undone", () => {
  const undo = new Undo();
  const states = ["", "a", "ab", "abc"].map((note) => [list("A", item(1, note))]);
  for (let at = 1; at < states.length; at += 1) undo.note(states[at - 1] ?? [], states[at] ?? [], "note", "A/1");
  assert.deepEqual(undo.back(states[3] ?? []), states[0]);
  undo.note(states[0] ?? [], states[1] ?? [], "note");
  assert.equal(undo.what([list("A", item(1, "from elsewhere"))]), "");
});
