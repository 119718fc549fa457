import { LitElement } from "./lit.ts";

/** An element whose content is styled by the page: it renders into itself, without a shadow root. */
export class LightElement extends LitElement {
  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  /** Takes the focus from what `from` selects to what `to` does after the next update, in which the former goes away. */
  protected passFocus(from: string, to: string): void {
    if (document.activeElement === null || document.activeElement !== this.querySelector(from)) return;
    void this.updateComplete.then(() => this.querySelector<HTMLElement>(to)?.focus());
  }
}

/** Defines `name` unless a page loaded the script twice. */
export function define(name: string, element: CustomElementConstructor): void {
  if (customElements.get(name) === undefined) customElements.define(name, element);
}
