import "./model-loader.ts";
import "./run-check.ts";
import { loadSite } from "../core/data.ts";
import { define, LightElement } from "../core/element.ts";
import { html, nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { messageOf } from "../core/message.ts";
import { integer } from "../core/numbers.ts";
import { inlineText } from "../core/text.ts";
import { Tip } from "../feature/tip.ts";
import { AddressError } from "../frame/address.ts";
import { describeModel } from "../model/client.ts";
import type { OpenModel, Piece } from "../model/client.ts";
import type { ModelPayload, SitePayload } from "../payloads.ts";
import { Analysis } from "../probe/analysis.ts";
import { LiveText } from "../probe/live.ts";
import { movedLocks, toggledLock } from "../probe/locks.ts";
import { FeatureNames } from "../probe/names.ts";
import { noticesOf } from "../probe/notices.ts";
import { showTextField, showTextModel } from "../probe/own-text.ts";
import { rank } from "../probe/ranking.ts";
import { readShared, Sharing } from "../probe/sharing.ts";
import { focusedPiece, pieceAt } from "../probe/show-pieces.ts";
import { showTextControls } from "../probe/show-controls.ts";
import { showRanking, tellCount } from "../probe/show-ranking.ts";
import { showTextStrip, tellWhere } from "../probe/show-text.ts";
import { PLAIN_TEXT } from "../probe/view.ts";
import type { TextView } from "../probe/view.ts";
import { clickOrder } from "../table/sort.ts";

const ROWS = 20;

/** The page for a text of the reader's own: its tokens, and the features of one SAE that fire on them. */
class TestPage extends LightElement {
  private site: SitePayload | null = null;
  private info: ModelPayload | null = null;
  private sae = "";
  private text = "";
  private view: TextView = PLAIN_TEXT;
  /** The piece under the pointer or at the focus; only where none is locked. */
  private looked: number | null = null;
  private most = ROWS;
  private names = new FeatureNames("", () => this.requestUpdate());
  private analysis: Analysis | null = null;
  private problem = "";
  private tip: Tip | null = null;
  private readonly live = new LiveText(() => this.told());
  private readonly sharing = new Sharing(() => this.requestUpdate());

  override connectedCallback(): void {
    this.replaceChildren();
    super.connectedCallback();
    this.tip ??= new Tip(this);
    void this.start();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.live.stop();
  }

  private async start(): Promise<void> {
    try {
      [this.site, this.info] = await Promise.all([loadSite(), describeModel()]);
      const shared = await readShared();
      if (shared !== null) Object.assign(this, { text: shared.text, view: shared.view, sae: shared.sae });
    } catch (error) {
      this.problem =
        error instanceof AddressError ? `The text in this address cannot be read: ${error.message}.` : messageOf(error);
    }
    const known = this.info?.saes.some(({ slug }) => slug === this.sae) === true;
    this.choose(known ? this.sae : (this.info?.saes[0]?.slug ?? ""));
    this.live.type(this.text);
    this.dataset["ready"] = "";
  }

  private choose(sae: string): void {
    this.sae = sae;
    this.names = new FeatureNames(sae, () => this.requestUpdate());
    this.requestUpdate();
  }

  /** A newer text, or none, has been run. */
  private told(): void {
    const found = this.live.activations;
    const before = this.analysis?.found;
    if (found !== null && found !== before) {
      const texts = (pieces: readonly Piece[]) => pieces.map(({ text }) => text);
      const { locks } = this.view;
      // A link names the locks of a text that has not been run before.
      const moved =
        before === undefined
          ? locks.filter((lock) => lock < found.pieces.length)
          : movedLocks(texts(before.pieces), texts(found.pieces), locks);
      this.view = { ...this.view, locks: moved };
      this.analysis = new Analysis(found, this.names);
    }
    this.looked = null;
    if (!this.live.busy) this.dataset["answered"] = found === null ? "" : String(found.ids.length);
    this.requestUpdate();
  }

  private typed(text: string): void {
    this.text = text;
    this.sharing.stale();
    this.live.type(text);
    delete this.dataset["answered"];
    this.requestUpdate();
  }

  private change(changes: Partial<TextView>): void {
    this.view = { ...this.view, ...changes };
    this.most = ROWS;
    this.sharing.stale();
    this.tip?.hide();
    this.requestUpdate();
  }

  private lookAt(event: Event): void {
    const at = pieceAt(event);
    if (at === this.looked || this.view.locks.length > 0) return;
    this.looked = at;
    this.requestUpdate();
  }

  /** The pointer or the focus has left the tokens; where the other is still on one, that one is looked at. */
  private leave(event: Event): void {
    const at = event.type === "pointerleave" ? focusedPiece(this) : null;
    if (at === this.looked || this.view.locks.length > 0) return;
    this.looked = at;
    this.requestUpdate();
  }

  /** Nothing is looked at any more, unless by keys: their button is gone, so they go on at the tokens. */
  private unlock({ currentTarget }: Event): void {
    const byKeys = currentTarget instanceof Element && currentTarget.matches(":focus-visible");
    this.looked = null;
    this.change({ locks: [] });
    if (byKeys) void this.updateComplete.then(() => this.querySelector<HTMLElement>(".pieces [tabindex='0']")?.focus());
  }

  private chooseFeature(feature: number | null): void {
    this.change({ feature });
  }

  private showSaes(): TemplateResult | typeof nothing {
    const saes = this.info?.saes ?? [];
    if (saes.length < 2) return nothing;
    const title = (slug: string) => this.site?.saes.find((sae) => sae.slug === slug)?.title ?? slug;
    const chosen = ({ target }: Event) => {
      this.choose((target as HTMLSelectElement).value);
      this.change({ feature: null });
    };
    return html`<label class="text-sae"
      >Features of
      <select @change=${chosen}>
        ${saes.map(
          ({ slug }) => html`<option value=${slug} ?selected=${slug === this.sae}>${inlineText(title(slug))}</option>`,
        )}
      </select></label
    >`;
  }

  private showField(): TemplateResult {
    return html`<div class="text-field">
      ${showTextField({ text: this.text, rows: 4, label: "" }, (text) => this.typed(text))}
      <div class="text-tools">
        ${this.showSaes()}
        <button type="button" class="tool" ?disabled=${this.text === ""} @click=${() => void this.share()}>
          Share this text and view
        </button>
      </div>
      ${this.sharing.show()}
    </div>`;
  }

  private share(): Promise<void> {
    return this.sharing.share({ sae: this.sae, text: this.text, view: this.view });
  }

  private showStrip(analysis: Analysis): TemplateResult {
    const { view } = this;
    return html`<section class="text-strip" aria-label="Tokens">
      <div @pointerover=${(event: Event) => this.lookAt(event)} @pointerleave=${(event: Event) => this.leave(event)}
        @focusin=${(event: Event) => this.lookAt(event)} @focusout=${(event: Event) => this.leave(event)}>
        ${showTextStrip({
          analysis,
          view,
          names: this.names,
          lock: (at) => this.change({ locks: toggledLock(view.locks, at) }),
          colour: (feature) => this.chooseFeature(feature),
        })}
      </div>
      <p class="note">
        Point at a token, or go there with the arrow keys, to see its features; click it or press Enter to lock it.
        ${
          view.locks.length === 0
            ? nothing
            : html`<button type="button" class="tool" @click=${(event: Event) => this.unlock(event)}>
                Unlock ${view.locks.length === 1 ? "the token" : `all ${integer(view.locks.length)} tokens`}
              </button>`
        }
      </p>
    </section>`;
  }

  private showFeatures(analysis: Analysis): TemplateResult {
    const { view, names } = this;
    const looked = view.locks.length > 0 ? view.locks : this.looked === null ? [] : [this.looked];
    const ranking = rank(analysis, view, looked, names);
    const { found } = analysis;
    return html`<section class="text-features" aria-labelledby="text-features">
      <h2 id="text-features">Features that fire</h2>
      ${showTextControls(view, found.bos.includes(true), (changes) => this.change(changes))}
      <p class="note" role="status">${tellCount(ranking, tellWhere(view, this.looked))}</p>
      ${showRanking({
        ranking,
        view,
        names,
        pieces: found.pieces,
        pieceOf: (token) => analysis.pieceOf(token),
        most: this.most,
        sort: (by) => this.change({ order: clickOrder(view.order, by) }),
        colour: (feature) => this.chooseFeature(feature),
        more: () => {
          this.most += ROWS;
          this.requestUpdate();
        },
      })}
    </section>`;
  }

  private showAnswer(model: OpenModel): TemplateResult {
    const { live, analysis } = this;
    const found = live.activations;
    if (live.problem !== "") return html`<p class="problem" role="alert">${live.problem}</p>`;
    if (found === null || analysis === null)
      return html`<p class="note" role="status">${this.text === "" ? "Type or paste a text: there is nothing to run." : "Running …"}</p>`;
    return html`<div aria-busy=${live.busy ? "true" : "false"}>
      ${noticesOf(found, live.cut, model.sae).map((notice) => html`<p class="text-notice">${notice}</p>`)}
      ${this.showStrip(analysis)} ${this.showFeatures(analysis)}
    </div>`;
  }

  protected override render(): TemplateResult {
    const { info, problem } = this;
    const { model } = this.live;
    return html`${problem === "" ? nothing : html`<p class="problem" role="alert">${problem}</p>`}
      ${
        info === null
          ? nothing
          : html`${this.showField()}
              ${showTextModel(this, this.live, this.sae)}
              ${model === null ? nothing : this.showAnswer(model)}
              <details class="text-check">
                <summary>Does this browser compute the same?</summary>
                <atlas-run-check .sae=${this.sae}></atlas-run-check>
              </details>`
      }`;
  }
}

define("atlas-test-page", TestPage);
