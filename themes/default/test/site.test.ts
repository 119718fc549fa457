import assert from "node:assert/strict";
import { test } from "node:test";
import { step } from "../src/frame/combobox.ts";
import { keyAction } from "../src/frame/keys.ts";
import { meantFeature } from "../src/frame/missing.ts";
import { pickLive } from "../src/frame/random.ts";
import { asTheme, nextTheme } from "../src/frame/theme.ts";

const press = (
  key: string,
  held: Partial<Record<"ctrlKey" | "metaKey" | "altKey" | "shiftKey", boolean>> = {},
) => ({
  key,
  ctrlKey: false,
  metaKey: false,
  altKey: false,
  shiftKey: false,
  ...held,
});

test("keys do what the help says", () => {
  const plain = {
    "/": "search",
    "?": "help",
    ArrowRight: "next",
    j: "next",
    ArrowLeft: "previous",
    k: "previous",
    r: "random",
    s: "star",
    c: "cite",
  };
  for (const [key, action] of Object.entries(plain)) assert.equal(keyAction(press(key), false), action);
  assert.equal(keyAction(press("K", { ctrlKey: true }), false), "search");
  assert.equal(keyAction(press("k", { metaKey: true }), true), "search");
  assert.equal(keyAction(press("?", { shiftKey: true }), false), "help");
  assert.equal(keyAction(press("x"), false), null);
});

test("typing is left alone, but for Escape and Ctrl K", () => {
  for (const key of ["/", "?", "j", "k", "r", "s", "c", "ArrowLeft"]) assert.equal(keyAction(press(key), true), null);
  assert.equal(keyAction(press("Escape"), true), "blur");
  assert.equal(keyAction(press("Escape"), false), null);
});

test("the browser's own combinations are left alone", () => {
  assert.equal(keyAction(press("ArrowLeft", { altKey: true }), false), null);
  assert.equal(keyAction(press("r", { ctrlKey: true }), false), null);
  assert.equal(keyAction(press("K", { ctrlKey: true, shiftKey: true }), false), null);
  assert.equal(keyAction(press("ArrowRight", { shiftKey: true }), false), null);
});

test("the theme goes round, and what is unknown is auto", () => {
  assert.deepEqual(
    ["auto", "light", "dark"].map((theme) => nextTheme(asTheme(theme))),
    ["light", "dark", "auto"],
  );
  for (const text of [null, "", "blue", "__proto__"]) assert.equal(asTheme(text), "auto");
});

test("options go round from either end", () => {
  assert.deepEqual(
    [step(-1, 1, 3), step(-1, -1, 3), step(2, 1, 3), step(0, -1, 3), step(0, 1, 0)],
    [0, 2, 0, 2, -1],
  );
});

test("a random feature is one that fires", () => {
  const shard = {
    start: 100,
    explanations: [],
    densities: [],
    tokens: [[], ["a"], [], ["b"]],
  };
  assert.equal(
    pickLive(shard, 100, () => 0),
    101,
  );
  assert.equal(
    pickLive(shard, 100, () => 0.99),
    103,
  );
  assert.equal(
    pickLive({ ...shard, tokens: [[], []] }, 100, () => 0.5),
    100,
  );
});

test("a missing address may mean a feature", () => {
  const saes = [{ slug: "res-2", title: "", hook_name: "", n_features: 2000 }];
  assert.equal(meantFeature("/base/res-2/1204", saes), "res-2/1/1204.html");
  assert.equal(meantFeature("/res-2/0/12.html", saes), "res-2/0/12.html");
  assert.equal(meantFeature("/res-2/5000", saes), null);
  assert.equal(meantFeature("/other/12", saes), null);
  assert.equal(meantFeature("/res-2/", saes), null);
});
