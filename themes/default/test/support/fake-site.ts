// A site in memory: stands in for the few parts of the DOM that the shard transport needs.
import { gzipSync } from "node:zlib";
import { toLetters } from "./letters.ts";

/** How a data file answers: its payload, or what goes wrong. */
export type Answer =
  | { payload: unknown }
  | { bytes: Uint8Array }
  | { text: string }
  | { key: string }
  | "missing"
  | "silent";

interface FakeScript {
  src: string;
  addEventListener(type: string, listener: () => void): void;
  remove(): void;
}

/** What happened on the fake site. */
export interface FakeSite {
  /** Answer of each shard by key; may be changed at any time. */
  answers: Map<string, Answer>;
  /** Addresses asked for, in order; that of `site`, which the others' addresses need, is left out. */
  asked: string[];
  /** Script elements in the document right now. */
  present: Set<FakeScript>;
}

/** Replaces `document` and `window`; shards then come from `answers`. */
export function fakeSite(payloads: Record<string, unknown> = {}): FakeSite {
  const answers = new Map<string, Answer>([["site", { payload: { build_id: "b 1" } }]]);
  for (const [key, payload] of Object.entries(payloads)) answers.set(key, { payload });
  const site: FakeSite = { answers, asked: [], present: new Set() };
  const createElement = (): FakeScript => {
    const listeners = new Map<string, () => void>();
    const script: FakeScript & { fire(type: string): void } = {
      src: "",
      addEventListener: (type, listener) => void listeners.set(type, listener),
      remove: () => void site.present.delete(script),
      fire: (type) => listeners.get(type)?.(),
    };
    return script;
  };
  const append = (script: FakeScript & { fire(type: string): void }) => {
    site.present.add(script);
    if (!script.src.endsWith("data/site.js")) site.asked.push(script.src);
    queueMicrotask(() => answer(site, script));
  };
  Object.assign(globalThis, {
    document: {
      documentElement: { dataset: { root: "../", build: "b 1" } },
      querySelector: () => ({ dataset: {} }),
      createElement,
      head: { append },
    },
    window: globalThis,
    HTMLScriptElement: class {},
  });
  return site;
}

/** The letters of gzip of JSON, as a data file holds them. */
export function packed(payload: unknown): string {
  return packedBytes(Buffer.from(JSON.stringify(payload)));
}

function packedBytes(bytes: Uint8Array): string {
  return toLetters(gzipSync(bytes));
}

function answer(site: FakeSite, script: FakeScript & { fire(type: string): void }): void {
  const key = /data\/(.*)\.js/.exec(script.src)?.[1] ?? "";
  const found = site.answers.get(key) ?? "missing";
  if (found === "silent") return;
  if (found === "missing") {
    script.fire("error");
    return;
  }
  if ("payload" in found) globalThis.atlasShard(key, packed(found.payload));
  else if ("bytes" in found) globalThis.atlasShard(key, packedBytes(found.bytes));
  else if ("text" in found) globalThis.atlasShard(key, found.text);
  else globalThis.atlasShard(found.key, packed({}));
  script.fire("load");
}
