import { define, LightElement } from "../core/element.ts";
import { showReason, showTitle } from "../core/hit-view.ts";
import { html, nothing } from "../core/lit.ts";
import type { PropertyValues, TemplateResult } from "../core/lit.ts";
import { loadRow } from "../core/rows.ts";
import { suggest } from "../search/suggest.ts";
import { Suggestions } from "../search/suggestions.ts";
import type { Option } from "../search/suggestions.ts";

/**
 * A field that finds features of one SAE by words, tokens or number (ARIA combobox). Set `.sae` to a slug and `.label` to
 * what the field is for; `atlas-pick` (bubbling) carries the number of the feature that was chosen.
 */
export class FeaturePicker extends LightElement {
  static override properties = { sae: { attribute: false }, label: { attribute: false } };
  declare sae: string;
  declare label: string;
  private readonly suggestions = new Suggestions({
    input: () => this.querySelector("input"),
    find: (query) => suggest(query, this.sae, this.sae),
    row: (hit) => loadRow(this.sae, hit.feature),
    nothing: () => "Nothing found",
    more: 0,
    changed: () => this.requestUpdate(),
  });

  constructor() {
    super();
    this.sae = "";
    this.label = "Find a feature";
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    // What was found belongs to the SAE it was looked for in.
    if (changed.get("sae")) this.suggestions.clear();
  }

  private pressed(event: KeyboardEvent): void {
    if (this.suggestions.pressed(event) || event.key !== "Enter") return;
    event.preventDefault();
    void this.choose(this.suggestions.active);
  }

  /** Gives option `at` to the page; -1 is the first one, which may still have to be found. */
  private async choose(at: number): Promise<void> {
    await this.suggestions.now();
    const option = this.suggestions.options[Math.max(0, at)];
    if (option === undefined) return;
    this.suggestions.clear();
    this.dispatchEvent(new CustomEvent("atlas-pick", { detail: option.feature, bubbles: true }));
  }

  private showOption(option: Option, at: number): TemplateResult {
    return html`<li
      role="option"
      id="picker-option-${at}"
      aria-selected=${at === this.suggestions.active ? "true" : "false"}
      @mousedown=${(event: MouseEvent) => event.preventDefault()}
      @click=${() => void this.choose(at)}
    >
      <bdi class="option-title">${showTitle(option.row, option.reasons)}</bdi>
      <span class="option-meta"><code>${option.feature}</code> ${option.reasons.map(showReason)}</span>
    </li>`;
  }

  protected override render(): TemplateResult {
    const { expanded, active, options, message } = this.suggestions;
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
        @input=${() => this.suggestions.follow()}
        @focus=${() => this.suggestions.follow()}
        @blur=${() => this.suggestions.dismiss()}
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
