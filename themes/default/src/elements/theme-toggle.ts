import { define, LightElement } from "../core/element.ts";
import { html, svg } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { applyTheme, keepTheme, nextTheme, readTheme } from "../frame/theme.ts";
import type { Theme } from "../frame/theme.ts";

const ICONS: Record<Theme, TemplateResult> = {
  auto: svg`<circle cx="8" cy="8" r="6" /><path class="filled" d="M8 2a6 6 0 0 1 0 12z" />`,
  light: svg`<circle cx="8" cy="8" r="3" /><path
      d="M8 .8v2M8 13.2v2M.8 8h2M13.2 8h2M2.9 2.9l1.4 1.4M11.7 11.7l1.4 1.4M2.9 13.1l1.4-1.4M11.7 4.3l1.4-1.4"
    />`,
  dark: svg`<path d="M13.5 9.6A6 6 0 1 1 6.4 2.5a4.8 4.8 0 0 0 7.1 7.1z" />`,
};

/** One button that goes round auto, light and dark. */
class ThemeToggle extends LightElement {
  private theme: Theme = readTheme();

  override connectedCallback(): void {
    super.connectedCallback();
    applyTheme(this.theme);
  }

  private turn(): void {
    this.theme = nextTheme(this.theme);
    keepTheme(this.theme);
    applyTheme(this.theme);
    this.requestUpdate();
  }

  protected override render(): TemplateResult {
    const label = `Colours: ${this.theme}`;
    return html`<button type="button" class="theme-button" title=${label} @click=${() => this.turn()}>
      <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">${ICONS[this.theme]}</svg>
      <span class="visually-hidden">${label}</span>
    </button>`;
  }
}

define("atlas-theme-toggle", ThemeToggle);

// Without scripts it could do nothing, so pages need not name it; a theme may, to choose its place.
if (document.querySelector("atlas-theme-toggle") === null) {
  document.querySelector("header.top")?.append(document.createElement("atlas-theme-toggle"));
}
