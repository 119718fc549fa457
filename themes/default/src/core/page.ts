/** What a page says of itself in its `data-` attributes. */
export interface Page {
  /** Relative path from the page to the root of the site, "" or with a slash at its end. */
  root: string;
  /** Build id; part of every data address, so that a cache never mixes two builds. */
  build: string;
  /** home, about, map, search, browse, thousand, feature or missing. */
  kind: string;
  /** Slug of the SAE the page is about, "" where there is none. */
  sae: string;
  /** Number of the feature the page is about. */
  feature: number | null;
}

// Only while a script runs for the first time does the browser say which one it is.
const ownScript = globalThis.document?.currentScript;

let known: Page | undefined;

/** The current page; read once, because its attributes never change. */
export function page(): Page {
  known ??= readPage(
    document.documentElement.dataset,
    document.querySelector("body")?.dataset ?? {},
    scriptAddress(),
  );
  return known;
}

function scriptAddress(): string {
  return ownScript instanceof HTMLScriptElement ? ownScript.src : "";
}

/**
 * The `Page` that the data attributes of `<html>` and `<body>` describe. The page for missing addresses is shown at any
 * depth and cannot know its root; the address of its script, `<root>assets/site.js`, tells.
 */
export function readPage(html: DOMStringMap, body: DOMStringMap, script = ""): Page {
  const feature = Number.parseInt(body["feature"] ?? "", 10);
  const missing = html["page"] === "missing" && script !== "";
  return {
    root: missing ? new URL("..", script).href : (html["root"] ?? ""),
    build: html["build"] ?? "",
    kind: html["page"] ?? "",
    sae: body["sae"] ?? "",
    feature: Number.isNaN(feature) ? null : feature,
  };
}
