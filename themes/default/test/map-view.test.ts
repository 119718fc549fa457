import assert from "node:assert/strict";
import { test } from "node:test";
import { isWholeOf, mapStateOf, mapViewOf } from "../src/map/state.ts";
import type { MapView } from "../src/map/state.ts";
import type { Box, View } from "../src/map/view.ts";
import { kept, panned, toMap, toScreen, viewOf, wholeCamera, zoomed } from "../src/map/view.ts";
import { mergeState, parseState } from "../src/core/state.ts";
import { Dice, HOSTILE } from "./support/random.ts";

function someBounds(dice: Dice): Box {
  const [left = 0, right = 0] = dice.list(2, () => dice.whole(0, 65536)).sort((a, b) => a - b);
  const [top = 0, bottom = 0] = dice.list(2, () => dice.whole(0, 65536)).sort((a, b) => a - b);
  return { left, top, right, bottom };
}

function someView(dice: Dice, bounds: Box): View {
  const camera = {
    x: dice.between(bounds.left, bounds.right),
    y: dice.between(bounds.top, bounds.bottom),
    zoom: 2 ** dice.between(-1, 8),
  };
  return viewOf(camera, bounds, dice.whole(60, 3000), dice.whole(60, 2000));
}

function near(actual: number, expected: number, slack = 1e-6): void {
  const size = Math.max(1, Math.abs(actual), Math.abs(expected));
  assert.ok(Math.abs(actual - expected) <= slack * size, `${actual} is not ${expected}`);
}

function repeat(work: (dice: Dice, bounds: Box, view: View) => void): void {
  for (let seed = 1; seed <= 150; seed++) {
    const dice = new Dice(seed);
    const bounds = someBounds(dice);
    work(dice, bounds, someView(dice, bounds));
  }
}

test("at zoom 1 every corner of the bounds is on the screen, and one axis is filled", () => {
  repeat((dice, bounds) => {
    const view = viewOf(wholeCamera(bounds), bounds, dice.whole(60, 3000), dice.whole(60, 2000));
    const first = toScreen(view, bounds.left, bounds.top);
    const last = toScreen(view, bounds.right, bounds.bottom);
    for (const { x, y } of [first, last]) {
      assert.ok(x >= -1e-6 && x <= view.width + 1e-6 && y >= -1e-6 && y <= view.height + 1e-6);
    }
    if (bounds.right > bounds.left && bounds.bottom > bounds.top) {
      const fills = [(last.x - first.x) / (view.width - 56), (last.y - first.y) / (view.height - 56)];
      near(Math.max(...fills), 1);
    }
  });
});

test("a place goes to the screen and back, a pixel to the map and back", () => {
  repeat((dice, _, view) => {
    const [x, y] = [dice.between(0, 65535), dice.between(0, 65535)];
    const pixel = toScreen(view, x, y);
    const back = toMap(view, pixel.x, pixel.y);
    near(back.x, x);
    near(back.y, y);
    near(toMap(view, view.width / 2, view.height / 2).x, view.x);
  });
});

test("moving there and back is staying, and two moves are their sum", () => {
  repeat((dice, bounds, view) => {
    const [dx, dy, ex, ey] = dice.list(4, () => dice.between(-500, 500)) as [number, number, number, number];
    const there = viewOf(panned(view, dx, dy), bounds, view.width, view.height);
    const back = panned(there, -dx, -dy);
    near(back.x, view.x);
    near(back.y, view.y);
    const twice = panned(there, ex, ey);
    const once = panned(view, dx + ex, dy + ey);
    near(twice.x, once.x);
    near(twice.y, once.y);
    assert.equal(once.zoom, view.zoom);
  });
});

test("what lies under the pointer stays there, however far one zooms", () => {
  repeat((dice, bounds, view) => {
    const [x, y] = [dice.between(0, view.width), dice.between(0, view.height)];
    const under = toMap(view, x, y);
    const after = viewOf(zoomed(view, 2 ** dice.between(-6, 6), x, y), bounds, view.width, view.height);
    const pixel = toScreen(after, under.x, under.y);
    near(pixel.x, x, 1e-5);
    near(pixel.y, y, 1e-5);
  });
});

test("zooming in and out again is staying, but for the limits", () => {
  repeat((dice, bounds, view) => {
    const factor = dice.between(0.7, 1.4);
    const [x, y] = [dice.between(0, view.width), dice.between(0, view.height)];
    const there = viewOf(zoomed(view, factor, x, y), bounds, view.width, view.height);
    if (there.zoom <= 0.5 || there.zoom >= 400) return;
    const back = zoomed(there, 1 / factor, x, y);
    near(back.zoom, view.zoom);
    near(back.x, view.x);
    near(back.y, view.y);
  });
});

