import assert from "node:assert/strict";
import { test } from "node:test";
import type { Label } from "../src/map/labels.ts";
import { clusterLabels, placeLabels } from "../src/map/labels.ts";
import { drawOverlay } from "../src/map/overlay.ts";
import { EXTENT, Points } from "../src/map/points.ts";
import { toScreen, viewOf, wholeCamera } from "../src/map/view.ts";
import { badges } from "../src/core/text.ts";
import { Dice, HOSTILE } from "./support/random.ts";

const bounds = { left: 0, top: 0, right: EXTENT, bottom: EXTENT };
const measure = (text: string) => text.length * 7;

function pointsNamed(labels: string[], clusters: number[], dice = new Dice(1)): Points {
  return new Points({
    feature_idx: clusters.map((_, at) => at),
    x: clusters.map(() => dice.whole(0, EXTENT + 1)),
    y: clusters.map(() => dice.whole(0, EXTENT + 1)),
    cluster: clusters,
    cluster_labels: labels,
  });
}

const labelOf = (name: string) => clusterLabels(pointsNamed([name], [0]))[0]?.text ?? "";

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

test("a label stands at the median of its cluster, and counts its points", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const dice = new Dice(seed);
    const clusters = dice.list(80, () => dice.whole(-1, 4));
    const points = pointsNamed(["a", "b", "", "d"], clusters, dice);
    const labels = clusterLabels(points);
    for (const { text, x, y, weight } of labels) {
      const cluster = ["a", "b", "", "d"].indexOf(text);
      const members = [...clusters.keys()].filter((point) => clusters[point] === cluster);
      assert.equal(weight, members.length);
      for (const [value, axis] of [
        [x, points.x],
        [y, points.y],
      ] as const) {
        const below = members.filter((point) => (axis[point] ?? 0) < value).length;
        const above = members.filter((point) => (axis[point] ?? 0) > value).length;
        assert.ok(below <= members.length / 2 && above <= members.length / 2);
        assert.ok(members.some((point) => axis[point] === value), "the middle is one of the points");
      }
    }
    const weights = labels.map(({ weight }) => weight);
    assert.deepEqual(weights, [...weights].sort((a, b) => b - a));
  }
});

test("points without a cluster have no name, and a cluster beyond the names has none", () => {
  assert.deepEqual(clusterLabels(pointsNamed(["a"], [-1, -1])), []);
  assert.deepEqual(clusterLabels(pointsNamed([""], [0])), []);
  assert.deepEqual(clusterLabels(pointsNamed([], [3, 3])), []);
  assert.deepEqual(clusterLabels(pointsNamed([], [])), []);
});

function someLabels(dice: Dice): Label[] {
  return dice.list(40, () => ({
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
    const boxes = placeLabels(someLabels(dice), view, measure).map(({ text, x, y }) => ({
      left: x - measure(text) / 2,
      right: x + measure(text) / 2,
      top: y - 8,
      bottom: y + 8,
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
        const at = toScreen(view, label.x, label.y);
        return at.x === placed.x && at.y === placed.y;
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
  const colours = { ink: "black", paper: "white" };
  const middle = { x: EXTENT / 2, y: EXTENT / 2 };
  const labels = clusterLabels(pointsNamed(["\u202eevil", "other"], [0]));
  const here = labels.map((label) => ({ ...label, ...middle }));
  drawOverlay(canvas, view, { labels: [...here, ...here], ring: middle, cross: true }, colours, 2);
  const named = (name: string) => calls.filter(([call]) => call === name).map(([, ...values]) => values);
  assert.deepEqual(named("strokeText"), [["[U+202E]evil", 300, 200]]);
  assert.deepEqual(named("fillText"), named("strokeText"));
  assert.deepEqual(named("setTransform"), [[2, 0, 0, 2, 0, 0]]);
  assert.deepEqual(named("clearRect"), [[0, 0, 600, 400]]);
  assert.deepEqual(named("arc"), [[300, 200, 8, 0, 2 * Math.PI]]);
  assert.equal(named("lineTo").length, 4);
  calls.length = 0;
  drawOverlay(canvas, view, { labels: [], ring: null, cross: false }, colours, 1);
  for (const name of ["fillText", "arc", "lineTo"]) assert.deepEqual(named(name), []);
  const without = { getContext: () => null } as unknown as HTMLCanvasElement;
  assert.doesNotThrow(() => drawOverlay(without, view, { labels: [], ring: null, cross: false }, colours, 1));
});
