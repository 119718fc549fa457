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
  return versionOf(new URL(url)) === null ? "fresh" : "copy";
}

/** The address under which a page or file is kept: a page is one thing, whatever view its query asks for. */
export function keptAs(url: string): string {
  const address = new URL(url);
  const { origin, pathname } = address;
  const version = versionOf(address);
  const path = pathname.endsWith("/") ? `${pathname}index.html` : pathname;
  return origin + path + (version === null ? "" : `?v=${version}`);
}

/** What of an address names the content: `?v=…`, or the bare digits with which pages ask for their assets. */
function versionOf({ search, searchParams }: URL): string | null {
  return searchParams.get("v") ?? (/^\?[0-9a-f]{6}$/.test(search) ? search.slice(1) : null);
}
