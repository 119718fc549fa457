import { html } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { integer } from "../core/numbers.ts";
import type { SearchPayload } from "../payloads.ts";

/** What each field of the index holds, and what it does not. */
const SAYS: Record<string, string> = {
  word: "Every word of every explanation.",
  token:
    "The tokens that each feature fires on most, in the whole corpus. Strength: its mean activation on the token as a share of its maximum.",
  seen:
    "Every other token on which a feature fires in one of its stored examples. Strength: its largest activation there. A token in neither list is one on which the feature fires seldom and weakly, or never.",
  example: "Words at the peak, up to 4 tokens before or 1 after it, in at least 2 of a feature’s top examples.",
  phrase: "2 or 3 tokens around the peak in at least 2 of a feature’s top examples, as they stand there.",
};

/** What the search covers, in words and numbers. */
export function showCoverage({ fields, sums, vector_shards: shards }: SearchPayload): TemplateResult {
  const meaning = html`<p>
    Meaning: features and words are close where they share terms with the same features (latent semantic analysis of
    this index; no model is asked). It finds what is related and says so; it proves nothing.
  </p>`;
  return html`<details class="coverage">
    <summary>What is searched</summary>
    <dl>
      ${fields.map(
        (field, at) =>
          html`<div>
            <dt>${field} <span class="soft">${integer(sums[at]?.[0] ?? 0)} terms, ${integer(sums[at]?.[1] ?? 0)} entries</span></dt>
            <dd>${SAYS[field] ?? ""}</dd>
          </div>`,
      )}
    </dl>
    ${shards > 0 ? meaning : ""}
  </details>`;
}
