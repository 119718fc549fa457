import { showTokens } from "../core/hit-view.ts";
import { featurePath, link } from "../core/links.ts";
import { html, nothing, repeat } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { scalar } from "../core/numbers.ts";
import { showText } from "../core/show.ts";
import type { Content } from "../core/show.ts";
import type { TableColumn } from "../payloads.ts";
import { csvNumber } from "./csv.ts";
import { TITLES } from "./data.ts";
import type { TableData } from "./data.ts";
import { countOf } from "./selection.ts";
import type { Selection } from "./selection.ts";
import type { Order } from "./sort.ts";
import { TEXT_COLUMNS } from "./state.ts";
import type { Window } from "./window.ts";

/** Height of a row in pixels; css/table.css says the same. */
export const ROW_HEIGHT = 34;

/** Columns before the chosen ones: the mark of the selection, and the number. */
export const FIXED_COLUMNS = 2;

const WIDTHS = { fixed: 122, explanation: 300, tokens: 214, category: 150, scalar: 120 };
const NARROW = { room: 560, explanation: 196 };


/** All that a table draws from. */
export interface TableScene {
  data: TableData;
  sae: string;
  /** Names of the columns, in order. */
  shown: readonly string[];
  order: Order;
  rows: Uint32Array;
  window: Window;
  selection: Selection;
  /** Row that keys move from. */
  current: number;
  actions: TableActions;
}

/** What a table can be asked for. */
export interface TableActions {
  sort: (by: string) => void;
  /** Shows what can be done with a column, beside the button that asked. */
  arrange: (name: string, button: HTMLElement) => void;
  /** The row was clicked at its mark. */
  pick: (row: number, event: MouseEvent) => void;
  pickAll: () => void;
  /** The histogram in a heading, where the column has one. */
  histogram: (column: TableColumn) => Content | typeof nothing;
}

/** Name and meaning of a column that is no number. */
const TEXTS: Readonly<Record<string, { label: string; doc: string }>> = {
  explanation: { label: "explanation", doc: "What the feature seems to respond to." },
  tokens: { label: "fires most on", doc: "The (at most five) tokens it fires on most." },
};

/** The words and the meaning in the heading of a column. */
export function headingOf(data: TableData, name: string): { label: string; doc: string } {
  return TEXTS[name] ?? data.column(name) ?? { label: name, doc: "" };
}

/** Width in pixels below which a table of these columns scrolls sideways, where there is `room` for so many. */
export function leastWidth(data: TableData, shown: readonly string[], room = Infinity): number {
  const spared = room < NARROW.room && shown.includes("explanation") ? WIDTHS.explanation - NARROW.explanation : 0;
  const widths = shown.map((name) => WIDTHS[cssOf(data, name)]);
  return widths.reduce((sum, width) => sum + width, WIDTHS.fixed) - spared;
}

function cssOf(data: TableData, name: string): "explanation" | "tokens" | "category" | "scalar" {
  if (name === "explanation" || name === "tokens") return name;
  return data.column(name)?.kind === "category" ? "category" : "scalar";
}

/** The headings: each sorts, and opens what else can be done with its column. */
export function showHead({ data, shown, order, rows, selection, actions }: TableScene): TemplateResult {
  const chosen = countOf(selection, rows);
  const all = chosen > 0 && chosen === rows.length;
  return html`<thead>
    <tr aria-rowindex="1">
      <th scope="col" class="column-pick">
        <input
          type="checkbox"
          aria-label="Choose all rows that pass the filter"
          .checked=${all}
          .indeterminate=${chosen > 0 && !all}
          @change=${() => actions.pickAll()}
        />
      </th>
      <th scope="col" class="column-id" aria-sort=${sortedBy(order, "feature")}>
        <button type="button" class="sort" title="Feature number" @click=${() => actions.sort("feature")}>#</button>
      </th>
      ${repeat(
        shown,
        (name) => name,
        (name) => showHeading(data, name, order, actions),
      )}
    </tr>
  </thead>`;
}

function sortedBy(order: Order, by: string): "ascending" | "descending" | "none" {
  if (order.by !== by) return "none";
  return order.descending ? "descending" : "ascending";
}

