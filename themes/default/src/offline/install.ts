import { link } from "../core/links.ts";
import { page } from "../core/page.ts";

/**
 * Lets browsers offer to install the atlas from its front page. By script, because from a disk, where nothing can be
 * installed, a browser would call the file a mistake.
 */
export function offerInstalling(): void {
  if (page().kind !== "home" || !window.location.protocol.startsWith("http")) return;
  const manifest = document.createElement("link");
  manifest.rel = "manifest";
  manifest.href = link("atlas.webmanifest");
  document.head.append(manifest);
}
