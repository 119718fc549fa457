import { html, nothing } from "../core/lit.ts";
import { choice } from "../feature/choice.ts";
import type { Entry } from "../feature/model.ts";
import { registerPanel } from "./registry.ts";
import { note, showTokens, tokenRows } from "./token-list.ts";

const ENDS = [
  { name: "positive_logits", css: "positive", label: "Tokens it makes more likely" },
  { name: "negative_logits", css: "negative", label: "Tokens it makes less likely" },
];
const NAMES = ENDS.flatMap(({ name }) => [name, `raw_${name}`]);

/** What a column's definition says was folded into its numbers, without the details. */
export function foldingNote(doc: string): string {
  return /(?:Final norm folded|Shown raw)(?=:)/.exec(doc)?.[0]?.concat(".") ?? "";
}

registerPanel("positive_logits", {
  takes: ({ name }) => NAMES.includes(name),
  draw: (entries, { data, view, change }) => {
    const find = (name: string) => entries.find(({ column, value }) => column.name === name && value !== null);
    const [folded, raw] = [find("positive_logits"), find("raw_positive_logits")];
    const stored = folded?.column.hidden === false || raw === undefined ? "" : "raw_";
    const other = stored === "" ? "raw_" : "";
    const both = folded !== undefined && raw !== undefined;
    const prefix = both && view.otherLogits ? other : stored;
    const ends = ENDS.map((end) => ({ ...end, entry: find(prefix + end.name) }));
    const rows = ends.map(({ entry }) => (entry === undefined ? [] : tokenRows(entry, data.shard.pieces)));
    const full = Math.max(0, ...rows.flat().map(({ value }) => Math.abs(value)));
    if (full === 0) return nothing;
    const settings = ["", "raw_"].map((kind) => ({
      label: kind === "" ? "final norm folded in" : "raw",
      doc: (kind === "" ? folded : raw)?.column.doc ?? "",
      pressed: prefix === kind,
      act: () => change({ otherLogits: kind !== stored }),
    }));
    return html`${both ? choice("", settings) : nothing}
      <div class="pair">${ends.map(({ css, label }, at) => showTokens(rows[at] ?? [], full, label, css))}</div>
      ${note(told(prefix, ends[0]?.entry))}`;
  },
});

function told(prefix: string, entry: Entry | undefined): string {
  if (prefix !== "") return "Shown raw: W_dec · W_U, nothing folded, no mean removed.";
  return foldingNote(entry?.column.doc ?? "");
}
