import assert from "node:assert/strict";
import { test } from "node:test";
import { HEIGHT_MESSAGE, ownAddress } from "../src/embed/frame.ts";
import { EMBED_PARTS, embedOptions, embedQuery, isEmbedParameter } from "../src/embed/options.ts";
import type { EmbedOptions } from "../src/embed/options.ts";
import { iframeSnippet, RESIZE_SNIPPET } from "../src/embed/snippet.ts";
import { parseState } from "../src/core/state.ts";
import { keptAs, manner } from "../src/offline/kept.ts";
import { firstSentence, guideSteps, numberMeanings } from "../src/guide/steps.ts";
import { isGuideSeen, rememberGuide } from "../src/guide/seen.ts";
import { Dice, HOSTILE } from "./support/random.ts";

test("only embed=true embeds, and every part shows unless it is turned off", () => {
  for (const search of ["", "?embed=false", "?embed=1", "?embedplots=false"])
    assert.equal(embedOptions(parseState(search)), null, search);
  assert.deepEqual(embedOptions(parseState("?embed=true")), { hidden: [], examples: 0, theme: "auto" });
  for (const part of EMBED_PARTS) {
    assert.deepEqual(embedOptions(parseState(`?embed=true&embed${part}=false`))?.hidden, [part]);
    assert.deepEqual(embedOptions(parseState(`?embed=true&embed${part}=true`))?.hidden, []);
  }
});

test("options go into an address and come back", () => {
  const dice = new Dice(1);
  for (let round = 0; round < 200; round += 1) {
    const options: EmbedOptions = {
      hidden: EMBED_PARTS.filter(() => dice.share() < 0.4),
      examples: dice.whole(0, 30),
      theme: dice.pick(["auto", "light", "dark"] as const),
    };
    assert.deepEqual(embedOptions(parseState(embedQuery(options))), options);
  }
});

test("what an address must not do is ignored", () => {
  const options = embedOptions(parseState("?embed=true&examples=interval&theme=%3Cb%3E&embedx=false"));
  assert.deepEqual(options, { hidden: [], examples: 0, theme: "auto" });
  assert.equal(embedOptions(parseState("?embed=true&examples=99999"))?.examples, 0);
});

test("the way out of a frame leads to the same view without its parameters", () => {
  const base = "https://x.example/a/0/5.html";
  assert.equal(ownAddress(`${base}?embed=true&theme=dark&examples=3&embedplots=false`), base);
  assert.equal(ownAddress(`${base}?embed=true&examples=random&context=short&h=ab`), `${base}?examples=random&context=short&h=ab`);
  assert.ok(isEmbedParameter("embedlink") && !isEmbedParameter("examples") && !isEmbedParameter("embedding"));
});

test("a snippet is one iframe whatever the title holds", () => {
  const dice = new Dice(2);
  for (let round = 0; round < 500; round += 1) {
    const snippet = iframeSnippet(`https://x.example/?a=1&b=${dice.text(HOSTILE, 5)}`, dice.text(HOSTILE, 15));
    assert.match(snippet, /^<iframe src="[^"<>]*" title="[^"<>]*" width="100%" height="540" loading="lazy" style="border:0"><\/iframe>$/);
  }
  assert.ok(RESIZE_SNIPPET.includes(HEIGHT_MESSAGE));
});

test("kept pages: versioned files from the copy, pages from the network first, others not at all", () => {
  const scope = "https://x.example/atlas/";
  assert.equal(manner("GET", `${scope}assets/map.js?v=1`, scope), "copy");
  assert.equal(manner("GET", `${scope}assets/site.js?01ab9f`, scope), "copy");
  assert.equal(manner("GET", `${scope}index.html?01ab9`, scope), "fresh");
  assert.equal(manner("GET", `${scope}alpha/0/5.html?examples=random`, scope), "fresh");
  assert.equal(manner("POST", `${scope}alpha/0/5.html`, scope), "leave");
  assert.equal(manner("GET", "https://elsewhere.example/x.js?v=1", scope), "leave");
  assert.equal(manner("GET", "https://x.example/other/x.js", scope), "leave");
});

test("a page is kept once whatever view was asked for, and a file once per version", () => {
  const page = "https://x.example/atlas/alpha/0/5.html";
  assert.equal(keptAs(`${page}?examples=random&h=1#x`), page);
  assert.equal(keptAs("https://x.example/atlas/"), "https://x.example/atlas/index.html");
  assert.equal(keptAs("https://x.example/atlas/data/site.js?v=075f"), "https://x.example/atlas/data/site.js?v=075f");
});

test("first sentences end where the sentence does", () => {
  assert.equal(firstSentence("Share of tokens. More of it."), "Share of tokens.");
  assert.equal(firstSentence("At 0.5 of the maximum, e.g. Half. Then."), "At 0.5 of the maximum, e.g. Half.");
  assert.equal(firstSentence("No end"), "No end");
  assert.equal(firstSentence(""), "");
  assert.equal(firstSentence("Is it? Yes."), "Is it?");
  assert.equal(firstSentence("Version 1.2 of x. y goes on. End."), "Version 1.2 of x. y goes on.");
});

test("every number that is shown has its sentence", () => {
  const column = { name: "a", label: "A", unit: "", kind: "scalar", fields: [], hidden: false };
  const meanings = numberMeanings([
    { ...column, doc: "First. Second." },
    { ...column, label: "hidden", doc: "No.", hidden: true },
    { ...column, label: "none", doc: "" },
  ]);
  assert.deepEqual(meanings, [{ label: "A", sentence: "First." }]);
});

test("the guide speaks of the SAE at hand, in short pages", () => {
  const steps = guideSteps({ hook_name: "blocks.2.hook_resid_post", title: "Layer 2" });
  assert.ok(steps[0]?.sentences[0]?.includes("blocks.2.hook_resid_post"));
  for (const { title, sentences } of steps) {
    assert.ok(title.length < 40);
    assert.ok(sentences.join(" ").length < 560, title);
  }
});

test("the guide is remembered, and where nothing can be remembered nobody is asked twice", () => {
  const kept = new Map<string, string>();
  const works = { getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, text: string) => void kept.set(key, text) };
  Object.assign(globalThis, { window: globalThis });
  Object.defineProperty(globalThis, "localStorage", { value: works, configurable: true });
  assert.equal(isGuideSeen(), false);
  rememberGuide();
  assert.equal(isGuideSeen(), true);
  Object.defineProperty(globalThis, "localStorage", {
    get: () => {
      throw new Error("SecurityError");
    },
    configurable: true,
  });
  assert.equal(isGuideSeen(), true);
  assert.doesNotThrow(() => rememberGuide());
});
