import { html, nothing, svg } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { decimal, integer } from "../core/numbers.ts";
import { groupsOf, intervalAt, intervalsOf } from "../examples/tabs.ts";
import { choice } from "../feature/choice.ts";
import type { Entry, Scene } from "../feature/model.ts";
import type { Scale } from "../feature/view.ts";
import { barHeights, binsOf, isGeometric, layBars } from "./bars.ts";
import type { Axis, Bar, Bin } from "./bars.ts";
import { registerPanel } from "./registry.ts";

const MOST_BARS = 64;
const WIDTH = 640;
const HEIGHT = 64;
const GAP = 2;
const LEAST_HEIGHT = 1;

/** How a histogram is drawn. */
interface Look {
  axis: Axis;
  /** What is counted, in the plural. */
  counted: string;
  /** Whether heights are logarithms of counts. */
  logCounts: boolean;
  /** Class of a bar's colour. */
  css: (bar: Bar) => string;
  /** What activating a bar does; null where bars are only looked at. */
  act: ((bar: Bar) => void) | null;
}

/** A bar in words: its range and its count. */
export function tellBar({ lower, upper, count }: Bin, counted: string): string {
  const noun = count === 1 ? counted.replace(/s$/, "") : counted;
  return `${decimal(lower, 3)} to ${decimal(upper, 3)}: ${integer(count)} ${noun}`;
}

function showFigure({ axis, counted, logCounts, css, act }: Look): TemplateResult {
  const heights = barHeights(axis.bars, logCounts);
  const rects = axis.bars.map((bar, at) => {
    const height = Math.max(LEAST_HEIGHT, tenths(HEIGHT * (heights[at] ?? 0)));
    const [x, y, width] = [tenths(bar.left * WIDTH), tenths(HEIGHT - height), (bar.right - bar.left) * WIDTH];
    return svg`<rect class=${css(bar)} x=${x} y=${y} width=${tenths(Math.max(GAP, width - GAP))} height=${height}></rect>`;
  });
  const viewBox = `0 0 ${WIDTH} ${HEIGHT}`;
  return html`<figure class="histogram">
    <div class="picture">
      <svg viewBox=${viewBox} preserveAspectRatio="none" aria-hidden="true">${rects}</svg>
      <div class="stops" data-rove role="group" aria-label="Bars: arrow keys go from one to the next">
        ${showStops(axis, counted, act)}
      </div>
    </div>
    <div class="axis" aria-hidden="true">
      ${axis.ticks.map(({ value, at }) => html`<span data-at=${thousandths(at)}>${tickText(value)}</span>`)}
    </div>
  </figure>`;
}

function tenths(value: number): number {
  return Math.round(value * 10) / 10;
}

/**
 * What a pointer and the focus meet, as wide as the bars and the gaps between them (`data-grow`, in thousandths). Bars
 * tell of themselves, and the fullest is where Tab stops.
 */
function showStops({ bars }: Axis, counted: string, act: Look["act"]): TemplateResult[] {
  const most = Math.max(...bars.map(({ count }) => count));
  const entry = bars.findIndex(({ count }) => count === most);
  let reached = 0;
  const stops = bars.flatMap((bar, at) => {
    const gap = bar.left - reached;
    reached = bar.right;
    const stop = showStop(bar, counted, act, at === entry);
    return gap > 0 ? [html`<i data-grow=${thousandths(gap)}></i>`, stop] : [stop];
  });
  return reached < 1 ? [...stops, html`<i data-grow=${thousandths(1 - reached)}></i>`] : stops;
}

/** Ticks are round: their zeros at the end say nothing. */
export function tickText(value: number): string {
  return decimal(value, 3).replace(/(\.\d*?)0+(?=e|$)/, "$1").replace(/\.(?=e|$)/, "");
}

function thousandths(share: number): number {
  return Math.round(share * 1000);
}

function showStop(bar: Bar, counted: string, act: Look["act"], entry: boolean): TemplateResult {
  const told = tellBar(bar, counted);
  const tab = entry ? "0" : "-1";
  const grow = thousandths(bar.right - bar.left);
  if (act === null)
    return html`<i role="img" aria-label=${told} data-tip=${told} data-grow=${grow} tabindex=${tab}></i>`;
  return html`<button
    type="button"
    aria-label="${told}. Show such examples"
    data-tip=${told}
    data-grow=${grow}
    tabindex=${tab}
    @click=${() => act(bar)}
  ></button>`;
}

