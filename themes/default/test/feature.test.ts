import assert from "node:assert/strict";
import { test } from "node:test";
import { TABS } from "../src/examples/tabs.ts";
import { choice } from "../src/feature/choice.ts";
import { badgesOf, firingOf } from "../src/feature/firing.ts";
import { showHeader } from "../src/feature/header.ts";
import { addressOf, entryOf, numberOf, numeric, recordsOf, titleOf } from "../src/feature/model.ts";
import type { Value } from "../src/feature/model.ts";
import { csv, examplesTable, featureRecord, numbersTable } from "../src/feature/record.ts";
import { nextStop } from "../src/feature/tip.ts";
import { changed, PLAIN, readView, viewState } from "../src/feature/view.ts";
import type { View } from "../src/feature/view.ts";
import { mergeState, parseState } from "../src/core/state.ts";
import { pythonLine } from "../src/panels/data.ts";
import { column, example, featureData, group } from "./support/feature.ts";
import type { Told } from "./support/feature.ts";
import { fakeSite } from "./support/fake-site.ts";
import { Dice, HOSTILE } from "./support/random.ts";
import { lineOf, listenersOf, printed, textOf } from "./support/template.ts";

fakeSite();
const TAB_IDS = TABS.map(({ id }) => id);

/** A feature whose scalar columns have these values. */
function numbers(values: Record<string, number | null>, told: Told = {}) {
  const columns = Object.entries(values).map(([name, value]): [ReturnType<typeof column>, Value] => [
    column(name, "scalar"),
    value,
  ]);
  return featureData({ columns, ...told });
}

function someView(dice: Dice): View {
  const tab = dice.pick(TAB_IDS);
  return {
    tab,
    interval: tab === "interval" && dice.share() < 0.5 ? dice.whole(0, 9) : null,
    context: dice.pick(["short", "sentence", "full"] as const),
    spaces: dice.share() < 0.5,
    colouring: dice.pick(["activation", "loss"] as const),
    strengths: dice.pick(["linear", "log"] as const),
    counts: dice.pick(["linear", "log"] as const),
    otherLogits: dice.share() < 0.5,
    tokens: dice.pick(["on", "before", "after"] as const),
  };
}

test("every view has an address that restores it, and the plain one has none of its own", () => {
  assert.equal(mergeState("?h=abc", viewState(PLAIN)), "?h=abc");
  for (let seed = 1; seed <= 300; seed++) {
    const view = someView(new Dice(seed));
    const address = mergeState("?h=abc", viewState(view));
    assert.deepEqual(readView(parseState(address), TAB_IDS), view, address);
    assert.equal(parseState(address)["h"], "abc");
  }
});

test("an address that says nonsense shows the plain view; an interval alone means its tab", () => {
  const nonsense = { examples: "x", interval: "-1", context: "y", spaces: "2", colour: "red", x: "z", tokens: "q" };
  assert.deepEqual(readView(nonsense, TAB_IDS), PLAIN);
  assert.deepEqual(readView({ interval: "3" }, TAB_IDS), { ...PLAIN, tab: "interval", interval: 3 });
  assert.equal(readView({ interval: "3", examples: "random" }, TAB_IDS).interval, null);
});

test("leaving the intervals forgets the one that was alone", () => {
  const alone = changed(PLAIN, { tab: "interval", interval: 2 });
  assert.equal(changed(alone, { spaces: true }).interval, 2);
  assert.equal(changed(alone, { tab: "top" }).interval, null);
});

test("values are found by the name of their column", () => {
  const data = numbers({ a: 1, b: null });
  assert.equal(numberOf(data, "a"), 1);
  assert.equal(numberOf(data, "b"), null);
  assert.equal(numberOf(data, "c"), null);
  assert.equal(entryOf(data, "c"), undefined);
  assert.equal(entryOf(data, "b")?.value, null);
});

