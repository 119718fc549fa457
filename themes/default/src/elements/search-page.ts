import { define, LightElement } from "../core/element.ts";
import { html, nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { messageOf } from "../core/message.ts";
import { counted, integer } from "../core/numbers.ts";
import { parseQuery } from "../core/query.ts";
import { loadRow } from "../core/rows.ts";
import { openIndex } from "../core/search-index.ts";
import type { SearchIndex } from "../core/search-index.ts";
import { showToken } from "../core/show.ts";
import { readState, writeState } from "../core/state.ts";
import { inlineText } from "../core/text.ts";
import { step } from "../frame/combobox.ts";
import { showCoverage } from "../search/coverage.ts";
import { find } from "../search/find.ts";
import type { Outcome } from "../search/find.ts";
import { showOthers, showResult, showSyntax } from "../search/show-result.ts";
import type { Result } from "../search/show-result.ts";

const PER_STEP = 20;
const PAUSE_MS = 60;

/** The search page: one field, results that say why they were found, everything in the address. */
class SearchPage extends LightElement {
  private index: SearchIndex | null = null;
  /** What stands in the field; `query` is without the spaces around it, which are there while one types. */
  private typed = "";
  private query = "";
  private sae = "";
  private meaning = true;
  private wanted = PER_STEP;
  private outcome: Outcome | null = null;
  private results: Result[] = [];
  private busy = false;
  private problem = "";
  private timer = 0;

  override connectedCallback(): void {
    const { q = "", sae = "", meaning, n = "" } = readState();
    this.typed = this.query = q;
    this.sae = sae;
    this.meaning = meaning !== "off";
    this.wanted = Math.min(Math.max(Number.parseInt(n, 10) || PER_STEP, PER_STEP), 1000);
    this.replaceChildren();
    super.connectedCallback();
    void this.find();
    void this.updateComplete.then(() => this.querySelector("input")?.focus());
  }

  private change(changes: { query?: string; sae?: string; meaning?: boolean; wanted?: number }): void {
    Object.assign(this, { wanted: PER_STEP }, changes);
    writeState({
      q: this.query,
      sae: this.sae,
      meaning: this.meaning ? "" : "off",
      n: this.wanted === PER_STEP ? "" : String(this.wanted),
    });
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.find(), changes.query === undefined ? 0 : PAUSE_MS);
  }

  private async find(): Promise<void> {
    const { query, sae, meaning, wanted } = this;
    const current = () =>
      query === this.query && sae === this.sae && meaning === this.meaning && wanted === this.wanted;
    this.busy = true;
    this.requestUpdate();
    try {
      this.index = await openIndex();
      // Words come first: what is alike in meaning needs more data, and stands below them.
      for (const alike of meaning && this.index.directory.vector_shards > 0 ? [false, true] : [false]) {
        const outcome = await find(query, sae, alike);
        if (!current()) return;
        this.take(outcome);
        this.requestUpdate();
        await this.describe();
        if (!current()) return;
      }
      this.problem = "";
    } catch (error) {
      this.problem = `The search does not work: ${messageOf(error)}`;
    }
    this.busy = false;
    this.dataset["ready"] = "";
    this.dataset["answered"] = query;
    this.requestUpdate();
  }

  private take(outcome: Outcome): void {
    const known = new Map(this.results.map((result) => [`${result.slug}/${result.feature}`, result.row]));
    this.outcome = outcome;
    this.results = outcome.hits.slice(0, this.wanted).map((hit) => {
      const slug = outcome.index.site.saes[hit.sae]?.slug ?? "";
      return { ...hit, slug, row: known.get(`${slug}/${hit.feature}`) };
    });
  }

  private async describe(): Promise<void> {
    const load = async (result: Result) => {
      result.row ??= await loadRow(result.slug, result.feature);
      this.requestUpdate();
    };
    await Promise.all(this.results.map(load));
  }

  /** Arrow keys walk from the field through the results and back. */
  private pressed(event: KeyboardEvent): void {
    const by = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    const field = this.querySelector("input");
    const stops = [field, ...this.querySelectorAll<HTMLElement>(".result > a")];
    const at = stops.indexOf(document.activeElement as HTMLElement);
    if (by === 0 || at < 0) return;
    event.preventDefault();
    stops[step(at, by, stops.length)]?.focus();
  }

  private showField(): TemplateResult {
    const saes = this.index?.site.saes ?? [];
    const typed = ({ target }: Event) => {
      this.typed = (target as HTMLInputElement).value;
      this.change({ query: this.typed.trim() });
    };
    const chosen = ({ target }: Event) => this.change({ sae: (target as HTMLSelectElement).value });
    return html`<div class="search-field">
      <label class="visually-hidden" for="search-query">Search features, tokens, meanings</label>
      <input
        id="search-query"
        type="search"
        .value=${this.typed}
        placeholder="A word, a token, a number, a condition"
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
      ${this.index !== null && this.index.directory.vector_shards > 0 ? this.showMeaning() : nothing}
    </div>`;
  }

  private showMeaning(): TemplateResult {
    const toggled = ({ target }: Event) => this.change({ meaning: (target as HTMLInputElement).checked });
    return html`<label class="search-meaning"
      ><input type="checkbox" .checked=${this.meaning} @change=${toggled} /> by meaning too</label
    >`;
  }

  private showCount({ hits, answering, cut }: Outcome): TemplateResult {
    const rest = hits.length - answering;
    let text = counted(hits.length, "feature");
    if (rest > 0 && answering > 0) text = `${counted(answering, "feature")}, and ${integer(rest)} that answer a part or are alike`;
    else if (rest > 0) text = `No feature answers all of this; ${counted(rest, "feature")} answer a part or are alike`;
    const limits = cut.map(
      ({ text: term, count: all }) => html`; of ${integer(all)} for ${showToken(term)} only the strongest were looked at`,
    );
    return html`<p class="search-count" role="status">${this.busy ? "Searching …" : html`${text}${limits}`}</p>`;
  }

  private showFound(outcome: Outcome): TemplateResult {
    const { saes } = outcome.index.site;
    const grow = () => this.change({ wanted: this.wanted + PER_STEP });
    const isQuoted = parseQuery(this.query).tokens.length > 0;
    return html`${outcome.problems.map((problem) => html`<p class="search-problem">${inlineText(problem)}</p>`)}
      ${this.showCount(outcome)} ${isQuoted && outcome.others.length > 0 ? showOthers(outcome.others, this.sae) : nothing}
      <ol class="results" aria-busy=${this.busy ? "true" : "false"}>
        ${this.results.map((result) => showResult(result, saes.length > 1 ? (saes[result.sae]?.title ?? "") : ""))}
      </ol>
      ${
        outcome.hits.length > this.results.length
          ? html`<button type="button" class="search-more" @click=${grow}>Show more</button>`
          : nothing
      }`;
  }

  protected override render(): TemplateResult {
    const sae = this.index?.site.saes[0]?.slug ?? "my-sae";
    const asked = this.query !== "" && this.outcome !== null;
    return html`<div @keydown=${(event: KeyboardEvent) => this.pressed(event)}>
      ${this.showField()} ${this.problem === "" ? nothing : html`<p class="problem" role="alert">${this.problem}</p>`}
      ${asked && this.outcome !== null ? this.showFound(this.outcome) : nothing}
      ${!asked || this.results.length === 0 ? showSyntax(sae) : nothing}
      ${this.index === null ? nothing : showCoverage(this.index.directory)}
    </div>`;
  }
}

define("atlas-search-page", SearchPage);
