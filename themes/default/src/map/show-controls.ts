import type { ColumnPayload, SaePayload } from "../payloads.ts";
import { html, nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { inlineText } from "../core/text.ts";
import type { MapView } from "./state.ts";

/** What the controls ask for. */
export interface MapRequests {
  sae(slug: string): void;
  /** "" is the cluster, else the name of a column. */
  colour(name: string): void;
  query(typed: string): void;
  /** Larger by so many times; 0 shows everything. */
  zoom(factor: number): void;
}

const ZOOM_STEP = 1.6;

/** The line above the map: SAE, meaning of colours, search, zoom. */
export function showControls(
  { sae, colour, query }: MapView,
  saes: readonly SaePayload[],
  columns: readonly ColumnPayload[],
  ask: MapRequests,
): TemplateResult {
  const button = (factor: number, sign: string, label: string) =>
    html`<button type="button" title=${label} aria-label=${label} @click=${() => ask.zoom(factor)}>${sign}</button>`;
  return html`<div class="map-controls">
    ${saes.length > 1 ? showChoice("map-sae", "SAE", saeOptions(saes), sae, ask.sae) : nothing}
    ${showChoice("map-colour", "Colour", colourOptions(columns), colour, ask.colour)}
    <label class="visually-hidden" for="map-query">Highlight</label>
    <input
      id="map-query"
      type="search"
      placeholder="Highlight: a word, a token, density<0.1%"
      autocomplete="off"
      spellcheck="false"
      .value=${query}
      @input=${({ target }: Event) => ask.query((target as HTMLInputElement).value.trim())}
    />
    <span class="map-zoom">
      ${button(ZOOM_STEP, "+", "Zoom in")} ${button(1 / ZOOM_STEP, "−", "Zoom out")}
      ${button(0, "⤢", "Show everything")}
    </span>
  </div>`;
}

function showChoice(
  id: string,
  label: string,
  options: readonly (readonly [string, string])[],
  chosen: string,
  choose: (value: string) => void,
): TemplateResult {
  return html`<span class="map-choice">
    <label for=${id}>${label}</label>
    <select id=${id} @change=${({ target }: Event) => choose((target as HTMLSelectElement).value)}>
      ${options.map(([value, text]) => html`<option value=${value} ?selected=${value === chosen}>${text}</option>`)}
    </select>
  </span>`;
}

function saeOptions(saes: readonly SaePayload[]): [string, string][] {
  return saes.map(({ slug, title }) => [slug, inlineText(title)]);
}

function colourOptions(columns: readonly ColumnPayload[]): [string, string][] {
  return [["", "cluster"], ...columns.map(({ name, label }): [string, string] => [name, inlineText(label)])];
}
