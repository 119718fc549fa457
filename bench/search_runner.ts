// Runs queries through the site's own search over the data files of a folder: `node search_runner.mjs FOLDER QUERIES`.
// Prints, per query and way of searching, the numbers of the features found, best first.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseQuery } from "../themes/default/src/core/query.ts";
import { search } from "../themes/default/src/core/search.ts";

const [folder = "", queries = ""] = process.argv.slice(2);
const MOST = 100;

interface Script {
  src: string;
  listeners: Map<string, () => void>;
  addEventListener(type: string, listener: () => void): void;
  remove(): void;
}

function append(script: Script): void {
  const path = join(folder, "data", /data\/(.*\.js)/.exec(script.src)?.[1] ?? "");
  queueMicrotask(() => {
    if (!existsSync(path)) return script.listeners.get("error")?.();
    const [, key = "", payload = ""] = /^\ufeffatlasShard\("([^"]*)","([^"]*)"\)/.exec(readFileSync(path, "utf16le")) ?? [];
    globalThis.atlasShard(key, payload);
    script.listeners.get("load")?.();
  });
}

function createElement(): Script {
  const listeners = new Map<string, () => void>();
  return {
    src: "",
    listeners,
    addEventListener: (type, listener) => void listeners.set(type, listener),
    remove: () => undefined,
  };
}

Object.assign(globalThis, {
  document: {
    documentElement: { dataset: { root: "", build: "" } },
    querySelector: () => ({ dataset: {} }),
    createElement,
    head: { append },
  },
  window: globalThis,
  HTMLScriptElement: class {},
});

const texts = JSON.parse(readFileSync(queries, "utf8")) as string[];
const sizes = (JSON.parse(readFileSync(join(folder, "sizes.json"), "utf8")) as number[]);
const before = sizes.map((_, at) => sizes.slice(0, at).reduce((sum, size) => sum + size, 0));
const found: Record<string, number[][]> = { words: [], meaning: [] };
for (const text of texts) {
  for (const [way, meaning] of [["words", false], ["meaning", true]] as const) {
    const { hits } = await search(parseQuery(text), { meaning });
    found[way]?.push(hits.slice(0, MOST).map(({ sae, feature }) => (before[sae] ?? 0) + feature));
  }
}
process.stdout.write(JSON.stringify(found));
