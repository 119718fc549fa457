import { define, LightElement } from "../core/element.ts";
import { showReason, showTitle } from "../core/hit-view.ts";
import { html, nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { messageOf } from "../core/message.ts";
import { loadRow } from "../core/rows.ts";
import type { FeatureRow } from "../core/rows.ts";
import type { Hit } from "../core/search-rank.ts";
import { step } from "../frame/combobox.ts";
import { suggest } from "../search/suggest.ts";

const SHOWN = 8;
const PAUSE_MS = 60;

interface Option extends Hit {
  row?: FeatureRow;
}

/**
 * A field that finds features of one SAE by words, tokens or number (ARIA combobox). Set `.sae` to a slug and `.label` to
 * what the field is for; `atlas-pick` (bubbling) carries the number of the feature that was chosen.
 */
export class FeaturePicker extends LightElement {
  static override properties = { sae: { attribute: false }, label: { attribute: false } };
  declare sae: string;
  declare label: string;
  private options: Option[] = [];
  private query = "";
  private active = -1;
  private expanded = false;
  private message = "";
  private timer = 0;

  constructor() {
    super();
    this.sae = "";
    this.label = "Find a feature";
  }

  private get input(): HTMLInputElement | null {
    return this.querySelector("input");
  }

  private typed(): void {
    const query = this.input?.value.trim() ?? "";
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.find(query), PAUSE_MS);
  }

  private async find(query: string): Promise<void> {
    this.query = query;
    this.active = -1;
    this.message = "";
    try {
      const hits = await suggest(query, this.sae, this.sae);
      if (query !== this.query) return;
      this.options = hits.slice(0, SHOWN);
      this.message = hits.length === 0 ? "Nothing found" : "";
    } catch (error) {
      this.options = [];
      this.message = `The search does not work: ${messageOf(error)}`;
    }
    this.show(query !== "" && document.activeElement === this.input);
    for (const option of this.options) void this.describe(option);
  }

  private async describe(option: Option): Promise<void> {
    option.row = await loadRow(this.sae, option.feature);
    this.requestUpdate();
  }

  private pressed(event: KeyboardEvent): void {
    const { key } = event;
    if (key === "Escape") {
      event.preventDefault();
      if (!this.expanded && this.input !== null) this.input.value = "";
      this.show(false);
    } else if (key === "Enter") {
      event.preventDefault();
      void this.choose(this.active);
    } else if (key === "ArrowDown" || key === "ArrowUp") {
      event.preventDefault();
      this.active = this.expanded ? step(this.active, key === "ArrowDown" ? 1 : -1, this.options.length) : -1;
      this.show(this.query !== "");
    }
  }

  /** Gives option `at` to the page; -1 is the first one, which may still have to be found. */
  private async choose(at: number): Promise<void> {
    const query = this.input?.value.trim() ?? "";
    if (query === "") return;
    if (query !== this.query) {
      window.clearTimeout(this.timer);
      await this.find(query);
    }
    const option = this.options[Math.max(0, at)];
    if (option === undefined) return;
    if (this.input !== null) this.input.value = "";
    this.query = "";
    this.options = [];
    this.show(false);
    this.dispatchEvent(new CustomEvent("atlas-pick", { detail: option.feature, bubbles: true }));
  }

  private show(expanded: boolean): void {
    this.expanded = expanded;
    this.requestUpdate();
  }

  private showOption(option: Option, at: number): TemplateResult {
    return html`<li
      role="option"
      id="picker-option-${at}"
      aria-selected=${at === this.active ? "true" : "false"}
      @mousedown=${(event: MouseEvent) => event.preventDefault()}
      @click=${() => void this.choose(at)}
    >
      <bdi class="option-title">${showTitle(option.row, option.reasons)}</bdi>
      <span class="option-meta"><code>${option.feature}</code> ${option.reasons.map(showReason)}</span>
    </li>`;
  }

  protected override render(): TemplateResult {
    const { expanded, active, options, message } = this;
    return html`<label class="visually-hidden" for="picker-input">${this.label}</label>
      <input
        id="picker-input"
        type="text"
        inputmode="search"
        enterkeyhint="search"
        role="combobox"
        autocomplete="off"
        spellcheck="false"
        placeholder=${`${this.label}: words, " token" or a number`}
        aria-autocomplete="list"
        aria-controls="picker-options"
        aria-expanded=${expanded ? "true" : "false"}
        aria-activedescendant=${expanded && active >= 0 ? `picker-option-${active}` : nothing}
        @input=${() => this.typed()}
        @focus=${() => this.typed()}
        @blur=${() => this.show(false)}
        @keydown=${(event: KeyboardEvent) => this.pressed(event)}
      />
      <div class="search-popup" ?hidden=${!expanded}>
        ${message === "" ? nothing : html`<p class="search-message">${message}</p>`}
        <ul role="listbox" id="picker-options" aria-label="Features">
          ${options.map((option, at) => this.showOption(option, at))}
        </ul>
      </div>
      <p class="visually-hidden" aria-live="polite">${expanded ? message || `${options.length} features` : nothing}</p>`;
  }
}

define("atlas-feature-picker", FeaturePicker);

declare global {
  interface HTMLElementEventMap {
    "atlas-pick": CustomEvent<number>;
  }
}
