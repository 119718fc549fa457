import assert from "node:assert/strict";
import { test } from "node:test";
import type { Legend } from "../src/map/painting.ts";
import { NO_POINTS } from "../src/map/points.ts";
import type { Points } from "../src/map/points.ts";
import { Selection } from "../src/map/selection.ts";
import type { Listing, Session } from "../src/map/session.ts";
import { captionOf, showLegend } from "../src/map/show-legend.ts";
import { showControls } from "../src/map/show-controls.ts";
import { showCard, showResults } from "../src/map/show-results.ts";
import { mapViewOf } from "../src/map/state.ts";
import { fakeSite } from "./support/fake-site.ts";
import { pointsFrom, scalarColumn } from "./support/layers.ts";
import { lineOf, listenersOf, printed } from "./support/template.ts";

fakeSite();
const EVIL = `<img src=x onerror="alert(1)">\u202e`;
const column = scalarColumn("density", { label: `D ${EVIL}`, doc: `doc ${EVIL}`, unit: "fraction" });
const rowOf = (feature: number, explanation: string) => ({
  feature,
  explanation,
  tokens: [" a", EVIL],
  density: 0.5,
});

/** A session as the views see it. */
function sessionOf(points: Points, more: Partial<Session> = {}): Session {
  const listing: Listing = { tab: "view", points: [...points.features.keys()], total: points.count, features: [] };
  const rows = { get: ({ feature }: { feature: number }) => (feature === 9 ? undefined : rowOf(feature, EVIL)) };
  const legend: Legend = { kind: "cluster" };
  const base = { points, listing, rows, legend, values: null, found: null, selection: new Selection(points) };
  return { ...base, ...more } as unknown as Session;
}

const scaleLegend = (low: number, high: number, log: boolean, missing = 0): Legend => ({
  kind: "scale",
  column,
  scale: { low, high, log },
  palette: new Uint8Array(1024),
  missing,
});

