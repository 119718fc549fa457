import assert from "node:assert/strict";
import { test } from "node:test";
import { Points } from "../src/map/points.ts";
import { showCard, showClusterLegend, showList, showScaleLegend } from "../src/map/show.ts";
import { showControls } from "../src/map/show-controls.ts";
import { mapViewOf } from "../src/map/state.ts";
import { fakeSite } from "./support/fake-site.ts";
import { lineOf, listenersOf, printed } from "./support/template.ts";

fakeSite();
const EVIL = `<img src=x onerror="alert(1)">\u202e`;
const column = { name: "density", label: `D ${EVIL}`, doc: `doc ${EVIL}`, unit: "fraction" };
const rowOf = (feature: number, explanation: string) => ({
  feature,
  explanation,
  tokens: [" a", EVIL],
  cluster: 0,
  columns: [column],
  values: [0.5],
});

/** No text of the data may become markup, nor turn the writing direction of the page. */
function assertHarmless(content: unknown): void {
  assert.doesNotMatch(printed(content), /<img/);
  assert.doesNotMatch(printed(content), /\u202e(?=[^"]*<)/, "a bidi control among the text");
}

test("the card names the feature, its cluster and its tokens, and links its page", () => {
  const card = showCard("my-sae", 1234, rowOf(1234, EVIL), EVIL);
  assertHarmless(card);
  assert.match(printed(card), /href="\.\.\/my-sae\/1\/1234\.html"/);
  assert.match(printed(card), /U\+202E/);
  assert.match(lineOf(card), /1234/);
  assert.equal(lineOf(showCard("s", 5, undefined, "")), "… 5");
  assert.match(lineOf(showCard("s", 5, rowOf(5, ""), "")), /^no explanation 5/);
});

test("the list beside the map tells which feature is pointed at or focused", () => {
  const pointed: number[] = [];
  const rows = new Map([[8, rowOf(8, EVIL)]]);
  const list = showList("s", [8, 9], rows, (feature) => pointed.push(feature));
  assertHarmless(list);
  for (const type of ["pointerenter", "focus"]) for (const listener of listenersOf(list, type)) listener();
  assert.deepEqual(pointed, [8, 9, 8, 9]);
  assert.match(printed(list), /href="\.\.\/s\/0\/8\.html"[^]*href="\.\.\/s\/0\/9\.html"/);
});

function clustered(sizes: Record<number, number>, labels: string[]): Points {
  const cluster = Object.entries(sizes).flatMap(([name, size]) => Array.from({ length: size }, () => Number(name)));
  const zeros = cluster.map(() => 0);
  return new Points({ feature_idx: zeros.map((_, at) => at), x: zeros, y: zeros, cluster, cluster_labels: labels });
}

test("the legend has the largest clusters first, names what has no name, and counts the rest", () => {
  const legend = showClusterLegend(clustered({ [-1]: 9, 0: 2, 1: 7, 2: 3 }, [EVIL, "", "words"]));
  assertHarmless(legend);
  assert.match(lineOf(legend), /^group 1 7 words 3 .*U\+202E.* 2 no cluster 9$/);
  assert.doesNotMatch(lineOf(legend), /more/);
});

test("colours beyond the tenth cluster repeat, and that is said", () => {
  const sizes = Object.fromEntries(Array.from({ length: 13 }, (_, at) => [at, 20 - at]));
  const legend = showClusterLegend(clustered(sizes, []));
  assert.equal(printed(legend).match(/class="dot/g)?.length, 10);
  assert.match(lineOf(legend), /and 3 more, whose colours repeat$/);
  assert.equal(lineOf(showClusterLegend(clustered({}, []))), "");
});

test("the ends of the ramp are written in the unit of the column", () => {
  const legend = showScaleLegend(column, { low: 0.001, high: 0.5, log: true });
  assertHarmless(legend);
  assert.match(lineOf(legend), /D .*\[U\+202E\] 0\.100\u202f% 50\.0\u202f% equal steps are equal ratios/);
  assert.doesNotMatch(lineOf(showScaleLegend(column, { low: 0, high: 1, log: false })), /ratios/);
});

const saes = [EVIL, "b"].map((title, at) => ({ slug: `s${at}`, title, hook_name: "", n_features: 3 }));

test("the controls say what is asked for", () => {
  const asked: [string, unknown][] = [];
  const note = (name: string) => (value: unknown) => void asked.push([name, value]);
  const ask = { sae: note("sae"), colour: note("colour"), query: note("query"), zoom: note("zoom") };
  const controls = showControls(mapViewOf({ colour: "density", sae: "s1" }), saes, [column], ask);
  assertHarmless(controls);
  for (const listener of listenersOf(controls, "change")) listener({ target: { value: "x" } });
  for (const listener of listenersOf(controls, "input")) listener({ target: { value: "  a b " } });
  for (const listener of listenersOf(controls, "click")) listener();
  assert.deepEqual(asked, [
    ["sae", "x"],
    ["colour", "x"],
    ["query", "a b"],
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
  const ignore = () => undefined;
  const ask = { sae: ignore, colour: ignore, query: ignore, zoom: ignore };
  const controls = printed(showControls(mapViewOf({}), saes.slice(1), [], ask));
  assert.doesNotMatch(controls, /map-sae/);
  for (const [, id] of controls.matchAll(/<(?:input|select)[^>]* id="([^"]*)"/g)) {
    assert.match(controls, new RegExp(`<label[^>]* for="${id ?? ""}"`), id);
  }
  assert.equal(controls.match(/<button/g)?.length, controls.match(/aria-label="[^"]+"/g)?.length);
});
