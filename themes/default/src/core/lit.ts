// The one place that imports lit: every bundle takes it from here, so a page loads it once.
export { html, LitElement, nothing, svg } from "lit";
export { guard } from "lit/directives/guard.js";
export { repeat } from "lit/directives/repeat.js";
export type { PropertyDeclarations, PropertyValues, TemplateResult } from "lit";
