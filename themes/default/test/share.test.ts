import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateRawSync } from "node:zlib";
import { checkLists } from "../src/lists/check.ts";
import type { FeatureList } from "../src/lists/check.ts";
import { packList, unpackList } from "../src/lists/share.ts";
import { SAFE_ADDRESS } from "../src/frame/address.ts";
import { Dice, HOSTILE } from "./support/random.ts";

const WORDS =
  "fires on the name of an exception right after raise but never inside a string where words about error handling and return values of functions stand beside class definitions or imports of modules that begin lines in files with long comments".split(
    " ",
  );

const clean = (list: unknown): FeatureList => checkLists(list).lists[0] as FeatureList;

/** Anything as JSON, packed as an address would carry it. */
const packed = (value: unknown) => deflateRawSync(JSON.stringify(value)).toString("base64url");

test("any list comes out of its address as it went in", async () => {
  const dice = new Dice(21);
  for (let round = 0; round < 300; round += 1) {
    const list = clean({
      name: `n${dice.text(HOSTILE, 12)}`,
      description: dice.text(HOSTILE, 20),
      features: dice.list(dice.whole(0, 30), () => ({
        sae: dice.pick(["alpha", "b", "gamma-2"]),
        feature_idx: dice.whole(0, 2 ** 31),
        note: dice.share() < 0.5 ? "" : dice.text([...HOSTILE, "\ud800"], 30),
      })),
    });
    const text = await packList(list);
    assert.match(text, /^[\w-]*$/);
    assert.deepEqual(await unpackList(text), { lists: [list], problems: [] });
  }
});

test("200 features with notes of ordinary words fit in 8 KB", async () => {
  const dice = new Dice(8);
  const features = dice.list(200, () => ({
    sae: dice.pick(["stdlib-res-2", "stdlib-res-3"]),
    feature_idx: dice.whole(0, 131_072),
    note: dice.list(dice.whole(4, 11), () => dice.pick(WORDS)).join(" "),
  }));
  const list = clean({ name: "Exceptions", description: "What the model knows of errors.", features });
  assert.equal(list.features.length, 200);
  const text = await packList(list);
  const address = `https://somebody.github.io/a-long-name-of-an-atlas/starred.html#list=${text}`;
  assert.ok(address.length < SAFE_ADDRESS, `${address.length} characters`);
  assert.deepEqual((await unpackList(text)).lists, [list]);
});

test("200 features without notes fit in 1 KB", async () => {
  const dice = new Dice(9);
  const features = dice.list(200, () => ({ sae: "stdlib-res-2", feature_idx: dice.whole(0, 24_576) }));
  assert.ok((await packList(clean({ name: "Numbers", features }))).length < 1024);
});

test("an address that was cut, changed or made to harm gives a sentence and no list", async () => {
  const dice = new Dice(2);
  const good = await packList(clean({ name: "A", features: [{ sae: "alpha", feature_idx: 1, note: "some words" }] }));
  const bad = [
    "",
    "%%%",
    good.slice(0, -5),
    `${good}!`,
    packed({ name: "A" }),
    packed([2, "A", "", [], [], [], []]),
    packed([1]),
    packed([1, "A", "", ["../../x"], [], [1], []]),
    packed([1, "A", "", ["alpha"], [7], [1], []]),
    packed([1, "A", "", ["alpha"], [], ["1"], []]),
  ];
  for (const text of bad) {
    const { lists, problems } = await unpackList(text);
    assert.ok(problems.length > 0, text);
    assert.ok(lists.every(({ features }) => features.length === 0), text);
  }
  for (let round = 0; round < 200; round += 1) {
    const at = dice.whole(0, good.length);
    const changed = good.slice(0, at) + dice.pick(["A", "z", "-", "_", "9"]) + good.slice(at + 1);
    const { lists } = await unpackList(changed);
    assert.deepEqual(checkLists({ lists }).problems, []);
  }
});

test("a small address that hides a large text is not unpacked", async () => {
  const bomb = deflateRawSync(Buffer.alloc(50_000_000, 32)).toString("base64url");
  const { lists, problems } = await unpackList(bomb);
  assert.deepEqual(lists, []);
  assert.match(problems[0] ?? "", /more than can be shown/);
});
