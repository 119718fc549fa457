import { html, nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { decimal, integer } from "../core/numbers.ts";
import { showText } from "../core/show.ts";
import { inlineText } from "../core/text.ts";
import type { TableColumn } from "../payloads.ts";
import { boundOf, EVERYTHING, rangeOf } from "./conditions.ts";
import type { Range } from "./conditions.ts";
import { csvNumber } from "./csv.ts";
import type { Histograms } from "./histograms.ts";
import type { TableModel } from "./model.ts";
import { headingOf } from "./show.ts";
import { moved, TEXT_COLUMNS, toggled } from "./state.ts";
import type { TableView } from "./state.ts";

/** What a panel shows. */
export interface PanelScene {
  model: TableModel;
  view: TableView;
  /** Names of the columns, in order. */
  shown: readonly string[];
  histograms: Histograms;
  /** The column it is about; "" is the choice of columns. */
  name: string;
}

/** What a panel can ask for. */
export interface PanelActions {
  change: (changes: Partial<TableView>) => void;
  /** Sets the bounds of the panel's column. */
  filter: (range: Range) => void;
}

/** The panel of a column, or the choice of columns. */
export function showPanel(scene: PanelScene, actions: PanelActions): TemplateResult {
  return scene.name === "" ? showChoice(scene, actions) : showColumn(scene, actions);
}

/** What a column means, its filter, its order, its place. */
function showColumn(scene: PanelScene, { change, filter }: PanelActions): TemplateResult {
  const { model, name, shown, view } = scene;
  const { label, doc } = headingOf(model.data, name);
  const column = model.data.column(name);
  const at = shown.indexOf(name);
  const sorts = (descending: boolean, words: string) =>
    html`<button
      type="button"
      aria-pressed=${view.order.by === name && view.order.descending === descending ? "true" : "false"}
      @click=${() => change({ order: { by: name, descending } })}
    >
      ${words}
    </button>`;
  const move = (by: number, words: string, isEnd: boolean) =>
    html`<button type="button" ?disabled=${isEnd} @click=${() => change({ columns: moved(shown, name, by) })}>
      ${words}
    </button>`;
  const [upwards, downwards] = name === "explanation" ? ["A to Z", "Z to A"] : ["Smallest first", "Largest first"];
  return html`<h3 id="table-panel-title">${label}</h3>
    <p class="note">${showText(doc)}</p>
    ${column === undefined ? nothing : showFilter(scene, column, filter)}
    <div class="panel-buttons" role="group" aria-label="Order and place">
      ${name === "tokens" ? nothing : html`${sorts(true, downwards)} ${sorts(false, upwards)}`}
      ${move(-1, "Move left", at <= 0)} ${move(1, "Move right", at >= shown.length - 1)}
      <button type="button" @click=${() => change({ columns: shown.filter((other) => other !== name) })}>Hide</button>
    </div>`;
}

function showFilter(scene: PanelScene, column: TableColumn, filter: PanelActions["filter"]): TemplateResult {
  const { model, view, histograms } = scene;
  const range = rangeOf(model.data, view.filter, column.name);
  const without = column.missing === 0 ? "" : ` ${integer(column.missing)} without a value.`;
  const bounded = range.low !== null || range.high !== null;
  const clear = html`<button type="button" ?disabled=${!bounded} @click=${() => filter(EVERYTHING)}>
    Clear the filter
  </button>`;
  if (column.counts.length === 0) return html`<p class="note">No feature has a value.</p>`;
  if (column.kind === "category")
    return html`<div class="panel-range">${showCategories(column, range, filter)} ${clear}</div>`;
  const [first = 0, last = 0] = [column.edges[0], column.edges.at(-1)];
  return html`<div class="panel-histogram">
      ${histograms.show(model, column, view.filter)}
      <p class="ends" aria-hidden="true"><span>${decimal(first, 3)}</span><span>${decimal(last, 3)}</span></p>
    </div>
    <p class="note">
      ${integer(model.data.size - column.missing)} features from ${decimal(column.least)} to
      ${decimal(column.largest)}.${without}
    </p>
    <div class="panel-range">
      ${showBound("From", column, range.low, (low) => filter({ ...range, low }))}
      ${showBound("To", column, range.high, (high) => filter({ ...range, high }))} ${clear}
    </div>`;
}

function showBound(
  label: "From" | "To",
  { name, type, least, largest }: TableColumn,
  bound: Range["low"],
  set: (bound: Range["low"]) => void,
): TemplateResult {
  const [operator, end] = label === "From" ? ([">=", least] as const) : (["<=", largest] as const);
  const changed = ({ currentTarget }: Event) => {
    const typed = boundOf((currentTarget as HTMLInputElement).value, name, operator);
    if (typed !== undefined) set(typed);
  };
  const strict = bound !== null && (bound.operator === "<" || bound.operator === ">");
  return html`<label
    >${label}${strict ? html` <span class="soft">(not itself)</span>` : nothing}
    <input
      type="number"
      step="any"
      placeholder=${csvNumber(end ?? Number.NaN, type)}
      .value=${bound === null ? "" : String(bound.value)}
      @change=${changed}
    />
  </label>`;
}

function showCategories(
  { name, labels, largest }: TableColumn,
  range: Range,
  filter: PanelActions["filter"],
): TemplateResult {
  const value = range.low !== null && range.low === range.high ? String(range.low.value) : "";
  const changed = ({ currentTarget }: Event) => {
    const chosen = (currentTarget as HTMLSelectElement).value;
    const low = chosen === "" ? null : { column: name, operator: "=" as const, value: Number(chosen) };
    filter({ low, high: low });
  };
  const numbers = Array.from({ length: Math.max(labels.length, (largest ?? -1) + 1) }, (_, number) => number);
  return html`<label class="panel-category"
    >Only
    <select .value=${value} @change=${changed}>
      <option value="">all</option>
      ${numbers.map(
        (number) =>
          html`<option value=${number} ?selected=${String(number) === value}>
            ${number} ${inlineText(labels[number] ?? "")}
          </option>`,
      )}
    </select>
  </label>`;
}

/** All columns, to be shown or hidden. */
function showChoice({ model, shown }: PanelScene, { change }: PanelActions): TemplateResult {
  const names = [...TEXT_COLUMNS, ...model.data.columns.map(({ name }) => name)];
  return html`<h3 id="table-panel-title">Columns</h3>
    <ul class="panel-columns">
      ${names.map((name) => {
        const { label, doc } = headingOf(model.data, name);
        const toggle = () => change({ columns: toggled(shown, name) });
        return html`<li>
          <label title=${doc}
            ><input type="checkbox" .checked=${shown.includes(name)} @change=${toggle} /> ${label}</label
          >
        </li>`;
      })}
    </ul>
    <div class="panel-buttons">
      <button type="button" @click=${() => change({ columns: names })}>Show all</button>
      <button type="button" @click=${() => change({ columns: null })}>As at first</button>
    </div>`;
}
