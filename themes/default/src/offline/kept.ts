/** Type of the message with which a page asks the worker to keep what it has loaded. */
export const KEEP_MESSAGE = "feature-atlas:keep";

/** How a request is answered while pages are kept. */
export type Manner =
  /** Not ours to answer. */
  | "leave"
  /** Its address names its content, so a copy is as good as the original. */
  | "copy"
  /** The network first; the copy where there is none. */
  | "fresh";

/** How to answer a request for `url` of a worker whose `scope` is the site's root. */
export function manner(method: string, url: string, scope: string): Manner {
  if (method !== "GET" || !url.startsWith(scope)) return "leave";
  return new URL(url).searchParams.has("v") ? "copy" : "fresh";
}

/** The address under which a page or file is kept: a page is one thing, whatever view its query asks for. */
export function keptAs(url: string): string {
  const { origin, pathname, searchParams } = new URL(url);
  const version = searchParams.get("v");
  const path = pathname.endsWith("/") ? `${pathname}index.html` : pathname;
  return origin + path + (version === null ? "" : `?v=${version}`);
}
