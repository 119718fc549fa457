import { define, LightElement } from "../core/element.ts";
import { html, nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { messageOf } from "../core/message.ts";
import { decimal } from "../core/numbers.ts";
import { describeModel, downloadSize, ModelError, openModel } from "../model/client.ts";
import type { LoadProgress, OpenModel, RunCheck } from "../model/client.ts";
import type { ModelPayload } from "../payloads.ts";
import { megabytes } from "../probe/facts.ts";

/**
 * Repeats, when asked, the steered runs that the build stored, and says whether this browser computes the same. `.sae` is
 * the SAE; `.model` an open model with the graph for steering, without which the element loads one of its own.
 */
export class RunChecker extends LightElement {
  private slug = "";
  private open: OpenModel | null = null;
  private info: ModelPayload | null = null;
  private running: AbortController | null = null;
  private progress: LoadProgress | null = null;
  private checks: RunCheck[] | null = null;
  private problem = "";

  /** Slug of the SAE whose runs are repeated. */
  get sae(): string {
    return this.slug;
  }

  set sae(slug: string) {
    if (slug === this.slug) return;
    this.slug = slug;
    this.stop();
    this.checks = null;
    this.problem = "";
    this.requestUpdate();
  }

  /** A model that is open for steering anyway; null where there is none. */
  get model(): OpenModel | null {
    return this.open;
  }

  set model(model: OpenModel | null) {
    this.open = model;
    this.requestUpdate();
  }

  override connectedCallback(): void {
    super.connectedCallback();
    // Without it the size is not told; whether the model is there is the loader's to say.
    void describeModel().then(
      (info) => {
        this.info = info;
        this.requestUpdate();
      },
      () => undefined,
    );
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.stop();
  }

  private stop(): void {
    this.running?.abort();
    this.running = null;
    this.progress = null;
    this.requestUpdate();
    this.passFocus(".run-check-line button", ".run-check-line button");
  }

  private async check(): Promise<void> {
    const running = new AbortController();
    this.running = running;
    this.checks = null;
    this.problem = "";
    this.requestUpdate();
    this.passFocus(".run-check-line button", ".run-check-line button");
    let own: OpenModel | null = null;
    try {
      const told = (progress: LoadProgress) => {
        this.progress = progress;
        this.requestUpdate();
      };
      own = this.open === null ? await openModel(this.slug, "steer", told, running.signal) : null;
      const checks = await (own ?? this.open)?.checkRuns(running.signal);
      if (!running.signal.aborted) this.checks = checks ?? [];
    } catch (error) {
      const isCancelled = error instanceof ModelError && error.kind === "cancelled";
      if (!running.signal.aborted && !isCancelled) this.problem = messageOf(error);
    } finally {
      own?.close();
      if (running === this.running) this.stop();
    }
  }

  private showButton(): TemplateResult {
    const size = this.info === null || this.open !== null ? 0 : downloadSize(this.info, this.slug, "steer");
    return html`<button type="button" class="tool" @click=${() => void this.check()}>
      Check the reference runs${size > 0 ? ` (${megabytes(size)})` : ""}
    </button>`;
  }

  private showRunning(): TemplateResult {
    const { step = "Checking", loaded = 0, total = 0 } = this.progress ?? {};
    return html`<span class="soft" role="status">${step}</span>
      ${total > 0 ? html`<span class="number">${megabytes(loaded)} of ${megabytes(total)}</span>` : nothing}
      <button type="button" class="tool" @click=${() => this.stop()}>Cancel</button>`;
  }

  private showChecks(checks: readonly RunCheck[]): TemplateResult {
    if (checks.length === 0) return html`<p class="note" role="status">The build stored no run of this SAE.</p>`;
    return html`<div role="status"><ul class="run-checks">
      ${checks.map(
        ({ name, match, largest }) =>
          html`<li>
            <b>${match ? "match" : "mismatch"}</b> ${name}
            <span class="soft">largest difference of a logit: <span class="number">${decimal(largest, 2)}</span></span>
          </li>`,
      )}
    </ul></div>`;
  }

  protected override render(): TemplateResult {
    return html`<div class="run-check">
      <p class="note">
        The build stored what the model writes in a few steered runs, token by token. Your browser can repeat them: a match
        says that it computes what was computed there.
      </p>
      <p class="run-check-line">${this.running === null ? this.showButton() : this.showRunning()}</p>
      ${this.problem === "" ? nothing : html`<p class="problem" role="alert">${this.problem}</p>`}
      ${this.checks === null ? nothing : this.showChecks(this.checks)}
    </div>`;
  }
}

define("atlas-run-check", RunChecker);

declare global {
  interface HTMLElementTagNameMap {
    "atlas-run-check": RunChecker;
  }
}
