import { define, LightElement } from "../core/element.ts";
import { loadBundle } from "../core/lazy.ts";
import { link } from "../core/links.ts";
import { html, nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { messageOf } from "../core/message.ts";
import type { FeatureData } from "../feature/model.ts";

/** Stands for the test box of a feature page until a reader asks for it: nothing of it is loaded before. */
class TestOffer extends LightElement {
  private feature: FeatureData | null = null;
  private taken = false;
  private problem = "";

  set data(data: FeatureData) {
    this.feature = data;
    this.requestUpdate();
  }

  private async take(): Promise<void> {
    try {
      await loadBundle("probe");
      this.taken = true;
      this.problem = "";
    } catch (error) {
      this.problem = messageOf(error);
    }
    this.requestUpdate();
  }

  private showOffer(): TemplateResult {
    return html`<button type="button" class="tool" @click=${() => void this.take()}>Type a text</button>
      <p class="note">The model runs in this browser: nothing you type leaves it.</p>
      ${this.problem === "" ? nothing : html`<p class="problem" role="alert">${this.problem}</p>`}`;
  }

  private showSteer({ sae, payload }: FeatureData): TemplateResult {
    const query = new URLSearchParams({ sae: sae.slug, f: String(payload.feature_idx) });
    return html`<p class="note">
      <a class="text-link" href=${link(`steer.html?${query.toString()}`)}>Steer with this feature</a>
    </p>`;
  }

  protected override render(): TemplateResult | typeof nothing {
    const { feature } = this;
    if (feature === null) return nothing;
    const box = this.taken ? html`<atlas-test-box .data=${feature}></atlas-test-box>` : this.showOffer();
    return html`${box} ${this.showSteer(feature)}`;
  }
}

define("atlas-test-offer", TestOffer);
