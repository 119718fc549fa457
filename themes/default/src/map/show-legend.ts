import { html, nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { decimal, integer, percent } from "../core/numbers.ts";
import { showText } from "../core/show.ts";
import { inlineText } from "../core/text.ts";
import { CLUSTER_COLOURS } from "./colours.ts";
import type { Layer } from "./layer.ts";
import type { Legend } from "./painting.ts";
import type { Arrangement } from "./placement.ts";
import type { Points } from "./points.ts";
import { MARKS } from "./renderer.ts";
import { atShare } from "./scale.ts";

const LEGEND_CLUSTERS = 10;
/** Places of the ramp that have their value written below. */
const TICKS = [0, 0.25, 0.5, 0.75, 1];

/** What the colours mean, and what distances do not. */
export function showLegend(legend: Legend, points: Points, arrangement: Arrangement): TemplateResult {
  return html`<div class="map-legends">
    ${showColours(legend, points, arrangement)}
    <p class="note map-caption">${captionOf(points.layers.length, arrangement)}</p>
  </div>`;
}

function showColours(legend: Legend, points: Points, arrangement: Arrangement): unknown {
  if (legend.kind === "scale") {
    const over = points.layers.length > 1 && arrangement === "over";
    return [showScale(legend), over ? showLayers(points, false) : nothing];
  }
  if (legend.kind === "sae") return showLayers(points, true);
  return points.layers.map((layer) => showClusters(layer, points.layers.length > 1));
}

/** What one may read out of places, in a sentence or two. */
export function captionOf(layers: number, arrangement: Arrangement): string {
  if (layers < 2) {
    return "Each dot is a feature. Neighbours have similar decoder directions; the axes, the sizes of gaps and distances across the map mean little.";
  }
  if (arrangement === "side") {
    return "Each SAE was laid out by itself: compare places within an SAE, not between SAEs. Search, colours and selection are about all of them.";
  }
  return "Laid over one another to compare their outlines only: each SAE was laid out by itself, so two dots of different SAEs in one place need not be alike.";
}

/** The SAEs of the map with their marks; `coloured` where their colour tells them apart. */
function showLayers({ layers }: Points, coloured: boolean): TemplateResult {
  return html`<ul class="map-legend">
    ${layers.map(
      ({ title, total }, number) =>
        html`<li>
          <span class="dot ${MARKS[number % MARKS.length] ?? ""} ${coloured ? `k${number % CLUSTER_COLOURS}` : ""}"></span>
          <bdi>${showText(title)}</bdi> <span class="soft">${integer(total)}</span>
        </li>`,
    )}
  </ul>`;
}

/** Colours of the largest clusters of a layer, and how many there are. */
function showClusters({ title, groups, total }: Layer, titled: boolean): TemplateResult {
  const bySize = groups.map(({ label, size }, cluster) => ({ label, size, cluster }));
  const named = bySize.filter(({ size }) => size > 0).sort((a, b) => b.size - a.size || a.cluster - b.cluster);
  const none = total - named.reduce((sum, { size }) => sum + size, 0);
  const rest = named.length - LEGEND_CLUSTERS;
  return html`<ul class="map-legend">
    ${titled ? html`<li class="map-legend-title"><bdi>${showText(title)}</bdi></li>` : nothing}
    ${named.slice(0, LEGEND_CLUSTERS).map(
      ({ cluster, label, size }) =>
        html`<li>
          <span class="dot k${cluster % CLUSTER_COLOURS}"></span>
          <bdi>${showText(label || `group ${cluster}`)}</bdi>
          <span class="soft">${integer(size)}</span>
        </li>`,
    )}
    ${rest > 0 ? html`<li class="soft">and ${integer(rest)} more, whose colours repeat</li>` : nothing}
    ${
      none > 0
        ? html`<li><span class="dot knone"></span> no cluster <span class="soft">${integer(none)}</span></li>`
        : nothing
    }
  </ul>`;
}

/** The ramp with values below it; its colours are set by `paintRamp`. */
function showScale({ column, scale, missing }: Extract<Legend, { kind: "scale" }>): TemplateResult {
  const remarks = [
    scale.log ? "equal steps are equal ratios" : "",
    scale.high > scale.low ? "the outermost 2 % share the end colours" : "",
  ].filter((text) => text !== "");
  return html`<div class="map-legend map-scale">
    <span title=${column.doc}>${inlineText(column.label)}</span>
    <span class="map-ramp-box">
      <canvas class="map-ramp" width="255" height="1" role="img" aria-label="Colours from low to high"></canvas>
      <span class="map-ticks">
        ${TICKS.map((share) => html`<span class="number">${tick(atShare(scale, share), column.unit)}</span> `)}
      </span>
    </span>
    ${missing > 0 ? html`<span><span class="dot kmissing"></span> no value <span class="soft">${integer(missing)}</span></span>` : nothing}
    ${remarks.length > 0 ? html`<span class="soft">${remarks.join("; ")}</span>` : nothing}
  </div>`;
}

/** A value of the scale to two digits: between its neighbours, more would say nothing. */
function tick(value: number, unit: string): string {
  const rounded = Number(value.toPrecision(2));
  return unit === "fraction" ? percent(rounded, 2) : decimal(rounded, 2);
}

/** Paints entries 1..255 of `palette` from left to right. */
export function paintRamp(canvas: HTMLCanvasElement, palette: Uint8Array): void {
  const image = new ImageData(new Uint8ClampedArray(palette.subarray(4)), 255, 1);
  canvas.getContext("2d")?.putImageData(image, 0, 0);
}
