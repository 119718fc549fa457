// A frame without a screen: canvases that tell when they are drawn on.

/** What was drawn, and what the browser is. */
export const screen = {
  drawn: [] as { kind: string; ratio: number; pixels: number }[],
  /** Which WebGL there is. */
  gl: "none" as "none" | "fast" | "slow",
  /** Loses the graphics card. */
  lose: null as (() => void) | null,
  /** Says that the frame has another size. */
  resized: () => {},
};

/** Nothing drawn, no WebGL, and a document that makes such canvases. */
export function newScreen(): void {
  Object.assign(screen, { drawn: [], gl: "none", lose: null });
  Object.assign(globalThis, {
    document: { createElement: () => new FakeCanvas() },
    ResizeObserver: class {
      constructor(listener: () => void) {
        screen.resized = listener;
      }
      observe() {}
      disconnect() {}
    },
  });
}

/** A canvas that tells when it is drawn on; `gl` says which WebGL it has. */
class FakeCanvas {
  width = 300;
  height = 150;
  removed = false;
  private readonly listeners = new Map<string, () => void>();

  addEventListener(type: string, listener: () => void): void {
    this.listeners.set(type, listener);
    if (type === "webglcontextlost") screen.lose = listener;
  }

  remove(): void {
    this.removed = true;
  }

  getContext(kind: string): unknown {
    if (kind === "webgl2") return screen.gl === "none" ? null : fakeGl(this);
    return new Proxy(
      { canvas: this },
      {
        get: (target, name) => {
          if (name === "canvas") return target.canvas;
          if (name === "measureText") return () => ({ width: 10 });
          if (name === "createImageData") {
            return (width: number, height: number) => ({ width, height, data: new Uint8ClampedArray(4 * width * height) });
          }
          if (name === "putImageData") {
            return () => screen.drawn.push({ kind: "canvas", ratio: this.width / 400, pixels: this.width * this.height });
          }
          return () => undefined;
        },
        set: () => true,
      },
    );
  }
}

function fakeGl(canvas: FakeCanvas): unknown {
  return new Proxy(
    {},
    {
      get: (_, name) => {
        const text = String(name);
        if (/^[A-Z_0-9]+$/.test(text)) return text;
        return () => {
          if (text === "getParameter") return "ANGLE (A fine card)";
          if (text === "getProgramParameter") return true;
          if (text === "drawArrays") screen.drawn.push({ kind: "webgl", ratio: canvas.width / 400, pixels: 0 });
          if (text === "readPixels" && screen.gl === "slow") waitFor(100);
          return {};
        };
      },
    },
  );
}

function waitFor(milliseconds: number): void {
  const until = performance.now() + milliseconds;
  while (performance.now() < until);
}

/** The frame of a surface, 400 × 300 pixels. */
export class FakeFrame {
  clientWidth = 400;
  clientHeight = 300;
  dataset: Record<string, string> = {};
  children: FakeCanvas[] = [];

  append(canvas: FakeCanvas): void {
    this.children.push(canvas);
  }

  prepend(canvas: FakeCanvas): void {
    this.children.unshift(canvas);
  }
}
