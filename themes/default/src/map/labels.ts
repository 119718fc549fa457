import { badges, displayText, inlineText } from "../core/text.ts";
import type { Points } from "./points.ts";
import type { View } from "./view.ts";
import { toScreen } from "./view.ts";

/** What a label names: a whole layer, a cluster, or one point. */
export type LabelKind = "layer" | "group" | "point";

/** A name written on the map. */
export interface Label {
  kind: LabelKind;
  text: string;
  /** Place in map units. */
  x: number;
  y: number;
  /** Points that it stands for; larger groups get their name first. */
  weight: number;
}

/** A label's place on the screen: the middle of its text. */
export interface Placed {
  kind: LabelKind;
  text: string;
  x: number;
  y: number;
}

/** Longer names would hide what they name. */
const MOST_LETTERS = 36;
const GAP = 6;
/** Height of a line of text of each kind, and how far below its place it is written, in pixels. */
const LINE: Readonly<Record<LabelKind, { height: number; below: number }>> = {
  layer: { height: 18, below: -12 },
  group: { height: 16, below: 0 },
  point: { height: 14, below: 15 },
};

/** The names of the layers, where there are several side by side, and of all clusters that have one, largest first. */
export function mapLabels(points: Points, arrangement: "side" | "over"): Label[] {
  const named = points.layers.length > 1 && arrangement === "side" ? layerLabels(points) : [];
  return [...named, ...groupLabels(points)];
}

function layerLabels({ layers, placements }: Points): Label[] {
  return layers.map(({ title, bounds, total }, number) => {
    const { scale, left, top } = placements[number] ?? { scale: 1, left: 0, top: 0 };
    const middle = left + (scale * (bounds.left + bounds.right)) / 2;
    return { kind: "layer", text: shortened(title), x: middle, y: top + scale * bounds.top, weight: total };
  });
}

function groupLabels(points: Points): Label[] {
  const labels = points.layers.flatMap(({ groups }, layer) =>
    groups.flatMap(({ label, size, x, y }): Label[] => {
      const text = shortened(label);
      return text === "" || size === 0
        ? []
        : [{ kind: "group", text, ...points.placeIn(layer, x, y), weight: size }];
    }),
  );
  return labels.sort((a, b) => b.weight - a.weight || a.x - b.x || a.y - b.y);
}

/** The label of one point. */
export function pointLabel(points: Points, point: number, title: string): Label {
  return { kind: "point", text: shortened(title), ...points.place(point), weight: 1 };
}

/** `text` as canvases and one line can show it, cut to 36 letters. */
export function shortened(text: string): string {
  const whole = inlineText(text);
  if ([...whole].length <= MOST_LETTERS) return whole;
  const signs = badges(text).flatMap(([kind, run]) => (kind === "badge" ? [`[${run}]`] : [...displayText(run)]));
  let room = MOST_LETTERS - 1;
  // A badge is kept whole or not at all: half of one could pass for text.
  const cut = signs.findIndex((sign) => (room -= [...sign].length) < 0);
  return `${signs.slice(0, cut).join("")}…`;
}

/** The labels that fit on the screen without touching one another; earlier ones win. `measure` gives a text's width. */
export function placeLabels(
  labels: readonly Label[],
  view: View,
  measure: (text: string, kind: LabelKind) => number,
): Placed[] {
  const placed: (Placed & { half: number; height: number })[] = [];
  for (const { kind, text, x, y } of labels) {
    const { height, below } = LINE[kind];
    const place = toScreen(view, x, y);
    const at = { x: place.x, y: place.y + below };
    if (at.x < 0 || at.x > view.width || at.y < height || at.y > view.height - height) continue;
    const half = measure(text, kind) / 2;
    if (at.x < half || at.x > view.width - half) continue;
    const free = placed.every(
      (other) =>
        Math.abs(other.x - at.x) > half + other.half + GAP ||
        Math.abs(other.y - at.y) > (height + other.height) / 2 + GAP / 2,
    );
    if (free) placed.push({ kind, text, ...at, half, height });
  }
  return placed.map(({ kind, text, x, y }) => ({ kind, text, x, y }));
}
