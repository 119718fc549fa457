import "./model-loader.ts";
import { define, LightElement } from "../core/element.ts";
import { link } from "../core/links.ts";
import { html, nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { decimal, integer } from "../core/numbers.ts";
import { showToken } from "../core/show.ts";
import { tellActivation } from "../examples/show-strip.ts";
import { entryOf } from "../feature/model.ts";
import type { FeatureData } from "../feature/model.ts";
import type { OpenModel, Piece, TextActivations } from "../model/client.ts";
import { binsOf } from "../panels/bars.ts";
import type { Bin } from "../panels/bars.ts";
import { pieceValue } from "../probe/aggregate.ts";
import { LiveText } from "../probe/live.ts";
import { noticesOf } from "../probe/notices.ts";
import { showTextField, showTextModel } from "../probe/own-text.ts";
import { standingOf, tellExactness, tellStanding } from "../probe/percentile.ts";
import { testPath } from "../probe/sharing.ts";
import { peakOf, showPieces, showScale } from "../probe/show-pieces.ts";
import { PLAIN_TEXT } from "../probe/view.ts";

/** A text of the reader's own, and where in it the feature of the page fires, beside how it fires in the corpus. */
class TestBox extends LightElement {
  private feature: FeatureData | null = null;
  private bins: Bin[] = [];
  private text = "";
  private path = "test.html";
  private readonly live = new LiveText(() => this.told());

  /** The feature. */
  set data(data: FeatureData) {
    const entry = entryOf(data, "activation_histogram");
    this.feature = data;
    this.bins = entry === undefined ? [] : binsOf(entry);
    this.requestUpdate();
  }

  override connectedCallback(): void {
    super.connectedCallback();
    void this.updateComplete.then(() => this.querySelector("textarea")?.focus());
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.live.stop();
  }

  private told(): void {
    const { activations, busy } = this.live;
    if (!busy) this.dataset["answered"] = activations === null ? "" : String(activations.ids.length);
    this.requestUpdate();
  }

  private typed(text: string): void {
    this.text = text;
    this.live.type(text);
    delete this.dataset["answered"];
    this.requestUpdate();
    void this.prepareLink(text);
  }

  /** The same text on the page for texts, coloured by this feature. */
  private async prepareLink(text: string): Promise<void> {
    if (this.feature === null) return;
    const { sae, payload } = this.feature;
    const path = await testPath({ sae: sae.slug, text, view: { ...PLAIN_TEXT, feature: payload.feature_idx } });
    if (text !== this.text) return;
    this.path = path;
    this.requestUpdate();
  }

  private showStrongest(found: TextActivations, at: number, value: number, max: number): TemplateResult {
    const piece = found.pieces[at];
    if (piece === undefined || value <= 0)
      return html`<p role="status">This feature does not fire on this text.</p>`;
    const standing = standingOf(this.bins, max, value);
    const firings = this.bins.reduce((sum, { count }) => sum + count, 0);
    return html`<p role="status">
        Strongest at ${showToken(piece.text)} with <b class="number" title=${value}>${decimal(value)}</b>${
          standing === null ? "." : html`: ${tellStanding(standing)}.`
        }
      </p>
      ${standing === null ? nothing : html`<p class="note">${integer(firings)} firings in the corpus. ${tellExactness(standing)}</p>`}`;
  }

  private showAnswer(data: FeatureData, model: OpenModel): TemplateResult | typeof nothing {
    const { live } = this;
    const found = live.activations;
    if (live.problem !== "") return html`<p class="problem" role="alert">${live.problem}</p>`;
    if (found === null)
      return this.text === ""
        ? html`<p class="note" role="status">The text is empty: there is nothing to run.</p>`
        : html`<p class="note" role="status">Running …</p>`;
    const { feature_idx, max_activation: max } = data.payload;
    const value = (piece: Piece) => pieceValue(found, feature_idx, piece, false);
    const full = max > 0 ? max : found.pieces.reduce((most, piece) => Math.max(most, value(piece)), 0);
    const peak = peakOf(found.pieces, value);
    const largest = found.pieces[peak] === undefined ? 0 : value(found.pieces[peak]);
    return html`<div aria-busy=${live.busy ? "true" : "false"}>
      ${noticesOf(found, live.cut, model.sae).map((notice) => html`<p class="text-notice">${notice}</p>`)}
      ${showScale(full, "activation")}
      ${showPieces(found.pieces, {
        value,
        max: full,
        peak,
        bos: found.bos,
        tell: tellActivation(full),
        label: "Activation of this feature on the text",
      })}
      ${this.showStrongest(found, peak, largest, max)}
    </div>`;
  }

  protected override render(): TemplateResult | typeof nothing {
    const { feature: data } = this;
    const { model } = this.live;
    if (data === null) return nothing;
    return html`${showTextField({ text: this.text, rows: 3, label: "visually-hidden" }, (text) => this.typed(text))}
      ${showTextModel(this, this.live, data.sae.slug)} ${model === null ? nothing : this.showAnswer(data, model)}
      <p class="note"><a class="text-link" href=${link(this.path)}>All features on this text</a></p>`;
  }
}

define("atlas-test-box", TestBox);
