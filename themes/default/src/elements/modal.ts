import { LightElement } from "../core/element.ts";
import { html } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";

/** A modal dialog. Escape, its button and a click beside it close it; the focus goes back to where it was. */
export abstract class Modal extends LightElement {
  /** Heading of the dialog. */
  protected abstract heading(): string;
  /** What is below the heading. */
  protected abstract content(): TemplateResult;

  /** Shows the dialog. */
  open(): void {
    this.requestUpdate();
    void this.updateComplete.then(() => {
      const dialog = this.querySelector("dialog");
      if (dialog?.open === false) dialog.showModal();
    });
  }

  /** Puts the dialog away. */
  close(): void {
    this.querySelector("dialog")?.close();
  }

  /** Called when the dialog has closed, in whichever way. */
  protected closed(): void {
    // Most dialogs need nothing more.
  }

  /** Called for every key while the dialog is open. */
  protected pressed(_event: KeyboardEvent): void {
    // Most dialogs leave keys to the browser.
  }

  protected override render(): TemplateResult {
    const id = `${this.localName}-title`;
    return html`<dialog
      class="modal"
      aria-labelledby=${id}
      @close=${() => this.closed()}
      @click=${(event: MouseEvent) => event.target === event.currentTarget && this.close()}
      @keydown=${(event: KeyboardEvent & { currentTarget: HTMLDialogElement }) => {
        // Until the next frame a closed dialog keeps the focus; its keys are the page's again.
        if (!event.currentTarget.open) return;
        // The page behind must not hear its keys: → would open the next feature.
        event.stopPropagation();
        this.pressed(event);
      }}
    >
      <div>
        <button type="button" class="modal-close" aria-label="Close" @click=${() => this.close()}>×</button>
        <h2 id=${id}>${this.heading()}</h2>
        ${this.content()}
      </div>
    </dialog>`;
  }
}

/** The one element called `name` of the page, put there the first time. */
export function theOnly<Name extends keyof HTMLElementTagNameMap>(name: Name): HTMLElementTagNameMap[Name] {
  const known = document.querySelector(name);
  if (known !== null) return known;
  const made = document.createElement(name);
  document.querySelector("body")?.append(made);
  return made;
}