function showHeading(data: TableData, name: string, order: Order, actions: TableActions): TemplateResult {
  const { label, doc } = headingOf(data, name);
  const column = data.column(name);
  const arrange = ({ currentTarget }: Event) => actions.arrange(name, currentTarget as HTMLElement);
  const title =
    name === "tokens"
      ? html`<span class="sort" title=${doc}>${label}</span>`
      : html`<button type="button" class="sort" title=${doc} @click=${() => actions.sort(name)}>${label}</button>`;
  return html`<th
    scope="col"
    class="column-${cssOf(data, name)}"
    data-column=${name}
    aria-sort=${name === "tokens" ? nothing : sortedBy(order, name)}
  >
    <div class="heading">
      ${title}
      <button type="button" class="arrange" aria-haspopup="dialog" aria-label="Filter and arrange ${label}" @click=${arrange}>
        ⋯
      </button>
    </div>
    ${column === undefined || column.kind === "category" ? nothing : actions.histogram(column)}
  </th>`;
}

/** The rows of the window, between two spacers that stand for all others. */
export function showBody(scene: TableScene): TemplateResult {
  const { rows, window } = scene;
  const width = scene.shown.length + FIXED_COLUMNS;
  return html`<tbody>
    <tr class="space-above" aria-hidden="true"><td colspan=${width}></td></tr>
    ${repeat(
      rows.subarray(window.start, window.stop),
      (feature) => feature,
      (feature, at) => showRow(scene, feature, window.start + at),
    )}
    <tr class="space-below" aria-hidden="true"><td colspan=${width}></td></tr>
  </tbody>`;
}

/** Id of a feature's row, for `aria-activedescendant`. */
export function rowId(feature: number): string {
  return `table-row-${feature}`;
}

function showRow(scene: TableScene, feature: number, row: number): TemplateResult {
  const { data, sae, shown, selection, current, actions } = scene;
  const picked = selection.chosen.has(feature);
  const dead = data.has(TITLES, feature) && data.tokens(feature).length === 0;
  return html`<tr
    id=${rowId(feature)}
    aria-rowindex=${row + 2}
    aria-selected=${picked ? "true" : "false"}
    class="${row === current ? "current" : ""}${dead ? " dead" : ""}"
  >
    <td class="column-pick">
      <input
        type="checkbox"
        tabindex="-1"
        aria-label="Choose feature ${feature}"
        .checked=${picked}
        @click=${(event: MouseEvent) => actions.pick(row, event)}
      />
    </td>
    <th scope="row" class="column-id"><a href=${link(featurePath(sae, feature))} tabindex="-1">${feature}</a></th>
    ${shown.map((name) => showCell(data, sae, name, feature))}
  </tr>`;
}

function showCell(data: TableData, sae: string, name: string, feature: number): TemplateResult {
  const css = `column-${cssOf(data, name)}`;
  if (!data.has(TEXT_COLUMNS.includes(name) ? TITLES : name, feature)) return html`<td class="${css} soft">…</td>`;
  if (name === "explanation") {
    const text = data.explanation(feature);
    const title = text === "" ? html`<span class="soft">no explanation</span>` : html`<bdi>${showText(text)}</bdi>`;
    return html`<td class=${css}>
      <a href=${link(featurePath(sae, feature))} tabindex="-1">${title}</a>
    </td>`;
  }
  if (name === "tokens") return html`<td class=${css}>${showTokens(data.tokens(feature))}</td>`;
  return showValue(data, name, feature, css);
}

function showValue(data: TableData, name: string, feature: number, css: string): TemplateResult {
  const value = data.value(name, feature);
  const { unit = "none", kind = "", type = "", labels = [] } = data.column(name) ?? {};
  if (kind === "category") {
    const label = labels[value] ?? "";
    const text = Number.isNaN(value) ? html`<span class="soft">none</span>` : html`<bdi>${showText(label)}</bdi>`;
    return html`<td class=${css}>${text} <span class="soft">${Number.isNaN(value) ? "" : value}</span></td>`;
  }
  const exact = Number.isNaN(value) ? "no value" : csvNumber(value, type);
  return html`<td class="${css} number" title=${exact}>${scalar(value, unit)}</td>`;
}
