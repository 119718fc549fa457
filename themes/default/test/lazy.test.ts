import assert from "node:assert/strict";
import { test } from "node:test";
import { loadBundle } from "../src/core/lazy.ts";
import { markEmbedded, startEmbed } from "../src/embed/frame.ts";
import { canKeepOffline } from "../src/offline/register.ts";
import { openDialog } from "../src/frame/dialogs.ts";

interface Script {
  src: string;
  listeners: Map<string, () => void>;
}

const scripts: Script[] = [];
const told: string[] = [];
const dataset: Record<string, string> = { root: "../../" };
const sheets: { rules: string[] }[] = [];

Object.assign(globalThis, {
  window: globalThis,
  HTMLScriptElement: class {},
  CSSStyleSheet: class {
    rules: string[] = [];
    insertRule(rule: string): void {
      this.rules.push(rule);
    }
  },
  document: {
    documentElement: { dataset },
    adoptedStyleSheets: sheets,
    querySelector: (selector: string) =>
      selector === ".foot" ? { append: (note: { text: string }) => told.push(note.text) } : { dataset: {} },
    createElement: () => {
      const listeners = new Map<string, () => void>();
      return {
        src: "",
        text: "",
        listeners,
        addEventListener: (type: string, listener: () => void) => void listeners.set(type, listener),
        append(text: string) {
          this.text += text;
        },
      };
    },
    head: { append: (script: Script) => scripts.push(script) },
  },
});

const finish = (script: Script | undefined, type: string) => script?.listeners.get(type)?.();

test("a bundle is loaded once, from the site's own assets", async () => {
  const [one, two] = [loadBundle("figures"), loadBundle("figures")];
  assert.equal(scripts.length, 1);
  assert.match(scripts[0]?.src ?? "", /^\.\.\/\.\.\/assets\/figures\.js\?v=/);
  finish(scripts[0], "load");
  await Promise.all([one, two, loadBundle("figures")]);
  assert.equal(scripts.length, 1);
});

test("a bundle that did not come is told at the foot of the page, and asked for again the next time", async () => {
  const before = scripts.length;
  let shown = 0;
  const first = openDialog(() => (shown += 1));
  finish(scripts.at(-1), "error");
  await first;
  assert.deepEqual(told, ["assets/dialogs.js could not be loaded."]);
  const second = openDialog(() => (shown += 1));
  assert.equal(scripts.length, before + 2);
  Object.assign(globalThis, { atlasDialogs: { help: () => undefined, guide: () => undefined, cite: () => undefined } });
  finish(scripts.at(-1), "load");
  await second;
  assert.equal(shown, 1);
  await openDialog(() => (shown += 1));
  assert.equal(scripts.length, before + 2);
  assert.equal(shown, 2);
});

test("an embedded page is marked before it is painted", () => {
  markEmbedded({ hidden: ["plots", "link"], examples: 3, theme: "auto" });
  assert.equal(dataset["embed"], "");
  assert.equal(dataset["embedHidden"], "plots link");
  assert.deepEqual(sheets[0]?.rules, [":root[data-embed] .examples > li:nth-child(n + 4) { display: none; }"]);
  markEmbedded({ hidden: [], examples: 0, theme: "dark" });
  assert.equal(sheets.length, 1);
  assert.equal(typeof startEmbed, "function");
});

test("pages are kept over http from a trustworthy origin only", () => {
  const at = (protocol: string, isSecureContext: boolean, serviceWorker: boolean) => {
    Object.assign(globalThis, { isSecureContext });
    Object.defineProperty(globalThis, "location", { value: { protocol }, configurable: true });
    Object.defineProperty(globalThis, "navigator", { value: serviceWorker ? { serviceWorker: {} } : {}, configurable: true });
    return canKeepOffline();
  };
  assert.equal(at("https:", true, true), true);
  assert.equal(at("http:", true, true), true);
  assert.equal(at("http:", false, true), false);
  assert.equal(at("file:", true, true), false);
  assert.equal(at("https:", true, false), false);
});