test("no factor leads beyond the limits of zoom", () => {
  repeat((dice, _, view) => {
    for (const factor of [0, 1e-300, 1e300, Number.POSITIVE_INFINITY, dice.between(0, 1000)]) {
      const { zoom } = zoomed(view, factor);
      assert.ok(zoom >= 0.5 && zoom <= 400, String(zoom));
    }
  });
});

test("a kept camera looks at the map, and keeping it again changes nothing", () => {
  repeat((dice, bounds) => {
    const wild = {
      x: dice.pick([-1e300, 1e300, dice.between(-1e5, 2e5)]),
      y: dice.pick([-1e300, 1e300, dice.between(-1e5, 2e5)]),
      zoom: dice.pick([1e-9, 1e9, 1e300, dice.between(0.5, 400)]),
    };
    const camera = kept(wild, bounds);
    assert.ok(camera.x >= bounds.left && camera.x <= bounds.right);
    assert.ok(camera.y >= bounds.top && camera.y <= bounds.bottom);
    assert.ok(camera.zoom >= 0.5 && camera.zoom <= 400, "an address must not show a map without points");
    assert.deepEqual(kept(camera, bounds), camera);
  });
});

test("one point alone, or a screen without room, still gives finite numbers", () => {
  const bounds = { left: 7, top: 9, right: 7, bottom: 9 };
  for (const [width, height] of [
    [1, 1],
    [56, 56],
    [800, 1],
  ] as const) {
    const view = viewOf(wholeCamera(bounds), bounds, width, height);
    assert.ok(view.scale > 0 && Number.isFinite(view.scale));
    assert.deepEqual(toScreen(view, 7, 9), { x: width / 2, y: height / 2 });
  }
});

test("every view of the map survives its address, whatever was typed", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const dice = new Dice(seed);
    const view: MapView = {
      saes: dice.pick([[], ["alpha"], ["alpha", "beta-2"]]),
      arrangement: dice.pick(["side", "over"]),
      colour: dice.pick(["", "cluster", "sae", "max_activation"]),
      lasso: dice.pick([[], dice.list(2 * dice.whole(3, 81), () => dice.whole(-70_000, 70_000))]),
      picked: dice.pick(["", "12", "1.2.3!4"]),
      tab: dice.pick([null, "view", "found", "selected"]),
      query: dice.text(HOSTILE, 12),
      feature: dice.pick([null, 0, 7, 131_071, 999_999_999]),
      camera: dice.pick([
        null,
        {
          x: dice.whole(0, 65536),
          y: dice.whole(0, 65536),
          zoom: Number(dice.between(0.5, 400).toFixed(2)),
        },
      ]),
    };
    const address = mergeState("?other=kept", mapStateOf(view));
    assert.deepEqual(mapViewOf(parseState(address)), view, address);
    assert.equal(parseState(address)["other"], "kept");
  }
});

test("an address without a view leaves nothing behind", () => {
  const whole = mapViewOf({});
  const all = "?sae=a&lay=over&colour=b&q=c&f=1&x=1&y=2&z=3&lasso=1.2.3.4.5.6&pick=1&list=found";
  assert.equal(mergeState(all, mapStateOf(whole)), "");
});

test("half a camera, or one that is none, is no camera", () => {
  for (const [x, y, z] of [
    ["1", "2", ""],
    ["", "2", "3"],
    ["1", "", "3"],
    ["1", "2", "0"],
    ["1", "2", "-1"],
    ["NaN", "2", "1"],
    ["1", "Infinity", "1"],
    ["1e999", "2", "1"],
    ["a", "b", "c"],
  ] as const) {
    assert.equal(mapViewOf({ x, y, z }).camera, null, `${x} ${y} ${z}`);
  }
});

test("a ringed feature is a plain number", () => {
  const cases: [string, number | null][] = [
    ["0", 0],
    ["0012", 12],
    ["-1", null],
    ["1.5", null],
    ["1e3", null],
    ["0x10", null],
    [" 1", null],
    ["1234567890", null],
    ["١", null],
  ];
  for (const [f, feature] of cases) assert.equal(mapViewOf({ f }).feature, feature, f);
});

test("a view shows the map of an SAE in whole unless it names another, a place or a feature", () => {
  const isWhole = (text: string) => isWholeOf(mapViewOf(parseState(text)), "own");
  for (const text of ["", "?sae=own", "?sae=own&colour=density&q=words&list=selected"]) assert.ok(isWhole(text), text);
  for (const text of ["?sae=other", "?sae=own,other", "?x=1&y=2&z=3", "?f=7"]) assert.ok(!isWhole(text), text);
});
