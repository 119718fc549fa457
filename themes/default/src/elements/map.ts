import type { ColumnPayload, SaePayload } from "../payloads.ts";
import { onColourChange } from "../core/colour-changes.ts";
import { loadMap, loadSite, loadTable } from "../core/data.ts";
import { define, LightElement } from "../core/element.ts";
import { featurePath, open } from "../core/links.ts";
import { html, nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { integer } from "../core/numbers.ts";
import { loadRow } from "../core/rows.ts";
import type { FeatureRow } from "../core/rows.ts";
import { readState, writeState } from "../core/state.ts";
import type { Wanted } from "../map/choose-renderer.ts";
import { listen } from "../map/gestures.ts";
import { findFeatures } from "../map/highlight.ts";
import { clusterLabels } from "../map/labels.ts";
import { NO_POINTS, Points } from "../map/points.ts";
import type { Scale } from "../map/scale.ts";
import { paintClusters, paintScalar } from "../map/painting.ts";
import { showControls } from "../map/show-controls.ts";
import { paintRamp, showCard, showClusterLegend, showList, showScaleLegend } from "../map/show.ts";
import { mapStateOf, mapViewOf } from "../map/state.ts";
import type { MapView } from "../map/state.ts";
import { Surface } from "../map/surface.ts";
import { wholeCamera, zoomed } from "../map/view.ts";
import { TableData } from "../table/data.ts";
import { loadAll } from "../table/loader.ts";

const LISTED = 14;
const SETTLED_MS = 200;
/** Zoom at which a feature that the address names is shown. */
const CLOSE = 6;

const MAP_LABEL =
  "Map of features: arrow keys move, plus and minus zoom, 0 shows everything, Enter opens the feature nearest" +
  " to the middle. The list holds the same features as links.";

/** All features of an SAE as points: near means alike. */
class AtlasMap extends LightElement {
  private view: MapView = mapViewOf({});
  private saes: SaePayload[] = [];
  private columns: ColumnPayload[] = [];
  private surface: Surface | null = null;
  private scale: Scale | null = null;
  private table: Promise<TableData> | null = null;
  private rows = new Map<number, FeatureRow>();
  private found: number[] | null = null;
  private listed: number[] = [];
  private hovered = -1;
  private held = false;
  private problem = "";
  private moveTimer = 0;
  private queryTimer = 0;
  private stopColours: (() => void) | null = null;

  override connectedCallback(): void {
    // One map per page: the address holds one view, and the map itself changes between SAEs.
    if (document.querySelector("atlas-map") !== this) return;
    this.view = mapViewOf(readState());
    this.replaceChildren();
    super.connectedCallback();
    this.stopColours = onColourChange(() => void this.recolour());
    void this.updateComplete.then(() => this.start());
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.stopColours?.();
    this.surface?.close();
  }

  private async start(): Promise<void> {
    const frame = this.querySelector<HTMLElement>(".map-frame");
    if (frame === null) return;
    this.surface = new Surface(frame, (this.dataset["renderer"] as Wanted | undefined) ?? "best");
    listen(this.surface, {
      hover: (point) => this.point(point, false),
      choose: (point, event) => this.choose(point, event),
      moved: () => this.moved(),
    });
    await this.attempt(async () => {
      this.saes = (await loadSite()).saes;
      const known = [this.view.sae, this.dataset["sae"]].find((slug) =>
        this.saes.some((sae) => sae.slug === slug),
      );
      await this.loadSae(known ?? this.saes[0]?.slug ?? "");
    });
  }

  private async attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
      this.problem = "";
    } catch (error) {
      this.problem = `The map does not work: ${error instanceof Error ? error.message : String(error)}`;
    }
    this.requestUpdate();
  }

  private async loadSae(sae: string): Promise<void> {
    delete this.dataset["ready"];
    const [shard, first] = await Promise.all([loadMap(sae), loadTable(sae, 0)]);
    const { surface, view } = this;
    if (surface === null) return;
    this.view = { ...view, sae };
    this.columns = first.columns;
    this.table = null;
    this.rows = new Map();
    const points = new Points(shard);
    surface.setPoints(points, view.camera);
    surface.labels = clusterLabels(points);
    const ringed = view.feature === null ? -1 : points.pointOf(view.feature);
    if (ringed >= 0) {
      surface.ring = ringed;
      if (view.camera === null) surface.move({ ...points.place(ringed), zoom: CLOSE });
    }
    await this.recolour();
    await this.highlight();
    this.dataset["ready"] = "";
  }

  private loadTable(): Promise<TableData> {
    const { sae } = this.view;
    const load = async () => {
      const data = new TableData(this.saes.find(({ slug }) => slug === sae)?.n_features ?? 0);
      await loadAll(sae, data, () => undefined);
      return data;
    };
    this.table ??= load();
    return this.table;
  }

  private async recolour(): Promise<void> {
    if (this.surface === null) return;
    const column = this.columns.find(({ name }) => name === this.view.colour);
    if (column === undefined) {
      this.scale = null;
      paintClusters(this.surface, this);
    } else {
      const data = await this.loadTable();
      if (this.view.colour !== column.name) return;
      const { scale, palette } = paintScalar(this.surface, this, column, data);
      this.scale = scale;
      this.requestUpdate();
      await this.updateComplete;
      const ramp = this.querySelector<HTMLCanvasElement>(".map-ramp");
      if (ramp !== null) paintRamp(ramp, palette);
    }
    this.requestUpdate();
  }

  /** Lets the hits of the search stand out. */
  private async highlight(): Promise<void> {
    const { surface, view } = this;
    if (surface === null) return;
    const { query, sae } = view;
    const found = query === "" ? null : await findFeatures(query, sae, () => this.loadTable());
    if (query !== this.view.query || sae !== this.view.sae) return;
    this.found = found;
    const { points } = surface;
    const strong = found === null ? null : new Uint8Array(points.count);
    for (const feature of found ?? []) strong?.fill(1, points.pointOf(feature), points.pointOf(feature) + 1);
    surface.setStrong(strong);
    this.list();
  }

  /** Fills the list beside the map, and reads the rows it needs. */
  private list(): void {
    const { surface, view } = this;
    if (surface === null) return;
    const near = () => surface.nearMiddle(LISTED).map((point) => surface.points.features[point] ?? 0);
    this.listed = this.found?.slice(0, LISTED) ?? near();
    for (const feature of this.listed) void this.readRow(view.sae, feature);
    this.requestUpdate();
  }

  private async readRow(sae: string, feature: number): Promise<void> {
    if (this.rows.has(feature)) return;
    const row = await loadRow(sae, feature);
    if (sae === this.view.sae) this.rows.set(feature, row);
    this.requestUpdate();
  }

  private moved(): void {
    this.point(-1, false);
    window.clearTimeout(this.moveTimer);
    this.moveTimer = window.setTimeout(() => {
      this.keep({ camera: this.surface?.camera ?? null });
      this.list();
    }, SETTLED_MS);
  }

  private keep(changes: Partial<MapView>): void {
    this.view = { ...this.view, ...changes };
    writeState(mapStateOf(this.view));
  }

  private point(point: number, held: boolean): void {
    if (point === this.hovered && held === this.held) return;
    this.hovered = point;
    this.held = held && point >= 0;
    const feature = this.surface?.points.features[point];
    if (feature !== undefined) void this.readRow(this.view.sae, feature);
    this.requestUpdate();
  }

  private choose(point: number, event: MouseEvent | KeyboardEvent): void {
    const feature = this.surface?.points.features[point];
    const touched = event instanceof PointerEvent && event.pointerType === "touch";
    if (feature === undefined || (touched && point !== this.hovered)) this.point(point, true);
    else open(featurePath(this.view.sae, feature), event);
  }

  private zoom(factor: number): void {
    const { surface } = this;
    if (surface === null) return;
    surface.move(factor === 0 ? wholeCamera(surface.points.bounds) : zoomed(surface.view, factor));
    this.moved();
  }

  protected override updated(): void {
    const card = this.querySelector<HTMLElement>(".map-card");
    if (card === null || this.surface === null || this.hovered < 0) return;
    const { width, height } = this.surface.view;
    const { x, y } = this.surface.pixel(this.hovered);
    const left = x + 14 + card.offsetWidth > width ? x - 14 - card.offsetWidth : x + 14;
    const top = Math.min(y + 10, height - card.offsetHeight - 6);
    card.style.transform = `translate(${Math.max(6, left)}px, ${Math.max(6, top)}px)`;
  }

  private showControls(): TemplateResult {
    return showControls(this.view, this.saes, this.columns, {
      sae: (sae) => {
        this.keep({ sae, camera: null, feature: null });
        void this.attempt(() => this.loadSae(sae));
      },
      colour: (colour) => {
        this.keep({ colour });
        void this.attempt(() => this.recolour());
      },
      query: (query) => {
        this.keep({ query });
        window.clearTimeout(this.queryTimer);
        this.queryTimer = window.setTimeout(() => void this.attempt(() => this.highlight()), SETTLED_MS);
      },
      zoom: (factor) => this.zoom(factor),
    });
  }

  private showLegend(): TemplateResult {
    const column = this.columns.find(({ name }) => name === this.view.colour);
    if (column !== undefined && this.scale !== null) return showScaleLegend(column, this.scale);
    return showClusterLegend(this.surface?.points ?? NO_POINTS);
  }

  protected override render(): TemplateResult {
    const { points } = this.surface ?? {};
    const feature = points?.features[this.hovered];
    const cluster = points?.clusterLabels[points.clusters[this.hovered] ?? -1] ?? "";
    const { sae } = this.view;
    const heading = this.found === null ? "Nearest to the middle" : `${integer(this.found.length)} found`;
    const ring = (target: number) => this.point(this.surface?.points.pointOf(target) ?? -1, false);
    return html`${this.showControls()}
      ${this.problem === "" ? nothing : html`<p class="problem" role="alert">${this.problem}</p>`}
      <div class="map-body">
        <div class="map-picture">
          <div
            class="map-frame"
            tabindex="0"
            role="application"
            aria-roledescription="map"
            aria-label=${MAP_LABEL}
          ></div>
          <div class="map-card ${this.held ? "held" : ""}" ?hidden=${feature === undefined}>
            ${feature === undefined ? nothing : showCard(sae, feature, this.rows.get(feature), cluster)}
          </div>
        </div>
        <section class="map-list" aria-labelledby="map-list-title">
          <h2 id="map-list-title">${heading}</h2>
          ${showList(sae, this.listed, this.rows, ring)}
        </section>
      </div>
      ${this.showLegend()}`;
  }
}

define("atlas-map", AtlasMap);
