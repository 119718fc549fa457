import assert from "node:assert/strict";
import { test } from "node:test";
import { download } from "../src/feature/download.ts";
import { Tip } from "../src/feature/tip.ts";

type Listener = (event: unknown) => void;

/** As much of an element as the tip needs. */
class Part {
  dataset: Record<string, string> = {};
  hidden = false;
  className = "";
  id = "";
  role = "";
  style = { transform: "" };
  text = "";
  focused = 0;
  focusVisible = false;
  attributes = new Map<string, string>();
  listeners = new Map<string, Listener[]>();
  parent: Part | null = null;
  children: Part[] = [];
  box = { left: 0, top: 0, bottom: 0, width: 0 };
  offsetWidth = 50;
  offsetHeight = 20;

  add(child: Part): Part {
    child.parent = this;
    this.children.push(child);
    return child;
  }
  append(child: Part): void {
    if (child.parent !== this) this.add(child);
  }
  replaceChildren(text: string): void {
    this.text = text;
  }
  addEventListener(type: string, listener: Listener): void {
    this.listeners.set(type, [...(this.listeners.get(type) ?? []), listener]);
  }
  setAttribute(name: string, value: string): void {
    this.attributes.set(name, value);
  }
  removeAttribute(name: string): void {
    this.attributes.delete(name);
  }
  getBoundingClientRect() {
    return this.box;
  }
  getClientRects() {
    return [this.box];
  }
  contains(other: Part | null): boolean {
    for (let at = other; at !== null; at = at.parent) if (at === this) return true;
    return false;
  }
  closest(selector: string): Part | null {
    const name = selector.slice(6, -1);
    for (let at: Part | null = this; at !== null; at = at.parent) if (name in at.dataset) return at;
    return null;
  }
  querySelectorAll(): Part[] {
    return this.children.filter(({ dataset }) => "tip" in dataset);
  }
  matches(): boolean {
    return this.focusVisible;
  }
  focus(): void {
    this.focused++;
  }
  fire(type: string, event: Record<string, unknown>): void {
    for (const listener of this.listeners.get(type) ?? []) listener(event);
  }
}

let card = new Part();
const page = new Part();
Object.assign(globalThis, {
  Node: Part,
  document: {
    addEventListener: (type: string, listener: Listener) => page.addEventListener(type, listener),
    createElement: () => {
      card = new Part();
      return card;
    },
  },
  window: globalThis,
});

/** A host with a strip of three told parts. */
function scene() {
  const host = new Part();
  host.box = { left: 10, top: 100, bottom: 900, width: 300 };
  const strip = host.add(new Part());
  strip.dataset["rove"] = "";
  const told = ["one", "two", "three"].map((tip, at) => {
    const part = strip.add(new Part());
    part.dataset["tip"] = tip;
    part.box = { left: 10 + 140 * at, top: 200, bottom: 215, width: 20 };
    return part;
  });
  const tip = new Tip(host as unknown as HTMLElement);
  return { host, strip, told, tip, first: told[0] as Part, last: told[2] as Part };
}

const press = (host: Part, target: Part, key: string) => {
  let prevented = false;
  host.fire("keydown", { key, target, preventDefault: () => (prevented = true) });
  return prevented;
};

test("a part is told while it is pointed at, and described by the card", () => {
  const { host, strip, first } = scene();
  host.fire("pointerover", { target: first });
  assert.deepEqual([card.text, card.hidden, card.parent === host], ["one", false, true]);
  assert.equal(first.attributes.get("aria-describedby"), card.id);
  host.fire("pointerout", { target: first, relatedTarget: strip });
  assert.equal(card.hidden, true);
  assert.equal(first.attributes.size, 0);
});

test("a part inside a told one tells of it; parts with nothing to tell leave the card alone", () => {
  const { host, strip, first, last } = scene();
  const inner = first.add(new Part());
  host.fire("focusin", { target: inner });
  assert.equal(card.text, "one");
  host.fire("pointerover", { target: strip });
  assert.equal(card.hidden, false);
  host.fire("pointerover", { target: last });
  assert.equal(card.text, "three");
  assert.equal(first.attributes.size, 0);
});

