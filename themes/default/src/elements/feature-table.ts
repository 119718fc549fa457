import { define, LightElement } from "../core/element.ts";
import { featurePath, open } from "../core/links.ts";
import type { FeatureRef } from "../core/lists.ts";
import { html, nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { messageOf } from "../core/message.ts";
import { readState, writeState } from "../core/state.ts";
import { download } from "../feature/download.ts";
import { withRange } from "../table/conditions.ts";
import type { Range } from "../table/conditions.ts";
import { csvOf } from "../table/csv.ts";
import { Histograms } from "../table/histograms.ts";
import { openTable } from "../table/loader.ts";
import { TableModel } from "../table/model.ts";
import { Panel } from "../table/panel.ts";
import { extend, NONE, refsOf, toggle, toggleAll } from "../table/selection.ts";
import type { Selection } from "../table/selection.ts";
import { leastWidth, ROW_HEIGHT, rowId, showBody, showHead } from "../table/show.ts";
import type { TableScene } from "../table/show.ts";
import { showControls } from "../table/show-controls.ts";
import { showPanel } from "../table/show-panel.ts";
import { clickOrder } from "../table/sort.ts";
import { shownColumns, stateOf, viewOf } from "../table/state.ts";
import type { TableView } from "../table/state.ts";
import { rowAfterKey, scrollFor, windowOf } from "../table/window.ts";
import type { Frame, Window } from "../table/window.ts";
import "./list-picker.ts";

const TYPING_MS = 120;
/** A pause in scrolling after which the rows in view are read. */
const SCROLL_MS = 60;
const SIDE_STEP = 120;
const TALL = 800;

/** All features of an SAE: sorted, filtered, chosen, and only the rows in view drawn and read. */
class FeatureTable extends LightElement {
  private model: TableModel | null = null;
  private view: TableView = viewOf({});
  private window: Window = { start: 0, stop: 0, above: 0, below: 0 };
  private selection: Selection = NONE;
  private selected: FeatureRef[] = [];
  private current = 0;
  private busy = false;
  private problem = "";
  private typing = 0;
  private scrolling = 0;
  private readonly resized = new ResizeObserver(() => this.scrolled());
  private readonly panel = new Panel(this);
  private readonly histograms = new Histograms(
    () => this.requestUpdate(),
    (name, range) => this.filterBy(name, range),
  );

  override connectedCallback(): void {
    this.view = viewOf(readState());
    super.connectedCallback();
    void this.load();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.resized.disconnect();
  }

  private get sae(): string {
    return this.dataset["sae"] ?? "";
  }

  private get frame(): HTMLElement | null {
    return this.querySelector(".table-frame");
  }

  private async load(): Promise<void> {
    const stand = [...this.childNodes].filter((node) => node instanceof HTMLElement);
    try {
      const data = await openTable(this.sae);
      for (const node of stand) node.remove();
      this.model = new TableModel(this.sae, data, () => this.requestUpdate());
      await this.model.settle(this.view);
      this.scrolled();
      await this.updateComplete;
      this.look();
    } catch (error) {
      this.problem = `The table cannot be shown: ${messageOf(error)}`;
      this.requestUpdate();
    }
  }

  private change(view: Partial<TableView>): void {
    this.view = { ...this.view, ...view };
    writeState(stateOf(this.view));
    this.current = 0;
    void this.settle();
  }

  private async settle(): Promise<void> {
    await this.model?.settle(this.view);
    this.scrolled();
    this.look();
  }

  private filterBy(name: string, range: Range): void {
    const { data } = this.model ?? {};
    if (data !== undefined) this.change({ filter: withRange(data, this.view.filter, name, range) });
  }

  /** Asks for what the rows in view lack. */
  private look(): void {
    const { model, window: seen } = this;
    if (model === null) return;
    model.look(shownColumns(model.data.columns, this.view), [...model.rows.subarray(seen.start, seen.stop)]);
  }

  private measure(): Frame {
    const { frame } = this;
    const head = this.querySelector("thead")?.clientHeight ?? 0;
    const view = Math.max(ROW_HEIGHT, (frame?.clientHeight ?? TALL) - head);
    return { view, row: ROW_HEIGHT, count: this.model?.rows.length ?? 0 };
  }

  private scrolled(): void {
    const seen = windowOf(this.frame?.scrollTop ?? 0, this.measure());
    window.clearTimeout(this.scrolling);
    this.scrolling = window.setTimeout(() => this.look(), SCROLL_MS);
    const { start, stop, above, below } = this.window;
    if (seen.start === start && seen.stop === stop && seen.above === above && seen.below === below) return;
    this.window = seen;
    this.requestUpdate();
  }

  private choose(selection: Selection): void {
    this.selection = selection;
    this.selected = refsOf(selection, this.sae);
    this.requestUpdate();
  }

  private pick(row: number, shift: boolean): void {
    const rows = this.model?.rows ?? new Uint32Array();
    const feature = rows[row];
    if (feature === undefined) return;
    this.current = row;
    this.choose(shift ? extend(this.selection, rows, row) : toggle(this.selection, feature));
  }

  private pickAll(): void {
    if (this.model !== null) this.choose(toggleAll(this.selection, this.model.rows));
  }

  private pressed(event: KeyboardEvent): void {
    if (event.target !== event.currentTarget || this.model === null) return;
    if (this.perform(event, this.model.rows)) event.preventDefault();
  }

  /** Does what a key in the table asks for; false where it asks for nothing. */
  private perform(event: KeyboardEvent, rows: Uint32Array): boolean {
    const { key, ctrlKey, metaKey, altKey, shiftKey } = event;
    const feature = rows[this.current];
    if ((ctrlKey || metaKey) && key.toLowerCase() === "a") this.pickAll();
    else if (key === "Enter" && feature !== undefined) open(featurePath(this.sae, feature), event);
    else if (ctrlKey || metaKey || altKey) return false;
    else if (key === " ") this.pick(this.current, shiftKey);
    else if (key === "Escape" && this.selection.chosen.size > 0) this.choose(NONE);
    else if (key === "ArrowLeft" || key === "ArrowRight")
      this.frame?.scrollBy({ left: key === "ArrowLeft" ? -SIDE_STEP : SIDE_STEP });
    else return this.move(key, shiftKey);
    return true;
  }

  private move(key: string, shift: boolean): boolean {
    const { frame } = this;
    const shape = this.measure();
    const page = Math.max(1, Math.floor(shape.view / ROW_HEIGHT) - 1);
    const next = rowAfterKey(key, this.current, shape.count, page);
    if (next === null || frame === null) return false;
    if (shift) {
      const rows = this.model?.rows ?? new Uint32Array();
      const anchored = this.selection.anchor === null ? extend(this.selection, rows, this.current) : this.selection;
      this.choose(extend(anchored, rows, next));
    }
    this.current = next;
    frame.scrollTop = scrollFor(next, frame.scrollTop, shape);
    this.scrolled();
    this.requestUpdate();
    return true;
  }

  private async save(): Promise<void> {
    const { model } = this;
    if (model === null) return;
    const names = shownColumns(model.data.columns, this.view);
    this.busy = true;
    this.requestUpdate();
    if (await model.all(names)) download(`${this.sae}.csv`, "text/csv", csvOf(model.data, model.rows, names));
    this.busy = false;
    this.requestUpdate();
  }

  protected override updated(): void {
    const { frame, model } = this;
    this.panel.place();
    if (frame === null || model === null) return;
    this.resized.observe(frame);
    const shown = shownColumns(model.data.columns, this.view);
    const table = frame.querySelector("table");
    if (table !== null) table.style.minWidth = `${leastWidth(model.data, shown, frame.clientWidth)}px`;
    setHeight(frame.querySelector(".space-above td"), this.window.above);
    setHeight(frame.querySelector(".space-below td"), this.window.below);
    if (model.isReady(shown, this.window)) this.dataset["ready"] = "";
    else delete this.dataset["ready"];
  }

  private showPanel(model: TableModel, shown: readonly string[]): TemplateResult {
    const { view, histograms } = this;
    const scene = { model, view, shown, histograms, name: this.panel.name };
    return showPanel(scene, {
      change: (changes) => this.change(changes),
      filter: (range) => this.filterBy(scene.name, range),
    });
  }

  private sceneOf(model: TableModel, shown: readonly string[]): TableScene {
    return {
      data: model.data,
      sae: this.sae,
      shown,
      order: this.view.order,
      rows: model.rows,
      window: this.window,
      selection: this.selection,
      current: this.current,
      actions: {
        sort: (by) => this.change({ order: clickOrder(this.view.order, by) }),
        arrange: (name, button) => this.panel.open(name, button),
        pick: (row, event) => this.pick(row, event.shiftKey),
        pickAll: () => this.pickAll(),
        histogram: (column) => this.histograms.show(model, column, this.view.filter),
      },
    };
  }

  protected override render(): TemplateResult {
    const { model } = this;
    if (model === null) return this.problem === "" ? html`` : html`<p class="problem" role="alert">${this.problem}</p>`;
    const shown = shownColumns(model.data.columns, this.view);
    const scene = this.sceneOf(model, shown);
    const active = model.rows[this.current];
    const isDrawn = this.current >= this.window.start && this.current < this.window.stop;
    const controls = {
      filter: this.view.filter,
      count: model.rows.length,
      size: model.data.size,
      progress: model.progress,
      unknown: model.unknown,
      problem: model.problem,
      busy: this.busy,
      selected: this.selected,
    };
    return html`${showControls(controls, {
        typed: (filter) => {
          window.clearTimeout(this.typing);
          this.typing = window.setTimeout(() => this.change({ filter }), TYPING_MS);
        },
        filter: (filter) => this.change({ filter }),
        columns: (button) => this.panel.open("", button),
        save: () => void this.save(),
        clear: () => this.choose(NONE),
      })}
      <div class="table-frame" @scroll=${() => this.scrolled()}>
        <table
          class="windowed"
          role="grid"
          tabindex="0"
          aria-label="Features"
          aria-multiselectable="true"
          aria-rowcount=${model.rows.length + 1}
          aria-busy=${model.progress === null ? "false" : "true"}
          aria-activedescendant=${active !== undefined && isDrawn ? rowId(active) : nothing}
          @keydown=${(event: KeyboardEvent) => this.pressed(event)}
        >
          ${showHead(scene)} ${showBody(scene)}
        </table>
      </div>
      <div
        id="table-panel"
        class="table-panel"
        popover="auto"
        role="dialog"
        aria-labelledby="table-panel-title"
        @toggle=${(event: ToggleEvent) => this.panel.toggled(event)}
      >
        ${this.panel.isOpen ? this.showPanel(model, shown) : nothing}
      </div>`;
  }
}

function setHeight(cell: HTMLElement | null, pixels: number): void {
  if (cell !== null) cell.style.height = `${pixels}px`;
}

define("atlas-feature-table", FeatureTable);
