import { showReason, showTitle, showTokens } from "../core/hit-view.ts";
import { featurePath, link, searchPath } from "../core/links.ts";
import { html, nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { scalar } from "../core/numbers.ts";
import { showText } from "../core/show.ts";
import { firstColumns } from "../table/state.ts";
import type { Result } from "./results.ts";

/** One result: its explanation as a link, its tokens, why it was found, and a few numbers. */
export function showResult({ slug, feature, row, reasons }: Result, title: string): TemplateResult {
  const shown = firstColumns(row.columns);
  const facts = row.columns.map(({ name, label, doc, unit }, at) =>
    shown.includes(name)
      ? html`<span title=${doc}>${label} <span class="number">${scalar(row.values[at] ?? null, unit)}</span></span> `
      : nothing,
  );
  return html`<li class="result">
    <a href=${link(featurePath(slug, feature))}><bdi>${showTitle(row, reasons)}</bdi></a>
    <p class="result-meta"><code>${slug}/${feature}</code> <bdi>${showText(title)}</bdi> ${facts}</p>
    <p class="result-why">${reasons.map(showReason)} ${showTokens(row.tokens, reasons)}</p>
  </li>`;
}

/** What can be typed, with an example of each that can be followed. */
export function showSyntax(): TemplateResult {
  const rows: [example: string, meaning: string][] = [
    ["raise", "explanations with a word, and features that fire on a token; the beginning of one is enough"],
    ['"␣raise"', "exactly this token, space and case included (\\n and \\t as in source code)"],
    ["1204", "the feature with this number"],
    ["error density<0.1%", "… that also fulfil a condition on a number of the table"],
  ];
  return html`<dl class="syntax">
    ${rows.map(
      ([example, meaning]) =>
        html`<div>
          <dt><a href=${link(searchPath(example))}><code>${example}</code></a></dt>
          <dd>${meaning}</dd>
        </div>`,
    )}
  </dl>`;
}