test("flat lists are records of the column's fields; a broken end is left out", () => {
  const list = column("l", "feature_list", { fields: ["feature_idx", "value"] });
  assert.deepEqual(recordsOf({ column: list, value: [1, 0.5, 2, null, 3] }), [
    { feature_idx: 1, value: 0.5 },
    { feature_idx: 2, value: null },
  ]);
  assert.deepEqual(recordsOf({ column: list, value: null }), []);
  assert.deepEqual(recordsOf({ column: column("x", "text"), value: [1, 2] }), []);
  assert.ok(Number.isNaN(numeric("1")) && Number.isNaN(numeric(undefined)) && numeric(2) === 2);
});

test("other features have their explanation and their address", () => {
  const data = featureData({ titles: [[5, "five"]] });
  assert.equal(titleOf(data, 5), "five");
  assert.equal(titleOf(data, 6), "feature 6");
  assert.equal(addressOf(data, 1204), "../alpha/1/1204.html");
});

test("how often it fires is told in counts with an interval", () => {
  const bounds = { density_lower: 0.00108, density_upper: 0.00122 };
  const rare = numbers({ firing_tokens: 1150, ...bounds }, { site: { n_tokens: 1e6 } });
  assert.deepEqual(firingOf(rare), {
    phrase: "fires on 1 in 870 tokens",
    detail: "1,150 of 1,000,000 tokens, 95\u202f% interval 1 in 820–926",
    contexts: "",
  });
  const often = numbers({ firing_tokens: 630, density_lower: 0.6, density_upper: 0.66 });
  assert.equal(firingOf(often).phrase, "fires on 63.0\u202f% of tokens");
  assert.match(firingOf(often).detail, /60\.0\u202f%–66\.0\u202f%$/);
});

test("what is not known about firing is said, not guessed", () => {
  assert.equal(firingOf(featureData({})).phrase, "how often it fires is not recorded");
  assert.equal(firingOf(numbers({ firing_tokens: 0 })).phrase, "never fired on 1,000 tokens");
  assert.equal(firingOf(numbers({ firing_tokens: 3 })).detail, "3 of 1,000 tokens");
  const none = numbers({ firing_tokens: 3 }, { site: { n_tokens: 0 } });
  assert.equal(firingOf(none).phrase, "no tokens were counted");
});

test("contexts have an interval of their own", () => {
  const data = numbers({
    firing_tokens: 5,
    firing_contexts: 4,
    context_density: 0.04,
    context_density_lower: 0.02,
    context_density_upper: 0.1,
  });
  assert.match(firingOf(data).contexts, /^It fires in 4 of 100 contexts, 95\u202f% interval 1 in 10–50\. Tokens of/);
  const plain = numbers({ firing_tokens: 5, firing_contexts: 4, context_density: 0.04 });
  assert.equal(firingOf(plain).contexts, "It fires in 4 of 100 contexts.");
});

test("badges: dead, dense, single-token, duplicate; none by default", () => {
  const labels = (values: Record<string, number | null>) => badgesOf(numbers(values)).map(({ label }) => label);
  assert.deepEqual(labels({ firing_tokens: 5, activation_density: 0.1, single_token: 0 }), []);
  assert.deepEqual(labels({ firing_tokens: 0, single_token: null }), ["dead"]);
  assert.deepEqual(labels({ firing_tokens: 900, activation_density: 0.11 }), ["dense"]);
  assert.deepEqual(labels({ single_token: 1, top_token_share: 0.93 }), ["single-token"]);
  assert.match(badgesOf(numbers({ single_token: 1, top_token_share: 0.93 }))[0]?.doc ?? "", /^93\u202f% of its/);
});

test("a feature whose nearest decoder direction is almost its own is a duplicate of that one", () => {
  const nearest = (cosine: number, unit = "cosine") => {
    const list = column("neighbours", "feature_list", { unit, fields: ["feature_idx", "value"] });
    return badgesOf(featureData({ columns: [[list, [7, cosine, 8, 0.1]]] }));
  };
  assert.deepEqual(nearest(0.96).map(({ label, feature }) => [label, feature]), [["duplicate of 7", 7]]);
  assert.deepEqual(nearest(0.94), []);
  assert.deepEqual(nearest(0.96, "correlation"), []);
});

