import { showTokens } from "../core/hit-view.ts";
import { featurePath, link } from "../core/links.ts";
import { html, repeat } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { scalar } from "../core/numbers.ts";
import { showText } from "../core/show.ts";
import type { TableData } from "./data.ts";
import type { Order } from "./sort.ts";
import type { Window } from "./window.ts";

/** Height of a row in pixels; css/scripted.css says the same. */
export const ROW_HEIGHT = 38;

const TEXT_WIDTH = 560;
const NUMBER_WIDTH = 132;

/** Width in pixels below which a table with so many number columns scrolls sideways. */
export function leastWidth(numberColumns: number): number {
  return TEXT_WIDTH + NUMBER_WIDTH * numberColumns;
}

/** The headings, each a button that sorts. */
export function showHead(
  data: TableData,
  columns: readonly number[],
  order: Order,
  sortBy: (by: string) => void,
): TemplateResult {
  const heading = (by: string, label: string, doc: string, css: string) => {
    const sorted = order.by === by ? (order.descending ? "descending" : "ascending") : "none";
    return html`<th scope="col" class=${css} aria-sort=${sorted}>
      <button type="button" title=${doc} @click=${() => sortBy(by)}>${label}</button>
    </th>`;
  };
  return html`<thead>
    <tr aria-rowindex="1">
      ${heading("feature", "#", "Feature number", "column-id")}
      ${heading("explanation", "Explanation", "What the feature seems to respond to", "column-text")}
      <th scope="col" class="column-tokens">Tokens</th>
      ${columns.map((at) => {
        const { name = "", label = "", doc = "" } = data.columns[at] ?? {};
        return heading(name, label, doc, "column-number");
      })}
    </tr>
  </thead>`;
}

/** The rows of the window, between two spacers that stand for all others. */
export function showBody(
  data: TableData,
  columns: readonly number[],
  sae: string,
  rows: readonly number[],
  { start, stop }: Window,
): TemplateResult {
  const width = columns.length + 3;
  return html`<tbody>
    <tr class="space-above" aria-hidden="true"><td colspan=${width}></td></tr>
    ${repeat(
      rows.slice(start, stop),
      // A row keeps its element while the window moves on, and with it the focus.
      (feature) => feature,
      (feature, at) => showRow(data, columns, sae, feature, start + at),
    )}
    <tr class="space-below" aria-hidden="true"><td colspan=${width}></td></tr>
  </tbody>`;
}

function showRow(
  data: TableData,
  columns: readonly number[],
  sae: string,
  feature: number,
  row: number,
): TemplateResult {
  const explanation = data.explanations[feature] ?? "";
  const tokens = data.tokens[feature] ?? [];
  const target = link(featurePath(sae, feature));
  const title = explanation === "" ? html`<span class="soft">no explanation</span>` : showText(explanation);
  return html`<tr aria-rowindex=${row + 2} class=${tokens.length === 0 ? "dead" : ""}>
    <td class="column-id"><a href=${target}>${feature}</a></td>
    <td class="column-text"><a href=${target} tabindex="-1"><bdi>${title}</bdi></a></td>
    <td class="column-tokens">${showTokens(tokens)}</td>
    ${columns.map((at) => {
      const value = data.value(at, feature);
      const unit = data.columns[at]?.unit ?? "none";
      return html`<td class="number" title=${Number.isNaN(value) ? "no value" : value}>${scalar(value, unit)}</td>`;
    })}
  </tr>`;
}
