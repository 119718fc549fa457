import { loadSae } from "../core/data.ts";
import { define, LightElement } from "../core/element.ts";
import { html, nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { integer } from "../core/numbers.ts";
import { readState, writeState } from "../core/state.ts";
import { TableData } from "../table/data.ts";
import { filterRows } from "../table/filter.ts";
import { loadAll } from "../table/loader.ts";
import { leastWidth, ROW_HEIGHT, showBody, showHead } from "../table/show.ts";
import { clickOrder, sortRows } from "../table/sort.ts";
import { shownColumns, stateOf, viewOf } from "../table/state.ts";
import type { TableView } from "../table/state.ts";
import { rowAfterKey, scrollFor, windowOf } from "../table/window.ts";
import type { Window } from "../table/window.ts";

const REDRAW_MS = 200;
const TYPING_MS = 120;

/** All features of an SAE: sorted, filtered, and only the rows in view drawn. */
class FeatureTable extends LightElement {
  private data: TableData | null = null;
  private view: TableView = viewOf({});
  private rows: number[] = [];
  private unknown: string[] = [];
  private window: Window = { start: 0, stop: 0 };
  private current = 0;
  private problem = "";
  private timer = 0;
  private readonly resized = new ResizeObserver(() => this.scrolled());

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
      const data = new TableData((await loadSae(this.sae)).n_features);
      await loadAll(this.sae, data, () => {
        if (this.data === null) for (const node of stand) node.remove();
        this.data = data;
        this.later(REDRAW_MS, () => this.choose());
      });
      this.choose();
      this.dataset["ready"] = "";
    } catch (error) {
      this.problem = `Not all rows can be shown: ${error instanceof Error ? error.message : String(error)}`;
      this.choose();
      this.requestUpdate();
    }
  }

  private later(pause: number, work: () => void): void {
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(work, pause);
  }

  /** Filters and sorts anew. */
  private choose(): void {
    if (this.data === null) return;
    window.clearTimeout(this.timer);
    const { rows, unknown } = filterRows(this.data, this.view.filter);
    this.rows = sortRows(this.data, rows, this.view.order);
    this.unknown = unknown;
    this.scrolled();
    this.requestUpdate();
  }

  private change(view: Partial<TableView>): void {
    this.view = { ...this.view, ...view };
    this.current = 0;
    writeState(stateOf(this.view));
    this.choose();
  }

  private scrolled(): void {
    const frame = this.frame;
    const seen = windowOf(frame?.scrollTop ?? 0, frame?.clientHeight ?? 800, ROW_HEIGHT, this.rows.length);
    if (seen.start === this.window.start && seen.stop === this.window.stop) return;
    this.window = seen;
    this.requestUpdate();
  }

  private pressed(event: KeyboardEvent): void {
    const frame = this.frame;
    if (frame === null || event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor(frame.clientHeight / ROW_HEIGHT) - 2);
    const inside = (event.target as Element).closest("tbody") !== null;
    const next = rowAfterKey(event.key, inside ? this.current : -1, this.rows.length, page);
    if (next === null) return;
    event.preventDefault();
    this.current = next;
    frame.scrollTop = scrollFor(next, frame.scrollTop, frame.clientHeight - ROW_HEIGHT, ROW_HEIGHT);
    this.scrolled();
    void this.updateComplete.then(() => {
      this.querySelector<HTMLElement>(`tr[aria-rowindex="${next + 2}"] a`)?.focus({ preventScroll: true });
    });
  }

  protected override updated(): void {
    const frame = this.frame;
    if (frame === null) return;
    this.resized.observe(frame);
    const table = frame.querySelector("table");
    const columns = shownColumns(this.data?.columns ?? [], this.view).length;
    if (table !== null) table.style.minWidth = `${leastWidth(columns)}px`;
    const { start, stop } = this.window;
    setHeight(frame.querySelector(".space-above td"), start * ROW_HEIGHT);
    setHeight(frame.querySelector(".space-below td"), (this.rows.length - stop) * ROW_HEIGHT);
  }

  private showControls(data: TableData): TemplateResult {
    const complete =
      data.loaded >= data.size ? "" : ` · ${integer(data.loaded)} of ${integer(data.size)} loaded`;
    const shown = shownColumns(data.columns, this.view);
    return html`<div class="table-controls">
        <label class="visually-hidden" for="table-filter">Filter</label>
        <input
          id="table-filter"
          type="search"
          .value=${this.view.filter}
          placeholder='Filter: words, "a token", density<0.1%'
          autocomplete="off"
          spellcheck="false"
          @input=${({ target }: Event) =>
            this.later(TYPING_MS, () => this.change({ filter: (target as HTMLInputElement).value }))}
        />
        <details class="column-choice">
          <summary>Columns</summary>
          <ul>
            ${data.columns.map(
              ({ label, name, doc }, at) => html`<li>
                <label title=${doc}
                  ><input
                    type="checkbox"
                    .checked=${shown.includes(at)}
                    @change=${() => this.toggle(name)}
                  />
                  ${label}</label
                >
              </li>`,
            )}
          </ul>
        </details>
        <p class="table-count" role="status">
          ${integer(this.rows.length)}${this.rows.length === 1 ? " feature" : " features"}${complete}
        </p>
      </div>
      ${this.unknown.map((name) => html`<p class="problem">No column is called ${name}.</p>`)}`;
  }

  private toggle(name: string): void {
    const data = this.data;
    if (data === null) return;
    const shown = shownColumns(data.columns, this.view).map((at) => data.columns[at]?.name ?? "");
    const columns = shown.includes(name) ? shown.filter((other) => other !== name) : [...shown, name];
    this.change({ columns });
  }

  protected override render(): TemplateResult {
    const problem = this.problem === "" ? nothing : html`<p class="problem" role="alert">${this.problem}</p>`;
    const data = this.data;
    if (data === null) return html`${problem}`;
    const columns = shownColumns(data.columns, this.view);
    return html`${this.showControls(data)} ${problem}
      <div
        class="table-frame"
        role="region"
        aria-label="Rows of the table"
        tabindex="0"
        @scroll=${() => this.scrolled()}
        @keydown=${(event: KeyboardEvent) => this.pressed(event)}
      >
        <table class="features windowed" aria-rowcount=${this.rows.length + 1}>
          ${showHead(data, columns, this.view.order, (by) => this.change({ order: clickOrder(this.view.order, by) }))}
          ${showBody(data, columns, this.sae, this.rows, this.window)}
        </table>
      </div>`;
  }
}

function setHeight(cell: HTMLElement | null, pixels: number): void {
  if (cell !== null) cell.style.height = `${pixels}px`;
}

define("atlas-feature-table", FeatureTable);
