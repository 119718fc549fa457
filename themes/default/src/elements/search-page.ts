import type { SitePayload } from "../payloads.ts";
import { loadSite } from "../core/data.ts";
import { define, LightElement } from "../core/element.ts";
import { html, nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { integer } from "../core/numbers.ts";
import { parseQuery } from "../core/query.ts";
import { loadRow } from "../core/rows.ts";
import { search } from "../core/search.ts";
import type { Ranking } from "../core/search-rank.ts";
import { readState, writeState } from "../core/state.ts";
import { inlineText } from "../core/text.ts";
import { hitsIn, takeResults } from "../search/results.ts";
import type { Result } from "../search/results.ts";
import { showResult, showSyntax } from "../search/show-result.ts";

const PER_STEP = 20;
const PAUSE_MS = 180;

/** The search page: one field, results that say why they were found, the query in the address. */
class SearchPage extends LightElement {
  private site: SitePayload | null = null;
  private query = "";
  private sae = "";
  private ranking: Ranking = { hits: [], complete: true };
  private results: Result[] = [];
  private wanted = PER_STEP;
  private more = false;
  private busy = false;
  private problem = "";
  private timer = 0;

  override connectedCallback(): void {
    const { q = "", sae = "" } = readState();
    this.query = q;
    this.sae = sae;
    this.replaceChildren();
    super.connectedCallback();
    void this.find();
    void this.updateComplete.then(() => this.querySelector("input")?.focus());
  }

  private change(query: string, sae: string): void {
    this.query = query;
    this.sae = sae;
    this.wanted = PER_STEP;
    writeState({ q: query, sae });
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.find(), PAUSE_MS);
  }

  private async find(): Promise<void> {
    const { query, sae, wanted } = this;
    const current = () => query === this.query && sae === this.sae && wanted === this.wanted;
    this.busy = true;
    this.requestUpdate();
    try {
      this.site = await loadSite();
      const parsed = parseQuery(query);
      const ranking = await search(parsed, sae);
      const hits = hitsIn(ranking.hits, this.site, sae);
      const results = await takeResults(hits, this.site, parsed.comparisons, wanted + 1, loadRow);
      if (!current()) return;
      this.ranking = { ...ranking, hits };
      this.more = results.length > wanted;
      this.results = results.slice(0, wanted);
      this.problem = "";
    } catch (error) {
      this.problem = `The search does not work: ${error instanceof Error ? error.message : String(error)}`;
    }
    this.busy = false;
    this.dataset["ready"] = "";
    this.requestUpdate();
  }

  private showField(): TemplateResult {
    const saes = this.site?.saes ?? [];
    const typed = ({ target }: Event) => this.change((target as HTMLInputElement).value.trim(), this.sae);
    const chosen = ({ target }: Event) => this.change(this.query, (target as HTMLSelectElement).value);
    return html`<div class="search-field">
      <label class="visually-hidden" for="search-query">Search features, tokens, meanings</label>
      <input
        id="search-query"
        type="search"
        .value=${this.query}
        placeholder="A word, a token, a number"
        autocomplete="off"
        spellcheck="false"
        @input=${typed}
      />
      ${
        saes.length < 2
          ? nothing
          : html`<label class="visually-hidden" for="search-sae">SAE</label>
            <select id="search-sae" @change=${chosen}>
              <option value="">all SAEs</option>
              ${saes.map(
                ({ slug, title }) =>
                  html`<option value=${slug} ?selected=${slug === this.sae}>${inlineText(title)}</option>`,
              )}
            </select>`
      }
    </div>`;
  }

  private showCount(): TemplateResult {
    const count = this.ranking.hits.length;
    const conditions = parseQuery(this.query).comparisons.length > 0;
    let text = count === 1 ? "1 feature" : `${integer(count)} features`;
    if (conditions) text = `${text} before the conditions`;
    if (!this.ranking.complete) text = `No feature answers all of this; ${text} answer a part`;
    return html`<p class="search-count" role="status">${this.busy ? "Searching …" : text}</p>`;
  }

  private showMore(): TemplateResult {
    const grow = () => {
      this.wanted += PER_STEP;
      void this.find();
    };
    return html`<button type="button" class="search-more" @click=${grow}>Show more</button>`;
  }

  protected override render(): TemplateResult {
    const titles = this.site !== null && this.site.saes.length > 1 ? this.site.saes : [];
    const list = html`${this.showCount()}
      <ol class="results" aria-busy=${this.busy ? "true" : "false"}>
        ${this.results.map((result) => showResult(result, titles[result.sae]?.title ?? ""))}
      </ol>
      ${this.more ? this.showMore() : nothing}`;
    const problem = html`<p class="problem" role="alert">${this.problem}</p>`;
    return html`${this.showField()} ${this.problem === "" ? nothing : problem}
    ${this.query === "" ? nothing : list} ${this.query === "" || this.results.length === 0 ? showSyntax() : nothing}`;
  }
}

define("atlas-search-page", SearchPage);
