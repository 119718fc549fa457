import { compareHashes, tellVerdict } from "../cite/changes.ts";
import type { Verdict } from "../cite/changes.ts";
import { loadFeature } from "../core/data.ts";
import { define, LightElement } from "../core/element.ts";
import { html, nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { page } from "../core/page.ts";
import { readState } from "../core/state.ts";
import { openDialog } from "../frame/dialogs.ts";

/** On a feature's page: the ways to cite and embed it, and what `?h=` says about its changes. */
class Cite extends LightElement {
  private verdict: Verdict | null = null;
  private problem = "";

  override connectedCallback(): void {
    super.connectedCallback();
    const { h } = readState();
    if (h !== undefined) void this.compare(h);
  }

  private async compare(cited: string): Promise<void> {
    const { sae, feature } = page();
    try {
      const { payload } = await loadFeature(sae, feature ?? 0);
      this.verdict = compareHashes(cited, payload.hash);
    } catch (error) {
      this.problem = `Whether this feature changed cannot be told: ${error instanceof Error ? error.message : ""}`;
    }
    this.requestUpdate();
  }

  protected override render(): TemplateResult {
    const { verdict } = this;
    const open = (choice: string) => void openDialog((dialogs) => dialogs.cite(choice));
    return html`<button type="button" class="tool" aria-haspopup="dialog" @click=${() => open("bibtex")}>Cite</button>
      <button type="button" class="tool" aria-haspopup="dialog" @click=${() => open("embed")}>Embed</button>
      ${verdict === null ? nothing : html`<p class="cited ${verdict.kind}" role="status">${tellVerdict(verdict)}</p>`}
      ${this.problem === "" ? nothing : html`<p class="problem" role="alert">${this.problem}</p>`}`;
  }
}

define("atlas-cite", Cite);