test("the header has the explanation with its source and score, the id, the firing, the badges", () => {
  const told = { payload: { title: "raise <b>", method: "rule", score: 0.914, score_name: "held-out F1" } };
  const header = showHeader(numbers({ firing_tokens: 0 }, told));
  assert.match(printed(header), /<h1><bdi>raise &lt;b&gt;<\/bdi><\/h1>/);
  assert.match(lineOf(header), /raise <b> alpha\/12 rule · held-out F1 0\.91 never fired on 1,000 tokens dead$/);
  assert.match(printed(header), /<div class="feature-tools"><atlas-star><\/atlas-star><atlas-cite><\/atlas-cite>/);
  assert.equal(listenersOf(header, "click").length, 1);
});

test("without an explanation the number is the headline, and the page says there is none", () => {
  const fires = lineOf(showHeader(numbers({ firing_tokens: 1 })));
  assert.match(fires, /^Feature 12 alpha\/12 no explanation fires on 1 in 1,000/);
  assert.match(lineOf(showHeader(numbers({ firing_tokens: 0 }))), /^Feature 12, which never fired/);
  const unscored = featureData({ payload: { title: "x", method: "", score: null } });
  assert.match(lineOf(showHeader(unscored)), /^x alpha\/12 explanation how often/);
});

test("a duplicate is linked, and remarks can be focused", () => {
  const columns: [ReturnType<typeof column>, Value][] = [
    [column("neighbours", "feature_list", { unit: "cosine", fields: ["feature_idx", "value"] }), [7, 0.99]],
    [column("firing_tokens", "scalar"), 0],
  ];
  const page = printed(showHeader(featureData({ columns })));
  assert.match(page, /<a class="chip warn" href="\.\.\/alpha\/0\/7\.html" data-tip="[^"]*0\.99\.">duplicate of 7<\/a>/);
  assert.match(page, /<span class="chip warn" tabindex="0" data-tip="It fired on no/);
});

test("a switch names itself, and what is pressed", () => {
  const settings = [
    { label: "a", pressed: true, act: () => undefined },
    { label: "b", doc: "why", pressed: false, act: () => undefined },
  ];
  assert.match(printed(choice("scale", settings)), /role="group" aria-label="scale"/);
  const [first = "", second = ""] = printed(choice("scale", settings)).split("</button>");
  assert.match(first, /aria-pressed="true"[^>]*>\s*a\s*$/);
  assert.match(second, /aria-pressed="false" data-tip="why"[^>]*>\s*b\s*$/);
  assert.doesNotMatch(printed(choice("", settings)), /role=/);
});

const hot = () =>
  featureData({
    pieces: ["a", " raise", "\n\"x\", y"],
    documents: ["d,1.py"],
    columns: [
      [column("density", "scalar", { unit: "fraction" }), 0.25],
      [column("top_tokens", "token_list", { unit: "activation", fields: ["token_id", "count", "value"] }), [1, 3, 5.5]],
      [column("none", "scalar"), null],
    ],
    payload: {
      title: "raises",
      method: "rule",
      score: 0.5,
      score_name: "F1",
      groups: [
        group("interval", [example({ peak: 1, pieces: [0, 1, 2], heat: [1, 255, 2, 51], copies: 3 })], 8, 10),
        group("near_miss", [example({ activation: 0, pieces: [0] })]),
      ],
      effects: [{ rank: 0, effects: [null, 0.5, -0.1], raised: [0, 1, 0.5], lowered: [] }],
    },
  });

test("the feature as JSON has everything under names, tokens as text", () => {
  const record = featureRecord(hot());
  assert.deepEqual(JSON.parse(JSON.stringify(record)), record);
  assert.equal(record["feature_idx"], 12);
  assert.equal(record["content_hash"], "0123456789abcdef01");
  assert.deepEqual(record["columns"], {
    density: 0.25,
    top_tokens: [{ token: " raise", count: 3, value: 5.5 }],
    none: null,
  });
  const [first, second] = record["examples"] as Record<string, unknown>[];
  assert.deepEqual(first?.["tokens"], ["a", " raise", "\n\"x\", y"]);
  assert.deepEqual(first?.["activations"], [0, 10, 2]);
  assert.deepEqual(first?.["interval"], [8, 10]);
  assert.deepEqual([second?.["group"], second?.["activation"], second?.["interval"]], ["near_miss", 0, null]);
  assert.deepEqual((record["effects"] as unknown[])[0], {
    rank: 0,
    loss_effects: [null, 0.5, -0.1],
    raised: [{ token: "a", measured: 1, direct: 0.5 }],
    lowered: [],
  });
});

/** `text` as RFC 4180 is read. */
function readCsv(text: string): string[][] {
  const rows: string[][] = [[]];
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|$)/g)) {
    rows.at(-1)?.push(quoted?.replaceAll('""', '"') ?? plain ?? "");
    if (end === "\r\n") rows.push([]);
    if (end === "") break;
  }
  return rows.slice(0, -1);
}