test("the card stays while the pointer is on it or within its part, and while the focus is there", () => {
  const { host, first } = scene();
  host.fire("pointerover", { target: first });
  host.fire("pointerout", { target: first, relatedTarget: card });
  host.fire("pointerover", { target: card });
  host.fire("pointerout", { target: first, relatedTarget: first.add(new Part()) });
  assert.equal(card.hidden, false);
  first.focusVisible = true;
  host.fire("pointerout", { target: first, relatedTarget: null });
  assert.equal(card.hidden, false);
  host.fire("focusout", {});
  assert.equal(card.hidden, true);
});

test("it lies above its part, within the host, and below where there is no room above", () => {
  const { host, first, last } = scene();
  host.fire("focusin", { target: first });
  assert.equal(card.style.transform, "translate(0px, 80px)");
  host.fire("focusin", { target: last });
  assert.equal(card.style.transform, "translate(250px, 80px)", "not beyond the right edge");
  first.box = { left: 10, top: 5, bottom: 20, width: 20 };
  host.fire("focusin", { target: first });
  assert.equal(card.style.transform, "translate(0px, -80px)");
});

test("Escape closes the card and nothing else; without a card it is left to the page", () => {
  const { host, first } = scene();
  assert.equal(press(host, first, "Escape"), false);
  host.fire("focusin", { target: first });
  assert.equal(press(host, first, "Escape"), true);
  assert.equal(card.hidden, true);
  assert.equal(press(host, first, "Escape"), false);
});

test("Escape closes the card too while the focus is elsewhere", () => {
  const { host, first } = scene();
  host.fire("pointerover", { target: first });
  page.fire("keydown", { key: "a" });
  assert.equal(card.hidden, false);
  page.fire("keydown", { key: "Escape" });
  assert.equal(card.hidden, true);
});

test("arrow keys go from part to part, stop at the ends, and never walk to another feature there", () => {
  const { host, told, first, last } = scene();
  assert.equal(press(host, first, "ArrowRight"), true);
  assert.deepEqual(told.map(({ focused }) => focused), [0, 1, 0]);
  assert.equal(press(host, first, "ArrowLeft"), true);
  assert.equal(press(host, first, "End"), true);
  assert.equal(press(host, last, "Home"), true);
  assert.deepEqual(told.map(({ focused }) => focused), [2, 1, 1]);
  assert.equal(press(host, first, "a"), false);
  assert.equal(press(host, host, "ArrowRight"), false);
});

test("a view that changes takes the card away", () => {
  const { host, first, tip } = scene();
  host.fire("focusin", { target: first });
  tip.hide();
  assert.deepEqual([card.hidden, first.attributes.size], [true, 0]);
  tip.hide();
});

test("a file is kept under its name, with its text", async () => {
  const anchor = {
    href: "",
    download: "",
    clicked: 0,
    click: () => void anchor.clicked++,
    append: () => undefined,
    remove: () => undefined,
  };
  const blobs: Blob[] = [];
  const original = { create: URL.createObjectURL, revoke: URL.revokeObjectURL, timeout: globalThis.setTimeout };
  const revoked: string[] = [];
  URL.createObjectURL = (blob) => `blob:${blobs.push(blob as Blob)}`;
  URL.revokeObjectURL = (address) => void revoked.push(address);
  Object.assign(globalThis, {
    document: { createElement: () => anchor, body: { append: () => undefined } },
    setTimeout: (work: () => void) => void work(),
  });
  try {
    download("f.csv", "text/csv", "a,日\r\n");
  } finally {
    URL.createObjectURL = original.create;
    URL.revokeObjectURL = original.revoke;
    globalThis.setTimeout = original.timeout;
  }
  assert.deepEqual([anchor.download, anchor.href, anchor.clicked], ["f.csv", "blob:1", 1]);
  assert.equal(await blobs[0]?.text(), "a,日\r\n");
  assert.equal(blobs[0]?.type, "text/csv");
  assert.deepEqual(revoked, ["blob:1"]);
});
