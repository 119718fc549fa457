import type { MinimapShard } from "../payloads.ts";
import { onColourChange } from "../core/colour-changes.ts";
import { loadMinimap } from "../core/data.ts";
import { define, LightElement } from "../core/element.ts";
import { link } from "../core/links.ts";
import { html } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { clusterPalette, themeColour } from "../map/colours.ts";
import { dotsOf, fitOf, spotOf } from "../map/thumbnail.ts";
import type { Fit } from "../map/thumbnail.ts";

const RING = 7;

/**
 * Where a feature lies on the map of its SAE; a link to the map itself. `data-x` and `data-y` are the feature's values of
 * the table `coords`: the picture is one small file for the whole SAE and knows no features.
 */
class Minimap extends LightElement {
  private shard: MinimapShard | null = null;
  private stopColours: (() => void) | null = null;
  private readonly resized = new ResizeObserver(() => this.draw());
  private readonly seen = new IntersectionObserver((entries) => {
    if (entries.some(({ isIntersecting }) => isIntersecting)) void this.load();
  });

  override connectedCallback(): void {
    this.replaceChildren();
    super.connectedCallback();
    this.stopColours = onColourChange(() => this.draw());
    this.seen.observe(this);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.stopColours?.();
    this.resized.disconnect();
    this.seen.disconnect();
  }

  private async load(): Promise<void> {
    this.seen.disconnect();
    try {
      this.shard = await loadMinimap(this.dataset["sae"] ?? "");
    } catch {
      // The page says in words where the feature lies; without the picture nothing is lost.
      this.hidden = true;
      return;
    }
    this.resized.observe(this);
    this.draw();
    this.dataset["ready"] = "";
  }

  private draw(): void {
    const canvas = this.querySelector("canvas");
    const context = canvas?.getContext("2d") ?? null;
    if (this.shard === null || canvas === null || context === null) return;
    const ratio = Math.min(2, window.devicePixelRatio);
    const { clientWidth: width, clientHeight: height } = canvas;
    canvas.width = Math.max(1, Math.round(width * ratio));
    canvas.height = Math.max(1, Math.round(height * ratio));
    context.fillStyle = `rgb(${themeColour(this, "card").join(" ")})`;
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const fit = fitOf(this.shard, width, height);
    this.drawDots(context, this.shard, fit);
    this.drawRing(context, this.shard, fit);
  }

  private drawDots(context: CanvasRenderingContext2D, shard: MinimapShard, fit: Fit): void {
    const palette = clusterPalette(this);
    for (const { colour, radius, opacity, spots } of dotsOf(shard, fit)) {
      context.globalAlpha = opacity;
      context.fillStyle = `rgb(${palette.subarray(colour * 4, colour * 4 + 3).join(" ")})`;
      context.beginPath();
      for (const { x, y } of spots) {
        context.moveTo(x + radius, y);
        context.arc(x, y, radius, 0, 2 * Math.PI);
      }
      context.fill();
    }
    context.globalAlpha = 1;
  }

  private drawRing(context: CanvasRenderingContext2D, shard: MinimapShard, fit: Fit): void {
    const { x: left = "", y: up = "" } = this.dataset;
    if (left === "" || up === "") return;
    const { x, y } = spotOf(shard, fit, Number(left), Number(up));
    const stroke = (name: string, width: number) => {
      context.strokeStyle = `rgb(${themeColour(this, name).join(" ")})`;
      context.lineWidth = width;
      context.beginPath();
      context.arc(x, y, RING, 0, 2 * Math.PI);
      context.stroke();
    };
    stroke("card", 5);
    stroke("ink", 2);
  }

  protected override render(): TemplateResult {
    const { sae = "", feature = "" } = this.dataset;
    const target = link(`map.html?${new URLSearchParams({ sae, f: feature }).toString()}`);
    return html`<a class="minimap" href=${target} aria-label="Show this feature on the map"><canvas></canvas></a>`;
  }
}

define("atlas-minimap", Minimap);
