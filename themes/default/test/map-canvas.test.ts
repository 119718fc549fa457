import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { CanvasRenderer, stampOf } from "../src/map/canvas.ts";
import { chooseRenderer } from "../src/map/choose-renderer.ts";
import { Points } from "../src/map/points.ts";
import { COVER, FADED } from "../src/map/renderer.ts";
import { toScreen, viewOf, wholeCamera } from "../src/map/view.ts";
import { WebGlRenderer } from "../src/map/webgl.ts";

const PAPER = [250, 240, 230] as const;

/** A 2-D canvas that keeps the picture it was given. */
class FakeCanvas {
  image: Uint8ClampedArray = new Uint8ClampedArray();
  readonly width: number;
  readonly height: number;
  private readonly gl: unknown;

  constructor(width = 100, height = 80, gl: unknown = null) {
    this.width = width;
    this.height = height;
    this.gl = gl;
  }

  getContext(kind: string): unknown {
    if (kind !== "2d") return this.gl;
    return {
      createImageData: (width: number, height: number) => ({
        width,
        height,
        data: new Uint8ClampedArray(width * height * 4),
      }),
      putImageData: ({ data }: { data: Uint8ClampedArray }) => void (this.image = data),
    };
  }

  at(x: number, y: number): number[] {
    return [...this.image.subarray((y * this.width + x) * 4, (y * this.width + x) * 4 + 3)];
  }

  get element(): HTMLCanvasElement {
    return this as unknown as HTMLCanvasElement;
  }
}

const points = new Points({
  feature_idx: [0, 1],
  x: [0, 1000],
  y: [65_535, 64_535],
  cluster: [0, 1],
  cluster_labels: [],
});
const palette = new Uint8Array(1024);
palette.set([200, 0, 0, 255], 4);
palette.set([0, 0, 200, 255], 8);

function drawn(strong: Uint8Array | null, ratio = 1): { canvas: FakeCanvas; pixels: [number, number][] } {
  const canvas = new FakeCanvas(300 * ratio, 200 * ratio);
  const renderer = new CanvasRenderer(canvas.element);
  renderer.setPoints(points);
  renderer.setColours(Uint8Array.of(1, 2), palette, PAPER);
  renderer.setStrong(strong);
  const view = viewOf(wholeCamera(points.bounds), points.bounds, 300, 200);
  renderer.draw(view, 3, ratio);
  const pixels = [0, 1].map((point): [number, number] => {
    const { x, y } = points.place(point);
    const pixel = toScreen(view, x, y);
    return [Math.round(pixel.x * ratio), Math.round(pixel.y * ratio)];
  });
  return { canvas, pixels };
}

/** The definition of a blend: so much of the colour over the paper. */
const over = (colour: readonly number[], share: number) =>
  colour.map((channel, at) => (PAPER[at] ?? 0) + (channel - (PAPER[at] ?? 0)) * share);

function assertNear(actual: number[], expected: number[]): void {
  for (const [at, channel] of actual.entries()) {
    assert.ok(Math.abs(channel - (expected[at] ?? 0)) <= 2, `${actual.join()} is not ${expected.join()}`);
  }
}

test("each point is where the view says, in its colour, on paper", () => {
  for (const ratio of [1, 2]) {
    const { canvas, pixels } = drawn(null, ratio);
    const [first = [0, 0], second = [0, 0]] = pixels;
    assertNear(canvas.at(...first), over([200, 0, 0], COVER));
    assertNear(canvas.at(...second), over([0, 0, 200], COVER));
    assert.deepEqual(canvas.at(0, 0), [...PAPER]);
    const coloured = Array.from({ length: canvas.width * canvas.height }, (_, at) => at).filter(
      (at) => canvas.image[at * 4] !== PAPER[0] || canvas.image[at * 4 + 2] !== PAPER[2],
    );
    const far = coloured.filter((at) =>
      pixels.every(([x, y]) => Math.hypot((at % canvas.width) - x, Math.floor(at / canvas.width) - y) > 3 * ratio + 1),
    );
    assert.deepEqual(far, [], "nothing is coloured away from the points");
    assert.ok(canvas.image.every((byte, at) => at % 4 !== 3 || byte === 255), "the ground is opaque");
  }
});

test("while some stand out the others fade, and afterwards all are as before", () => {
  const { canvas, pixels } = drawn(Uint8Array.of(0, 1));
  const [first = [0, 0], second = [0, 0]] = pixels;
  assertNear(canvas.at(...first), over([200, 0, 0], FADED));
  assertNear(canvas.at(...second), over([0, 0, 200], COVER));
});

test("a point at or beyond the edge of the picture breaks nothing and does not come back on the other side", () => {
  const canvas = new FakeCanvas(40, 30);
  const renderer = new CanvasRenderer(canvas.element);
  renderer.setPoints(points);
  renderer.setColours(Uint8Array.of(1, 2), palette, PAPER);
  const bounds = points.bounds;
  const edge = { ...viewOf({ x: 20, y: 15, zoom: 1 }, bounds, 40, 30), scale: 1 };
  renderer.draw(edge, 4, 1);
  assertNear(canvas.at(0, 0), over([200, 0, 0], COVER));
  assert.deepEqual(canvas.at(39, 0), [...PAPER]);
  assert.deepEqual(canvas.at(0, 29), [...PAPER]);
  renderer.draw({ ...edge, x: 1e6 }, 4, 1);
  assert.ok(canvas.image.every((byte, at) => at % 4 === 3 || byte === PAPER[at % 4]));
});

test("before any point has come the picture is paper", () => {
  const canvas = new FakeCanvas(4, 4);
  const renderer = new CanvasRenderer(canvas.element);
  renderer.setColours(new Uint8Array(), palette, PAPER);
  renderer.draw(viewOf(wholeCamera(points.bounds), points.bounds, 4, 4), 2, 1);
  assert.deepEqual(canvas.at(2, 2), [...PAPER]);
});

test("a stamp covers the area of its disc", () => {
  for (const radius of [0.6, 1, 1.3, 2.6, 3.4, 9, 18]) {
    const area = [...stampOf(radius).cover].reduce((sum, cover) => sum + cover / 256, 0);
    const disc = Math.PI * radius ** 2;
    assert.ok(Math.abs(area - disc) < 0.12 * disc + 0.6, `${radius}: ${area} for ${disc}`);
  }
});

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
  const renderer = new WebGlRenderer(new FakeCanvas(600, 400).element, fakeGl("x", true) as WebGL2RenderingContext);
  renderer.setPoints(points);
  const view = viewOf({ x: 400, y: 300, zoom: 2 }, points.bounds, 300, 200);
  renderer.draw(view, 3, 2);
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
  assert.deepEqual(uniform("size"), [["size", 12]]);
  assert.deepEqual(named("viewport"), [[0, 0, 600, 400]]);
  assert.deepEqual(named("drawArrays"), [["POINTS", 0, 2]]);
});

test("WebGL draws faded points first and the strong above them", () => {
  const renderer = new WebGlRenderer(new FakeCanvas().element, fakeGl("x", true) as WebGL2RenderingContext);
  renderer.setPoints(points);
  renderer.setStrong(Uint8Array.of(0, 1));
  const view = viewOf(wholeCamera(points.bounds), points.bounds, 100, 80);
  renderer.draw(view, 3, 1);
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
  renderer.draw(view, 3, 1);
  assert.deepEqual(uniform("cover"), [["cover", COVER]], "other points have no marks yet");
});
