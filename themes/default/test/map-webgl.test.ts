import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { CanvasRenderer } from "../src/map/canvas.ts";
import { chooseRenderer } from "../src/map/choose-renderer.ts";
import { COVER, FADED } from "../src/map/renderer.ts";
import { atOnce } from "../src/map/slices.ts";
import { toScreen, viewOf, wholeCamera } from "../src/map/view.ts";
import { WebGlRenderer } from "../src/map/webgl.ts";
import { FakeCanvas } from "./support/fake-canvas.ts";
import { pointsFrom } from "./support/layers.ts";
import { Dice } from "./support/random.ts";

const points = pointsFrom({ x: [0, 1000], y: [0, 1000], clusters: [0, 1] });

let calls: [string, ...unknown[]][] = [];

/** A WebGL context that notes every call; `driver` is its name, `links` whether shaders work. */
function fakeGl(driver: string, links: boolean): unknown {
  const answers: Record<string, unknown> = {
    getExtension: () => ({ UNMASKED_RENDERER_WEBGL: 1 }),
    getParameter: () => driver,
    getProgramParameter: () => links,
    getUniformLocation: (_: unknown, name: string) => name,
  };
  return new Proxy(
    {},
    {
      get: (_, name) => {
        const text = String(name);
        if (/^[A-Z_0-9]+$/.test(text)) return text;
        return (...values: unknown[]) => {
          calls.push([text, ...values]);
          const answer = answers[text];
          return typeof answer === "function" ? (answer as (...all: unknown[]) => unknown)(...values) : {};
        };
      },
    },
  );
}

function browserWith(gl: unknown): void {
  Object.assign(globalThis, { document: { createElement: () => new FakeCanvas(100, 80, gl) } });
}

beforeEach(() => {
  calls = [];
});

test("a graphics card draws the map; without one, or with a broken one, the 2-D canvas does", () => {
  browserWith(fakeGl("ANGLE (NVIDIA GeForce)", true));
  assert.ok(chooseRenderer("best") instanceof WebGlRenderer);
  assert.ok(chooseRenderer("canvas") instanceof CanvasRenderer);
  for (const software of ["Google SwiftShader", "llvmpipe (LLVM 15)", "Microsoft Basic Render Driver", "softpipe"]) {
    browserWith(fakeGl(software, true));
    assert.ok(chooseRenderer("best") instanceof CanvasRenderer, software);
    assert.ok(chooseRenderer("webgl") instanceof WebGlRenderer, "who insists gets it");
  }
  browserWith(fakeGl("ANGLE (NVIDIA GeForce)", false));
  assert.ok(chooseRenderer("webgl") instanceof CanvasRenderer);
  browserWith(null);
  assert.ok(chooseRenderer("webgl") instanceof CanvasRenderer);
});

test("a browser without any canvas is an error", () => {
  const none = { getContext: () => null } as unknown as HTMLCanvasElement;
  assert.throws(() => new CanvasRenderer(none), /no 2-D canvas/);
});

const named = (name: string) => calls.filter(([call]) => call === name).map(([, ...values]) => values);
const uniform = (name: string) => [...named("uniform1f"), ...named("uniform2f")].filter(([at]) => at === name);

test("WebGL's clip space shows the same place at the same pixel as the view", () => {
  const renderer = new WebGlRenderer(new FakeCanvas().element, fakeGl("x", true) as WebGL2RenderingContext);
  renderer.setPoints(points);
  const view = viewOf({ x: 400, y: 300, zoom: 2 }, points.bounds, 300, 200);
  atOnce(renderer.draw(view, 3, 2, 1));
  const [[, across = 0, down = 0] = []] = uniform("scale") as [string, number, number][];
  const [[, left = 0, top = 0] = []] = uniform("offset") as [string, number, number][];
  for (const [x, y] of [
    [0, 0],
    [400, 300],
    [1000, 999],
  ] as const) {
    const pixel = toScreen(view, x, y);
    assert.ok(Math.abs(((x * across + left + 1) / 2) * view.width - pixel.x) < 1e-6);
    assert.ok(Math.abs(((1 - (y * down + top)) / 2) * view.height - pixel.y) < 1e-6);
  }
  assert.deepEqual(uniform("radius"), [["radius", 6]]);
  assert.deepEqual(uniform("size"), [["size", 13]]);
  assert.deepEqual(named("viewport"), [[0, 0, 600, 400]]);
  assert.deepEqual([renderer.canvas.width, renderer.canvas.height], [600, 400], "of the size of the view");
  assert.deepEqual(named("drawArrays"), [["POINTS", 0, 2]]);
});

test("WebGL draws faded points first and the strong above them", () => {
  const renderer = new WebGlRenderer(new FakeCanvas().element, fakeGl("x", true) as WebGL2RenderingContext);
  renderer.setPoints(points);
  renderer.setStrong(Uint8Array.of(0, 1));
  const view = viewOf(wholeCamera(points.bounds), points.bounds, 100, 80);
  atOnce(renderer.draw(view, 3, 1, 1));
  assert.deepEqual(
    uniform("pass").map(([, pass]) => pass),
    [0, 1],
  );
  assert.deepEqual(
    uniform("cover").map(([, cover]) => cover),
    [FADED, COVER],
  );
  calls = [];
  renderer.setPoints(points);
  atOnce(renderer.draw(view, 3, 1, 1));
  assert.deepEqual(uniform("cover"), [["cover", COVER]], "other points have no marks yet");
});

test("WebGL draws every n-th point for a share of 1/n, and waits only when asked to finish", () => {
  const renderer = new WebGlRenderer(new FakeCanvas().element, fakeGl("x", true) as WebGL2RenderingContext);
  const dice = new Dice(1);
  const many = pointsFrom({ x: dice.list(1000, () => dice.whole(0, 9)), y: dice.list(1000, () => dice.whole(0, 9)) });
  renderer.setPoints(many);
  const view = viewOf(wholeCamera(many.bounds), many.bounds, 100, 80);
  for (const [share, step] of [
    [1, 1],
    [0.5, 2],
    [0.1, 10],
    [1e-9, 120],
  ] as const) {
    calls = [];
    atOnce(renderer.draw(view, 3, 1, share));
    assert.deepEqual(named("drawArrays"), [["POINTS", 0, Math.ceil(1000 / step)]]);
    const strides = named("vertexAttribPointer").map(([, , , , stride]) => stride);
    assert.deepEqual(strides, [2, 2, 1, 1, 1].map((bytes) => bytes * step));
    assert.ok(strides.every((stride) => Number(stride) <= 255), "more is an error of WebGL");
  }
  assert.deepEqual(named("readPixels"), []);
  renderer.finish();
  assert.equal(named("readPixels").length, 1);
});
