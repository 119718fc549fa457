import assert from "node:assert/strict";
import { test } from "node:test";
import type { Label } from "../src/map/labels.ts";
import { mapLabels, placeLabels, pointLabel, shortened } from "../src/map/labels.ts";
import { EXTENT } from "../src/map/layer.ts";
import { drawOverlay } from "../src/map/overlay.ts";
import type { Points } from "../src/map/points.ts";
import { toScreen, viewOf, wholeCamera } from "../src/map/view.ts";
import { badges } from "../src/core/text.ts";
import { pointsFrom } from "./support/layers.ts";
import { Dice, HOSTILE } from "./support/random.ts";

const bounds = { left: 0, top: 0, right: EXTENT, bottom: EXTENT };
const measure = (text: string) => text.length * 7;

function pointsNamed(labels: string[], clusters: number[], dice = new Dice(1)): Points {
  const place = () => dice.whole(0, EXTENT + 1);
  return pointsFrom({ x: clusters.map(place), y: clusters.map(place), clusters, labels });
}

const groupLabels = (points: Points) => mapLabels(points, "side");

const labelOf = (name: string) => groupLabels(pointsNamed([name], [0]))[0]?.text ?? "";

test("a name that would turn the writing direction is written out instead", () => {
  assert.equal(labelOf("\u202eesrever"), "[U+202E]esrever");
  assert.equal(labelOf("a\u2066b\u2069c"), "a[U+2066]b[U+2069]c");
  assert.equal(labelOf("join\u200ded \ufeff\u00ad"), "join[U+200D]ed [U+FEFF][U+00AD]");
  assert.equal(labelOf("two\nlines\t\0"), "two↵lines␉␀");
  assert.equal(labelOf("lone \ud800"), "lone \ufffd");
});

test("no label of any name holds an invisible character, a line break or half a character", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const text = labelOf(new Dice(seed).text(HOSTILE, 30));
    assert.ok(badges(text).every(([kind]) => kind === "text"), JSON.stringify(text));
    assert.doesNotMatch(text, /[\0-\x1f\x7f]/);
    assert.doesNotMatch(text, /\p{Surrogate}/u);
    assert.ok([...text].length <= 36);
  }
});

test("a long name ends where it is cut, between the signs of what is hidden", () => {
  assert.equal(labelOf("x".repeat(36)), "x".repeat(36));
  assert.equal(labelOf("x".repeat(37)), `${"x".repeat(35)}…`);
  assert.equal(labelOf("🤗".repeat(40)), `${"🤗".repeat(35)}…`);
  for (let before = 20; before < 36; before++) {
    const text = labelOf(`${"x".repeat(before)}\u202e${"y".repeat(20)}`);
    assert.doesNotMatch(text, /\[(U?\+?[0-9A-F]*)…/, "half a sign says nothing");
  }
});

test("a label stands where the data say its cluster is, largest first", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const dice = new Dice(seed);
    const clusters = dice.list(80, () => dice.whole(-1, 4));
    const points = pointsNamed(["a", "b", "", "d"], clusters, dice);
    const labels = groupLabels(points);
    for (const { text, x, y, weight, kind } of labels) {
      const group = points.layers[0]?.groups[["a", "b", "", "d"].indexOf(text)];
      assert.deepEqual([kind, x, y, weight], ["group", group?.x, group?.y, group?.size]);
    }
    const weights = labels.map(({ weight }) => weight);
    assert.deepEqual(weights, [...weights].sort((a, b) => b - a));
  }
});

test("side by side each SAE has its name above its own field, over one another none has", () => {
  const layer = { x: [0, 9000], y: [100, 5000], clusters: [0, 0], labels: ["c"] };
  const two = [
    { ...layer, sae: "one", title: "First" },
    { ...layer, sae: "two", title: "Second\u202e" },
  ];
  const points = pointsFrom(two);
  const named = mapLabels(points, "side");
  assert.deepEqual(
    named.map(({ kind, text }) => [kind, text]),
    [
      ["layer", "First"],
      ["layer", "Second[U+202E]"],
      ["group", "c"],
      ["group", "c"],
    ],
  );
  for (const [at, { x, y }] of named.slice(0, 2).entries()) {
    const own = [0, 9000].map((_, feature) => points.place(points.pointOf(at, feature)));
    assert.ok(Math.abs(x - ((own[0]?.x ?? 0) + (own[1]?.x ?? 0)) / 2) <= 1);
    assert.ok(Math.abs(y - (own[0]?.y ?? 0)) <= 1);
  }
  assert.deepEqual(
    mapLabels(pointsFrom(two, "over"), "over").map(({ kind }) => kind),
    ["group", "group"],
  );
});

test("a point's label stands below it, and gives way to the names of clusters", () => {
  const points = pointsFrom({ x: [EXTENT / 2], y: [EXTENT / 2], clusters: [0], labels: ["cluster"] });
  const view = viewOf({ x: EXTENT / 2, y: EXTENT / 2, zoom: 1 }, bounds, 600, 400);
  const label = pointLabel(points, 0, "title\n\u200b");
  assert.equal(label.text, "title↵[U+200B]");
  const [alone] = placeLabels([label], view, measure);
  assert.ok((alone?.y ?? 0) > 200 + 10, "below its dot");
  assert.deepEqual(
    placeLabels([...groupLabels(points), label], view, measure).map(({ kind }) => kind),
    ["group"],
  );
  const lower = { ...label, y: label.y + 6 / view.scale };
  assert.equal(placeLabels([...groupLabels(points), lower], view, measure).length, 2);
});

