import { inlineText } from "../core/text.ts";
import { HEIGHT_MESSAGE } from "./frame.ts";

/** `text` for an attribute in double quotes. */
function attribute(text: string): string {
  const entities: Record<string, string> = { "&": "&amp;", '"': "&quot;", "<": "&lt;", ">": "&gt;" };
  return text.replace(/[&"<>]/g, (sign) => entities[sign] ?? sign);
}

/** HTML that shows the page at `url` inside another page; `title` is for those who do not see it. */
export function iframeSnippet(url: string, title: string): string {
  const name = attribute(inlineText(title.replace(/\s+/gu, " ").trim()));
  return `<iframe src="${attribute(url)}" title="${name}" width="100%" height="540" loading="lazy" style="border:0"></iframe>`;
}

/** HTML for the embedding page, once: gives every such iframe the height of what it shows. */
export const RESIZE_SNIPPET = `<script>
addEventListener("message", ({ data, source }) => {
  if (data?.type !== "${HEIGHT_MESSAGE}") return;
  for (const frame of document.querySelectorAll("iframe"))
    if (frame.contentWindow === source) frame.height = Math.min(4000, Number(data.height) || 540);
});
</script>`;
