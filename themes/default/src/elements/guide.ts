import { define, LightElement } from "../core/element.ts";
import { html } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { openDialog } from "../frame/dialogs.ts";
import { isGuideSeen } from "../guide/seen.ts";

/** The way into the guided first minute; it stands out until the guide was opened once in this browser. */
class Guide extends LightElement {
  private readonly seen = () => this.requestUpdate();

  override connectedCallback(): void {
    super.connectedCallback();
    document.addEventListener("atlas-guide-seen", this.seen);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    document.removeEventListener("atlas-guide-seen", this.seen);
  }

  protected override render(): TemplateResult {
    const css = isGuideSeen() ? "tool quiet" : "tool fresh";
    return html`<button type="button" class=${css} aria-haspopup="dialog" @click=${() => void openDialog((dialogs) => dialogs.guide())}>
      What am I looking at?
    </button>`;
  }
}

define("atlas-guide", Guide);
