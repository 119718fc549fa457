import { CanvasRenderer } from "./canvas.ts";
import type { Renderer } from "./renderer.ts";
import { WebGlRenderer } from "./webgl.ts";

/** Names under which drivers draw WebGL without a graphics card. */
const SOFTWARE = /swiftshader|llvmpipe|softpipe|software|basic render/i;

/** Which renderer to take: the best there is, or the one asked for. */
export type Wanted = "best" | "webgl" | "canvas";

/** The renderer that should be the fastest this browser has, on a new canvas; `wanted` can insist on one. */
export function chooseRenderer(wanted: Wanted): Renderer {
  if (wanted !== "canvas") {
    const canvas = document.createElement("canvas");
    const caveat: WebGLContextAttributes = {
      failIfMajorPerformanceCaveat: wanted === "best",
      premultipliedAlpha: true,
    };
    const gl = canvas.getContext("webgl2", caveat);
    if (gl !== null && (wanted === "webgl" || !isSoftware(gl))) {
      try {
        return new WebGlRenderer(canvas, gl);
      } catch {
        // A driver that offers WebGL2 and cannot link two shaders: draw without it.
      }
    }
  }
  return new CanvasRenderer(document.createElement("canvas"));
}

function isSoftware(gl: WebGL2RenderingContext): boolean {
  const names = gl.getExtension("WEBGL_debug_renderer_info");
  return SOFTWARE.test(String(gl.getParameter(names?.UNMASKED_RENDERER_WEBGL ?? gl.RENDERER)));
}
