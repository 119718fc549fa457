import { loadColumns } from "../core/columns.ts";
import { loadSite } from "../core/data.ts";
import type { FeatureRef } from "../core/lists.ts";
import { ShardError } from "../core/shards.ts";
import { readState, writeState } from "../core/state.ts";
import type { SaePayload, TableColumn } from "../payloads.ts";
import { findPoints } from "./highlight.ts";
import type { FoundPoints } from "./highlight.ts";
import { mapLabels, pointLabel } from "./labels.ts";
import type { Label } from "./labels.ts";
import { loadLayers } from "./layer.ts";
import type { Legend } from "./painting.ts";
import { paintClusters, paintLayers, paintScalar, valuesOf } from "./painting.ts";
import { NO_POINTS, Points } from "./points.ts";
import { Rows } from "./rows.ts";
import { Selection } from "./selection.ts";
import { breathe, nextFrame } from "./slices.ts";
import { colourOf, mapStateOf, mapViewOf } from "./state.ts";
import type { MapView, Tab } from "./state.ts";
import type { Surface } from "./surface.ts";
import { wholeCamera } from "./view.ts";

/** Zoom at which a feature that the address names is shown. */
const CLOSE = 6;
/** So many points in view, or fewer, are written out. */
const MOST_NAMED = 60;
/** Single points ringed at most; a line shows more at once. */
const MOST_RINGED = 400;
/** Rows of the table, and how many more a click shows. */
export const PAGE_ROWS = 20;

/** Most features that go into a list of the reader at once, and most that do because they are in view. */
const MOST_ADDED = 10_000;
const MOST_IN_VIEW = 2000;

/** The points that the table beside the map lists now. */
export interface Listing {
  tab: Tab;
  /** The first of them, as many as are shown. */
  points: readonly number[];
  total: number;
  /** What can be added to a list: the first 10,000 of them; none while too much is in view. */
  features: readonly FeatureRef[];
}

const NOTHING: Listing = { tab: "view", points: [], total: 0, features: [] };

/** What the map shows and what is known of it; the element draws it, the surface its picture. */
export class Session {
  view: MapView = mapViewOf(readState());
  /** All SAEs of the site that may have a map. */
  saes: SaePayload[] = [];
  /** Scalar columns that colours may stand for. */
  columns: TableColumn[] = [];
  points: Points = NO_POINTS;
  /** Hits of the search; null without one. */
  found: FoundPoints | null = null;
  selection = new Selection(NO_POINTS);
  legend: Legend = { kind: "cluster" };
  /** One number per point where colours stand for one. */
  values: Float64Array | null = null;
  shown = PAGE_ROWS;
  listing: Listing = NOTHING;
  readonly rows: Rows;
  readonly surface: Surface;
  private readonly host: Element;
  private readonly changed: () => void;
  private labels: readonly Label[] = [];
  /** How often SAEs were asked for: of several requests only the last one counts. */
  private loads = 0;
  /** Whether a sample of what is being loaded is shown, which the reader may have moved. */
  private sampled = false;

  /** `changed` is called when there is something new to draw beside the picture. */
  constructor(surface: Surface, host: Element, changed: () => void) {
    this.surface = surface;
    this.host = host;
    this.changed = changed;
    this.rows = new Rows(() => {
      this.label();
      changed();
    });
  }

  /** Reads what the site has; then shows the SAEs that the address names, else `own`, else the first. */
  async start(own: string): Promise<void> {
    this.saes = (await loadSite()).saes;
    const known = (slug: string) => this.saes.some((sae) => sae.slug === slug);
    const asked = this.view.saes.filter(known);
    const first = known(own) ? own : (this.saes[0]?.slug ?? "");
    this.view = { ...this.view, saes: asked.length > 0 ? asked : [first] };
    await this.load();
  }

  /** Shows the SAEs of the view: a sample of their features as soon as there is one, then all. */
  async load(): Promise<void> {
    const { view } = this;
    this.loads += 1;
    const { loads } = this;
    const wanted = view.saes.flatMap((slug) => this.saes.filter((sae) => sae.slug === slug));
    if (wanted.length === 0) throw new ShardError("site", "names no SAE that has a map");
    this.sampled = false;
    const layers = await loadLayers(wanted, (first) => {
      if (loads === this.loads) this.sample(new Points(first, view.arrangement));
    });
    await breathe();
    if (loads !== this.loads) return;
    this.place(new Points(layers, view.arrangement));
    // The picture first: table and legend take as long again.
    await nextFrame();
    if (loads !== this.loads) return;
    this.labels = mapLabels(this.points, view.arrangement);
    if (colourOf(this.view) !== "cluster") await this.paint();
    await this.find();
    await breathe();
    if (loads !== this.loads) return;
    this.relist();
    this.columns = await this.readColumns();
    this.changed();
  }

  /** Shows the points that came first, unless the view is about one that is still to come. */
  private sample(points: Points): void {
    const { feature, camera } = this.view;
    if (feature !== null && camera === null && points.pointOf(0, feature) < 0) return;
    this.place(points);
    this.sampled = true;
  }

  /** Puts `points` on the map, in the colours of their clusters. */
  private place(points: Points): void {
    const { surface, view, sampled } = this;
    this.points = points;
    // Numbers of other points mean nothing among these.
    this.found = null;
    this.values = null;
    this.listing = { ...NOTHING, tab: this.tab };
    surface.setPoints(points, sampled ? surface.camera : view.camera);
    const ringed = view.feature === null ? -1 : points.pointOf(0, view.feature);
    surface.ring = ringed;
    if (ringed >= 0 && view.camera === null && !sampled) {
      surface.move({ ...points.place(ringed), zoom: CLOSE * wholeCamera(points.bounds).zoom });
    }
    this.legend = paintClusters(surface, this.host);
    this.mark(Selection.parse(points, view.lasso, view.picked));
    this.changed();
  }