/** The apostrophe before what a spreadsheet would take for a formula. */
const GUARD = /^'(?='*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20])/;

test("tables are read back to the letter, whatever the text is", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const dice = new Dice(seed);
    const rows = dice.list(dice.whole(1, 5), () => dice.list(3, () => dice.text([...HOSTILE, ","], 6)));
    const read = readCsv(csv(rows)).map((row) => row.map((text) => text.replace(GUARD, "")));
    assert.deepEqual(read, rows);
  }
  assert.equal(csv([[-1, null, "a", true, "=1+1"]]), "-1,,a,true,'=1+1\r\n");
});

test("examples as CSV have a line each, with the text around their own token", () => {
  const [head, first, second, ...more] = readCsv(examplesTable(hot()));
  assert.deepEqual(head?.slice(-3), ["before", "token", "after"]);
  assert.deepEqual(first, ["interval", "0", "10", "d,1.py", "3", "40", "3", "a", " raise", "'\n\"x\", y"]);
  assert.equal(second?.[0], "near_miss");
  assert.deepEqual(more, []);
});

test("numbers as CSV have a line for every number", () => {
  assert.deepEqual(readCsv(numbersTable(hot())), [
    ["column", "entry", "field", "value", "unit"],
    ["density", "", "", "0.25", "fraction"],
    ["top_tokens", "0", "token", " raise", ""],
    ["top_tokens", "0", "count", "3", ""],
    ["top_tokens", "0", "value", "5.5", "activation"],
    ["none", "", "", "", "none"],
  ]);
});

test("the line of Python names the feature and its SAE", () => {
  assert.equal(pythonLine(hot()), 'atlas.open("data").feature(12, sae="alpha")');
});

test("arrow keys stop at the ends of a strip, Home and End go there", () => {
  assert.equal(nextStop("ArrowRight", 0, 3), 1);
  assert.equal(nextStop("ArrowRight", 2, 3), 2);
  assert.equal(nextStop("ArrowLeft", 0, 3), 0);
  assert.equal(nextStop("Home", 2, 3), 0);
  assert.equal(nextStop("End", 0, 3), 2);
  assert.equal(nextStop("a", 0, 3), null);
  assert.equal(nextStop("ArrowRight", -1, 3), null);
  assert.equal(nextStop("ArrowRight", 0, 0), null);
});

test("the headline shows hostile explanations as text", () => {
  for (let seed = 1; seed <= 100; seed++) {
    const title = new Dice(seed).text(HOSTILE, 12);
    const page = showHeader(featureData({ payload: { title, method: title, score_name: title, score: 1 } }));
    assert.doesNotMatch(printed(page), /<(img|script|\/script)|[\u202e\u2066\u200b]/);
    assert.ok(textOf(page).includes("alpha/12"));
  }
});
