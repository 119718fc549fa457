import type { Label } from "./labels.ts";
import { placeLabels } from "./labels.ts";
import type { View } from "./view.ts";
import { toScreen } from "./view.ts";

/** What is drawn above the points. */
export interface OverlayScene {
  labels: readonly Label[];
  /** Place of the ringed feature. */
  ring: { x: number; y: number } | null;
  /** Whether a cross marks the middle, for those who steer with keys. */
  cross: boolean;
}

/** Colours of the overlay, as CSS. */
export interface OverlayColours {
  ink: string;
  paper: string;
}

const FONT = "600 12.5px";

/** Draws cluster names, the ring and the cross. */
export function drawOverlay(
  canvas: HTMLCanvasElement,
  view: View,
  { labels, ring, cross }: OverlayScene,
  { ink, paper }: OverlayColours,
  pixelRatio: number,
): void {
  const context = canvas.getContext("2d");
  if (context === null) return;
  context.setTransform(pixelRatio, 0, 0, pixelRatio, 0, 0);
  context.clearRect(0, 0, view.width, view.height);
  context.font = `${FONT} ${window.getComputedStyle(canvas).fontFamily}`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.lineJoin = "round";
  context.strokeStyle = paper;
  context.fillStyle = ink;
  context.lineWidth = 4;
  for (const { text, x, y } of placeLabels(labels, view, (text) => context.measureText(text).width)) {
    context.strokeText(text, x, y);
    context.fillText(text, x, y);
  }
  context.strokeStyle = ink;
  context.lineWidth = 1.6;
  context.beginPath();
  if (ring !== null) {
    const at = toScreen(view, ring.x, ring.y);
    context.arc(at.x, at.y, 8, 0, 2 * Math.PI);
  }
  if (cross) drawCross(context, view.width / 2, view.height / 2);
  context.stroke();
}

function drawCross(context: CanvasRenderingContext2D, x: number, y: number): void {
  for (const [dx, dy] of [
    [1, 0],
    [-1, 0],
    [0, 1],
    [0, -1],
  ] as const) {
    context.moveTo(x + 4 * dx, y + 4 * dy);
    context.lineTo(x + 12 * dx, y + 12 * dy);
  }
}
