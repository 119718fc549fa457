// The service worker, written to the site's root. It runs only where a reader asked to keep pages.
import { KEEP_MESSAGE, keptAs, manner } from "../offline/kept.ts";

/** The few parts of a service worker that are used here; TypeScript keeps them in a library of their own. */
interface Worker {
  registration: { scope: string };
  skipWaiting(): Promise<void>;
  clients: { claim(): Promise<void> };
  addEventListener(type: string, listener: (event: WorkerEvent) => void): void;
}
interface WorkerEvent {
  request: Request;
  data: unknown;
  waitUntil(done: Promise<unknown>): void;
  respondWith(response: Promise<Response>): void;
}

const worker = globalThis as unknown as Worker;
const { scope } = worker.registration;

async function keep(url: string, response: Response): Promise<void> {
  if (!response.ok) return;
  const cache = await caches.open(scope);
  const name = keptAs(url);
  // Of a file only the latest version is kept.
  for (const old of await cache.keys(name, { ignoreSearch: true })) if (old.url !== name) await cache.delete(old);
  await cache.put(name, response);
}

async function answer(request: Request, copyFirst: boolean): Promise<Response> {
  const cache = await caches.open(scope);
  const known = await cache.match(keptAs(request.url));
  if (copyFirst && known !== undefined) return known;
  try {
    const response = await fetch(request);
    await keep(request.url, response.clone());
    return response;
  } catch (error) {
    if (known !== undefined) return known;
    throw error;
  }
}

async function keepAll(urls: readonly string[]): Promise<void> {
  for (const url of urls) {
    if (manner("GET", url, scope) === "leave") continue;
    await keep(url, await fetch(url));
  }
}

worker.addEventListener("install", (event) => event.waitUntil(worker.skipWaiting()));
worker.addEventListener("activate", (event) => event.waitUntil(worker.clients.claim()));
worker.addEventListener("fetch", (event) => {
  const how = manner(event.request.method, event.request.url, scope);
  if (how !== "leave") event.respondWith(answer(event.request, how === "copy"));
});
worker.addEventListener("message", (event) => {
  const { type, urls } = (event.data ?? {}) as { type?: unknown; urls?: unknown };
  if (type !== KEEP_MESSAGE || !Array.isArray(urls)) return;
  event.waitUntil(keepAll(urls.filter((url) => typeof url === "string")));
});
