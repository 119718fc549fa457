import { define, LightElement } from "../core/element.ts";
import { link } from "../core/links.ts";
import { html, nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { messageOf } from "../core/message.ts";
import { describeModel, downloadSize, ModelError, openModel } from "../model/client.ts";
import type { LoadProgress, Need, OpenModel, Runtime } from "../model/client.ts";
import { isLarge, offersWebGpu } from "../model/webgpu.ts";
import type { ModelPayload } from "../payloads.ts";
import { agreement, megabytes } from "../probe/facts.ts";

/**
 * The offer to load the model: its size first, then progress in bytes with a way to cancel, then how exact it is. Where
 * the browser has WebGPU and the atlas its runtime, readers choose what computes.
 * `.sae` and `.need` say what to load. `atlas-model-open` (detail: the `OpenModel`) and `atlas-model-close` tell the page,
 * the second whenever what was open is so no more; `data-state` is offered, loading, open or failed.
 */
export class ModelLoader extends LightElement {
  /** What has been loaded; null until then. */
  model: OpenModel | null = null;
  private slug = "";
  private graphs: Need = "activations";
  private info: ModelPayload | null = null;
  private progress: LoadProgress | null = null;
  private loading: AbortController | null = null;
  private underway: Promise<void> = Promise.resolve();
  private problem = "";
  private hasWebGpu = false;
  /** What the reader chose, or what failed chose for them; null leaves it to the size of the graph. */
  private chosen: Runtime | null = null;

  /** Slug of the SAE; another one closes what is open. */
  get sae(): string {
    return this.slug;
  }

  set sae(slug: string) {
    if (slug === this.slug) return;
    const wasOpen = this.model !== null;
    this.slug = slug;
    this.leave();
    // What this page has fetched before is no download to ask for.
    if (wasOpen && this.info !== null && downloadSize(this.info, slug, this.graphs, this.runtime) === 0) void this.load();
  }

  /** What the page runs; another need closes what is open. */
  get need(): Need {
    return this.graphs;
  }

  set need(need: Need) {
    if (need === this.graphs) return;
    this.graphs = need;
    this.leave();
  }

  /** What would compute a model that is loaded now. */
  private get runtime(): Runtime {
    if (!this.hasWebGpu || this.info === null) return "wasm";
    return this.chosen ?? (isLarge(this.info, this.slug, this.graphs) ? "webgpu" : "wasm");
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.dataset["state"] = "offered";
    void this.describe();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.leave();
  }

  private async describe(): Promise<void> {
    try {
      this.info = await describeModel();
      if (this.info !== null) void offersWebGpu(this.info).then((has) => this.offerChoice(has));
      this.problem = this.info === null ? "This atlas holds no model for browsers." : "";
    } catch (error) {
      this.problem = messageOf(error);
    }
    this.requestUpdate();
  }

  private offerChoice(hasWebGpu: boolean): void {
    this.hasWebGpu = hasWebGpu;
    this.requestUpdate();
  }

  /** Gives up what is open or on its way. */
  private leave(): void {
    this.loading?.abort();
    this.loading = null;
    this.progress = null;
    this.problem = "";
    this.dataset["state"] = "offered";
    const { model } = this;
    this.model = null;
    this.requestUpdate();
    if (model === null) return;
    model.close();
    this.tell("atlas-model-close", null);
  }

  /**
   * Loads the model, or waits for it where it is on its way. Only after a reader has asked for it: this is the download.
   * Afterwards `model` is there, unless that failed or was cancelled.
   */
  load(): Promise<void> {
    if (this.model !== null) return Promise.resolve();
    if (this.loading === null) this.underway = this.fetchModel();
    return this.underway;
  }

  private async fetchModel(): Promise<void> {
    const loading = new AbortController();
    this.loading = loading;
    this.problem = "";
    this.dataset["state"] = "loading";
    this.requestUpdate();
    try {
      const advance = (progress: LoadProgress) => this.advance(loading, progress);
      const model = await openModel(this.slug, this.graphs, advance, loading.signal, this.runtime);
      if (loading.signal.aborted) model.close();
      else this.opened(model);
    } catch (error) {
      if (!loading.signal.aborted) this.fail(error);
    }
  }

  private advance(loading: AbortController, progress: LoadProgress): void {
    if (loading !== this.loading) return;
    this.progress = progress;
    this.requestUpdate();
  }

  private opened(model: OpenModel): void {
    this.loading = null;
    this.progress = null;
    this.model = model;
    this.dataset["state"] = "open";
    this.requestUpdate();
    this.tell("atlas-model-open", model);
    void model.ended.then((reason) => this.lose(model, reason));
  }

  /** Offers the model again where it ended by itself; what lost its graphics processor is not tried there again. */
  private lose(model: OpenModel, reason: ModelError): void {
    if (model !== this.model) return;
    if (reason.kind === "gpu") this.chosen = "wasm";
    this.leave();
    this.fail(reason);
  }

  private fail(error: unknown): void {
    this.loading = null;
    this.progress = null;
    const isCancelled = error instanceof ModelError && error.kind === "cancelled";
    this.problem = isCancelled ? "" : messageOf(error);
    this.dataset["state"] = isCancelled ? "offered" : "failed";
    this.requestUpdate();
  }

  private async cancel(): Promise<void> {
    this.leave();
    await this.updateComplete;
    this.querySelector("button")?.focus();
  }

  private tell(type: string, detail: OpenModel | null): void {
    this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true }));
  }

  private showOffer(info: ModelPayload): TemplateResult {
    const size = megabytes(downloadSize(info, this.slug, this.graphs, this.runtime));
    const again = this.problem === "" ? "" : "Try again: ";
    return html`<button type="button" class="tool primary" @click=${() => void this.load()}>
        ${again}Load the model (${size})
      </button>
      ${this.hasWebGpu ? this.showChoice() : nothing}
      <p class="note">${agreement(info, this.slug)}. Nothing is downloaded before you ask for it.</p>`;
  }

  private showChoice(): TemplateResult {
    const choose = ({ target }: Event) => {
      this.chosen = (target as HTMLInputElement).checked ? "webgpu" : "wasm";
      this.requestUpdate();
    };
    return html`<p class="note">
      <label>
        <input type="checkbox" .checked=${this.runtime === "webgpu"} @change=${choose} />
        Compute on the graphics processor (WebGPU)
      </label>
    </p>`;
  }

  private showProgress(): TemplateResult {
    const { step = "Preparing", loaded = 0, total = 0 } = this.progress ?? {};
    const share = total > 0 ? loaded / total : 0;
    return html`<p class="model-progress">
      <progress max="1" .value=${share} aria-label="Loading the model"></progress>
      <span class="number">${megabytes(loaded)} of ${megabytes(total)}</span>
      <span class="soft" role="status">${step}</span>
      <button type="button" class="tool" @click=${() => void this.cancel()}>Cancel</button>
    </p>`;
  }

  protected override render(): TemplateResult {
    const { info, model, problem } = this;
    let content: TemplateResult | typeof nothing = nothing;
    if (model !== null)
      content = html`<p class="note">
        ${agreement(model.info, this.slug)} · <a href=${link("test.html#exact")}>all figures</a>${computedBy(model)}
      </p>`;
    else if (this.loading !== null) content = this.showProgress();
    else if (info !== null) content = this.showOffer(info);
    return html`${problem === "" ? nothing : html`<p class="problem" role="alert">${problem}</p>`}${content}`;
  }
}

/** What computes, where the reader had a choice. */
function computedBy({ runtime, refusal }: OpenModel): string {
  if (runtime === "webgpu") return " · computed on the graphics processor, which gave what the build stored";
  return refusal === "" ? "" : ` · computed by WebAssembly. ${refusal}`;
}

define("atlas-model-loader", ModelLoader);

declare global {
  interface HTMLElementTagNameMap {
    "atlas-model-loader": ModelLoader;
  }
  interface HTMLElementEventMap {
    "atlas-model-open": CustomEvent<OpenModel>;
    "atlas-model-close": CustomEvent<null>;
  }
}
