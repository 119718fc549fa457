import { link } from "../core/links.ts";
import { KEEP_MESSAGE } from "./kept.ts";

const WORKER = "sw.js";

/** Whether this browser lets this site keep pages: over http(s) from a trustworthy origin, never from a disk. */
export function canKeepOffline(): boolean {
  return window.location.protocol.startsWith("http") && window.isSecureContext && "serviceWorker" in navigator;
}

/** Whether pages are kept already. */
export async function isKeptOffline(): Promise<boolean> {
  return (await registered()) !== undefined;
}

/** Keeps this page and every page opened from now on; rejects where the browser forbids it. */
export async function keepOffline(): Promise<void> {
  await navigator.serviceWorker.register(link(WORKER));
  const { active } = await navigator.serviceWorker.ready;
  const loaded = performance.getEntriesByType("resource").map(({ name }) => name);
  active?.postMessage({ type: KEEP_MESSAGE, urls: [window.location.href.replace(/#.*$/, ""), ...loaded] });
}

/** Keeps nothing any more, and forgets what was kept. */
export async function leaveOffline(): Promise<void> {
  const registration = await registered();
  if (registration === undefined) return;
  await caches.delete(registration.scope);
  await registration.unregister();
}

async function registered(): Promise<ServiceWorkerRegistration | undefined> {
  const known = await navigator.serviceWorker.getRegistration(link("index.html"));
  return known?.active?.scriptURL === new URL(link(WORKER), window.location.href).href ? known : undefined;
}
