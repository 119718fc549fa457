import type { SitePayload } from "../payloads.ts";
import { define, LightElement } from "../core/element.ts";
import { showReason, showTitle } from "../core/hit-view.ts";
import { featurePath, open, searchPath } from "../core/links.ts";
import { html, nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { page } from "../core/page.ts";
import { parseQuery } from "../core/query.ts";
import { loadRow } from "../core/rows.ts";
import { showText } from "../core/show.ts";
import { openIndex } from "../core/search-index.ts";
import type { Hit } from "../core/search-rank.ts";
import { namesFeatures } from "../search/results.ts";
import { suggest } from "../search/suggest.ts";
import { Suggestions } from "../search/suggestions.ts";
import type { Option } from "../search/suggestions.ts";
import { prepareInput } from "../frame/combobox.ts";
import { searchForm } from "../frame/search-form.ts";

/** The search field of every page: suggestions while typing (ARIA combobox), Enter for the search page. */
class SearchBox extends LightElement {
  private input: HTMLInputElement | null = null;
  private site: SitePayload | null = null;
  private readonly suggestions = new Suggestions({
    input: () => this.input,
    find: async (query) => {
      this.site = (await openIndex()).site;
      return suggest(query, page().sae);
    },
    row: (hit) => loadRow(this.slug(hit), hit.feature),
    nothing: (query) =>
      namesFeatures(parseQuery(query)) ? "Nothing found" : "Enter lists all features that fulfil this",
    more: 1,
    changed: () => this.shown(),
  });

  override connectedCallback(): void {
    if (this.querySelector("form") === null) this.append(searchForm());
    super.connectedCallback();
    this.input = this.querySelector("input");
    if (this.input === null) return;
    prepareInput(this.input, "search-options");
    this.input.addEventListener("input", () => this.suggestions.follow());
    this.input.addEventListener("focus", () => {
      // What every search needs first; a failure shows when something is typed.
      openIndex().catch(() => undefined);
      this.suggestions.follow();
    });
    this.input.addEventListener("blur", () => this.suggestions.dismiss());
    this.input.addEventListener("keydown", (event) => this.pressed(event));
    this.querySelector("form")?.addEventListener("submit", (event) => {
      event.preventDefault();
      this.choose(this.suggestions.active);
    });
  }

  private slug(hit: Hit): string {
    return this.site?.saes[hit.sae]?.slug ?? "";
  }

  private pressed(event: KeyboardEvent): void {
    if (this.suggestions.pressed(event) || event.key !== "Enter") return;
    event.preventDefault();
    this.choose(this.suggestions.active, event);
  }

  /** Opens option `at`; the last one, and -1, is the search page. */
  private choose(at: number, gesture?: MouseEvent | KeyboardEvent): void {
    const { options, query, typed } = this.suggestions;
    const named = options[0]?.reasons[0]?.kind === "number" && query === typed ? options[0] : undefined;
    const target = options[at] ?? (at === -1 ? named : undefined);
    if (target !== undefined) open(featurePath(this.slug(target), target.feature), gesture);
    else if (typed !== "") open(searchPath(typed), gesture);
  }

  private shown(): void {
    const { active, expanded } = this.suggestions;
    this.input?.setAttribute("aria-expanded", String(expanded));
    if (expanded && active >= 0) this.input?.setAttribute("aria-activedescendant", `search-option-${active}`);
    else this.input?.removeAttribute("aria-activedescendant");
    this.requestUpdate();
  }

  private showOption(content: unknown, at: number): TemplateResult {
    return html`<li
      role="option"
      id="search-option-${at}"
      aria-selected=${at === this.suggestions.active ? "true" : "false"}
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
    const { expanded, message, options, query } = this.suggestions;
    const all = html`<span class="option-all">All results for <bdi>${showText(query)}</bdi></span>`;
    return html`<div class="search-popup" ?hidden=${!expanded}>
        ${message === "" ? nothing : html`<p class="search-message">${message}</p>`}
        <ul role="listbox" id="search-options" aria-label="Features">
          ${options.map((hit, at) => this.showHit(hit, at))} ${this.showOption(all, options.length)}
        </ul>
      </div>
      <p class="visually-hidden" aria-live="polite">
        ${expanded ? message || `${options.length} features` : nothing}
      </p>`;
  }
}

define("atlas-search-box", SearchBox);
