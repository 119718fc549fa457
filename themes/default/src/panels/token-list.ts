import { html, nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { integer, signed } from "../core/numbers.ts";
import { showToken } from "../core/show.ts";
import { listOf, numberOf, numeric } from "../feature/model.ts";
import type { Entry, FeatureData } from "../feature/model.ts";
import { meter } from "./meter.ts";
import { registerPanel } from "./registry.ts";
import { showLabel } from "./scalar.ts";

/** A token with its numbers. */
export interface TokenRow {
  token: string;
  /** Firings, 0 where nothing was counted. */
  count: number;
  value: number;
}

/** The rows of a token list, whose tokens are numbers of `pieces`. */
export function tokenRows(entry: Entry, pieces: readonly string[]): TokenRow[] {
  const flat = listOf(entry);
  const rows: TokenRow[] = [];
  for (let at = 0; at + 2 < flat.length; at += 3) {
    const token = pieces[numeric(flat[at])] ?? "";
    rows.push({ token, count: numeric(flat[at + 1]), value: numeric(flat[at + 2]) });
  }
  return rows;
}

/** In what part of the corpus the list `name` was counted; "" where it was all of it. */
export function sampleNote(data: FeatureData, name: string): string {
  const share = numberOf(data, `${name}_share`);
  if (share === null || share <= 0 || share >= 1) return "";
  return `Counted in 1 of ${integer(Math.round(1 / share))} contexts, drawn by a hash.`;
}

/** Tokens with their numbers as bars; a bar as long as its list is wide means `full`. */
export function showTokens(rows: readonly TokenRow[], full: number, label: string, css = ""): TemplateResult {
  return html`<ol class="effects ${css}" aria-label=${label}>
    ${rows.map(({ token, count, value }) => {
      const exact = count > 0 ? `${integer(count)} firing${count > 1 ? "s" : ""}, mean ${value}` : String(value);
      return html`<li>
        <code>${showToken(token)}</code> ${meter(value, full)}
        <b title=${exact}>${count > 0 ? integer(count) : signed(value)}</b>
      </li>`;
    })}
  </ol>`;
}

/** A note under a picture; nothing for "". */
export function note(text: string): TemplateResult | typeof nothing {
  return text === "" ? nothing : html`<p class="note">${text}</p>`;
}

/** The longest bar of a list: the feature's largest activation, or else the largest value. */
export function fullBar(entry: Entry, rows: readonly TokenRow[], data: FeatureData): number {
  if (entry.column.unit === "activation") return data.payload.max_activation;
  return Math.max(0, ...rows.map(({ value }) => Math.abs(value)));
}

registerPanel("token_list", {
  draw: ([entry], { data }) => {
    if (entry === undefined) return nothing;
    const rows = tokenRows(entry, data.shard.pieces);
    if (rows.length === 0) return nothing;
    const { name, label } = entry.column;
    return html`<h3>${showLabel(entry.column)}</h3>
      ${showTokens(rows, fullBar(entry, rows, data), label)} ${note(sampleNote(data, name))}`;
  },
});
