import type { Palette } from "./colours.ts";
import type { Points } from "./points.ts";
import { COVER, FADED } from "./renderer.ts";
import type { Renderer } from "./renderer.ts";
import type { View } from "./view.ts";

const VERTEX = `#version 300 es
layout(location = 0) in float x;
layout(location = 1) in float y;
layout(location = 2) in float entry;
layout(location = 3) in float strong;
uniform vec2 scale;
uniform vec2 offset;
uniform float size;
uniform float pass;
uniform float cover;
uniform sampler2D palette;
out vec4 colour;
void main() {
  bool mine = strong == pass;
  gl_Position = mine ? vec4(vec2(x, y) * scale + offset, 0.0, 1.0) : vec4(2.0, 2.0, 2.0, 1.0);
  gl_PointSize = size;
  colour = vec4(texelFetch(palette, ivec2(int(entry), 0), 0).rgb, cover);
}`;

const FRAGMENT = `#version 300 es
precision highp float;
in vec4 colour;
uniform float size;
out vec4 pixel;
void main() {
  float edge = (1.0 - length(gl_PointCoord * 2.0 - 1.0)) * size * 0.5;
  float alpha = clamp(edge, 0.0, 1.0) * colour.a;
  pixel = vec4(colour.rgb * alpha, alpha);
}`;

const UNIFORMS = ["scale", "offset", "size", "pass", "cover"] as const;

/** Points through WebGL2: coordinates and palette entries lie in GPU memory, a frame is one or two draw calls. */
export class WebGlRenderer implements Renderer {
  readonly canvas: HTMLCanvasElement;
  private readonly gl: WebGL2RenderingContext;
  private readonly uniforms: Record<(typeof UNIFORMS)[number], WebGLUniformLocation | null>;
  private readonly buffers: WebGLBuffer[];
  private count = 0;
  private marked = false;

  /** Throws `Error` where the context or a shader cannot be had. */
  constructor(canvas: HTMLCanvasElement, gl: WebGL2RenderingContext) {
    this.canvas = canvas;
    this.gl = gl;
    const program = buildProgram(gl);
    gl.useProgram(program);
    const places = UNIFORMS.map((name) => [name, gl.getUniformLocation(program, name)]);
    this.uniforms = Object.fromEntries(places) as typeof this.uniforms;
    this.buffers = [0, 1, 2, 3].map((place) =>
      attribute(gl, place, place < 2 ? gl.UNSIGNED_SHORT : gl.UNSIGNED_BYTE),
    );
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  }

  setPoints(points: Points): void {
    this.count = points.count;
    this.fill(0, points.x);
    this.fill(1, points.y);
    this.fill(2, new Uint8Array(points.count));
    this.setStrong(null);
  }

  setColours(entries: Uint8Array, palette: Palette): void {
    const { gl } = this;
    this.fill(2, entries);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, 256, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, palette);
  }

  setStrong(strong: Uint8Array | null): void {
    this.marked = strong !== null;
    this.fill(3, strong ?? new Uint8Array(this.count));
  }

  private fill(place: number, values: Uint8Array | Uint16Array): void {
    const { gl } = this;
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers[place] ?? null);
    gl.bufferData(gl.ARRAY_BUFFER, values, gl.STATIC_DRAW);
  }

  draw(view: View, radius: number, pixelRatio: number): void {
    const { gl, uniforms } = this;
    gl.viewport(0, 0, this.canvas.width, this.canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    const across = (2 * view.scale) / view.width;
    const down = (-2 * view.scale) / view.height;
    gl.uniform2f(uniforms.scale, across, down);
    gl.uniform2f(uniforms.offset, -view.x * across, -view.y * down);
    gl.uniform1f(uniforms.size, Math.max(1, 2 * radius * pixelRatio));
    for (const pass of this.marked ? [0, 1] : [0]) {
      gl.uniform1f(uniforms.pass, pass);
      gl.uniform1f(uniforms.cover, this.marked && pass === 0 ? FADED : COVER);
      gl.drawArrays(gl.POINTS, 0, this.count);
    }
  }
}

function attribute(gl: WebGL2RenderingContext, place: number, type: number): WebGLBuffer {
  const buffer = gl.createBuffer();
  gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
  gl.enableVertexAttribArray(place);
  gl.vertexAttribPointer(place, 1, type, false, 0, 0);
  return buffer;
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
