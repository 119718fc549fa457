import { onColourChange } from "../core/colour-changes.ts";
import { loadMap } from "../core/data.ts";
import { define, LightElement } from "../core/element.ts";
import { link } from "../core/links.ts";
import { html } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { CanvasRenderer } from "../map/canvas.ts";
import { clusterEntries, clusterPalette, themeColour } from "../map/colours.ts";
import { drawOverlay } from "../map/overlay.ts";
import { Points } from "../map/points.ts";
import { pointRadius } from "../map/renderer.ts";
import { viewOf, wholeCamera } from "../map/view.ts";

/** Points are smaller here than on the map, by this factor. */
const SMALLER = 0.6;

/** Where a feature lies on the map of its SAE; a link to the map itself. */
class Minimap extends LightElement {
  private points: Points | null = null;
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
      this.points = new Points(await loadMap(this.dataset["sae"] ?? ""));
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
    const [picture, overlay] = this.querySelectorAll("canvas");
    if (this.points === null || picture === undefined || overlay === undefined) return;
    const { points } = this;
    const ratio = Math.min(2, window.devicePixelRatio);
    const { clientWidth: width, clientHeight: height } = picture;
    for (const canvas of [picture, overlay]) {
      canvas.width = Math.max(1, Math.round(width * ratio));
      canvas.height = Math.max(1, Math.round(height * ratio));
    }
    const view = viewOf(wholeCamera(points.bounds), points.bounds, Math.max(1, width), Math.max(1, height));
    const renderer = new CanvasRenderer(picture);
    renderer.setPoints(points);
    renderer.setColours(clusterEntries(points.clusters), clusterPalette(this), themeColour(this, "card"));
    renderer.draw(view, pointRadius(points.count, 1) * SMALLER, ratio);
    const own = points.pointOf(Number(this.dataset["feature"]));
    const css = (name: string) => `rgb(${themeColour(this, name).join(" ")})`;
    const scene = { labels: [], cross: false, ring: own < 0 ? null : points.place(own) };
    drawOverlay(overlay, view, scene, { ink: css("ink"), paper: css("card") }, ratio);
  }

  protected override render(): TemplateResult {
    const { sae = "", feature = "" } = this.dataset;
    const target = link(`map.html?${new URLSearchParams({ sae, f: feature }).toString()}`);
    return html`<a class="minimap" href=${target} aria-label="Show this feature on the map"
      ><canvas></canvas><canvas></canvas
    ></a>`;
  }
}

define("atlas-minimap", Minimap);
