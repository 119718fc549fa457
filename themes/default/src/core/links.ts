import { page } from "./page.ts";

/** Path of a feature's page from the root of the site; it never changes once published. */
export function featurePath(sae: string, feature: number): string {
  return `${sae}/${Math.floor(feature / 1000)}/${feature}.html`;
}

/** Path of the search page for `query`. */
export function searchPath(query: string, sae = ""): string {
  const parameters = new URLSearchParams({ q: query });
  if (sae !== "") parameters.set("sae", sae);
  return `search.html?${parameters.toString()}`;
}

/** Address of `path` (from the root of the site) as seen from the current page. */
export function link(path: string): string {
  return page().root + path;
}

/** Opens `path`; in a new tab where the gesture asks for one. */
export function open(path: string, gesture?: MouseEvent | KeyboardEvent): void {
  const newTab = gesture !== undefined && (gesture.ctrlKey || gesture.metaKey);
  if (newTab) window.open(link(path), "_blank", "noopener");
  else window.location.assign(link(path));
}
