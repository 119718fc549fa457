import { link } from "../core/links.ts";
import { html, nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { scalar } from "../core/numbers.ts";
import type { ColumnPayload } from "../payloads.ts";
import { registerPanel } from "./registry.ts";

/** The word beside a number of a unit; units that need none are left out. */
const UNIT_WORDS: Readonly<Record<string, string>> = {
  tokens: "tokens",
  contexts: "contexts",
  documents: "documents",
  activation: "activation",
  logit: "logits",
  nats: "nats",
};

/** A column's heading: its definition on hover and focus, and on the page about the data. */
export function showLabel({ name, label, doc }: ColumnPayload): TemplateResult {
  return html`<a href=${link(`about.html#c-${name}`)} data-tip=${doc}>${label}</a>`;
}

registerPanel("scalar", {
  takes: ({ kind }) => kind === "scalar",
  draw: (entries) =>
    html`<dl class="scalars">
      ${entries.map(({ column, value }) => {
        const number = typeof value === "number" ? value : null;
        const text = scalar(number, column.unit);
        const unit = number === null ? "" : (UNIT_WORDS[column.unit] ?? "");
        return html`<div>
          <dt>${showLabel(column)}</dt>
          <dd><span title=${number ?? ""}>${text}</span> ${unit === "" ? nothing : html`<small>${unit}</small>`}</dd>
        </div>`;
      })}
    </dl>`,
});