function showNumbers({ bars }: Axis, counted: string): TemplateResult {
  return html`<details>
    <summary>As numbers</summary>
    <table>
      <thead>
        <tr>
          <th scope="col" class="number">from</th>
          <th scope="col" class="number">to</th>
          <th scope="col" class="number">${counted}</th>
        </tr>
      </thead>
      <tbody>
        ${bars.map(
          ({ lower, upper, count }) =>
            html`<tr>
              <td class="number">${decimal(lower, 3)}</td>
              <td class="number">${decimal(upper, 3)}</td>
              <td class="number">${integer(count)}</td>
            </tr>`,
        )}
      </tbody>
    </table>
  </details>`;
}

function figureButton(): TemplateResult {
  return html`<button type="button" class="figure-button" data-figure="histogram" title="This histogram as a picture">
    figure
  </button>`;
}

/** The range of activations of the examples on the page; null where they are a sample of all. */
export function shownRange({ data, view }: Scene): [number, number] | null {
  const { groups } = data.payload;
  if (view.tab === "interval") {
    const alone = intervalsOf(groups)[view.interval ?? -1];
    return alone === undefined ? null : [alone.lower, alone.upper];
  }
  const top = view.tab === "top" ? groupsOf(groups, "top").flatMap(({ examples }) => examples) : [];
  return top.length === 0 ? null : [Math.min(...top.map(({ activation }) => activation)), Number.POSITIVE_INFINITY];
}

function scales(name: string, value: Scale, set: (scale: Scale) => void): TemplateResult {
  const scale: readonly Scale[] = ["linear", "log"];
  return choice(
    name,
    scale.map((label) => ({ label, pressed: label === value, act: () => set(label) })),
  );
}

/** Activations: bars lead to the examples of their strength. */
function drawActivations(entry: Entry, scene: Scene): TemplateResult | typeof nothing {
  const bins = binsOf(entry);
  if (bins.length === 0) return nothing;
  const { data, view, change } = scene;
  const geometric = isGeometric(bins);
  const axis = layBars(bins, geometric && view.strengths === "log", MOST_BARS);
  const range = shownRange(scene);
  const isShown = ({ lower, upper }: Bar) => range !== null && upper > range[0] && lower < range[1];
  const hasIntervals = intervalsOf(data.payload.groups).length > 0;
  const act = ({ lower, upper }: Bar) =>
    change({ tab: "interval", interval: intervalAt(data.payload.groups, (lower + upper) / 2) });
  const total = integer(bins.reduce((sum, { count }) => sum + count, 0));
  const marked = range === null ? "" : "; orange: the range of the examples shown";
  const hint = hasIntervals ? " A bar leads to examples of its strength." : "";
  return html`${showFigure({
      axis,
      counted: "firings",
      logCounts: view.counts === "log",
      css: (bar) => (isShown(bar) ? "marked" : ""),
      act: hasIntervals ? act : null,
    })}
    <div class="figure-line">
      ${geometric ? scales("activation", view.strengths, (strengths) => change({ strengths })) : nothing}
      ${scales("count", view.counts, (counts) => change({ counts }))}
    </div>
    <p class="note">${total} firings${marked}.${hint}</p>
    ${figureButton()} ${showNumbers(axis, "firings")}`;
}

const COUNTED: Readonly<Record<string, string>> = { activation: "firings", position: "firings", logit: "tokens" };

registerPanel("histogram", {
  draw: ([entry], scene) => {
    const bins = entry === undefined ? [] : binsOf(entry);
    if (entry === undefined || bins.length === 0) return nothing;
    const { name, unit } = entry.column;
    if (name === "activation_histogram") return drawActivations(entry, scene);
    const axis = layBars(bins, isGeometric(bins), MOST_BARS);
    const counted = COUNTED[unit] ?? "values";
    const sign = ({ lower, upper }: Bar) => (lower + upper > 0 ? "positive" : "negative");
    const css = unit === "logit" ? sign : () => "";
    return html`${showFigure({ axis, counted, logCounts: false, css, act: null })}
      ${figureButton()} ${showNumbers(axis, counted)}`;
  },
});
