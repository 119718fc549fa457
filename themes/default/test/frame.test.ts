import assert from "node:assert/strict";
import { test } from "node:test";
import { prepareInput, step } from "../src/frame/combobox.ts";
import { keyAction } from "../src/frame/keys.ts";
import { meantFeature } from "../src/frame/missing.ts";
import { pickLive } from "../src/frame/random.ts";
import { applyTheme, asTheme, keepTheme, nextTheme, readTheme, THEMES } from "../src/frame/theme.ts";
import { open } from "../src/core/links.ts";
import { mergeState, parseState, readState, writeState } from "../src/core/state.ts";
import { turnTab } from "../src/examples/tabs.ts";
import { findPoints } from "../src/map/highlight.ts";
import { NO_POINTS } from "../src/map/points.ts";
import { fakeSite } from "./support/fake-site.ts";
import { Dice, HOSTILE } from "./support/random.ts";

const data = fakeSite();

/** Gives the page a storage, and answers what it remembers. */
function storage(broken: boolean): Map<string, string> {
  const kept = new Map<string, string>();
  const fail = () => {
    throw new Error("SecurityError");
  };
  const works = {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
  };
  const value = broken ? { getItem: fail, setItem: fail } : works;
  Object.defineProperty(globalThis, "localStorage", { value, configurable: true });
  return kept;
}

test("a theme is remembered, and where storage is forbidden the page still works", () => {
  const kept = storage(false);
  assert.equal(readTheme(), "auto");
  for (const theme of THEMES) {
    keepTheme(theme);
    assert.equal(readTheme(), theme);
  }
  kept.set([...kept.keys()][0] ?? "", "\u202edark");
  assert.equal(readTheme(), "auto");
  storage(true);
  assert.doesNotThrow(() => keepTheme("dark"));
  assert.equal(readTheme(), "auto");
  Object.defineProperty(globalThis, "localStorage", {
    get: () => {
      throw new Error("SecurityError");
    },
    configurable: true,
  });
  assert.doesNotThrow(() => keepTheme("dark"));
  assert.equal(readTheme(), "auto");
});

test("an address may ask for a theme, which is not remembered; anything unknown is auto", () => {
  const kept = storage(false);
  keepTheme("light");
  const asked = (search: string) => {
    Object.defineProperty(globalThis, "location", { value: { search }, configurable: true });
    return readTheme();
  };
  assert.equal(asked("?theme=dark"), "dark");
  assert.equal(asked("?q=1&theme=auto"), "auto");
  assert.equal(asked("?theme=%3Cscript%3E"), "auto");
  assert.equal(asked("?themes=dark"), "light");
  assert.equal(asked(""), "light");
  assert.deepEqual([...kept.values()], ["light"]);
  Reflect.deleteProperty(globalThis, "location");
});

test("auto leaves no mark on the page, and three turns lead back", () => {
  const { dataset } = document.documentElement;
  applyTheme("dark");
  assert.equal(dataset["theme"], "dark");
  applyTheme("auto");
  assert.equal("theme" in dataset, false);
  for (const theme of THEMES) assert.equal(nextTheme(nextTheme(nextTheme(theme))), theme);
  for (const text of HOSTILE) assert.equal(asTheme(text), "auto");
});

test("options and tabs go round: there and back is where one was", () => {
  for (let count = 1; count < 9; count++) {
    for (let from = 0; from < count; from++) {
      assert.equal(step(step(from, 1, count), -1, count), from);
      const tabs = Array.from({ length: count }, (_, at) => ({ id: String(at), label: "", doc: "" }));
      assert.equal(turnTab(tabs, turnTab(tabs, String(from), 1), -1), String(from));
    }
    assert.equal(step(-1, 1, count), 0);
    assert.equal(step(-1, -1, count), count - 1);
  }
  for (const by of [1, -1] as const) assert.equal(step(-1, by, 0), -1);
  assert.equal(turnTab([], "x", 1), "x");
});

test("the field is a combobox that says which list it controls", () => {
  const attributes = new Map<string, string>();
  const input = { setAttribute: (name: string, value: string) => void attributes.set(name, value) };
  prepareInput(input as unknown as HTMLInputElement, "my-list");
  assert.deepEqual(
    { ...input, setAttribute: undefined },
    { role: "combobox", autocomplete: "off", setAttribute: undefined },
  );
  assert.equal(attributes.get("aria-controls"), "my-list");
  assert.equal(attributes.get("aria-expanded"), "false");
  assert.equal(attributes.get("aria-autocomplete"), "list");
});