  /** The scalar columns of all SAEs shown, those of the first one first. */
  private async readColumns(): Promise<TableColumn[]> {
    const lists = await Promise.all(this.view.saes.map((slug) => loadColumns(slug).catch(() => [])));
    const all = lists.flat().filter(({ kind }) => kind === "scalar");
    return all.filter(({ name }, at) => all.findIndex((other) => other.name === name) === at);
  }

  /** Keeps `changes` in the view and in the address. */
  keep(changes: Partial<MapView>): void {
    this.view = { ...this.view, ...changes };
    writeState(mapStateOf(this.view));
    this.changed();
  }

  /** Gives the points the colours of the view. */
  async recolour(): Promise<void> {
    if (await this.paint()) this.relist();
  }

  /** Whether the view still wanted these colours when they were known. */
  private async paint(): Promise<boolean> {
    const { surface, host, points } = this;
    const colour = colourOf(this.view);
    if (colour === "cluster" || colour === "sae") {
      this.values = null;
      this.legend = colour === "sae" ? paintLayers(surface, host) : paintClusters(surface, host);
    } else {
      const values = await valuesOf(points, colour);
      const column = (await this.readColumns()).find(({ name }) => name === colour);
      if (colour !== colourOf(this.view) || points !== this.points) return false;
      this.values = column === undefined ? null : values;
      this.legend =
        column === undefined ? paintClusters(surface, host) : paintScalar(surface, host, column, values);
    }
    return true;
  }

  /** Lets the hits of the search stand out. */
  async highlight(): Promise<void> {
    if (await this.find()) this.relist();
  }

  /** Whether the view still wanted these hits when they were known. */
  private async find(): Promise<boolean> {
    const { points, view } = this;
    const found = await findPoints(view.query, points);
    if (view.query !== this.view.query || points !== this.points) return false;
    this.found = found;
    this.shown = PAGE_ROWS;
    this.emphasize();
    return true;
  }

  /** Shows another selection and writes it into the address. */
  select(selection: Selection): void {
    this.mark(selection);
    this.keep({ lasso: selection.lasso, picked: selection.text });
    this.relist();
  }

  private mark(selection: Selection): void {
    this.selection = selection;
    this.surface.lasso = selection.lasso;
    this.surface.picked = [...selection.toggled].slice(0, MOST_RINGED);
    this.emphasize();
  }

  /** Search hits stand out; without a search, the selection does. */
  private emphasize(): void {
    const { found, points, selection } = this;
    let strong: Uint8Array | null = null;
    if (found !== null) {
      strong = new Uint8Array(points.count);
      for (const point of found.points) strong[point] = 1;
    } else if (selection.lasso.length > 0 || selection.toggled.size > 0) strong = selection.mask;
    this.surface.setStrong(strong);
  }

  /** Names clusters and, where few points are in view, the points. */
  label(): void {
    const { surface, points } = this;
    const few = points.grid.countNear(surface.box) <= 4 * MOST_NAMED ? surface.nearMiddle(MOST_NAMED + 1) : [];
    const named = few.length > MOST_NAMED ? [] : few;
    const labels = named.flatMap((point): Label[] => {
      const name = points.named(point);
      const row = name === null ? undefined : this.rows.get(name);
      if (row === undefined) return [];
      return [pointLabel(points, point, row.explanation === "" ? String(row.feature) : row.explanation)];
    });
    surface.labels = [...this.labels, ...labels];
    surface.redrawOverlay();
  }

  /** What the table lists: what the view says, else the newest of search and selection that is not empty. */
  get tab(): Tab {
    return this.view.tab ?? (this.found === null ? "view" : "found");
  }

  /** Makes the table's list anew. */
  relist(): void {
    const { tab, surface, points, shown } = this;
    if (tab === "view") {
      const total = points.grid.countIn(surface.box);
      const near = surface.nearMiddle(total > MOST_IN_VIEW ? shown : Math.max(shown, total));
      const features = total > MOST_IN_VIEW ? [] : this.refs(near);
      this.listing = { tab, points: near.slice(0, shown), total, features };
    } else {
      const all = tab === "found" ? (this.found?.points ?? []) : this.ordered(this.selection.list);
      this.listing = { tab, points: all.slice(0, shown), total: all.length, features: this.refs(all) };
    }
    this.label();
    this.changed();
  }

  private refs(points: readonly number[]): FeatureRef[] {
    return points.slice(0, MOST_ADDED).flatMap((point) => {
      const name = this.points.named(point);
      return name === null ? [] : [{ sae: name.sae, feature_idx: name.feature }];
    });
  }

  /** Largest value first where colours are values, else by SAE and number. */
  private ordered(points: number[]): number[] {
    const { values } = this;
    const { layerOf, features } = this.points;
    const value = (point: number) => values?.[point] ?? Number.NaN;
    const byName = (a: number, b: number) => layerOf[a]! - layerOf[b]! || features[a]! - features[b]!;
    return points.sort((a, b) => {
      const [left, right] = [value(a), value(b)];
      if (Number.isNaN(left) || Number.isNaN(right)) {
        return Number(Number.isNaN(left)) - Number(Number.isNaN(right)) || byName(a, b);
      }
      return right - left || byName(a, b);
    });
  }
}
