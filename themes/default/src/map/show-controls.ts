import type { SaePayload, TableColumn } from "../payloads.ts";
import { html, nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { inlineText } from "../core/text.ts";
import type { Arrangement } from "./placement.ts";
import { colourOf } from "./state.ts";
import type { MapView } from "./state.ts";

/** What the controls ask for. */
export interface MapRequests {
  /** Slugs of the SAEs to show. */
  saes(slugs: readonly string[]): void;
  arrange(arrangement: Arrangement): void;
  /** `cluster`, `sae` or the name of a column. */
  colour(name: string): void;
  query(typed: string): void;
  /** A drag draws a line from now on, or moves the map again. */
  draw(drawing: boolean): void;
  selectView(): void;
  /** Larger by so many times; 0 shows everything. */
  zoom(factor: number): void;
}

const ZOOM_STEP = 1.6;

/** The line above the map: SAEs, meaning of colours, search, lasso, zoom. */
export function showControls(
  view: MapView,
  saes: readonly SaePayload[],
  columns: readonly TableColumn[],
  drawing: boolean,
  ask: MapRequests,
): TemplateResult {
  const button = (factor: number, sign: string, label: string) =>
    html`<button type="button" title=${label} aria-label=${label} @click=${() => ask.zoom(factor)}>${sign}</button>`;
  const first = view.saes[0] ?? "";
  const alone = (slug: string) => ask.saes([slug, ...view.saes.slice(1).filter((other) => other !== slug)]);
  return html`<div class="map-controls">
    ${saes.length > 1 ? showChoice("map-sae", "SAE", saeOptions(saes), first, alone) : nothing}
    ${saes.length > 1 ? showCompare(view, saes, ask) : nothing}
    ${showChoice("map-colour", "Colour", colourOptions(columns, view), colourOf(view), ask.colour)}
    <label class="visually-hidden" for="map-query">Highlight</label>
    <input
      id="map-query"
      type="search"
      placeholder="Highlight words, tokens …"
      title='Words, exact "tokens", conditions such as density<0.1%: features that answer stand out'
      autocomplete="off"
      spellcheck="false"
      .value=${view.query}
      @input=${({ target }: Event) => ask.query((target as HTMLInputElement).value)}
    />
    <span class="map-tools">
      <button
        type="button"
        class="map-lasso"
        aria-pressed=${drawing ? "true" : "false"}
        title="Draw a line around features to select them; or hold Shift and drag"
        @click=${() => ask.draw(!drawing)}
      >
        Lasso
      </button>
      <button type="button" class="map-select-view" title="Select every feature in view (V)" @click=${ask.selectView}>
        Select view
      </button>
      <span class="map-zoom">
        ${button(ZOOM_STEP, "+", "Zoom in")} ${button(1 / ZOOM_STEP, "−", "Zoom out")}
        ${button(0, "⤢", "Show everything")}
      </span>
    </span>
  </div>`;
}

/** Which other SAEs share the map, and how. */
function showCompare(view: MapView, saes: readonly SaePayload[], ask: MapRequests): TemplateResult {
  const [first = "", ...others] = view.saes;
  const put = (slug: string, on: boolean) => {
    const kept = others.filter((other) => other !== slug);
    ask.saes([first, ...kept, ...(on ? [slug] : [])]);
  };
  return html`<details class="map-compare">
    <summary>Compare${others.length === 0 ? nothing : html` <span class="number">${others.length + 1}</span>`}</summary>
    <div class="map-compare-menu">
      <fieldset>
        <legend>Show also</legend>
        ${saes
          .filter(({ slug }) => slug !== first)
          .map(
            ({ slug, title }) =>
              html`<label>
                <input
                  type="checkbox"
                  name="compare"
                  value=${slug}
                  .checked=${others.includes(slug)}
                  @change=${({ target }: Event) => put(slug, (target as HTMLInputElement).checked)}
                />
                <bdi>${inlineText(title)}</bdi>
              </label>`,
          )}
      </fieldset>
      <fieldset ?disabled=${others.length === 0}>
        <legend>Arrange</legend>
        ${(
          [
            ["side", "side by side"],
            ["over", "over one another"],
          ] as const
        ).map(
          ([value, text]) =>
            html`<label>
              <input
                type="radio"
                name="arrange"
                value=${value}
                .checked=${view.arrangement === value}
                @change=${() => ask.arrange(value)}
              />
              ${text}
            </label>`,
        )}
      </fieldset>
    </div>
  </details>`;
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
    <select id=${id} .value=${chosen} @change=${({ target }: Event) => choose((target as HTMLSelectElement).value)}>
      ${options.map(([value, text]) => html`<option value=${value} ?selected=${value === chosen}>${text}</option>`)}
    </select>
  </span>`;
}

function saeOptions(saes: readonly SaePayload[]): [string, string][] {
  return saes.map(({ slug, title }) => [slug, inlineText(title)]);
}

function colourOptions(columns: readonly TableColumn[], { saes }: MapView): [string, string][] {
  const scalars = columns.map(({ name, label }): [string, string] => [name, inlineText(label)]);
  return [["cluster", "cluster"], ...(saes.length > 1 ? [["sae", "SAE"] as [string, string]] : []), ...scalars];
}
