import { badges, displayText, inlineText } from "../core/text.ts";
import type { Points } from "./points.ts";
import type { View } from "./view.ts";
import { toScreen } from "./view.ts";

/** A name written on the map. */
export interface Label {
  text: string;
  /** Place in map units. */
  x: number;
  y: number;
  /** Points that it stands for; larger groups get their name first. */
  weight: number;
}

/** A label's place on the screen: the middle of its text. */
export interface Placed {
  text: string;
  x: number;
  y: number;
}

/** Longer names would hide what they name. */
const MOST_LETTERS = 36;
const HEIGHT = 16;
const GAP = 6;

/** One label per cluster that has a name, in the middle of its points, largest first. */
export function clusterLabels(points: Points): Label[] {
  const members = new Map<number, number[]>();
  for (const [point, cluster] of points.clusters.entries()) {
    const known = members.get(cluster);
    if (known === undefined) members.set(cluster, [point]);
    else known.push(point);
  }
  const labels = [...members].flatMap(([cluster, group]): Label[] => {
    const text = cluster < 0 ? "" : shortened(points.clusterLabels[cluster] ?? "");
    const middle = (axis: Uint16Array) => median(group.map((point) => axis[point] ?? 0));
    return text === "" ? [] : [{ text, x: middle(points.x), y: middle(points.y), weight: group.length }];
  });
  return labels.sort((a, b) => b.weight - a.weight || a.x - b.x);
}

function shortened(text: string): string {
  const whole = inlineText(text);
  if ([...whole].length <= MOST_LETTERS) return whole;
  const signs = badges(text).flatMap(([kind, run]) => (kind === "badge" ? [`[${run}]`] : [...displayText(run)]));
  let room = MOST_LETTERS - 1;
  // A badge is kept whole or not at all: half of one could pass for text.
  const cut = signs.findIndex((sign) => (room -= [...sign].length) < 0);
  return `${signs.slice(0, cut).join("")}…`;
}

function median(numbers: number[]): number {
  return numbers.sort((a, b) => a - b)[numbers.length >> 1] ?? 0;
}

/** The labels that fit on the screen without touching one another; earlier ones win. `measure` gives a text's width. */
export function placeLabels(
  labels: readonly Label[],
  view: View,
  measure: (text: string) => number,
): Placed[] {
  const placed: (Placed & { half: number })[] = [];
  for (const { text, x, y } of labels) {
    const at = toScreen(view, x, y);
    const half = measure(text) / 2;
    const inside = at.x > half && at.x < view.width - half && at.y > HEIGHT && at.y < view.height - HEIGHT;
    const free = placed.every(
      (other) =>
        Math.abs(other.x - at.x) > half + other.half + GAP || Math.abs(other.y - at.y) > HEIGHT + GAP / 2,
    );
    if (inside && free) placed.push({ text, ...at, half });
  }
  return placed.map(({ text, x, y }) => ({ text, x, y }));
}
