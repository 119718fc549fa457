import { html, nothing, svg } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import type { TableColumn } from "../payloads.ts";
import type { Brush } from "./brush.ts";
import { barHeight } from "./histogram.ts";
import type { Bins } from "./histogram.ts";

const HEIGHT = 20;

/** What a histogram shows beside its column. */
export interface HistogramScene {
  /** Rows of the view per bin; null where the view holds all rows, or its values have not arrived. */
  within: readonly number[] | null;
  /** The bins that the filter lets through. */
  chosen: Bins | null;
  brush: Brush;
}

/** The histogram of a column, to be drawn over with a pointer; number fields do the same, so it is hidden from others. */
export function showHistogram(column: TableColumn, { within, chosen, brush }: HistogramScene): TemplateResult {
  const { counts, name } = column;
  const most = Math.max(...counts);
  const marked = brush.drawn(name) ?? chosen;
  return html`<svg
    class="brush"
    viewBox="0 0 ${counts.length} ${HEIGHT}"
    preserveAspectRatio="none"
    aria-hidden="true"
    @pointerdown=${(event: PointerEvent) => brush.start(event, column)}
    @pointermove=${(event: PointerEvent) => brush.move(event, column)}
    @pointerup=${() => brush.end(column, chosen)}
    @pointercancel=${() => brush.cancel()}
  >
    ${
      marked === null
        ? nothing
        : svg`<rect class="brushed" x=${marked[0]} y="0" width=${marked[1] - marked[0] + 1} height=${HEIGHT}></rect>`
    }
    <path class=${within === null ? "bars" : "bars faint"} d=${barsPath(counts, most)}></path>
    ${within === null ? nothing : svg`<path class="bars" d=${barsPath(within, most)}></path>`}
  </svg>`;
}

/** Bars of the histogram `counts` as a path in a box of a unit per bin by `HEIGHT`; `most` is the highest bar. */
export function barsPath(counts: readonly number[], most: number): string {
  return counts
    .map((count, at) => {
      const height = HEIGHT * barHeight(count, most);
      const tall = Math.round(height * 100) / 100;
      return tall === 0 ? "" : `M${at + 0.08} ${HEIGHT}v${-tall}h.84v${tall}z`;
    })
    .join("");
}
