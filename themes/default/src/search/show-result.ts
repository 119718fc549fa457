import { showReason, showTitle, showTokens } from "../core/hit-view.ts";
import { featurePath, link, searchPath } from "../core/links.ts";
import { html, nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { integer, percent } from "../core/numbers.ts";
import type { FeatureRow } from "../core/rows.ts";
import { FLAGS, quoteToken } from "../core/query.ts";
import type { Entry } from "../core/search-index.ts";
import type { Hit } from "../core/search-rank.ts";
import { showText, showToken } from "../core/show.ts";

/** A hit with what is shown of it. */
export interface Result extends Hit {
  slug: string;
  /** undefined until it has arrived. */
  row: FeatureRow | undefined;
}

/** One result: its explanation as a link, its tokens, why it was found, and how often it fires. */
export function showResult({ slug, feature, row, reasons }: Result, title: string): TemplateResult {
  const density =
    row === undefined || row.density === null
      ? nothing
      : html`<span>fires on <span class="number">${percent(row.density)}</span> of tokens</span>`;
  return html`<li class="result">
    <a href=${link(featurePath(slug, feature))}><bdi>${showTitle(row, reasons)}</bdi></a>
    <p class="result-meta">
      <code>${slug}/${feature}</code> ${title === "" ? nothing : html`<bdi>${showText(title)}</bdi>`} ${density}
    </p>
    <p class="result-why">${reasons.map(showReason)} ${row === undefined ? nothing : showTokens(row.tokens, reasons)}</p>
  </li>`;
}

/** Tokens that are spelled almost as what was typed in quotes, each a link to its own search. */
export function showOthers(others: readonly Entry[], sae: string): TemplateResult {
  return html`<p class="search-others">
    Spelled otherwise:
    ${others.map(
      ({ text, count }) =>
        html`<a href=${link(searchPath(quoteToken(text), sae))}>${showToken(text)}</a> <span class="soft">${integer(count)}</span> `,
    )}
  </p>`;
}

/** What can be typed, with an example of each that can be followed. */
export function showSyntax(sae: string): TemplateResult {
  const rows: [example: string, meaning: string][] = [
    ["raise", "explanations with the word, features that fire on the token or beside it; a beginning is enough"],
    ['"␣raise"', "exactly this token or phrase, space and case included (\\n and \\t as in source code)"],
    ["1204", "the feature with this number; my-sae/1204 the one of that SAE"],
    ["error density<0.1%", "… that also fulfil a condition on a number of the table: its name, or a part of it"],
    ["is:dense -is:single-token", `${Object.keys(FLAGS).join(", ")}; a minus asks for the opposite`],
    ["sae:my-sae score>0.7", "only features of one SAE"],
  ];
  return html`<dl class="syntax">
    ${rows.map(
      ([example, meaning]) =>
        html`<div>
          <dt><a href=${link(searchPath(example.replace("my-sae", sae)))}><code>${example.replace("my-sae", sae)}</code></a></dt>
          <dd>${meaning}</dd>
        </div>`,
    )}
  </dl>`;
}
