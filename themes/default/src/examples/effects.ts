import type { ExampleEffect } from "../payloads.ts";
import { html, nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { NO_DATA, signed } from "../core/numbers.ts";
import { showToken } from "../core/show.ts";
import type { FeatureData } from "../feature/model.ts";

/** A token whose logit the feature changes after an example. */
export interface LogitChange {
  token: string;
  /** What ablating the feature shows. */
  measured: number | null;
  /** What the weights alone say; null where the hook has no logit effects. */
  direct: number | null;
}

/** Flat triples (piece, measured, direct) as records. */
export function logitChanges(flat: readonly (number | null)[], pieces: readonly string[]): LogitChange[] {
  const changes: LogitChange[] = [];
  for (let at = 0; at + 2 < flat.length; at += 3) {
    const token = pieces[flat[at] ?? -1] ?? "";
    changes.push({ token, measured: flat[at + 1] ?? null, direct: flat[at + 2] ?? null });
  }
  return changes;
}

/** The tokens that the feature raises and lowers most after `token`, measured beside direct. */
export function showLogitChanges(effect: ExampleEffect, { shard }: FeatureData, token: string): TemplateResult {
  const raised = logitChanges(effect.raised, shard.pieces);
  const lowered = logitChanges(effect.lowered, shard.pieces);
  if (raised.length + lowered.length === 0) return html`${nothing}`;
  return html`<details class="changes" open>
    <summary>Logits after ${showToken(token)} with the feature less those without it</summary>
    <div class="pair">${showChanges("Raised", raised)} ${showChanges("Lowered", lowered)}</div>
  </details>`;
}

function showChanges(heading: string, changes: readonly LogitChange[]): TemplateResult {
  return html`<table>
    <thead>
      <tr>
        <th scope="col">${heading}</th>
        <th scope="col" class="number" title="The logit less that with the feature ablated">measured</th>
        <th scope="col" class="number" title="The feature's direct logit effect at this activation">direct</th>
      </tr>
    </thead>
    <tbody>
      ${changes.map(
        ({ token, measured, direct }) =>
          html`<tr>
            <td><code>${showToken(token)}</code></td>
            <td class="number" title=${measured ?? ""}>${signed(measured)}</td>
            <td class="number" title=${direct ?? ""}>${direct === null ? NO_DATA : signed(direct)}</td>
          </tr>`,
      )}
    </tbody>
  </table>`;
}
