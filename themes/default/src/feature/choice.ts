import { html, nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";

/** One setting of a switch. */
export interface Setting {
  label: string;
  /** What it means, shown on hover and focus. */
  doc?: string;
  pressed: boolean;
  act: () => void;
}

/** A row of settings of which the pressed ones hold; `name` says what they set. */
export function choice(name: string, settings: readonly Setting[]): TemplateResult {
  const buttons = settings.map(
    ({ label, doc, pressed, act }) =>
      html`<button type="button" aria-pressed=${pressed ? "true" : "false"} data-tip=${doc ?? nothing} @click=${act}>
        ${label}
      </button>`,
  );
  if (name === "") return html`<span class="choice">${buttons}</span>`;
  return html`<span class="choice" role="group" aria-label=${name}
    ><span aria-hidden="true">${name}</span>${buttons}</span
  >`;
}
