import type { Palette } from "./colours.ts";
import type { Points } from "./points.ts";
import { countMarks, COVER, FADED, fitCanvas, strongRadius } from "./renderer.ts";
import type { Renderer } from "./renderer.ts";
import type { View } from "./view.ts";

const VERTEX = `#version 300 es
layout(location = 0) in float x;
layout(location = 1) in float y;
layout(location = 2) in float entry;
layout(location = 3) in float strong;
layout(location = 4) in float mark;
uniform vec2 scale;
uniform vec2 offset;
uniform float size;
uniform float pass;
uniform float cover;
uniform sampler2D palette;
out vec4 colour;
flat out float shape;
void main() {
  bool mine = strong == pass;
  gl_Position = mine ? vec4(vec2(x, y) * scale + offset, 0.0, 1.0) : vec4(2.0, 2.0, 2.0, 1.0);
  gl_PointSize = size;
  colour = vec4(texelFetch(palette, ivec2(int(entry), 0), 0).rgb, cover);
  shape = mod(mark, 4.0);
}`;

// The shapes are those of stamp.ts: distance to the edge in units of the radius.
const FRAGMENT = `#version 300 es
precision highp float;
in vec4 colour;
flat in float shape;
uniform float size;
uniform float radius;
out vec4 pixel;
void main() {
  vec2 at = (gl_PointCoord * 2.0 - 1.0) * size * 0.5 / radius;
  vec2 away = abs(at);
  float edge = shape < 0.5 ? 1.0 - length(at)
    : shape < 1.5 ? 0.886 - max(away.x, away.y)
    : shape < 2.5 ? (1.253 - away.x - away.y) * 0.7071
    : min(0.78 - at.y, (at.y - 1.732 * away.x + 1.556) * 0.5);
  float alpha = clamp(edge * radius + 0.5, 0.0, 1.0) * colour.a;
  pixel = vec4(colour.rgb * alpha, alpha);
}`;

const UNIFORMS = ["scale", "offset", "size", "radius", "pass", "cover"] as const;

/** Reach in radii of a disc, which is all that a single layer needs, and of the widest shape. */
const REACH = [1, 1.6] as const;

/** Attributes may be at most 255 bytes apart. */
const MOST_STEP = 120;

/** Attributes, in the order of their places: x, y, palette entry, whether it stands out, layer. */
const BYTES = [2, 2, 1, 1, 1] as const;

/** Points through WebGL2: all lies in the graphics card's memory, a frame is one or two draw calls. */
export class WebGlRenderer implements Renderer {
  readonly kind = "webgl";
  readonly canvas: HTMLCanvasElement;
  private readonly gl: WebGL2RenderingContext;
  private readonly uniforms: Record<(typeof UNIFORMS)[number], WebGLUniformLocation | null>;
  private readonly buffers: WebGLBuffer[];
  private count = 0;
  private marked = false;
  private strongCount = 0;
  private reach: number = REACH[0];

  /** Throws `Error` where the context or a shader cannot be had. */
  constructor(canvas: HTMLCanvasElement, gl: WebGL2RenderingContext) {
    this.canvas = canvas;
    this.gl = gl;
    const program = buildProgram(gl);
    gl.useProgram(program);
    const places = UNIFORMS.map((name) => [name, gl.getUniformLocation(program, name)]);
    this.uniforms = Object.fromEntries(places) as typeof this.uniforms;
    this.buffers = BYTES.map((_, place) => {
      gl.enableVertexAttribArray(place);
      return gl.createBuffer();
    });
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  }

  setPoints(points: Points): void {
    this.count = points.count;
    this.reach = points.mixed ? REACH[1] : REACH[0];
    this.fill(0, points.x);
    this.fill(1, points.y);
    this.fill(2, new Uint8Array(points.count));
    this.fill(4, points.mixed ? points.layerOf : new Uint8Array(points.count));
    this.setStrong(null);
  }

  setColours(entries: Uint8Array, palette: Palette): void {
    const { gl } = this;
    this.fill(2, entries);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, 256, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, palette);
  }

  setStrong(strong: Uint8Array | null): void {
    this.marked = strong !== null;
    this.strongCount = countMarks(strong);
    this.fill(3, strong ?? new Uint8Array(this.count));
  }

  private fill(place: number, values: Uint8Array | Uint16Array): void {
    const { gl } = this;
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers[place] ?? null);
    gl.bufferData(gl.ARRAY_BUFFER, values, gl.STATIC_DRAW);
  }

  /** In one step: a call only hands work to the graphics card. */
  *draw(view: View, radius: number, pixelRatio: number, share: number): Generator<void, void> {
    const { gl, uniforms } = this;
    fitCanvas(this.canvas, view, pixelRatio);
    gl.viewport(0, 0, this.canvas.width, this.canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    const across = (2 * view.scale) / view.width;
    const down = (-2 * view.scale) / view.height;
    gl.uniform2f(uniforms.scale, across, down);
    gl.uniform2f(uniforms.offset, -view.x * across, -view.y * down);
    for (const pass of this.marked ? [0, 1] : [0]) {
      const size = Math.max(0.6, (pass === 1 ? strongRadius(radius, this.strongCount) : radius) * pixelRatio);
      gl.uniform1f(uniforms.radius, size);
      gl.uniform1f(uniforms.size, Math.ceil(2 * this.reach * size + 1));
      gl.uniform1f(uniforms.pass, pass);
      gl.uniform1f(uniforms.cover, this.marked && pass === 0 ? FADED : COVER);
      this.drawEvery(pass === 1 ? 1 : Math.max(1, Math.min(MOST_STEP, Math.round(1 / share))));
    }
  }

  finish(): void {
    // Reading a pixel is the one call that waits for the picture.
    this.gl.readPixels(0, 0, 1, 1, this.gl.RGBA, this.gl.UNSIGNED_BYTE, new Uint8Array(4));
  }

  /** Draws every `step`-th point: neighbours in the buffers are neighbours on the map. */
  private drawEvery(step: number): void {
    const { gl } = this;
    for (const [place, bytes] of BYTES.entries()) {
      gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers[place] ?? null);
      const type = bytes === 2 ? gl.UNSIGNED_SHORT : gl.UNSIGNED_BYTE;
      gl.vertexAttribPointer(place, 1, type, false, step * bytes, 0);
    }
    gl.drawArrays(gl.POINTS, 0, Math.ceil(this.count / step));
  }
}

function buildProgram(gl: WebGL2RenderingContext): WebGLProgram {
  const program = gl.createProgram();
  for (const [type, source] of [
    [gl.VERTEX_SHADER, VERTEX],
    [gl.FRAGMENT_SHADER, FRAGMENT],
  ] as const) {
    const shader = gl.createShader(type);
    if (shader === null) throw new Error("no shader");
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (gl.getProgramParameter(program, gl.LINK_STATUS) !== true) throw new Error("the shaders do not link");
  return program;
}
