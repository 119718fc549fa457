import { svg } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";

const LENGTH = 100;

/** A bar as long as `value` in relation to `full`; its colour is that of what it stands in. */
export function meter(value: number, full: number): TemplateResult {
  const share = full > 0 ? Math.min(1, Math.abs(value) / full) : 0;
  const width = Math.round(share * LENGTH * 10) / 10;
  return svg`<svg class="meter" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true"
    ><rect width=${width} height="6"></rect></svg>`;
}