test("points without a cluster have no name, and a cluster beyond the names has none", () => {
  assert.deepEqual(groupLabels(pointsNamed(["a"], [-1, -1])), []);
  assert.deepEqual(groupLabels(pointsNamed([""], [0])), []);
  assert.deepEqual(groupLabels(pointsNamed([], [3, 3])), []);
  assert.deepEqual(groupLabels(pointsNamed([], [])), []);
});

function someLabels(dice: Dice): Label[] {
  return dice.list(40, () => ({
    kind: dice.pick(["layer", "group", "point"] as const),
    text: "n".repeat(dice.whole(1, 30)),
    x: dice.whole(0, EXTENT),
    y: dice.whole(0, EXTENT),
    weight: 1,
  }));
}

test("placed labels never overlap and none reaches beyond the screen", () => {
  for (let seed = 1; seed <= 60; seed++) {
    const dice = new Dice(seed);
    const view = viewOf(
      { ...wholeCamera(bounds), zoom: dice.between(0.5, 5) },
      bounds,
      dice.whole(200, 1500),
      dice.whole(100, 900),
    );
    const half = { layer: 9, group: 8, point: 7 };
    const boxes = placeLabels(someLabels(dice), view, measure).map(({ kind, text, x, y }) => ({
      left: x - measure(text) / 2,
      right: x + measure(text) / 2,
      top: y - half[kind],
      bottom: y + half[kind],
    }));
    for (const [at, box] of boxes.entries()) {
      assert.ok(box.left >= 0 && box.right <= view.width && box.top >= 0 && box.bottom <= view.height);
      for (const other of boxes.slice(0, at)) {
        const apart =
          box.right < other.left || other.right < box.left || box.bottom < other.top || other.bottom < box.top;
        assert.ok(apart, `labels touch (seed ${seed})`);
      }
    }
  }
});

test("a label is left out only where it does not fit, and adding later ones takes none away", () => {
  for (let seed = 1; seed <= 30; seed++) {
    const dice = new Dice(seed);
    const view = viewOf(wholeCamera(bounds), bounds, 700, 500);
    const labels = someLabels(dice);
    const all = placeLabels(labels, view, measure);
    assert.deepEqual(placeLabels(labels.slice(0, 20), view, measure), all.filter((placed) =>
      labels.slice(0, 20).some((label) => {
        return toScreen(view, label.x, label.y).x === placed.x && label.text === placed.text;
      }),
    ));
  }
});

test("the overlay writes each placed name once above its paper edge, then the ring and the cross", () => {
  const calls: [string, ...unknown[]][] = [];
  const context = new Proxy({} as Record<string, unknown>, {
    get: (_, name) => {
      if (name === "measureText") return (text: string) => ({ width: measure(text) });
      return (...values: unknown[]) => void calls.push([String(name), ...values]);
    },
    set: () => true,
  });
  Object.assign(globalThis, { window: { getComputedStyle: () => ({ fontFamily: "serif" }) } });
  const canvas = { getContext: () => context } as unknown as HTMLCanvasElement;
  const view = viewOf(wholeCamera(bounds), bounds, 600, 400);
  const colours = { ink: "black", paper: "white", soft: "grey" };
  const middle = { x: EXTENT / 2, y: EXTENT / 2 };
  const labels = groupLabels(pointsNamed(["\u202eevil", "other"], [0]));
  const here = labels.map((label) => ({ ...label, ...middle }));
  const empty = { labels: [], ring: null, hover: null, picked: [], lasso: [], cross: false };
  const lasso = [0, 0, EXTENT, 0, EXTENT, EXTENT];
  const scene = { labels: [...here, ...here], ring: middle, hover: middle, picked: [middle], lasso, cross: true };
  drawOverlay(canvas, view, scene, colours, 2);
  const named = (name: string) => calls.filter(([call]) => call === name).map(([, ...values]) => values);
  assert.deepEqual(named("strokeText"), [["[U+202E]evil", 300, 200]]);
  assert.deepEqual(named("fillText"), named("strokeText"));
  assert.deepEqual(named("setTransform"), [[2, 0, 0, 2, 0, 0]]);
  assert.deepEqual(named("clearRect"), [[0, 0, 600, 400]]);
  assert.deepEqual(
    named("arc").map(([x, y, radius]) => [x, y, radius]),
    [5, 8, 6.5].map((radius) => [300, 200, radius]),
  );
  assert.equal(named("closePath").length, 1);
  assert.equal(named("lineTo").length, 2 + 4);
  calls.length = 0;
  drawOverlay(canvas, view, empty, colours, 1);
  for (const name of ["fillText", "arc", "lineTo", "closePath"]) assert.deepEqual(named(name), []);
  const without = { getContext: () => null } as unknown as HTMLCanvasElement;
  assert.doesNotThrow(() => drawOverlay(without, view, empty, colours, 1));
});

test("what is short stays as it is", () => {
  assert.equal(shortened("plain"), "plain");
  assert.equal(shortened(""), "");
});
