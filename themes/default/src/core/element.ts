import { LitElement } from "./lit.ts";

/** An element whose content is styled by the page: it renders into itself, without a shadow root. */
export class LightElement extends LitElement {
  protected override createRenderRoot(): HTMLElement {
    return this;
  }
}

/** Defines `name` unless a page loaded the script twice. */
export function define(name: string, element: CustomElementConstructor): void {
  if (customElements.get(name) === undefined) customElements.define(name, element);
}
