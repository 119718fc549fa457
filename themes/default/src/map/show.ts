import type { ColumnPayload } from "../payloads.ts";
import { showTitle, showTokens } from "../core/hit-view.ts";
import { featurePath, link } from "../core/links.ts";
import { html, nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { integer, scalar } from "../core/numbers.ts";
import type { FeatureRow } from "../core/rows.ts";
import { showText } from "../core/show.ts";
import { inlineText } from "../core/text.ts";
import { CLUSTER_COLOURS } from "./colours.ts";
import type { Points } from "./points.ts";
import type { Scale } from "./scale.ts";

const LEGEND_CLUSTERS = 10;

/** The card of the feature pointed at. */
export function showCard(
  sae: string,
  feature: number,
  row: FeatureRow | undefined,
  cluster: string,
): TemplateResult {
  return html`<p class="map-card-title"><a href=${link(featurePath(sae, feature))}><bdi>${showTitle(row)}</bdi></a></p>
    <p class="soft">
      <code>${feature}</code> ${cluster === "" ? nothing : html`<bdi>${showText(cluster)}</bdi>`}
    </p>
    ${row === undefined ? nothing : showTokens(row.tokens)}`;
}

/** The list beside the map: the same features as links. */
export function showList(
  sae: string,
  features: readonly number[],
  rows: ReadonlyMap<number, FeatureRow>,
  point: (feature: number) => void,
): TemplateResult {
  return html`<ol>
    ${features.map(
      (feature) =>
        html`<li>
          <a
            href=${link(featurePath(sae, feature))}
            @pointerenter=${() => point(feature)}
            @focus=${() => point(feature)}
            ><code>${feature}</code> <bdi>${showTitle(rows.get(feature))}</bdi></a
          >
        </li>`,
    )}
  </ol>`;
}

/** Colours of the largest clusters, and how many there are. */
export function showClusterLegend({ clusterSizes, clusterLabels }: Points): TemplateResult {
  const named = clusterSizes.filter(([cluster]) => cluster >= 0);
  const none = clusterSizes.find(([cluster]) => cluster < 0)?.[1] ?? 0;
  const rest = named.length - LEGEND_CLUSTERS;
  return html`<ul class="map-legend">
    ${named.slice(0, LEGEND_CLUSTERS).map(
      ([cluster, size]) =>
        html`<li>
            <span class="dot k${cluster % CLUSTER_COLOURS}"></span>
            <bdi>${showText(clusterLabels[cluster] || `group ${cluster}`)}</bdi>
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

/** The ramp between the scale's ends; its colours are set by `paintRamp`. */
export function showScaleLegend(
  { label, doc, unit }: ColumnPayload,
  { low, high, log }: Scale,
): TemplateResult {
  return html`<p class="map-legend" title=${doc}>
    ${inlineText(label)} <span class="number">${scalar(low, unit)}</span>
    <canvas class="map-ramp" width="255" height="1"></canvas>
    <span class="number">${scalar(high, unit)}</span>
    <span class="soft">${log ? "equal steps are equal ratios; " : ""}the outermost 2 % share the end colours</span>
  </p>`;
}

/** Paints entries 1..255 of `palette` from left to right. */
export function paintRamp(canvas: HTMLCanvasElement, palette: Uint8Array): void {
  const image = new ImageData(new Uint8ClampedArray(palette.subarray(4)), 255, 1);
  canvas.getContext("2d")?.putImageData(image, 0, 0);
}
