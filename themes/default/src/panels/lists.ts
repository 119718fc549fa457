import { html, nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { decimal, integer, percent } from "../core/numbers.ts";
import { showText } from "../core/show.ts";
import { addressOf, entryOf, numberOf, numeric, recordsOf, titleOf } from "../feature/model.ts";
import type { Entry, FeatureData } from "../feature/model.ts";
import { meter } from "./meter.ts";
import { registerPanel } from "./registry.ts";
import type { Panel } from "./registry.ts";
import { showLabel } from "./scalar.ts";

/** What the value of a list of features is called, by its unit. */
const MEASURES: Readonly<Record<string, string>> = { cosine: "cosine", correlation: "phi" };

function showNumber(field: string, value: number | string | null | undefined): TemplateResult {
  const number = numeric(value);
  const text = field === "count" ? integer(number) : decimal(number, 2);
  return html`<td class="number" title=${value ?? ""}>${Number.isNaN(number) ? decimal(null) : text}</td>`;
}

/** Other features with all their numbers. */
function showFeatures(entry: Entry, data: FeatureData): TemplateResult {
  const { column } = entry;
  const fields = column.fields.filter((field) => field !== "feature_idx");
  const measure = MEASURES[column.unit] ?? "value";
  const heading = (field: string) => (field === "value" ? measure : (HEADINGS[field] ?? field));
  return html`<table class="related">
    <thead>
      <tr>
        <th scope="col">${showLabel({ ...column, label: LABELS[column.name] ?? column.label })}</th>
        ${fields.map((field) => html`<th scope="col" class="number">${heading(field)}</th>`)}
      </tr>
    </thead>
    <tbody>
      ${recordsOf(entry).map((row) => {
        const feature = numeric(row["feature_idx"]);
        return html`<tr>
          <td><a href=${addressOf(data, feature)}>${showText(titleOf(data, feature))}</a></td>
          ${fields.map((field) => showNumber(field, row[field]))}
        </tr>`;
      })}
    </tbody>
  </table>`;
}

/** Columns whose label is already that of their card. */
const LABELS: Readonly<Record<string, string>> = { neighbours: "by decoder direction" };

const HEADINGS: Readonly<Record<string, string>> = { pmi: "PMI", count: "tokens" };

/** How much of the corpus co-activation was counted on; "" where that is not known. */
export function coactivationNote(data: FeatureData): string {
  const sampled = numberOf(data, "sampled_tokens");
  const own = numberOf(data, "sampled_firing_tokens");
  if (sampled === null || sampled === 0) return "";
  const fires = own === null ? "" : `, on ${integer(own)} of which this feature fires`;
  return `Counted on a sample of ${integer(sampled)} tokens${fires}.`;
}

registerPanel("feature_list", {
  draw: ([entry], { data }) => {
    if (entry === undefined || recordsOf(entry).length === 0) return nothing;
    const remark = entry.column.fields.includes("count") ? coactivationNote(data) : "";
    return html`${showFeatures(entry, data)} ${remark === "" ? nothing : html`<p class="note">${remark}</p>`}`;
  },
});

registerPanel("source_list", {
  draw: ([entry]) => {
    const rows = entry === undefined ? [] : recordsOf(entry);
    const most = Math.max(0, ...rows.map(({ value }) => numeric(value)));
    if (rows.length === 0) return nothing;
    return html`<ol class="effects sources" aria-label=${entry?.column.label ?? ""}>
        ${rows.map(({ name, count, value }) => {
          const firings = `${integer(numeric(count))} firings, ${String(value)} of the tokens`;
          return html`<li>
            <span>${showText(String(name ?? "") || "(no name)")}</span> ${meter(numeric(value), most)}
            <b title=${firings}>${percent(numeric(value))}</b>
          </li>`;
        })}
      </ol>
      <p class="note">Share of the tokens of each source on which it fires.</p>`;
  },
});

function showAlignment({ column, value }: Entry): TemplateResult | typeof nothing {
  if (typeof value !== "number") return nothing;
  return html`<p class="note">${showLabel(column)} <span title=${value}>${decimal(value, 3)}</span></p>`;
}

const NEURONS: Panel = {
  draw: ([entry], { data }) => {
    const rows = entry === undefined ? [] : recordsOf(entry);
    if (rows.length === 0) return nothing;
    const largest = Math.max(0, ...rows.map(({ value }) => Math.abs(numeric(value))));
    const alignment = entryOf(data, "neuron_alignment");
    return html`<table class="neurons">
        <thead>
          <tr>
            <th scope="col">dimension</th>
            <th scope="col"><span class="visually-hidden">bar</span></th>
            <th scope="col" class="number">weight</th>
            <th scope="col" class="number">share</th>
          </tr>
        </thead>
        <tbody>
          ${rows.map(({ dimension, value, share }) => {
            const weight = numeric(value);
            return html`<tr class=${weight < 0 ? "negative" : "positive"}>
              <td class="number">${String(dimension)}</td>
              <td>${meter(weight, largest)}</td>
              <td class="number" title=${weight}>${decimal(weight, 3)}</td>
              <td class="number" title=${numeric(share)}>${percent(numeric(share), 2)}</td>
            </tr>`;
          })}
        </tbody>
      </table>
      ${alignment === undefined ? nothing : showAlignment(alignment)}`;
  },
};

registerPanel("neuron_list", NEURONS);
// Kept out of sight in the dataset; on a card it has its place.
registerPanel("top_neurons", NEURONS);

registerPanel("text", {
  draw: ([entry]) =>
    typeof entry?.value === "string" && entry.value !== ""
      ? html`<p class="words">${showText(entry.value)}</p>`
      : nothing,
});
