import assert from "node:assert/strict";
import { test } from "node:test";
import { KEEP_MESSAGE } from "../src/offline/kept.ts";

const SCOPE = "https://x.example/atlas/";

type Listener = (event: unknown) => void;

const listeners = new Map<string, Listener>();
const cached = new Map<string, Map<string, Response>>();
const network = new Map<string, string>();
const asked: string[] = [];
let online = true;

/** The part of the Cache API that the worker uses. */
function open(name: string): Promise<unknown> {
  const kept = cached.get(name) ?? new Map<string, Response>();
  cached.set(name, kept);
  const plain = (url: string) => url.replace(/\?.*$/, "");
  return Promise.resolve({
    match: (url: string) => Promise.resolve(kept.get(url)?.clone()),
    put: (url: string, response: Response) => Promise.resolve(void kept.set(url, response)),
    delete: (request: { url: string }) => Promise.resolve(kept.delete(request.url)),
    keys: (url: string) => Promise.resolve([...kept.keys()].filter((key) => plain(key) === plain(url)).map((key) => ({ url: key }))),
  });
}

Object.assign(globalThis, {
  registration: { scope: SCOPE },
  skipWaiting: () => Promise.resolve(),
  clients: { claim: () => Promise.resolve() },
  caches: { open },
  addEventListener: (type: string, listener: Listener) => void listeners.set(type, listener),
  fetch: (request: Request | string) => {
    const url = typeof request === "string" ? request : request.url;
    asked.push(url);
    if (!online) return Promise.reject(new TypeError("network"));
    const body = network.get(url);
    return Promise.resolve(new Response(body ?? "", { status: body === undefined ? 404 : 200 }));
  },
});
await import("../src/entries/sw.ts");

/** What the worker answers to a request; null where it leaves it to the browser. */
async function get(path: string, method = "GET"): Promise<string | null> {
  let answer: Promise<Response> | null = null;
  const url = path.startsWith("https:") ? path : SCOPE + path;
  listeners.get("fetch")?.({
    request: { url, method, clone: () => ({ url }) },
    respondWith: (response: Promise<Response>) => (answer = response),
  });
  return answer === null ? null : (await (answer as Promise<Response>)).text();
}

function keys(): string[] {
  return [...(cached.get(SCOPE)?.keys() ?? [])].map((key) => key.replace(SCOPE, "")).sort();
}

function begin(files: Record<string, string>): void {
  cached.clear();
  network.clear();
  asked.length = 0;
  online = true;
  for (const [path, body] of Object.entries(files)) network.set(SCOPE + path, body);
}

test("a page is fetched anew while there is a network, and read from the copy when there is none", async () => {
  begin({ "a.html": "old" });
  assert.equal(await get("a.html"), "old");
  network.set(`${SCOPE}a.html`, "new");
  assert.equal(await get("a.html"), "new");
  online = false;
  assert.equal(await get("a.html"), "new");
});

test("a page is the same page whatever view is asked for", async () => {
  begin({ "a.html?examples=random": "page" });
  await get("a.html?examples=random");
  online = false;
  assert.equal(await get("a.html?h=123"), "page");
  assert.deepEqual(keys(), ["a.html"]);
});

test("a file whose address names its version is fetched once, and its older version is forgotten", async () => {
  begin({ "data/x.js?v=1": "one", "data/x.js?v=2": "two" });
  assert.equal(await get("data/x.js?v=1"), "one");
  assert.equal(await get("data/x.js?v=1"), "one");
  assert.equal(asked.length, 1);
  assert.equal(await get("data/x.js?v=2"), "two");
  assert.deepEqual(keys(), ["data/x.js?v=2"]);
});

test("what was never opened fails without a network, as it would without a worker", async () => {
  begin({});
  online = false;
  await assert.rejects(get("never.html") as Promise<string>, TypeError);
});

test("an error of the host is passed on and not kept", async () => {
  begin({ "a.html": "good" });
  await get("a.html");
  network.clear();
  await get("a.html");
  online = false;
  assert.equal(await get("a.html"), "good");
});

test("other sites, other folders and other methods are left to the browser", async () => {
  begin({});
  assert.equal(await get("https://elsewhere.example/x.js"), null);
  assert.equal(await get("https://x.example/other/x.html"), null);
  assert.equal(await get("a.html", "POST"), null);
  assert.deepEqual(asked, []);
});

test("a page that asks to be kept is kept with what it loaded, and nothing from elsewhere", async () => {
  begin({ "a.html": "page", "assets/site.js?v=1": "script" });
  let done: Promise<unknown> = Promise.resolve();
  const tell = (data: unknown) => listeners.get("message")?.({ data, waitUntil: (work: Promise<unknown>) => (done = work) });
  tell({ type: KEEP_MESSAGE, urls: [`${SCOPE}a.html`, `${SCOPE}assets/site.js?v=1`, "https://elsewhere.example/x.js", 7] });
  await done;
  assert.deepEqual(keys(), ["a.html", "assets/site.js?v=1"]);
  assert.ok(!asked.includes("https://elsewhere.example/x.js"));
  for (const strange of [null, {}, { type: KEEP_MESSAGE }, { type: "other", urls: [`${SCOPE}b.html`] }]) tell(strange);
  await done;
  assert.deepEqual(keys(), ["a.html", "assets/site.js?v=1"]);
});

test("the worker takes over at once", async () => {
  for (const type of ["install", "activate"]) {
    let waited = false;
    listeners.get(type)?.({ waitUntil: () => (waited = true) });
    assert.ok(waited, type);
  }
});