/** No text of the data may become markup, nor turn the writing direction of the page. */
function assertHarmless(content: unknown): void {
  assert.doesNotMatch(printed(content), /<img/);
  assert.doesNotMatch(printed(content), /\u202e(?=[^"]*<)/, "a bidi control among the text");
}

const one = pointsFrom({ x: [1, 2], y: [1, 2], features: [8, 9], clusters: [0, -1], labels: [EVIL] });
const two = pointsFrom([
  { x: [1], y: [1], sae: "one", title: EVIL },
  { x: [1], y: [1], sae: "two", title: "Second" },
]);

test("the card names the feature, its cluster, its tokens and its value, and links its page", () => {
  const card = showCard(sessionOf(one), one.pointOf(0, 8), { sae: "my-sae", feature: 1234 });
  assertHarmless(card);
  assert.match(printed(card), /href="\.\.\/my-sae\/1\/1234\.html"/);
  assert.match(printed(card), /U\+202E/);
  assert.match(lineOf(card), /1234/);
  assert.equal(lineOf(showCard(sessionOf(one), one.pointOf(0, 9), { sae: "s", feature: 9 })), "… 9 no cluster");
  const valued = sessionOf(one, { legend: scaleLegend(0, 1, false), values: Float64Array.of(0.25, Number.NaN) });
  assertHarmless(showCard(valued, 0, { sae: "s", feature: 5 }));
  assert.match(lineOf(showCard(valued, 0, { sae: "s", feature: 5 })), /25\.0\u202f%$/);
  assert.match(lineOf(showCard(valued, 1, { sae: "s", feature: 5 })), /–$/);
  assert.match(lineOf(showCard(sessionOf(two), two.pointOf(1, 0), { sae: "two", feature: 0 })), /0 Second ·/);
});

const ignored = { tab: () => {}, point: () => {}, toggle: () => {}, more: () => {}, clear: () => {} };

test("a row of the table points at its feature, links it, and selects it", () => {
  const said: [string, number][] = [];
  const ask = {
    ...ignored,
    point: (point: number) => said.push(["point", point]),
    toggle: (point: number) => said.push(["toggle", point]),
  };
  const session = sessionOf(one);
  const table = showResults(session, ask as never);
  assertHarmless(table);
  for (const type of ["pointerenter", "focus", "blur", "change"]) {
    for (const listener of listenersOf(table, type)) listener();
  }
  const rows = session.listing.points;
  assert.deepEqual(said, [
    ...rows.map((point) => ["point", point]),
    ...rows.map((point) => ["point", point]),
    ...rows.map(() => ["point", -1]),
    ...rows.map((point) => ["toggle", point]),
  ]);
  assert.match(printed(table), /href="\.\.\/alpha\/0\/8\.html"/);
  assert.match(printed(table), /aria-label="Select feature 8"/);
  assert.match(printed(showResults(sessionOf(two), ignored)), /aria-label="Select feature two\/0"/);
});

test("the table has the value that colours stand for, and more rows on demand", () => {
  let more = 0;
  const listing: Listing = { tab: "view", points: [0], total: 30, features: [] };
  const session = sessionOf(one, { legend: scaleLegend(0, 1, false), values: Float64Array.of(0.5, 0.1), listing });
  const table = showResults(session, { ...ignored, more: () => (more += 1) } as never);
  assertHarmless(table);
  assert.match(lineOf(table), /30 in view, middle first.*50\.0\u202f% 20 more$/);
  const last = listenersOf(table, "click").at(-1);
  last?.();
  assert.equal(more, 1);
});

test("the tabs say what is listed; a search has one of its own, a selection can be cleared", () => {
  const tabs = (session: Session) =>
    [...printed(showResults(session, ignored)).matchAll(/data-tab="?(\w+)"?\s+aria-pressed="?(\w+)/g)].map(
      ([, tab, pressed]) => `${tab ?? ""} ${pressed ?? ""}`,
    );
  assert.deepEqual(tabs(sessionOf(one)), ["view true", "selected false"]);
  const listing: Listing = { tab: "found", points: [], total: 0, features: [] };
  const searched = sessionOf(one, { found: { points: [], cut: true }, listing });
  assert.deepEqual(tabs(searched), ["view false", "found true", "selected false"]);
  assert.match(lineOf(showResults(searched, ignored)), /0 found .*strongest hits.*No feature of this map answers/);
  const chosen: Listing = { tab: "selected", points: [1], total: 1, features: [{ sae: "alpha", feature_idx: 9 }] };
  const selected = sessionOf(one, { listing: chosen, selection: new Selection(one, [], [1]) });
  assert.match(lineOf(showResults(selected, ignored)), /1 selected Clear selection/);
  assert.match(printed(showResults(selected, ignored)), /checked="true"/);
  const nothing = sessionOf(one, { listing: { ...chosen, points: [], total: 0, features: [] } });
  assert.match(lineOf(showResults(nothing, ignored)), /Nothing selected .*Lasso/);
});

test("while features are still to come the table says so, and counts those that are here", () => {
  const some = pointsFrom({ x: [1, 2], y: [1, 2], features: [8, 9], total: 3000 });
  const nothing: Listing = { tab: "view", points: [], total: 0, features: [] };
  assert.match(
    lineOf(showResults(sessionOf(some, { listing: nothing }), ignored)),
    /2 of 3,000 features are here .*The others are on their way\.$/,
  );
  assert.match(lineOf(showResults(sessionOf(NO_POINTS, { listing: nothing }), ignored)), /The features are on their way\.$/);
  const heading = (listing: Partial<Listing>, points = some) =>
    /(?:^|\s)(\d+ (?:in view|found|selected)[^<]*?) (?:Selected|Clear|Feature)/.exec(
      lineOf(showResults(sessionOf(points, { listing: { ...nothing, points: [0], total: 1, ...listing } }), ignored)),
    )?.[1];
  assert.equal(heading({}), "1 in view so far, middle first");
  assert.equal(heading({ tab: "found" }), "1 found so far");
  assert.equal(heading({ tab: "selected" }), "1 selected so far");
  assert.equal(heading({ tab: "selected" }, one), "1 selected");
  assert.match(legendOf(some), /no cluster 3,000 Each dot/, "the legend counts all");
});

function clustered(sizes: Record<number, number>, labels: string[]): Points {
  const clusters = Object.entries(sizes).flatMap(([name, size]) => Array.from({ length: size }, () => Number(name)));
  const zeros = clusters.map(() => 0);
  return pointsFrom({ x: zeros, y: zeros, clusters, labels });
}

const legendOf = (points: Points, legend: Legend = { kind: "cluster" }, over = false) =>
  lineOf(showLegend(legend, points, over ? "over" : "side"));

test("the legend has the largest clusters first, names what has no name, and counts the rest", () => {
  const points = clustered({ [-1]: 9, 0: 2, 1: 7, 2: 3 }, [EVIL, "", "words"]);
  assertHarmless(showLegend({ kind: "cluster" }, points, "side"));
  assert.match(legendOf(points), /^group 1 7 words 3 .*U\+202E.* 2 no cluster 9 Each dot/);
  assert.doesNotMatch(legendOf(points), /more/);
});

test("colours beyond the tenth cluster repeat, and that is said", () => {
  const names = Array.from({ length: 13 }, (_, at) => `n${at}`);
  const sizes = Object.fromEntries(names.map((_, at) => [at, 20 - at]));
  const points = clustered(sizes, names);
  assert.equal(printed(showLegend({ kind: "cluster" }, points, "side")).match(/class="dot/g)?.length, 10);
  assert.match(legendOf(points), /and 3 more, whose colours repeat/);
});

test("the ramp has values along it in the unit of the column, and says what has none", () => {
  const legend = scaleLegend(0.001, 0.1, true, 1204);
  assertHarmless(showLegend(legend, one, "side"));
  const text = legendOf(one, legend);
  assert.match(text, /0\.10\u202f% 0\.32\u202f% 1\.0\u202f% 3\.2\u202f% 10\u202f% no value 1,204 equal steps/);
  const even = legendOf(one, scaleLegend(0, 1, false));
  assert.match(even, /0\u202f% 25\u202f% 50\u202f% 75\u202f% 100\u202f%/);
  assert.doesNotMatch(even, /ratios|no value/);
});

test("several SAEs are told apart, and what their places do not say is said", () => {
  const saes = legendOf(two, { kind: "sae" });
  assert.match(saes, /Second 1/);
  assertHarmless(showLegend({ kind: "sae" }, two, "over"));
  assert.match(printed(showLegend({ kind: "sae" }, two, "over")), /class="dot square k1"/);
  assert.match(legendOf(two, scaleLegend(0, 1, false), true), /Second 1 Laid over/);
  assert.doesNotMatch(legendOf(two, scaleLegend(0, 1, false)), /Second 1/);
  const captions = [captionOf(1, "side"), captionOf(2, "side"), captionOf(2, "over")];
  assert.equal(new Set(captions).size, 3);
  assert.equal(captionOf(1, "over"), captions[0]);
  for (const caption of captions.slice(1)) assert.match(caption, /laid out by itself/);
  assert.equal(legendOf(NO_POINTS), captions[0]);
});

const saes = [EVIL, "b", "c"].map((title, at) => ({
  slug: `s${at}`,
  title,
  hook_name: "",
  n_features: 3,
  columns: [],
  cards: [],
}));

test("the controls say what is asked for", () => {
  const asked: unknown[][] = [];
  const note =
    (name: string) =>
    (...values: unknown[]) =>
      void asked.push([name, ...values]);
  const names = ["saes", "arrange", "colour", "query", "draw", "selectView", "zoom"];
  const ask = Object.fromEntries(names.map((name) => [name, note(name)])) as never;
  const controls = showControls(mapViewOf({ colour: "density", sae: "s1,s2" }), saes, [column], false, ask);
  assertHarmless(controls);
  const target = { value: "x", checked: true };
  for (const listener of listenersOf(controls, "change")) listener({ target });
  for (const listener of listenersOf(controls, "input")) listener({ target: { value: "  a b " } });
  for (const listener of listenersOf(controls, "click")) listener();
  assert.deepEqual(asked, [
    ["saes", ["x", "s2"]],
    ["saes", ["s1", "s2", "s0"]],
    ["saes", ["s1", "s2"]],
    ["arrange", "side"],
    ["arrange", "over"],
    ["colour", "x"],
    ["query", "  a b "],
    ["draw", true],
    ["selectView"],
    ["zoom", 1.6],
    ["zoom", 1 / 1.6],
    ["zoom", 0],
  ]);
  assert.deepEqual(
    [...printed(controls).matchAll(/<option value="([^"]*)" selected/g)].map(([, value]) => value),
    ["s1", "density"],
  );
});

test("one SAE needs no choice, and every control has a name", () => {
  const ask = new Proxy({}, { get: () => () => undefined }) as never;
  const controls = printed(showControls(mapViewOf({}), saes.slice(1, 2), [], true, ask));
  assert.doesNotMatch(controls, /map-sae|map-compare|value="sae"/);
  for (const [, id] of controls.matchAll(/<(?:input|select)[^>]* id="([^"]*)"/g)) {
    assert.match(controls, new RegExp(`<label[^>]* for="${id ?? ""}"`), id);
  }
  assert.match(controls, /aria-pressed="true"/);
});
