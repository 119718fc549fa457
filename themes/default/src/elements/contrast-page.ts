import { loadColumn, loadColumns } from "../core/columns.ts";
import { chosenSae, loadSite } from "../core/data.ts";
import { define, LightElement } from "../core/element.ts";
import { html, nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { messageOf } from "../core/message.ts";
import { readState, writeState } from "../core/state.ts";
import { inlineText } from "../core/text.ts";
import { contrastCsv } from "../contrast/csv.ts";
import { pause } from "../contrast/pause.ts";
import type { Permutation } from "../contrast/permute.ts";
import { rowsOf, shownRows, sortedRows } from "../contrast/rows.ts";
import type { Known, Row } from "../contrast/rows.ts";
import { Findings, readSides, textsOf } from "../contrast/session.ts";
import type { Progress } from "../contrast/session.ts";
import { showForm } from "../contrast/show-form.ts";
import { showResults } from "../contrast/show-results.ts";
import { showTable } from "../contrast/show-table.ts";
import { clickedOrder, readView, ROWS, viewState } from "../contrast/state.ts";
import type { ContrastView, Unit } from "../contrast/state.ts";
import { download } from "../feature/download.ts";
import { forgetShared, readShared, shareTexts } from "../frame/share-texts.ts";
import { ModelError } from "../model/client.ts";
import { FeatureNames } from "../probe/names.ts";
import type { SitePayload } from "../payloads.ts";
import { TITLES } from "../table/data.ts";
import { openTable, TableLoader } from "../table/loader.ts";
import "./model-loader.ts";

/** What is listed of findings, kept until something of it changes. */
interface Listing {
  /** The parts of the view that it follows from. */
  key: string;
  findings: Findings;
  permutation: Permutation | null;
  all: Row[];
  listed: Row[];
}

/** Two texts, or two sets of lines, compared feature by feature. */
class ContrastPage extends LightElement {
  private site: SitePayload | null = null;
  private view: ContrastView = readView({});
  private typed = { a: "", b: "" };
  private findings: Findings | null = null;
  /** What was typed when `findings` were made. */
  private compared = "";
  private listing: Listing | null = null;
  private known: Known = { densities: null, maxima: null };
  private names: FeatureNames | null = null;
  private job: AbortController | null = null;
  private progress: Progress | null = null;
  private problem = "";

  override connectedCallback(): void {
    this.view = readView(readState());
    this.replaceChildren();
    super.connectedCallback();
    void this.open();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.job?.abort();
  }

  private async open(): Promise<void> {
    try {
      this.site = await loadSite();
      const { a = "", b = "" } = await readShared(["a", "b"]);
      this.typed = { a, b };
    } catch (error) {
      this.problem = messageOf(error);
    }
    this.dataset["ready"] = "";
    this.requestUpdate();
  }

  private get sae(): string {
    return chosenSae(this.site, this.view.sae)?.slug ?? "";
  }

  private change(view: Partial<ContrastView>): void {
    this.view = { ...this.view, ...view };
    writeState(viewState(this.view));
    this.requestUpdate();
    // A sort or a filter needs no new test, and must not end one.
    if (this.findings !== null && (view.measure ?? view.bos ?? view.relabellings) !== undefined) this.retest();
  }

  private retest(): void {
    if (this.progress?.doing !== "texts") void this.work((signal) => this.test(signal));
  }

  private choose(sae: string): void {
    this.job?.abort();
    this.findings = null;
    this.known = { densities: null, maxima: null };
    this.change({ sae });
  }

  private async compare(): Promise<void> {
    const { typed, view } = this;
    const missing = (["a", "b"] as const).filter((side) => textsOf(typed[side], view.kind).length === 0);
    this.problem = missing.map((side) => `Side ${side.toUpperCase()} holds no text.`).join(" ");
    this.requestUpdate();
    if (missing.length > 0) return;
    const loader = this.querySelector("atlas-model-loader");
    await loader?.load();
    const model = loader?.model ?? null;
    if (model === null) return;
    await this.work(async (signal) => {
      const sides = await readSides(model, view.kind, typed, this.ticker(signal), signal);
      this.known = await loadKnown(model.sae.slug);
      this.findings = new Findings(sides);
      if (this.names?.sae !== sides.sae) this.names = new FeatureNames(sides.sae, () => this.requestUpdate());
      this.compared = JSON.stringify([view.kind, typed]);
      await this.test(signal);
    });
  }

  private async test(signal: AbortSignal): Promise<void> {
    await this.findings?.test(this.view, this.view.relabellings, this.ticker(signal));
  }

  /** Does one thing at a time; another ends what is under way. */
  private async work(task: (signal: AbortSignal) => Promise<void>): Promise<void> {
    this.job?.abort();
    const job = new AbortController();
    this.job = job;
    this.problem = "";
    try {
      await task(job.signal);
    } catch (error) {
      const isCancelled = job.signal.aborted || (error instanceof ModelError && error.kind === "cancelled");
      if (!isCancelled) this.problem = messageOf(error);
    }
    if (this.job !== job) return;
    this.job = null;
    this.progress = null;
    this.requestUpdate();
    this.passFocus(".working button", ".contrast-form .primary");
  }

  private ticker(signal: AbortSignal): (progress: Progress) => Promise<void> {
    const breathe = pause();
    return async (progress) => {
      this.progress = progress;
      await breathe(() => this.requestUpdate());
      signal.throwIfAborted();
    };
  }

  /** Every row that passes the limit of the density, and those that are listed, in order. */
  private rows(findings: Findings): Listing {
    const { measure, bos, unit, densest, relabellings, show, order } = this.view;
    const permutation = findings.permutation(this.view, relabellings);
    const key = JSON.stringify([measure, bos, unit, densest, relabellings, show, order]);
    const { listing: known } = this;
    // Typing draws the page anew; thousands of rows are not sorted for that.
    if (known?.key === key && known.findings === findings && known.permutation === permutation) return known;
    const all = rowsOf(findings.comparison(this.view), inUnit(this.known, unit), densest, permutation);
    this.listing = { key, findings, permutation, all, listed: sortedRows(shownRows(all, show), order) };
    return this.listing;
  }

  private async save({ sides }: Findings, listed: readonly Row[]): Promise<void> {
    const { measure, unit } = this.view;
    const bos = this.view.bos && sides.all !== null;
    try {
      const data = await openTable(sides.sae);
      await new TableLoader(sides.sae, data, () => undefined).all([TITLES]);
      const explanation = (feature: number) => data.explanation(feature);
      const text = contrastCsv(listed, { measure, bos, unit, sets: sides.kind === "lines", explanation });
      download(`contrast-${sides.sae}.csv`, "text/csv", text);
    } catch (error) {
      this.problem = messageOf(error);
      this.requestUpdate();
    }
  }

  private showSaes(): TemplateResult | typeof nothing {
    const saes = this.site?.saes ?? [];
    if (saes.length < 2) return nothing;
    return html`<label class="pick"
      ><span>SAE</span>
      <select @change=${({ target }: Event) => this.choose((target as HTMLSelectElement).value)}>
        ${saes.map(({ slug, title }) => html`<option value=${slug} ?selected=${slug === this.sae}>${inlineText(title)}</option>`)}
      </select></label
    >`;
  }

  private showFindings(findings: Findings): TemplateResult {
    const { view } = this;
    const { sides } = findings;
    const { all: rows, listed, permutation } = this.rows(findings);
    const drawn = listed.slice(0, view.rows);
    const { densities, maxima } = this.known;
    const stale = this.compared !== JSON.stringify([view.kind, this.typed]);
    return html`<section class="section" aria-labelledby="differences">
      <header><h2 id="differences">Differences</h2></header>
      ${showResults(
        { view, sides, rows, permutation, hasDensity: densities !== null, hasMaxima: maxima !== null, stale, busy: this.job !== null },
        { change: (changes) => this.change(changes), test: () => this.retest(), save: () => void this.save(findings, listed) },
      )}
      ${
        rows.length === 0
          ? html`<p class="nothing">No feature that is listed fires in either.</p>`
          : showTable({
              sae: sides.sae,
              rows: drawn,
              order: view.order,
              measure: view.measure,
              unit: view.unit,
              sets: sides.kind === "lines" ? { nA: sides.own.a.length, nB: sides.own.b.length } : null,
              widest: rows.reduce((most, { difference }) => Math.max(most, Math.abs(difference) || 0), 0),
              titleOf: (feature) => this.names?.row(feature),
              sort: (by) => this.change({ order: clickedOrder(view.order, by) }),
            })
      }
      ${
        listed.length > drawn.length
          ? html`<button type="button" class="search-more" @click=${() => this.change({ rows: view.rows + ROWS })}>Show more</button>`
          : nothing
      }
    </section>`;
  }

  protected override render(): TemplateResult {
    if (this.site === null) return this.problem === "" ? html`` : html`<p class="problem" role="alert">${this.problem}</p>`;
    const { view, typed, progress, problem, findings } = this;
    return html`${this.showSaes()}
      <atlas-model-loader .sae=${this.sae} .need=${"activations"}></atlas-model-loader>
      ${showForm(
        { view, ...typed, progress, problem },
        {
          kind: (kind) => this.change({ kind }),
          typed: (side, text) => {
            this.typed = { ...typed, [side]: text };
            forgetShared();
            this.requestUpdate();
          },
          compare: () => void this.compare(),
          cancel: () => this.job?.abort(),
          share: (button) => void shareTexts(button, this.typed),
        },
      )}
      ${findings === null ? nothing : this.showFindings(findings)}`;
  }
}

/** What the dataset knows of all features of an SAE. */
async function loadKnown(sae: string): Promise<Known> {
  const names = (await loadColumns(sae)).map(({ name }) => name);
  const load = async (name: string) => (names.includes(name) ? (await loadColumn(sae, name)).values : null);
  const [densities, maxima] = await Promise.all([load("activation_density"), load("max_activation")]);
  return { densities, maxima };
}

function inUnit({ densities, maxima }: Known, unit: Unit): Known {
  return { densities, maxima: unit === "share" ? maxima : null };
}

define("atlas-contrast-page", ContrastPage);
