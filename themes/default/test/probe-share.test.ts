import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateRawSync } from "node:zlib";
import { AddressError, packAddress, SAFE_ADDRESS, unpackAddress } from "../src/frame/address.ts";
import { packText, unpackText } from "../src/probe/share.ts";
import type { SharedText } from "../src/probe/share.ts";
import { readShared, Sharing, testPath } from "../src/probe/sharing.ts";
import { COLUMNS, DENSITIES, GROUPINGS, JOININGS, PLAIN_TEXT } from "../src/probe/view.ts";
import { fakeSite } from "./support/fake-site.ts";
import { Dice, HOSTILE } from "./support/random.ts";
import { printed } from "./support/template.ts";

fakeSite();

const packed = (value: unknown) => deflateRawSync(JSON.stringify(value)).toString("base64url");

const shared = (changes: Partial<SharedText> = {}): SharedText => ({
  sae: "alpha",
  text: "raise ValueError",
  view: PLAIN_TEXT,
  ...changes,
});

/** An address bar; the fragment is what is read and written. */
function openAt(fragment: string): { href: string } {
  const bar = { href: `https://x.org/atlas/test.html${fragment}` };
  const location = {
    get href() {
      return bar.href;
    },
    get hash() {
      return new URL(bar.href).hash;
    },
    pathname: "/atlas/test.html",
    search: "",
  };
  const history = { replaceState: (_: unknown, __: string, path: string) => void (bar.href = new URL(path, bar.href).href) };
  Object.assign(globalThis, { location, history });
  return bar;
}

test("any value comes out of its address as it went in", async () => {
  const dice = new Dice(31);
  for (let round = 0; round < 100; round += 1) {
    const value = dice.list(dice.whole(0, 6), () => [dice.text([...HOSTILE, "\ud800", "\udfff"], 30), dice.share()]);
    const text = await packAddress(value);
    assert.match(text, /^[\w-]*$/);
    assert.deepEqual(await unpackAddress(text), value);
  }
});

test("an address that was cut, or hides a large text, is refused in words", async () => {
  const good = await packAddress({ a: "some words" });
  for (const bad of ["", "%%%", "a", good.slice(0, -4), `${good}!`])
    await assert.rejects(unpackAddress(bad), (error) => error instanceof AddressError && /missing/.test(error.message));
  const bomb = deflateRawSync(Buffer.alloc(50_000_000, 32)).toString("base64url");
  await assert.rejects(unpackAddress(bomb), /more than can be shown/);
});

test("a text and its view come out of a link as they went in", async () => {
  const dice = new Dice(7);
  for (let round = 0; round < 200; round += 1) {
    const locks = [...new Set(dice.list(dice.whole(0, 5), () => dice.whole(0, 400)))].sort((a, b) => a - b);
    const one: SharedText = {
      sae: dice.pick(["alpha", "stdlib-res-2"]),
      text: dice.text([...HOSTILE, "\ud800"], 60),
      view: {
        joining: dice.pick(JOININGS),
        densest: dice.pick(DENSITIES),
        bos: dice.share() < 0.5,
        grouping: dice.pick(GROUPINGS),
        order: { by: dice.pick(COLUMNS), descending: dice.share() < 0.5 },
        locks,
        feature: dice.share() < 0.5 ? null : dice.whole(0, 131_072),
      },
    };
    assert.deepEqual(await unpackText(await packText(one)), one);
  }
});

test("a page of text fits into an address that every program takes", async () => {
  const words = "raise the value error that names the file and the line where it stands in".split(" ");
  const dice = new Dice(2);
  const text = dice.list(1500, () => dice.pick(words)).join(" ");
  assert.ok((await packText(shared({ text }))).length < SAFE_ADDRESS - 200, `${text.length} characters`);
});

test("what a hostile link says of the view is checked part by part", async () => {
  const found = await unpackText(
    packed([1, "alpha", "text", "median", 7, "yes", "author", "-__proto__", [-1, 2.5, "3", 4, 4, 1e12, null, 0], "9"]),
  );
  assert.deepEqual(found, shared({ text: "text", view: { ...PLAIN_TEXT, locks: [0, 4] } }));
  const none = await unpackText(packed([1, "alpha", "text"]));
  // An order that was left out is the natural one of lists: by number.
  assert.deepEqual(none.view, { ...PLAIN_TEXT, order: { by: "feature", descending: false } });
});

test("a link of another version, or without its text, is refused in words", async () => {
  await assert.rejects(unpackText(packed([2, "alpha", "text"])), /another version/);
  await assert.rejects(unpackText(packed({ sae: "alpha" })), /another version/);
  await assert.rejects(unpackText(packed(null)), /another version/);
  await assert.rejects(unpackText(packed([1, "alpha", 5])), /missing/);
  await assert.rejects(unpackText(packed([1, ["alpha"], "text"])), /missing/);
});

test("a shared text stays in the address, one handed over by a page does not", async () => {
  const one = shared();
  const bar = openAt(`#share=${await packText(one)}`);
  const before = bar.href;
  assert.deepEqual(await readShared(), one);
  assert.equal(bar.href, before);
  const handed = openAt(`#${(await testPath(one)).split("#")[1] ?? ""}`);
  assert.deepEqual(await readShared(), one);
  assert.equal(handed.href, "https://x.org/atlas/test.html");
  openAt("#exact");
  assert.equal(await readShared(), null);
  openAt("#share=broken");
  await assert.rejects(readShared(), AddressError);
});

test("sharing writes the address, and a change takes it back", async () => {
  const bar = openAt("");
  let told = 0;
  const sharing = new Sharing(() => (told += 1));
  assert.equal(printed(sharing.show()), "");
  await sharing.share(shared());
  assert.match(bar.href, /test\.html#share=[\w-]+$/);
  assert.equal(told, 1);
  // No clipboard in this test: the link is shown, and nothing is claimed of it.
  assert.match(printed(sharing.show()), /The link; it holds the text itself/);
  assert.ok(printed(sharing.show()).includes(bar.href));
  sharing.stale();
  assert.equal(bar.href, "https://x.org/atlas/test.html");
  assert.equal(printed(sharing.show()), "");
});

test("a place on the page is no shared text, and is left alone", () => {
  const bar = openAt("#exact");
  new Sharing(() => undefined).stale();
  assert.match(bar.href, /#exact$/);
});

test("a link that some programs cut says so", async () => {
  openAt("");
  const dice = new Dice(4);
  const sharing = new Sharing(() => undefined);
  await sharing.share(shared({ text: dice.list(9000, () => dice.pick(HOSTILE)).join("") }));
  assert.match(printed(sharing.show()), /some programs cut addresses beyond 8,000/);
});
