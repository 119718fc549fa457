import { chosenSae, loadSite } from "../core/data.ts";
import { define } from "../core/element.ts";
import { link } from "../core/links.ts";
import { html, nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { page } from "../core/page.ts";
import { showText } from "../core/show.ts";
import { rememberGuide } from "../guide/seen.ts";
import { guideSteps, numberMeanings } from "../guide/steps.ts";
import type { Step } from "../guide/steps.ts";
import type { SaePayload } from "../payloads.ts";
import { Modal } from "./modal.ts";

/** The guided first minute: what a feature page shows, in five short pages, the last with every number in one sentence. */
export class GuideDialog extends Modal {
  private at = 0;
  private sae: SaePayload | null = null;

  override open(): void {
    this.at = 0;
    if (this.sae === null) void this.load();
    rememberGuide();
    document.dispatchEvent(new Event("atlas-guide-seen"));
    super.open();
  }

  private async load(): Promise<void> {
    try {
      this.sae = chosenSae(await loadSite(), page().sae) ?? null;
    } catch {
      // Without the site's data the guide still explains the page; only the list of numbers stays away.
    }
    this.requestUpdate();
  }

  protected override heading(): string {
    return "What am I looking at?";
  }

  private get steps(): Step[] {
    return guideSteps(this.sae ?? { hook_name: "", title: "an SAE" });
  }

  private get count(): number {
    return this.steps.length + 1;
  }

  private turn(by: number): void {
    const to = this.at + by;
    if (to >= this.count) this.close();
    this.at = Math.max(0, Math.min(this.count - 1, to));
    this.requestUpdate();
  }

  protected override pressed(event: KeyboardEvent): void {
    const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (by === 0) return;
    event.preventDefault();
    if (this.at + by < this.count) this.turn(by);
  }

  private showNumbers(): TemplateResult {
    const meanings = numberMeanings(this.sae?.columns ?? []);
    return html`<h3>Every number in a sentence</h3>
      <dl class="meanings" tabindex="0" aria-label="The numbers">
        ${meanings.map(
          ({ label, sentence }) =>
            html`<dt>${showText(label)}</dt>
              <dd>${showText(sentence)}</dd>`,
        )}
      </dl>
      <p class="note">
        Exact definitions and how everything was computed: <a href=${link("about.html#numbers")}>about this atlas</a>.
      </p>`;
  }

  protected override content(): TemplateResult {
    const step = this.steps[this.at];
    const last = this.at === this.count - 1;
    return html`<div class="guide">
      <div aria-live="polite">
        ${
          step === undefined
            ? this.showNumbers()
            : html`<h3>${step.title}</h3>
                ${step.sentences.map((sentence) => html`<p>${showText(sentence)}</p>`)}`
        }
      </div>
      <p class="modal-actions">
        ${this.at === 0 ? nothing : html`<button type="button" @click=${() => this.turn(-1)}>Back</button>`}
        <span class="soft number">${this.at + 1} / ${this.count}</span>
        <button type="button" class="primary" autofocus @click=${() => this.turn(1)}>${last ? "Done" : "Next"}</button>
      </p>
    </div>`;
  }
}

define("atlas-guide-dialog", GuideDialog);

declare global {
  interface HTMLElementTagNameMap {
    "atlas-guide-dialog": GuideDialog;
  }
}
