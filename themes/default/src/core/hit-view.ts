import { html } from "./lit.ts";
import type { TemplateResult } from "./lit.ts";
import { decimal } from "./numbers.ts";
import type { FeatureRow } from "./rows.ts";
import type { Reason } from "./search-rank.ts";
import { showMarked, showToken } from "./show.ts";
import type { Content } from "./show.ts";

/** The explanation of a feature with what was found in it marked; a stand-in until `row` has arrived. */
export function showTitle(row: FeatureRow | undefined, reasons: readonly Reason[] = []): Content[] {
  if (row === undefined) return ["…"];
  if (row.explanation === "") return [html`<span class="soft">no explanation</span>`];
  const words = reasons.filter(({ kind }) => kind === "word").map(({ term }) => term);
  return showMarked(row.explanation, words);
}

/** The tokens a feature fires on most; those it was found by are marked. */
export function showTokens(tokens: readonly string[], reasons: readonly Reason[] = []): TemplateResult {
  const found = new Set(reasons.filter(({ kind }) => kind === "token").map(({ term }) => term));
  return html`<span class="tokens"
    >${tokens.map((token) => html`<code class=${found.has(token) ? "found" : ""}>${showToken(token)}</code>`)}</span
  >`;
}

/** Why a feature was found, in words. */
export function showReason({ kind, term, how, weight }: Reason): TemplateResult {
  if (kind === "number") return html`<span class="reason">number</span>`;
  const manner = how === "similar" ? "similar " : "";
  if (kind === "word") return html`<span class="reason">${manner}word ${showMarked(term, [])}</span>`;
  const strength = `mean ${decimal(weight, 2)} of its maximum`;
  return html`<span class="reason" title=${strength}>${manner}token ${showToken(term)} ${decimal(weight, 2)}</span>`;
}
