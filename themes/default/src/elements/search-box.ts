import { messageOf } from "../core/message.ts";
import type { SitePayload } from "../payloads.ts";
import { define, LightElement } from "../core/element.ts";
import { showReason, showTitle } from "../core/hit-view.ts";
import { featurePath, open, searchPath } from "../core/links.ts";
import { html, nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { page } from "../core/page.ts";
import { parseQuery } from "../core/query.ts";
import { loadRow } from "../core/rows.ts";
import type { FeatureRow } from "../core/rows.ts";
import { showText } from "../core/show.ts";
import { openIndex } from "../core/search-index.ts";
import type { Hit } from "../core/search-rank.ts";
import { namesFeatures } from "../search/results.ts";
import { suggest } from "../search/suggest.ts";
import { prepareInput, step } from "../frame/combobox.ts";
import { searchForm } from "../frame/search-form.ts";

const SHOWN = 8;
const PAUSE_MS = 60;

interface Option extends Hit {
  row?: FeatureRow;
}

/** The search field of every page: suggestions while typing (ARIA combobox), Enter for the search page. */
class SearchBox extends LightElement {
  private input: HTMLInputElement | null = null;
  private site: SitePayload | null = null;
  private options: Option[] = [];
  private query = "";
  private active = -1;
  private expanded = false;
  private message = "";
  private timer = 0;

  override connectedCallback(): void {
    if (this.querySelector("form") === null) this.append(searchForm());
    super.connectedCallback();
    this.input = this.querySelector("input");
    if (this.input === null) return;
    prepareInput(this.input, "search-options");
    this.input.addEventListener("input", () => this.typed());
    this.input.addEventListener("focus", () => {
      // What every search needs first; a failure shows when something is typed.
      openIndex().catch(() => undefined);
      this.typed();
    });
    this.input.addEventListener("blur", () => this.show(false));
    this.input.addEventListener("keydown", (event) => this.pressed(event));
    this.querySelector("form")?.addEventListener("submit", (event) => {
      event.preventDefault();
      this.choose(this.active);
    });
  }

  private typed(): void {
    const query = this.input?.value.trim() ?? "";
    window.clearTimeout(this.timer);
    if (query === this.query) this.show(query !== "");
    else this.timer = window.setTimeout(() => void this.find(query), PAUSE_MS);
  }

  private async find(query: string): Promise<void> {
    this.query = query;
    this.active = -1;
    this.message = "";
    if (query === "") {
      this.options = [];
      return this.show(false);
    }
    try {
      this.site = (await openIndex()).site;
      const hits = await suggest(query, page().sae);
      if (query !== this.query) return;
      this.options = hits.slice(0, SHOWN);
      const nothing = namesFeatures(parseQuery(query)) ? "Nothing found" : "Enter lists all features that fulfil this";
      this.message = hits.length === 0 ? nothing : "";
    } catch (error) {
      this.options = [];
      this.message = `The search does not work: ${messageOf(error)}`;
    }
    this.show(document.activeElement === this.input);
    for (const option of this.options) void this.describe(option);
  }

  private async describe(option: Option): Promise<void> {
    option.row = await loadRow(this.slug(option), option.feature);
    this.requestUpdate();
  }

  private slug(hit: Hit): string {
    return this.site?.saes[hit.sae]?.slug ?? "";
  }

  private pressed(event: KeyboardEvent): void {
    if (event.key === "Escape" && this.expanded) {
      event.preventDefault();
      this.show(false);
    } else if (event.key === "Escape" && this.input !== null) {
      this.input.value = "";
      this.typed();
    } else if (event.key === "Enter") {
      event.preventDefault();
      this.choose(this.active, event);
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      this.active = this.expanded
        ? step(this.active, event.key === "ArrowDown" ? 1 : -1, this.options.length + 1)
        : -1;
      this.show(this.query !== "");
    }
  }

  /** Opens option `at`; the last one, and -1, is the search page. */
  private choose(at: number, gesture?: MouseEvent | KeyboardEvent): void {
    const typed = this.input?.value.trim() ?? "";
    const hit = this.options[at];
    const named =
      this.options[0]?.reasons[0]?.kind === "number" && this.query === typed ? this.options[0] : undefined;
    const target = hit ?? (at === -1 ? named : undefined);
    if (target !== undefined) open(featurePath(this.slug(target), target.feature), gesture);
    else if (typed !== "") open(searchPath(typed), gesture);
  }

  private show(expanded: boolean): void {
    this.expanded = expanded;
    this.input?.setAttribute("aria-expanded", String(expanded));
    if (expanded && this.active >= 0)
      this.input?.setAttribute("aria-activedescendant", `search-option-${this.active}`);
    else this.input?.removeAttribute("aria-activedescendant");
    this.requestUpdate();
  }

  private showOption(content: unknown, at: number): TemplateResult {
    return html`<li
      role="option"
      id="search-option-${at}"
      aria-selected=${at === this.active ? "true" : "false"}
      @mousedown=${(event: MouseEvent) => event.preventDefault()}
      @click=${(event: MouseEvent) => this.choose(at, event)}
    >
      ${content}
    </li>`;
  }

  private showHit(hit: Option, at: number): TemplateResult {
    const sae = this.site !== null && this.site.saes.length > 1 ? (this.site.saes[hit.sae]?.title ?? "") : "";
    return this.showOption(
      html`<bdi class="option-title">${showTitle(hit.row, hit.reasons)}</bdi>
        <span class="option-meta">
          <code>${hit.feature}</code> <bdi>${showText(sae)}</bdi> ${hit.reasons.map(showReason)}
        </span>`,
      at,
    );
  }

  protected override render(): TemplateResult {
    const all = html`<span class="option-all">All results for <bdi>${showText(this.query)}</bdi></span>`;
    return html`<div class="search-popup" ?hidden=${!this.expanded}>
        ${this.message === "" ? nothing : html`<p class="search-message">${this.message}</p>`}
        <ul role="listbox" id="search-options" aria-label="Features">
          ${this.options.map((hit, at) => this.showHit(hit, at))} ${this.showOption(all, this.options.length)}
        </ul>
      </div>
      <p class="visually-hidden" aria-live="polite">
        ${this.expanded ? this.message || `${this.options.length} features` : nothing}
      </p>`;
  }
}

define("atlas-search-box", SearchBox);
