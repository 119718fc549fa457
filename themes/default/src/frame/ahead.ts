/** Kinds of pages whose scripts read `data/site.js` as soon as they run. */
const READING = new Set(["feature", "browse", "map", "test", "contrast", "steer"]);

/**
 * Lets the browser fetch the file that all other data needs at the same time as the scripts, not after them. Its address
 * is that of `core/shards.ts`, which finds it on its way or there.
 */
export function askAhead({ documentElement, head }: Document): void {
  const { page = "", root = "" } = documentElement.dataset;
  if (!READING.has(page)) return;
  const link = documentElement.ownerDocument.createElement("link");
  link.rel = "preload";
  link.as = "script";
  link.href = `${root}data/site.js`;
  head.append(link);
}
