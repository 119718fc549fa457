import { isEmbedParameter } from "./options.ts";
import type { EmbedOptions } from "./options.ts";

/** Type of the message that tells the embedding page how tall this one is. */
export const HEIGHT_MESSAGE = "feature-atlas:height";

/** Marks the page as embedded before it is painted; css/embed.css does the rest. */
export function markEmbedded(options: EmbedOptions): void {
  const { dataset } = document.documentElement;
  dataset["embed"] = "";
  dataset["embedHidden"] = options.hidden.join(" ");
  if (options.examples === 0) return;
  const sheet = new CSSStyleSheet();
  sheet.insertRule(`:root[data-embed] .examples > li:nth-child(n + ${options.examples + 1}) { display: none; }`);
  document.adoptedStyleSheets.push(sheet);
}

/** Adds the way to the page itself, opens links in a tab of their own, and tells the embedding page every new height. */
export function startEmbed(): void {
  const own = ownAddress(window.location.href);
  const link = document.createElement("a");
  link.href = own;
  link.append("Open in ", document.querySelector(".brand")?.textContent?.trim() ?? "the atlas", " ↗");
  const line = document.createElement("p");
  line.className = "embed-link";
  line.append(link);
  document.querySelector("main")?.append(line);
  document.addEventListener("click", (event) => leaveFrame(event));
  const tell = () => {
    const height = Math.ceil(document.documentElement.getBoundingClientRect().height);
    window.parent.postMessage({ type: HEIGHT_MESSAGE, height, url: own }, "*");
  };
  new ResizeObserver(tell).observe(document.documentElement);
}

/** `address` without the parameters of embedding. */
export function ownAddress(address: string): string {
  const url = new URL(address);
  for (const name of [...url.searchParams.keys()]) if (isEmbedParameter(name)) url.searchParams.delete(name);
  if (/^\d+$/.test(url.searchParams.get("examples") ?? "")) url.searchParams.delete("examples");
  return url.href;
}

/** A frame is too small for the site: every link out of the page opens beside the embedding page. */
function leaveFrame(event: MouseEvent): void {
  const target = event.target instanceof Element ? event.target.closest<HTMLAnchorElement>("a[href]") : null;
  if (target === null || target.hash !== "") return;
  target.target = "_blank";
  target.rel = "noopener";
}