test("no key that writes a character acts while someone types, and Alt never acts", () => {
  const plain = { ctrlKey: false, metaKey: false, altKey: false, shiftKey: false };
  for (let code = 32; code < 127; code++) {
    const key = String.fromCharCode(code);
    assert.equal(keyAction({ ...plain, key }, true), null, key);
    assert.equal(keyAction({ ...plain, key, shiftKey: true }, true), null, key);
    for (const typing of [true, false]) assert.equal(keyAction({ ...plain, key, altKey: true }, typing), null, key);
    const withControl = keyAction({ ...plain, key, ctrlKey: true }, false);
    assert.equal(withControl, key.toLowerCase() === "k" ? "search" : null, key);
  }
});

const saes = ["alpha", "beta"].map((slug, at) => ({ slug, title: slug, hook_name: "", n_features: 100 * (at + 1) }));

test("an address means a feature only where it names an SAE and a number it has", () => {
  const cases: [string, string | null][] = [
    ["/alpha/7", "alpha/0/7.html"],
    ["/site/v2/alpha/0/7.html", "alpha/0/7.html"],
    ["//alpha//7//", "alpha/0/7.html"],
    ["/alpha/007.html", "alpha/0/7.html"],
    ["/alpha/99", "alpha/0/99.html"],
    ["/alpha/100", null],
    ["/beta/100", "beta/0/100.html"],
    ["/gamma/1", null],
    ["/alpha", null],
    ["/alpha/", null],
    ["/alpha/-1", null],
    ["/alpha/1.5", null],
    ["/alpha/1e1", null],
    ["/alpha/7.htm", null],
    ["/alphabet/7", null],
    ["/ALPHA/7", null],
    ["/alpha/99999999999", null],
    ["/", null],
    ["", null],
  ];
  for (const [path, expected] of cases) assert.equal(meantFeature(path, saes), expected, path);
  assert.equal(meantFeature("/alpha/1", []), null);
  for (let seed = 1; seed <= 200; seed++) {
    const path = new Dice(seed).text([...HOSTILE, "/", "/alpha/", "5"], 12);
    assert.match(meantFeature(path, saes) ?? "alpha/0/0.html", /^(alpha|beta)\/0\/\d+\.html$/);
  }
});

test("chance picks every live feature of a shard and no dead one", () => {
  const dice = new Dice(3);
  const tokens = dice.list(20, () => dice.pick([[], ["x"]]));
  const empty = { explanations: [], densities: [] };
  const shard = { ...empty, start: 40, tokens };
  const picked = new Set(dice.list(500, () => pickLive(shard, 0, () => dice.share())));
  const live = tokens.flatMap((list, at) => (list.length > 0 ? [40 + at] : []));
  assert.deepEqual([...picked].sort((a, b) => a - b), live);
  assert.equal(pickLive({ ...shard, tokens: [[], []] }, 41, () => 0), 41);
  assert.equal(pickLive({ ...shard, tokens: [] }, 7, () => 0.999), 7);
});

test("any view survives being merged into an address and read again", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const dice = new Dice(seed);
    const changes = { a: `${dice.text(HOSTILE, 8)}x`, b: "" };
    const search = mergeState("?b=1&c=kept", changes);
    assert.deepEqual(parseState(search), { c: "kept", a: changes.a });
    assert.equal(mergeState(search, changes), search);
  }
  assert.equal(mergeState("?a=1", { a: "" }), "");
  assert.deepEqual(parseState("?a=1&a=2"), { a: "2" });
});

test("the address is rewritten only for a change, keeps its hash, and a refusing browser is no error", () => {
  const written: string[] = [];
  const location = { pathname: "/m.html", search: "?q=a", hash: "#x", assign: (to: string) => void written.push(to) };
  const history = { replaceState: (_: unknown, __: string, to: string) => void written.push(to) };
  Object.assign(globalThis, { location, history });
  writeState({ q: "a", gone: "" });
  assert.deepEqual(written, []);
  writeState({ q: "b c" });
  assert.deepEqual(written.splice(0), ["/m.html?q=b+c#x"]);
  assert.deepEqual(readState(), { q: "a" });
  history.replaceState = () => {
    throw new Error("SecurityError");
  };
  assert.doesNotThrow(() => writeState({ q: "c" }));
  const opened: unknown[][] = [];
  Object.assign(globalThis, { open: (...call: unknown[]) => void opened.push(call) });
  open("map.html");
  for (const held of [{ ctrlKey: true }, { metaKey: true }]) open("a.html", held as unknown as MouseEvent);
  assert.deepEqual(written, ["../map.html"]);
  assert.deepEqual(opened, Array(2).fill(["../a.html", "_blank", "noopener"]));
});

test("a query that says nothing yet highlights nothing and loads no table", async () => {
  for (const typed of ['"', '""', " ", ""]) assert.equal(await findPoints(typed, NO_POINTS), null, typed);
  assert.deepEqual(data.asked, []);
});
