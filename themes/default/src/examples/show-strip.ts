import type { Example, FeatureShard } from "../payloads.ts";
import { html, nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { decimal } from "../core/numbers.ts";
import { showText } from "../core/show.ts";
import type { Content } from "../core/show.ts";
import { contextRange, stripRuns } from "./strip.ts";
import type { Context, Run } from "./strip.ts";

/** How strips are shown. */
export interface StripView {
  context: Context;
  /** Whether every space is shown as a dot and every tab as an arrow. */
  spaces: boolean;
}

/** One example with its activation and document, as the page's static list has it. */
export function showExample(
  example: Example,
  shard: FeatureShard,
  max: number,
  view: StripView,
): TemplateResult {
  const value = decimal(example.activation);
  return html`<li class="example">
    <div class="example-meta">
      <span class="activation" title=${String(example.activation)}>${value}</span>
      <span class="document">${showText(shard.documents[example.document] ?? "")}</span>
    </div>
    ${showStrip(example, shard, max, view)}
  </li>`;
}

function showStrip(example: Example, shard: FeatureShard, max: number, view: StripView): TemplateResult {
  const [start, stop] = contextRange(example, view.context);
  const runs = stripRuns(example, shard.pieces, max, view.context).map((run) => showRun(run, view.spaces));
  const cut = html`<span class="cut">…</span>`;
  const before = start > 0 ? cut : nothing;
  const after = stop < example.pieces.length ? cut : nothing;
  // No white space may stand around the runs: this is preformatted text.
  return html`<pre class="strip">${before}${runs}${after}</pre>`;
}

function showRun(run: Run, spaces: boolean): Content | Content[] {
  const content = showText(run.text, { newlines: true });
  const shown = spaces ? content.map(markSpaces) : content;
  if (!run.alone) return shown;
  const css = `token${run.step > 0 ? ` a${run.step}` : ""}${run.peak ? " peak" : ""}`;
  if (run.value === 0) return html`<span class=${css}>${shown}</span>`;
  return html`<span class=${css} data-value=${run.value} tabindex=${run.peak ? "0" : "-1"}>${shown}</span>`;
}

/** Dots may end a line as the spaces did, hence the zero width space. */
function markSpaces(content: Content): Content {
  return typeof content === "string" ? content.replaceAll(" ", "·\u200b").replaceAll("\t", "→\t") : content;
}
