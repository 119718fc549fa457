import { define, LightElement } from "../core/element.ts";
import { html } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { page } from "../core/page.ts";

type Row = [keys: string[], meaning: string];

const EVERYWHERE: Row[] = [
  [["/", "Ctrl K"], "search"],
  [["?"], "this list"],
  [["r"], "a random feature"],
  [["Esc"], "leave a field, close a list"],
];

const BY_KIND: Record<string, [title: string, rows: Row[]]> = {
  feature: [
    "This feature",
    [
      [["→", "j"], "next feature"],
      [["←", "k"], "previous feature"],
      [["Tab", "← →"], "in an example: go through the tokens that fire, with their values"],
    ],
  ],
  browse: [
    "The table",
    [
      [["↑ ↓"], "from row to row"],
      [["PgUp", "PgDn", "Home", "End"], "further"],
      [["Enter"], "open the feature"],
    ],
  ],
  map: [
    "The map",
    [
      [["← → ↑ ↓"], "move"],
      [["+", "−"], "zoom"],
      [["0"], "show everything"],
      [["Enter"], "open the feature nearest to the centre"],
    ],
  ],
};

/** The list of keys, as a modal dialog. */
export class HelpDialog extends LightElement {
  /** Shows the dialog; Escape, the button or a click beside it close it. */
  open(): void {
    void this.updateComplete.then(() => {
      const dialog = this.querySelector("dialog");
      if (dialog?.open === false) dialog.showModal();
    });
  }

  private close(event: MouseEvent): void {
    const dialog = this.querySelector("dialog");
    const target = event.target as Element;
    if (target === dialog || target.closest("button") !== null) dialog?.close();
  }

  protected override render(): TemplateResult {
    const special = BY_KIND[page().kind];
    return html`<dialog class="help" aria-labelledby="help-title" @click=${(event: MouseEvent) => this.close(event)}>
      <div>
        <h2 id="help-title">Keys</h2>
        ${special === undefined ? null : [html`<h3>${special[0]}</h3>`, rows(special[1])]}
        <h3>Everywhere</h3>
        ${rows(EVERYWHERE)}
        <button type="button">Close</button>
      </div>
    </dialog>`;
  }
}

function rows(list: Row[]): TemplateResult {
  return html`<dl>
    ${list.map(
      ([keys, meaning]) =>
        html`<div>
          <dt>${keys.map((key) => html`<kbd>${key}</kbd> `)}</dt>
          <dd>${meaning}</dd>
        </div>`,
    )}
  </dl>`;
}

define("atlas-help-dialog", HelpDialog);

declare global {
  interface HTMLElementTagNameMap {
    "atlas-help-dialog": HelpDialog;
  }
}
