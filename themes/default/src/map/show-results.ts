import { showTitle, showTokens } from "../core/hit-view.ts";
import { featurePath, link } from "../core/links.ts";
import { html, nothing, repeat } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { integer, scalar } from "../core/numbers.ts";
import { showText } from "../core/show.ts";
import { inlineText } from "../core/text.ts";
import type { PointName } from "./points.ts";
import type { Session } from "./session.ts";
import { PAGE_ROWS } from "./session.ts";
import type { Tab } from "./state.ts";

/** What the table beside the map asks for. */
export interface ResultRequests {
  tab(tab: Tab): void;
  /** Points at a point on the map; -1 at none. */
  point(point: number): void;
  toggle(point: number): void;
  more(): void;
  clear(): void;
}

/** The table beside the map: the same features as links, with what the hover card says. */
export function showResults(session: Session, ask: ResultRequests): TemplateResult {
  const { listing, found, selection } = session;
  const selected = selection.lasso.length > 0 || selection.toggled.size > 0;
  return html`<section class="map-list" aria-labelledby="map-list-title">
    <div class="map-tabs" role="group" aria-label="What the table lists">
      ${showTab("view", "In view", listing.tab, ask)}
      ${found === null ? nothing : showTab("found", "Found", listing.tab, ask)}
      ${showTab("selected", "Selected", listing.tab, ask)}
    </div>
    <h2 id="map-list-title" aria-live="polite">${headingOf(session)}</h2>
    <div class="map-list-tools">
      <atlas-list-picker .features=${listing.features}></atlas-list-picker>
      ${
        listing.tab === "selected" && selected
          ? html`<button type="button" class="tool map-clear" @click=${ask.clear}>Clear selection</button>`
          : nothing
      }
    </div>
    ${
      listing.tab === "found" && found?.cut === true
        ? html`<p class="note">Only the strongest hits of a common word are looked at here; more words find the others.</p>`
        : nothing
    }
    ${showTable(session, ask)}
    ${
      listing.total > listing.points.length
        ? html`<button type="button" class="tool map-more" @click=${ask.more}>
            ${integer(Math.min(PAGE_ROWS, listing.total - listing.points.length))} more
          </button>`
        : nothing
    }
  </section>`;
}

function showTab(tab: Tab, text: string, current: Tab, ask: ResultRequests): TemplateResult {
  return html`<button
    type="button"
    data-tab=${tab}
    aria-pressed=${tab === current ? "true" : "false"}
    @click=${() => ask.tab(tab)}
  >
    ${text}
  </button>`;
}

function headingOf({ listing: { tab, total, features }, points }: Session): string {
  if (points.awaited > 0 && total === 0) {
    return `${integer(points.count)} of ${integer(points.count + points.awaited)} features are here`;
  }
  const yet = points.awaited > 0 ? " so far" : "";
  if (tab === "found") return `${integer(total)} found${yet}`;
  if (tab === "selected") return total === 0 ? "Nothing selected" : `${integer(total)} selected${yet}`;
  const order = features.length > 0 || total === 0 ? "" : ", middle first";
  return `${integer(total)} in view${yet}${order}`;
}

function showTable(session: Session, ask: ResultRequests): TemplateResult {
  const { listing, legend } = session;
  if (listing.points.length === 0) return html`<p class="note">${emptyText(session)}</p>`;
  const column = legend.kind === "scale" ? legend.column : null;
  return html`<div class="map-rows">
    <table class="map-table">
      <thead>
        <tr>
          <th scope="col"><span class="visually-hidden">Selected</span></th>
          <th scope="col">Feature</th>
          ${column === null ? nothing : html`<th scope="col" class="number-head">${inlineText(column.label)}</th>`}
        </tr>
      </thead>
      <tbody>
        ${repeat(
          listing.points,
          (point) => point,
          (point) => showRow(session, point, ask),
        )}
      </tbody>
    </table>
  </div>`;
}

function emptyText({ listing: { tab }, points }: Session): string {
  if (points.count === 0) return "The features are on their way.";
  if (points.awaited > 0) return "The others are on their way.";
  if (tab === "found") return "No feature of this map answers the search.";
  if (tab === "view") return "No feature is in view. Press 0 on the map, or ⤢, to see everything.";
  return "Draw a line around features (Lasso, or Shift and drag), tick rows, or press V for what is in view and Space for the feature in the middle.";
}

function showRow(session: Session, point: number, ask: ResultRequests): TemplateResult {
  const { points, rows, legend, values, selection } = session;
  const name = points.named(point) ?? { sae: "", feature: 0 };
  const row = rows.get(name);
  const shown = showsSae(session) ? `${name.sae}/${name.feature}` : String(name.feature);
  return html`<tr @pointerenter=${() => ask.point(point)} @pointerleave=${() => ask.point(-1)}>
    <td>
      <input
        type="checkbox"
        aria-label="Select feature ${shown}"
        .checked=${selection.has(point)}
        @change=${() => ask.toggle(point)}
      />
    </td>
    <td>
      <a href=${link(featurePath(name.sae, name.feature))} @focus=${() => ask.point(point)} @blur=${() => ask.point(-1)}
        ><code>${shown}</code> <bdi>${showTitle(row)}</bdi></a
      >
      ${row === undefined ? nothing : showTokens(row.tokens)}
    </td>
    ${
      legend.kind === "scale"
        ? html`<td class="number">${scalar(values?.[point] ?? Number.NaN, legend.column.unit)}</td>`
        : nothing
    }
  </tr>`;
}

function showsSae({ points }: Session): boolean {
  return points.layers.length > 1;
}

/** The card of the feature pointed at. */
export function showCard(session: Session, point: number, name: PointName): TemplateResult {
  const { points, rows, legend, values } = session;
  const row = rows.get(name);
  const cluster = points.clusterOf(point);
  const title = showsSae(session) ? (points.layers[points.layerOf[point] ?? -1]?.title ?? "") : "";
  return html`<p class="map-card-title">
      <a href=${link(featurePath(name.sae, name.feature))}><bdi>${showTitle(row)}</bdi></a>
    </p>
    <p class="soft">
      <code>${name.feature}</code>
      ${title === "" ? nothing : html`<bdi>${showText(title)}</bdi> ·`}
      ${cluster === "" ? "no cluster" : html`<bdi>${showText(cluster)}</bdi>`}
    </p>
    ${row === undefined ? nothing : showTokens(row.tokens)}
    ${
      legend.kind === "scale"
        ? html`<p class="soft">
            ${inlineText(legend.column.label)}
            <span class="number">${scalar(values?.[point] ?? Number.NaN, legend.column.unit)}</span>
          </p>`
        : nothing
    }`;
}

