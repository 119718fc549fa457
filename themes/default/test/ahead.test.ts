import assert from "node:assert/strict";
import test from "node:test";
import { askAhead } from "../src/frame/ahead.ts";

interface Link {
  rel?: string;
  as?: string;
  href?: string;
}

/** The links that a page of this kind asks for. */
function asked(dataset: DOMStringMap): Link[] {
  const links: Link[] = [];
  const documentElement = { dataset, ownerDocument: { createElement: (): Link => ({}) } };
  askAhead({ documentElement, head: { append: (link: Link) => links.push(link) } } as unknown as Document);
  return links;
}

test("pages that draw data at once ask for its first file, from their own depth", () => {
  assert.deepEqual(asked({ page: "feature", root: "../../" }), [
    { rel: "preload", as: "script", href: "../../data/site.js" },
  ]);
  assert.equal(asked({ page: "map", root: "" })[0]?.href, "data/site.js");
});

test("pages that may never need it ask for nothing", () => {
  for (const page of ["home", "about", "thousand", "missing", "starred", "list", "search", ""])
    assert.deepEqual(asked({ page, root: "" }), [], page);
  assert.deepEqual(asked({}), []);
});
