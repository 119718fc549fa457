import type { SaePayload } from "../payloads.ts";
import { loadSite } from "../core/data.ts";
import { featurePath, link } from "../core/links.ts";
import { page } from "../core/page.ts";

/** On the page for missing addresses: links the feature that the address seems to mean. */
export function suggestFeature(): void {
  if (page().kind !== "missing") return;
  void loadSite().then(({ saes }) => {
    const path = meantFeature(window.location.pathname, saes);
    const main = document.querySelector("main");
    if (path === null || main === null) return;
    const anchor = document.createElement("a");
    anchor.href = link(path);
    anchor.append(path);
    const sentence = document.createElement("p");
    sentence.append("Did you mean ", anchor, "?");
    main.append(sentence);
  });
}

/** On the page for missing addresses: its links are written for the root of the site, but hosts serve it at any depth. */
export function mendLinks(): void {
  if (page().kind !== "missing") return;
  for (const anchor of document.querySelectorAll<HTMLAnchorElement>("a[href]:not([href^='#'])")) {
    anchor.href = new URL(anchor.getAttribute("href") ?? "", page().root).href;
  }
}

/** Path of the feature that an address such as `/x/my-sae/12` or `/my-sae/0/12` means; null where it means none. */
export function meantFeature(
  pathname: string,
  saes: readonly Pick<SaePayload, "slug" | "n_features">[],
): string | null {
  const parts = pathname.split("/").filter((part) => part !== "");
  const numbers = parts.filter((part) => /^\d{1,9}(\.html)?$/.test(part));
  const feature = Number.parseInt(numbers.at(-1) ?? "", 10);
  const sae = saes.find(({ slug }) => parts.includes(slug));
  if (sae === undefined || !(feature < sae.n_features)) return null;
  return featurePath(sae.slug, feature);
}
