import type { Label, LabelKind } from "./labels.ts";
import { placeLabels } from "./labels.ts";
import type { Polygon } from "./lasso.ts";
import type { View } from "./view.ts";
import { toScreen } from "./view.ts";

interface Place {
  x: number;
  y: number;
}

/** What is drawn above the points. */
export interface OverlayScene {
  labels: readonly Label[];
  /** Place of the feature that the address names. */
  ring: Place | null;
  /** Place of the feature that is pointed at. */
  hover: Place | null;
  /** Places of features that were chosen one by one. */
  picked: readonly Place[];
  /** Line around what is selected, or being drawn; empty for none. */
  lasso: Polygon;
  /** Whether a cross marks the middle, for those who steer with keys. */
  cross: boolean;
}

/** Colours of the overlay, as CSS. */
export interface OverlayColours {
  ink: string;
  paper: string;
  soft: string;
}

const FONTS: Readonly<Record<LabelKind, string>> = {
  layer: "600 13px",
  group: "600 12.5px",
  point: "400 11.5px",
};

const widths = new Map<string, number>();
/** Names change with the view only while points are close; more than this are of views long gone. */
const MOST_WIDTHS = 2000;

/** Draws labels, rings, the lasso and the cross. */
export function drawOverlay(
  canvas: HTMLCanvasElement,
  view: View,
  scene: OverlayScene,
  colours: OverlayColours,
  pixelRatio: number,
): void {
  const context = canvas.getContext("2d");
  if (context === null) return;
  context.setTransform(pixelRatio, 0, 0, pixelRatio, 0, 0);
  context.clearRect(0, 0, view.width, view.height);
  drawLasso(context, view, scene.lasso, colours);
  drawLabels(context, view, scene.labels, colours);
  context.strokeStyle = colours.ink;
  for (const place of scene.picked) circle(context, view, place, 5, 1.4);
  if (scene.ring !== null) circle(context, view, scene.ring, 8, 1.8);
  if (scene.hover !== null) circle(context, view, scene.hover, 6.5, 2.4);
  if (scene.cross) drawCross(context, view.width / 2, view.height / 2);
}

function drawLabels(
  context: CanvasRenderingContext2D,
  view: View,
  labels: readonly Label[],
  { ink, paper, soft }: OverlayColours,
): void {
  const family = window.getComputedStyle(context.canvas).fontFamily;
  const font = (kind: LabelKind) => `${FONTS[kind]} ${family}`;
  const measure = (text: string, kind: LabelKind) => {
    const key = `${kind} ${text}`;
    const known = widths.get(key);
    if (known !== undefined) return known;
    if (widths.size > MOST_WIDTHS) widths.clear();
    context.font = font(kind);
    const { width } = context.measureText(text);
    widths.set(key, width);
    return width;
  };
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.lineJoin = "round";
  context.strokeStyle = paper;
  context.lineWidth = 4;
  for (const { kind, text, x, y } of placeLabels(labels, view, measure)) {
    context.font = font(kind);
    context.fillStyle = kind === "layer" ? soft : ink;
    context.strokeText(text, x, y);
    context.fillText(text, x, y);
  }
}

function drawLasso(
  context: CanvasRenderingContext2D,
  view: View,
  lasso: Polygon,
  { ink, paper }: OverlayColours,
): void {
  if (lasso.length < 4) return;
  context.beginPath();
  for (let at = 0; at + 1 < lasso.length; at += 2) {
    const { x, y } = toScreen(view, lasso[at] ?? 0, lasso[at + 1] ?? 0);
    if (at === 0) context.moveTo(x, y);
    else context.lineTo(x, y);
  }
  context.closePath();
  for (const [colour, width, dashes] of [
    [paper, 3.5, []],
    [ink, 1.5, [5, 4]],
  ] as const) {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.setLineDash([...dashes]);
    context.stroke();
  }
  context.setLineDash([]);
}

function circle(
  context: CanvasRenderingContext2D,
  view: View,
  { x, y }: Place,
  radius: number,
  width: number,
): void {
  const at = toScreen(view, x, y);
  context.lineWidth = width;
  context.beginPath();
  context.arc(at.x, at.y, radius, 0, 2 * Math.PI);
  context.stroke();
}

function drawCross(context: CanvasRenderingContext2D, x: number, y: number): void {
  context.lineWidth = 1.6;
  context.beginPath();
  for (const [dx, dy] of [
    [1, 0],
    [-1, 0],
    [0, 1],
    [0, -1],
  ] as const) {
    context.moveTo(x + 4 * dx, y + 4 * dy);
    context.lineTo(x + 12 * dx, y + 12 * dy);
  }
  context.stroke();
}
