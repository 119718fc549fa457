import type { FeatureRef, ListItem } from "../core/lists.ts";
import { featurePath, link } from "../core/links.ts";
import { html, nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { percent } from "../core/numbers.ts";
import type { FeatureRow } from "../core/rows.ts";
import { showText, showToken } from "../core/show.ts";
import { LONGEST_NOTE } from "./check.ts";

/** What is known of a listed feature: its row, "missing" where this atlas has none such, null before it is loaded. */
export type Known = FeatureRow | "missing" | null;

/** What can be done with a listed feature. */
export interface RowActions {
  move(feature: FeatureRef, by: number): void;
  drop(feature: FeatureRef): void;
  write(feature: FeatureRef, note: string): void;
}

/** A listed feature; `actions` null shows it without ways to change it. */
export function showRow(item: ListItem, known: Known, actions: RowActions | null): TemplateResult {
  const name = `${item.sae}/${item.feature_idx}`;
  const row = known === null || known === "missing" ? null : known;
  return html`<li
    class="listed"
    data-feature=${name}
    @keydown=${(event: KeyboardEvent) => actions !== null && moveByKey(event, (by) => actions.move(item, by))}
  >
    <div class="listed-head">
      ${showTitle(item, row, known === "missing")} <code class="soft">${name}</code>
      ${row?.density == null ? nothing : html`<span class="soft number">${percent(row.density)}</span>`}
      ${actions === null ? nothing : showButtons(item, name, actions)}
    </div>
    ${row === null || row.tokens.length === 0 ? nothing : html`<p class="tokens">${row.tokens.map((token) => html`<code>${showToken(token)}</code>`)}</p>`}
    ${actions === null ? showNote(item.note) : showNoteField(item, name, actions)}
  </li>`;
}

function showTitle({ sae, feature_idx }: ListItem, row: FeatureRow | null, missing: boolean): TemplateResult {
  if (missing) return html`<span class="listed-title soft">not in this atlas</span>`;
  const title = row === null || row.explanation === "" ? `Feature ${feature_idx}` : row.explanation;
  return html`<a class="listed-title" href=${link(featurePath(sae, feature_idx))}><bdi>${showText(title)}</bdi></a>`;
}

function showNote(note: string): TemplateResult | typeof nothing {
  return note === "" ? nothing : html`<p class="listed-note">${showText(note, { newlines: true })}</p>`;
}

function showNoteField(item: ListItem, name: string, actions: RowActions): TemplateResult {
  return html`<textarea
    class="note-field"
    rows=${Math.min(8, item.note.split("\n").length)}
    maxlength=${LONGEST_NOTE}
    placeholder="Add a note"
    aria-label="Note on ${name}"
    .value=${item.note}
    @input=${(event: Event) => actions.write(item, (event.target as HTMLTextAreaElement).value)}
  ></textarea>`;
}

function showButtons(item: ListItem, name: string, actions: RowActions): TemplateResult {
  const button = (sign: string, label: string, act: () => void) =>
    html`<button type="button" class="sign" aria-label="${label} ${name}" title=${label} @click=${act}>${sign}</button>`;
  return html`<span class="listed-buttons"
    >${button("↑", "Move up", () => actions.move(item, -1))}${button("↓", "Move down", () => actions.move(item, 1))}${button(
      "×",
      "Remove",
      () => actions.drop(item),
    )}</span
  >`;
}

/** Alt with an arrow up or down calls `move` with -1 or 1. */
export function moveByKey(event: KeyboardEvent, move: (by: number) => void): void {
  const by = event.key === "ArrowUp" ? -1 : event.key === "ArrowDown" ? 1 : 0;
  if (by === 0 || !event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  event.stopPropagation();
  move(by);
}
