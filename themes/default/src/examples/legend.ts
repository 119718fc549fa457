import { html } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { decimal } from "../core/numbers.ts";

const HEAT = [1, 2, 3, 4, 5, 6, 7, 8, 9];
const HURTS = [5, 4, 3, 2, 1];
const HELPS = [1, 2, 3, 4, 5];

function steps(names: readonly string[]): TemplateResult {
  return html`<span class="scale" aria-hidden="true">${names.map((name) => html`<i class=${name}></i>`)}</span>`;
}

/** The ten steps of the activation, with the value at their end, and how the own token of `silent` examples looks. */
export function showHeatLegend(max: number, silent: boolean): TemplateResult {
  const names = ["none", ...HEAT.map((step) => `a${step}`)];
  return html`<p class="legend">
    0 ${steps(names)} <span title=${max}>${decimal(max)}</span> activation ·
    ${
      silent
        ? html`<span class="token peak silent">dashed</span> = where it does not fire`
        : html`<span class="peak">underlined</span> = the example’s own token`
    }
  </p>`;
}

/** The steps of the loss effect either way, with the values at their ends. */
export function showLossLegend(scale: number): TemplateResult {
  const names = [...HURTS.map((step) => `hurts${step}`), "none", ...HELPS.map((step) => `helps${step}`)];
  return html`<p class="legend">
    −${decimal(scale, 3)} ${steps(names)} +${decimal(scale, 3)} nats: the feature helps to predict the token;
    dotted: it hinders
  </p>`;
}
