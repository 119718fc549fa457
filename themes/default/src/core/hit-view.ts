import { html, nothing } from "./lit.ts";
import type { TemplateResult } from "./lit.ts";
import { decimal, percent } from "./numbers.ts";
import type { FeatureRow } from "./rows.ts";
import type { Reason } from "./search-rank.ts";
import { showMarked, showText, showToken } from "./show.ts";
import type { Content } from "./show.ts";

const FIRES_ON = ["token", "seen"];

/** The explanation of a feature with what was found in it marked; a stand-in until `row` has arrived. */
export function showTitle(row: FeatureRow | undefined, reasons: readonly Reason[] = []): Content[] {
  if (row === undefined) return ["…"];
  if (row.explanation === "") return [html`<span class="soft">no explanation</span>`];
  const words = reasons.filter(({ kind }) => kind === "word").map(({ term }) => term);
  return showMarked(row.explanation, words);
}

/** The tokens a feature fires on most; those it was found by are marked. */
export function showTokens(tokens: readonly string[], reasons: readonly Reason[] = []): TemplateResult {
  const found = new Set(reasons.filter(({ kind }) => FIRES_ON.includes(kind)).map(({ term }) => term));
  return html`<span class="tokens"
    >${tokens.map((token) => html`<code class=${found.has(token) ? "found" : ""}>${showToken(token)}</code>`)}</span
  >`;
}

/** Why a feature was found: what of it, how strongly, and what a similar spelling was typed as. */
export function showReason(reason: Reason): TemplateResult {
  const { how, typed } = reason;
  const { label, what, value, help } = words(reason);
  const slip = how === "similar" ? html` <span class="reason-slip">≈ <bdi>${showText(typed)}</bdi></span>` : nothing;
  return html`<span class="reason" data-kind=${reason.kind} title=${help}
    >${label}${what === null ? nothing : html` ${what}`}${value === "" ? nothing : html` <span class="number">${value}</span>`}${slip}</span
  >`;
}

interface Words {
  label: string;
  what: Content | null;
  value: string;
  help: string;
}

function words({ kind, term, weight }: Reason): Words {
  const value = decimal(weight, 2);
  switch (kind) {
    case "number":
      return { label: "number", what: null, value: "", help: "the feature with this number" };
    case "word":
      return { label: "word", what: plain(term), value: "", help: "a word of its explanation" };
    case "token":
      return { label: "token", what: showToken(term), value, help: `mean activation there: ${value} of its maximum` };
    case "seen":
      return {
        label: "also on",
        what: showToken(term),
        value,
        help: `fires on it in an example, with up to ${value} of its maximum`,
      };
    case "phrase":
      return {
        label: "phrase",
        what: showToken(term),
        value,
        help: `peaks in it in several top examples, with up to ${value} of its maximum`,
      };
    case "example":
      return {
        label: "beside the peak",
        what: plain(term),
        value: percent(weight, 2),
        help: `in ${percent(weight, 2)} of its top examples the word stands at the peak or close before it`,
      };
    case "meaning":
      return {
        label: "meaning",
        what: null,
        value,
        help: "cosine between what was typed and this feature: they share words and tokens with the same features",
      };
  }
}

function plain(term: string): TemplateResult {
  return html`<bdi>${showText(term)}</bdi>`;
}
