import type { Example } from "../payloads.ts";
import { html, nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { decimal, percent, signed } from "../core/numbers.ts";
import { showText } from "../core/show.ts";
import type { Content } from "../core/show.ts";
import type { Reach } from "../feature/model.ts";
import { contextRange, edgesOf } from "./range.ts";
import type { Context } from "./range.ts";
import { stripRuns, trimmed } from "./strip.ts";
import type { Paint, Run } from "./strip.ts";

/** How strips are shown. */
export interface StripView {
  context: Context;
  /** Whether every space is shown as a dot and every tab as an arrow. */
  spaces: boolean;
  /** How far windows reach unless their text begins or ends there. */
  reach: Reach;
}

/** What a strip says of a piece: its number in words. */
export type Telling = (value: number) => string;

/** An activation with its share of the feature's largest one. */
export function tellActivation(max: number): Telling {
  return (value) => {
    if (value === 0) return "does not fire here";
    return max > 0 ? `${decimal(value)} · ${percent(value / max, 2)} of the maximum` : decimal(value);
  };
}

/** A loss effect in nats, and which way it goes. */
export function tellLoss(value: number): string {
  const way = value > 0 ? "the feature helps to predict it" : "the feature hinders predicting it";
  return value === 0 ? "0 nats" : `${signed(value)} nats · ${way}`;
}

/** The text of an example, coloured by `paints`; `texts` is the shard's table of pieces. */
export function showStrip(
  example: Example,
  texts: readonly string[],
  paints: ReadonlyMap<number, Paint>,
  tell: Telling,
  view: StripView,
): TemplateResult {
  const [start, stop] = contextRange(example, texts, view.context);
  const { start: begin, end } = edgesOf(example, texts, view.reach);
  const silent = example.activation === 0;
  const runs = trimmed(stripRuns(example, texts, paints, [start, stop]), view.context).map((run) =>
    showRun(run, view.spaces, silent, tell),
  );
  const before = start > 0 ? CUT : begin === "" ? nothing : edge("begin", `The ${begin} begins here.`);
  const after =
    stop < example.pieces.length ? CUT : end ? edge("end", "The document, or its context, ends here.") : nothing;
  // No white space may stand around the runs: this is preformatted text.
  return html`<pre class="strip" data-rove>${before}${runs}${after}</pre>`;
}

const CUT = html`<span class="cut">…</span>`;

/** The sign is drawn by the style: it is no text of the corpus. */
function edge(css: "begin" | "end", meaning: string): TemplateResult {
  return html`<span class="edge edge-${css}" role="img" aria-label=${meaning} title=${meaning}></span>`;
}

function showRun(run: Run, spaces: boolean, silent: boolean, tell: Telling): Content | Content[] {
  const { text, paint, peak, alone } = run;
  const content = showText(text, { newlines: true });
  const shown = spaces ? content.map(markSpaces) : content;
  if (!alone) return shown;
  const classes = ["token", paint?.css ?? "", peak ? "peak" : "", peak && silent ? "silent" : ""];
  const css = classes.filter((name) => name !== "").join(" ");
  if (paint === null) return html`<span class=${css}>${shown}</span>`;
  return html`<span class=${css} data-tip=${tell(paint.value)} tabindex=${peak ? "0" : "-1"}>${shown}</span>`;
}

/** Dots may end a line as the spaces did, hence the zero width space. */
function markSpaces(content: Content): Content {
  return typeof content === "string" ? content.replaceAll(" ", "·\u200b").replaceAll("\t", "→\t") : content;
}
