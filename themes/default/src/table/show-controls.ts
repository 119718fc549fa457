import { html, nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import type { FeatureRef } from "../core/lists.ts";
import { integer } from "../core/numbers.ts";
import { parseQuery, piecesOf } from "../core/query.ts";
import { withoutPiece } from "./conditions.ts";

/** What the line above the table shows. */
export interface ControlScene {
  /** As typed. */
  filter: string;
  /** Rows that pass. */
  count: number;
  size: number;
  /** Share of what is waited for that has arrived; null where nothing is. */
  progress: number | null;
  /** What was typed and means nothing. */
  unknown: readonly string[];
  problem: string;
  /** Whether a file is being made. */
  busy: boolean;
  selected: readonly FeatureRef[];
}

/** What it can ask for. */
export interface ControlActions {
  typed: (filter: string) => void;
  filter: (filter: string) => void;
  columns: (button: HTMLElement) => void;
  save: () => void;
  clear: () => void;
}

/** Filter field, choice of columns, export, what to do with the chosen rows, and how many rows there are. */
export function showControls(scene: ControlScene, actions: ControlActions): TemplateResult {
  const { filter, busy, problem, selected, unknown } = scene;
  return html`<div class="table-controls">
      <label class="visually-hidden" for="table-filter">Filter</label>
      <input
        id="table-filter"
        type="search"
        .value=${filter}
        placeholder='Filter: words, " token", density<0.1%, is:dense'
        autocomplete="off"
        spellcheck="false"
        @input=${({ target }: Event) => actions.typed((target as HTMLInputElement).value)}
      />
      <div class="table-tools">
        <button
          type="button"
          class="tool"
          aria-haspopup="dialog"
          @click=${({ currentTarget }: Event) => actions.columns(currentTarget as HTMLElement)}
        >
          Columns
        </button>
        <button type="button" class="tool" ?disabled=${busy} @click=${() => actions.save()}>
          ${busy ? "Reading …" : "Save as CSV"}
        </button>
        <atlas-list-picker
          .features=${selected}
          .label=${selected.length === 0 ? "Add to a list" : ""}
        ></atlas-list-picker>
        ${
          selected.length === 0
            ? nothing
            : html`<button type="button" class="tool" @click=${() => actions.clear()}>Choose none</button>`
        }
      </div>
    </div>
    <div class="table-line">
      ${showPieces(filter, actions.filter)} ${showCount(scene)}
    </div>
    ${unknown.map((name) => html`<p class="problem">Nothing is called ${name}.</p>`)}
    ${problem === "" ? nothing : html`<p class="problem" role="alert">${problem}</p>`}`;
}

/** The conditions in force, each to be taken away. */
function showPieces(filter: string, change: (filter: string) => void): TemplateResult {
  const conditions = piecesOf(filter).flatMap((piece, at) => {
    const { comparisons, flags } = parseQuery(piece);
    return comparisons.length + flags.length > 0 ? [{ piece, at }] : [];
  });
  return html`<ul class="table-pieces">
    ${conditions.map(
      ({ piece, at }) =>
        html`<li>
          <button type="button" aria-label="Take away ${piece}" @click=${() => change(withoutPiece(filter, at))}>
            <code>${piece}</code> ✕
          </button>
        </li>`,
    )}
  </ul>`;
}

function showCount({ count, size, progress, selected }: ControlScene): TemplateResult {
  const rows = count === size ? `${integer(size)} features` : `${integer(count)} of ${integer(size)} features`;
  const chosen = selected.length === 0 ? "" : ` · ${integer(selected.length)} chosen`;
  const text = progress === null ? rows + chosen : `Reading … ${Math.floor(progress * 100)}\u202f%`;
  return html`<p class="table-count" role="status">${text}</p>`;
}
