import { define } from "../core/element.ts";
import { html, nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { page } from "../core/page.ts";
import { canKeepOffline, isKeptOffline, keepOffline, leaveOffline } from "../offline/register.ts";
import { Modal, theOnly } from "./modal.ts";

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
      [["s"], "star, or write a note on the star"],
      [["c"], "cite"],
      [["Tab", "← →"], "in an example: go through the tokens that fire, with their values"],
    ],
  ],
  browse: [
    "The table",
    [
      [["↑ ↓"], "from row to row"],
      [["PgUp", "PgDn", "Home", "End"], "further"],
      [["Enter"], "open the feature"],
      [["Space", "Ctrl A", "Esc"], "choose it, all of them, none"],
      [["Shift ↑", "Shift ↓", "Shift Space"], "choose a stretch of rows"],
      [["← →"], "to columns at the side"],
    ],
  ],
  map: [
    "The map",
    [
      [["← → ↑ ↓"], "move"],
      [["+", "−"], "zoom"],
      [["0"], "show everything"],
      [["Enter"], "open the feature nearest to the centre"],
      [["Space", "V"], "select it, or what is in view"],
      [["Shift"], "and drag: select what a line goes around"],
      [["Esc"], "clear the selection"],
    ],
  ],
  starred: [
    "Your lists",
    [
      [["Alt ↑", "Alt ↓"], "in a feature or a heading: move it up or down"],
      [["Ctrl Z"], "undo the last change"],
    ],
  ],
};

/** The list of keys, the way to the guided first minute, and reading offline. */
export class HelpDialog extends Modal {
  private isKept = false;
  private said = "";

  override open(): void {
    super.open();
    if (canKeepOffline()) void isKeptOffline().then((kept) => this.tell(kept, ""));
  }

  private tell(kept: boolean, said: string): void {
    this.isKept = kept;
    this.said = said;
    this.requestUpdate();
  }

  private async turnOffline(): Promise<void> {
    try {
      if (this.isKept) {
        await leaveOffline();
        this.tell(false, "Nothing is kept any more.");
      } else {
        await keepOffline();
        this.tell(true, "Pages you open from now on can be read without a network.");
      }
    } catch {
      this.tell(this.isKept, "The browser does not allow it here.");
    }
  }

  protected override heading(): string {
    return "Keys";
  }

  private guide(): void {
    this.close();
    theOnly("atlas-guide-dialog").open();
  }

  protected override content(): TemplateResult {
    const special = BY_KIND[page().kind];
    return html`${special === undefined ? nothing : [html`<h3>${special[0]}</h3>`, rows(special[1])]}
      <h3>Everywhere</h3>
      ${rows(EVERYWHERE)}
      <p class="modal-actions">
        <button type="button" @click=${() => this.guide()}>What am I looking at?</button>
        ${
          canKeepOffline()
            ? html`<button type="button" aria-pressed=${this.isKept ? "true" : "false"} @click=${() => void this.turnOffline()}>
                Keep pages for offline
              </button>`
            : nothing
        }
      </p>
      <p class="said" role="status">${this.said}</p>`;
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
