import { loadColumn } from "../core/columns.ts";
import { chosenSae, loadSite } from "../core/data.ts";
import { define, LightElement } from "../core/element.ts";
import { listStore, onListsChange } from "../core/lists.ts";
import { html, nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { messageOf } from "../core/message.ts";
import { readState, writeState } from "../core/state.ts";
import { inlineText } from "../core/text.ts";
import { Tip } from "../feature/tip.ts";
import { copyFrom } from "../frame/copy.ts";
import { forgetShared, readShared, shareTexts } from "../frame/share-texts.ts";
import { ModelError } from "../model/client.ts";
import type { OpenModel } from "../model/client.ts";
import type { SitePayload } from "../payloads.ts";
import { FeatureNames } from "../probe/names.ts";
import { replacedNotice } from "../probe/notices.ts";
import { inActivations, withFeature } from "../steer/chosen.ts";
import { reportJson, reportText } from "../steer/report.ts";
import { NO_RUNS, runBoth } from "../steer/run.ts";
import type { Runs } from "../steer/run.ts";
import { showChosen, showPrompt } from "../steer/show-form.ts";
import { showRuns } from "../steer/show-runs.ts";
import { bounded, readView, viewState } from "../steer/state.ts";
import type { SteerView } from "../steer/state.ts";
import "./feature-picker.ts";
import "./model-loader.ts";
import "./run-check.ts";

const MAX_COLUMN = "max_activation";

/** A prompt continued by the model as it is, and with features added, held or silenced. */
class SteerPage extends LightElement {
  private site: SitePayload | null = null;
  private view: SteerView = readView({});
  private prompt = "";
  private model: OpenModel | null = null;
  private names: FeatureNames | null = null;
  private readonly maxima = new Map<number, number>();
  private runs: Runs = NO_RUNS;
  /** What was steered in `runs`. */
  private ran: SteerView | null = null;
  private job: AbortController | null = null;
  private problem = "";
  private notice = "";
  private stop: (() => void) | null = null;
  private tip: Tip | null = null;

  override connectedCallback(): void {
    this.view = readView(readState());
    this.replaceChildren();
    super.connectedCallback();
    this.tip ??= new Tip(this);
    this.stop = onListsChange(() => this.requestUpdate());
    void this.open();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.stop?.();
    this.job?.abort();
  }

  private async open(): Promise<void> {
    try {
      this.site = await loadSite();
      this.take();
      this.prompt = (await readShared(["prompt"]))["prompt"] ?? "";
    } catch (error) {
      this.problem = messageOf(error);
    }
    this.dataset["ready"] = "";
    this.requestUpdate();
  }

  private get sae(): string {
    return chosenSae(this.site, this.view.sae)?.slug ?? "";
  }

  /** Leaves out features that the SAE does not have, and asks for what is to be known of the others. */
  private take(): void {
    const { sae, view } = this;
    const size = this.site?.saes.find(({ slug }) => slug === sae)?.n_features ?? 0;
    const known = view.chosen.filter(({ feature }) => feature < size);
    const gone = view.chosen.filter(({ feature }) => feature >= size).map(({ feature }) => feature);
    if (gone.length > 0) this.problem = `${sae} has no feature ${gone.join(", ")}.`;
    this.view = { ...view, chosen: known };
    if (this.names?.sae !== sae) {
      this.names = new FeatureNames(sae, () => this.requestUpdate());
      this.maxima.clear();
    }
    for (const { feature } of known) void this.loadMaximum(sae, feature);
  }

  private async loadMaximum(sae: string, feature: number): Promise<void> {
    if (this.maxima.has(feature)) return;
    try {
      const max = (await loadColumn(sae, MAX_COLUMN)).values[feature] ?? Number.NaN;
      // One that never fired has no largest activation.
      if (sae === this.sae) this.maxima.set(feature, Number.isNaN(max) ? 0 : max);
    } catch (error) {
      this.problem = messageOf(error);
    }
    this.requestUpdate();
  }

  private change(changes: Partial<SteerView>): void {
    this.view = { ...this.view, ...changes };
    if (changes.sae !== undefined) {
      this.job?.abort();
      this.runs = NO_RUNS;
      this.ran = null;
    }
    this.take();
    writeState(viewState(this.view));
    this.requestUpdate();
  }

  private async run(): Promise<void> {
    const { prompt, view } = this;
    this.problem = prompt === "" ? "Type a prompt first." : "";
    this.requestUpdate();
    if (prompt === "") return;
    const loader = this.querySelector("atlas-model-loader");
    await loader?.load();
    const model = loader?.model ?? null;
    if (model === null || this.job !== null) return;
    const job = new AbortController();
    this.job = job;
    this.requestUpdate();
    try {
      await this.generate(model, view, prompt, job.signal);
    } catch (error) {
      const isCancelled = job.signal.aborted || (error instanceof ModelError && error.kind === "cancelled");
      if (!isCancelled) this.problem = messageOf(error);
      this.dropUnfinished();
    }
    this.job = null;
    this.requestUpdate();
    this.passFocus(".steer-prompt .primary + .tool", ".steer-prompt .primary");
  }

  private async generate(model: OpenModel, view: SteerView, prompt: string, signal: AbortSignal): Promise<void> {
    const { replaced } = await model.tokenise(prompt);
    this.notice = replaced > 0 ? replacedNotice(replaced) : "";
    await Promise.all(view.chosen.map(({ feature }) => this.loadMaximum(this.sae, feature)));
    const steered = inActivations(view.chosen, (feature) => this.maxima.get(feature) ?? 0);
    this.ran = view;
    const show = (runs: Runs) => {
      this.runs = runs;
      this.requestUpdate();
    };
    await runBoth(model, { prompt, steered, sampling: view.sampling }, this.runs, show, signal);
  }

  private cancel(): void {
    this.job?.abort();
    this.dropUnfinished();
    this.requestUpdate();
  }

  private dropUnfinished(): void {
    const { plain, steered } = this.runs;
    // What had come stays to be read, but is no whole continuation.
    this.runs = { plain: plain?.done === true ? plain : null, steered: steered?.done === true ? steered : null };
  }

  private copy(what: "text" | "json", button: HTMLElement): void {
    const { site, model, ran } = this;
    const origin = {
      atlas: site?.title ?? "",
      build: site?.build_id ?? "",
      sae: this.sae,
      precision: model?.info.precision ?? "",
    };
    const report = what === "text" ? reportText : reportJson;
    copyFrom(button, report(this.runs, ran?.chosen ?? [], origin));
  }

  private lists(): { name: string; features: number[] }[] {
    const { sae } = this;
    const found = listStore()
      .read()
      .map(({ name, features }) => ({
        name,
        features: features.filter((item) => item.sae === sae).map(({ feature_idx }) => feature_idx),
      }));
    return found.filter(({ features }) => features.length > 0);
  }

  private showSaes(): TemplateResult | typeof nothing {
    const saes = this.site?.saes ?? [];
    if (saes.length < 2) return nothing;
    const choose = ({ target }: Event) => this.change({ sae: (target as HTMLSelectElement).value, chosen: [] });
    return html`<label class="pick"
      ><span>SAE</span>
      <select @change=${choose}>
        ${saes.map(({ slug, title }) => html`<option value=${slug} ?selected=${slug === this.sae}>${inlineText(title)}</option>`)}
      </select></label
    >`;
  }

  private showFeatures(): TemplateResult {
    const { view, sae, names } = this;
    const { chosen } = view;
    return showChosen(
      {
        sae,
        chosen,
        lists: this.lists(),
        maxOf: (feature) => this.maxima.get(feature) ?? Number.NaN,
        titleOf: (feature) => names?.row(feature),
      },
      {
        change: (item) =>
          this.change({ chosen: chosen.map((known) => (known.feature === item.feature ? item : known)) }),
        remove: (feature) => this.change({ chosen: chosen.filter((item) => item.feature !== feature) }),
        add: (features) => this.change({ chosen: features.reduce(withFeature, chosen) }),
      },
    );
  }

  private showTask(): TemplateResult {
    const { prompt, problem, notice, view } = this;
    return showPrompt(
      { prompt, problem, notice, sampling: view.sampling, busy: this.job !== null },
      {
        typed: (text) => {
          this.prompt = text;
          this.notice = "";
          forgetShared();
          this.requestUpdate();
        },
        sample: (changes) => this.change({ sampling: bounded({ ...view.sampling, ...changes }) }),
        run: () => void this.run(),
        cancel: () => this.cancel(),
        share: (button) => void shareTexts(button, { prompt: this.prompt }),
      },
    );
  }

  protected override render(): TemplateResult {
    if (this.site === null) return this.problem === "" ? html`` : html`<p class="problem" role="alert">${this.problem}</p>`;
    const { runs, ran, sae, model } = this;
    const take = (open: OpenModel | null) => {
      this.model = open;
      this.requestUpdate();
    };
    return html`${this.showSaes()}
      <atlas-model-loader
        .sae=${sae}
        .need=${"steer"}
        @atlas-model-open=${({ detail }: CustomEvent<OpenModel>) => take(detail)}
        @atlas-model-close=${() => take(null)}
      ></atlas-model-loader>
      <div class="steer-form">${this.showFeatures()} ${this.showTask()}</div>
      ${runs.plain === null && runs.steered === null ? nothing : showRuns(runs, ran?.chosen.map(({ feature }) => feature) ?? [], {
        copy: (what, button) => this.copy(what, button),
      })}
      <section class="section" aria-labelledby="reference">
        <header><h2 id="reference">The same here as in the build?</h2></header>
        <atlas-run-check .sae=${sae} .model=${model}></atlas-run-check>
      </section>`;
  }
}

define("atlas-steer-page", SteerPage);
