import "./list-picker.ts";
import { onColourChange } from "../core/colour-changes.ts";
import { define, LightElement } from "../core/element.ts";
import { featurePath, open } from "../core/links.ts";
import { html, nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { messageOf } from "../core/message.ts";
import { readState } from "../core/state.ts";
import type { Wanted } from "../map/choose-renderer.ts";
import { listen } from "../map/gestures.ts";
import { polygonOf, simplified } from "../map/lasso.ts";
import type { Polygon } from "../map/lasso.ts";
import { NO_POINTS } from "../map/points.ts";
import { Selection } from "../map/selection.ts";
import { PAGE_ROWS, Session } from "../map/session.ts";
import { showControls } from "../map/show-controls.ts";
import type { MapRequests } from "../map/show-controls.ts";
import { paintRamp, showLegend } from "../map/show-legend.ts";
import { showCard, showResults } from "../map/show-results.ts";
import type { ResultRequests } from "../map/show-results.ts";
import { breathe, nextFrame } from "../map/slices.ts";
import { isWholeOf, mapViewOf } from "../map/state.ts";
import { Surface } from "../map/surface.ts";
import { wholeCamera, zoomed } from "../map/view.ts";

const SETTLED_MS = 200;

const MAP_LABEL =
  "Map of features. Arrow keys move, plus and minus zoom, 0 shows everything. Enter opens the feature nearest to the" +
  " middle, Space selects it, V selects what is in view, Escape clears the selection. The table holds the same" +
  " features as links.";

/** All features of one or several SAEs as points: near means alike. */
class AtlasMap extends LightElement {
  private session: Session | null = null;
  private hovered = -1;
  private held = false;
  /** The points that `hovered` numbers. */
  private points = NO_POINTS;
  private drawing = false;
  private problem = "";
  private moveTimer = 0;
  private queryTimer = 0;
  private stopColours: (() => void) | null = null;
  /** The drawing of the page's own SAE, for those without scripts and until there is a better one. */
  private picture: Element | null = null;

  override connectedCallback(): void {
    // One map per page: the address holds one view, and the map itself changes between SAEs.
    if (document.querySelector("atlas-map") !== this) return;
    this.picture = this.querySelector("svg");
    this.replaceChildren();
    super.connectedCallback();
    this.stopColours = onColourChange(() => void this.session?.recolour());
    void this.updateComplete.then(() => this.start());
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.stopColours?.();
    this.session?.surface.close();
  }

  private async start(): Promise<void> {
    const own = this.dataset["sae"] ?? "";
    const frame = this.querySelector<HTMLElement>(".map-frame");
    if (frame === null) return;
    const standIn = isWholeOf(mapViewOf(readState()), own) ? this.picture : null;
    if (standIn !== null) frame.prepend(standIn);
    // The page first: a canvas for WebGL takes longer than all of its text.
    await nextFrame();
    if (!this.isConnected) return;
    const surface = new Surface(frame, (this.dataset["renderer"] as Wanted | undefined) ?? "best");
    const session = new Session(surface, this, () => this.requestUpdate());
    this.session = session;
    surface.standIn = standIn;
    listen(surface, {
      drawing: () => this.drawing,
      hover: (point) => this.point(point, false),
      choose: (point, event) => this.choose(point, event),
      moved: () => this.moved(),
      lasso: (path) => this.lasso(simplified(path)),
      toggle: (point) => this.toggle(point),
      selectView: () => this.lasso(polygonOf(surface.box)),
      clear: () => this.clear(),
    });
    await breathe();
    await this.attempt(() => session.start(own));
  }

  private async attempt(work: () => Promise<void>): Promise<void> {
    delete this.dataset["ready"];
    try {
      await work();
      this.problem = "";
      this.dataset["ready"] = "";
    } catch (error) {
      const missing = (this.session?.points.awaited ?? 0) > 0;
      this.problem = `${missing ? "Features are missing from the map" : "The map does not work"}: ${messageOf(error)}`;
      this.session?.relist();
    }
    this.requestUpdate();
  }

  private moved(): void {
    this.point(-1, false);
    window.clearTimeout(this.moveTimer);
    this.moveTimer = window.setTimeout(() => {
      const { session } = this;
      session?.keep({ camera: session.surface.camera });
      session?.relist();
    }, SETTLED_MS);
  }

  private point(point: number, held: boolean): void {
    if (point === this.hovered && held === this.held) return;
    this.hovered = point;
    this.held = held && point >= 0;
    const surface = this.session?.surface;
    if (surface !== undefined) {
      surface.hover = point;
      surface.redrawOverlay();
    }
    this.requestUpdate();
  }

  private choose(point: number, event: MouseEvent | KeyboardEvent): void {
    const name = this.session?.points.named(point) ?? null;
    const touched = event instanceof PointerEvent && event.pointerType === "touch";
    if (name === null || (touched && point !== this.hovered)) this.point(point, true);
    else open(featurePath(name.sae, name.feature), event);
  }

  private lasso(polygon: Polygon): void {
    const { session } = this;
    if (session === null) return;
    session.shown = PAGE_ROWS;
    if (polygon.length > 0) session.keep({ tab: "selected" });
    session.select(polygon.length === 0 ? session.selection : new Selection(session.points, polygon));
  }

  private toggle(point: number): void {
    const { session } = this;
    if (session === null || point < 0) return;
    if (session.tab !== "selected" && document.activeElement === session.surface.frame) {
      session.keep({ tab: "selected" });
    }
    session.select(session.selection.toggle(point));
  }

  private clear(): void {
    const { session } = this;
    this.drawing = false;
    if (session === null) return;
    session.keep({ tab: null });
    session.select(new Selection(session.points));
  }

  private zoom(factor: number): void {
    const surface = this.session?.surface;
    if (surface === undefined) return;
    surface.move(factor === 0 ? wholeCamera(surface.points.bounds) : zoomed(surface.view, factor));
    this.moved();
  }

  protected override willUpdate(): void {
    const points = this.session?.points ?? NO_POINTS;
    if (points === this.points) return;
    // More points have come: what is pointed at stays the same feature.
    const name = this.points.named(this.hovered);
    this.points = points;
    this.hovered = name === null ? -1 : points.pointNamed(name);
    if (this.session !== null) this.session.surface.hover = this.hovered;
  }

  protected override updated(): void {
    const { session } = this;
    if (session === null) return;
    session.surface.frame.classList.toggle("drawing", this.drawing);
    const ramp = this.querySelector<HTMLCanvasElement>(".map-ramp");
    if (ramp !== null && session.legend.kind === "scale") paintRamp(ramp, session.legend.palette);
    this.placeCard(session.surface);
  }

  private placeCard(surface: Surface): void {
    const card = this.querySelector<HTMLElement>(".map-card");
    if (card === null || this.hovered < 0) return;
    const { width, height } = surface.view;
    const { x, y } = surface.pixel(this.hovered);
    const left = x + 14 + card.offsetWidth > width ? x - 14 - card.offsetWidth : x + 14;
    const top = Math.min(y + 10, height - card.offsetHeight - 6);
    card.style.transform = `translate(${Math.max(6, left)}px, ${Math.max(6, top)}px)`;
  }

  private requests(session: Session): MapRequests {
    // Places of another arrangement mean nothing in this one: whole view, nothing selected.
    const afresh = { camera: null, lasso: [], picked: "", tab: null };
    return {
      saes: (saes) => {
        const other = saes[0] !== session.view.saes[0] ? { feature: null } : {};
        session.keep({ saes, ...afresh, ...other });
        void this.attempt(() => session.load());
      },
      arrange: (arrangement) => {
        session.keep({ arrangement, ...afresh });
        void this.attempt(() => session.load());
      },
      colour: (colour) => {
        session.keep({ colour });
        void this.attempt(() => session.recolour());
      },
      query: (query) => {
        session.keep({ query, tab: null });
        window.clearTimeout(this.queryTimer);
        this.queryTimer = window.setTimeout(() => void this.attempt(() => session.highlight()), SETTLED_MS);
      },
      draw: (drawing) => {
        this.drawing = drawing;
        this.requestUpdate();
      },
      selectView: () => this.lasso(polygonOf(session.surface.box)),
      zoom: (factor) => this.zoom(factor),
    };
  }

  private results(session: Session): ResultRequests {
    return {
      tab: (tab) => {
        session.shown = PAGE_ROWS;
        session.keep({ tab });
        session.relist();
      },
      point: (point) => this.point(point, false),
      toggle: (point) => this.toggle(point),
      more: () => {
        session.shown += PAGE_ROWS;
        session.relist();
      },
      clear: () => this.clear(),
    };
  }

  protected override render(): TemplateResult {
    const { session } = this;
    const points = session?.points ?? NO_POINTS;
    const name = points.named(this.hovered);
    return html`${
        session === null
          ? html`<div class="map-controls"></div>`
          : showControls(session.view, session.saes, session.columns, this.drawing, this.requests(session))
      }
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
          <div class="map-card ${this.held ? "held" : ""}" ?hidden=${name === null}>
            ${session === null || name === null ? nothing : showCard(session, this.hovered, name)}
          </div>
        </div>
        ${session === null ? nothing : showResults(session, this.results(session))}
      </div>
      ${session === null ? nothing : showLegend(session.legend, points, session.view.arrangement)}`;
  }
}

define("atlas-map", AtlasMap);
