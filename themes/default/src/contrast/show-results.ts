import { html, nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { counted, decimal, integer, percent } from "../core/numbers.ts";
import { replacedNotice } from "../probe/notices.ts";
import type { Measure } from "./compare.ts";
import { leastP } from "./permute.ts";
import type { Permutation } from "./permute.ts";
import { onlyOn } from "./rows.ts";
import type { Row } from "./rows.ts";
import { countedOf, SEED } from "./session.ts";
import type { Sides } from "./session.ts";
import { DENSITIES, RELABELLINGS } from "./state.ts";
import type { ContrastView, Shown, Unit } from "./state.ts";
import type { TextSummary } from "./summary.ts";

/** What stands above the table. */
export interface ResultScene {
  view: ContrastView;
  sides: Sides;
  /** All rows that pass the limit of the density. */
  rows: readonly Row[];
  /** null for single texts, and where the test has not been made. */
  permutation: Permutation | null;
  /** Whether the dataset knows how often features fire. */
  hasDensity: boolean;
  /** Whether it knows their largest activations. */
  hasMaxima: boolean;
  /** Whether the texts are others by now. */
  stale: boolean;
  /** Whether anything is being worked on. */
  busy: boolean;
}

/** What it can ask for. */
export interface ResultActions {
  change: (view: Partial<ContrastView>) => void;
  /** Makes the test that was cancelled. */
  test: () => void;
  save: () => void;
}

const MEASURES: readonly [Measure, string][] = [
  ["max", "largest activation"],
  ["mean", "mean over tokens"],
  ["sum", "sum over tokens"],
];

/** The switches of the table, what was compared, and how the p-values are meant. */
export function showResults(scene: ResultScene, actions: ResultActions): TemplateResult {
  return html`<div class="contrast-switches">
      ${showMeasure(scene, actions)} ${showLimits(scene, actions)}
      <button type="button" class="tool" ?disabled=${scene.busy || scene.rows.length === 0} @click=${() => actions.save()}>Save as CSV</button>
    </div>
    ${showSelection(scene, actions)}
    <p class="note" role="status">${scene.stale ? "The texts have changed since: compare again. " : ""}${told(scene.sides, scene.view.bos)}</p>
    ${scene.permutation === null ? showUntested(scene, actions) : showTest(scene, scene.permutation)}`;
}

function showUntested({ sides, busy }: ResultScene, { test }: ResultActions): TemplateResult | typeof nothing {
  if (sides.kind === "texts" || busy) return nothing;
  return html`<p class="note">The permutation test was not made. <button type="button" class="tool" @click=${() => test()}>Make it</button></p>`;
}

const UNITS: readonly [Unit, string][] = [
  ["activation", "activation"],
  ["share", "shares of each maximum"],
];

const BOS: readonly [string, string][] = [
  ["", "left out"],
  ["1", "counted"],
];

function showMeasure({ view, sides, hasMaxima }: ResultScene, { change }: ResultActions): TemplateResult {
  return html`${showSelect("by", MEASURES, view.measure, (value) => change({ measure: value as Measure }))}
  ${sides.all === null ? nothing : showSelect("BOS", BOS, view.bos ? "1" : "", (value) => change({ bos: value === "1" }))}
  ${hasMaxima ? showSelect("in", UNITS, view.unit, (value) => change({ unit: value as Unit })) : nothing}`;
}

function showLimits({ view, sides, hasDensity }: ResultScene, { change }: ResultActions): TemplateResult {
  const densities = DENSITIES.map((limit): [string, string] => [
    String(limit),
    limit === 1 ? "any" : `at most ${percent(limit, 2)}`,
  ]);
  const counts = RELABELLINGS.map((count): [string, string] => [String(count), `up to ${integer(count)}`]);
  return html`${hasDensity ? showSelect("density", densities, String(view.densest), (value) => change({ densest: Number(value) })) : nothing}
  ${
    sides.kind === "texts"
      ? nothing
      : showSelect("relabellings", counts, String(view.relabellings), (value) => change({ relabellings: Number(value) }))
  }`;
}

function showSelect(
  label: string,
  options: readonly (readonly [string, string])[],
  chosen: string,
  choose: (value: string) => void,
): TemplateResult {
  return html`<label class="pick"
    ><span>${label}</span>
    <select @change=${({ target }: Event) => choose((target as HTMLSelectElement).value)}>
      ${options.map(([value, text]) => html`<option value=${value} ?selected=${value === chosen}>${text}</option>`)}
    </select></label
  >`;
}

function showSelection({ view, rows }: ResultScene, { change }: ResultActions): TemplateResult {
  const only = rows.map(onlyOn);
  const choices: [Shown, string, number][] = [
    ["all", "all", rows.length],
    ["a", "stronger in A", rows.filter(({ difference }) => difference > 0).length],
    ["b", "stronger in B", rows.filter(({ difference }) => difference < 0).length],
    ["only-a", "only in A", only.filter((side) => side === "a").length],
    ["only-b", "only in B", only.filter((side) => side === "b").length],
  ];
  return html`<div class="choice" role="group" aria-label="Features listed">
    <span>features</span>
    ${choices.map(
      ([show, label, count]) =>
        html`<button type="button" aria-pressed=${view.show === show ? "true" : "false"} @click=${() => change({ show })}>
          ${label} <span class="number">${integer(count)}</span>
        </button>`,
    )}
  </div>`;
}

/** What was compared, in sentences. */
export function told(sides: Sides, bos: boolean): string {
  const { kind, all, cut } = sides;
  const { a, b } = countedOf(sides, bos);
  const texts = [...a, ...b];
  const windows = texts.reduce((sum, text) => sum + text.windows, 0);
  const replaced = texts.reduce((sum, text) => sum + text.replaced, 0);
  const sentences = [`A: ${toldSide(a, kind)}; B: ${toldSide(b, kind)}.`];
  if (all !== null)
    sentences.push(bos ? "BOS, which begins every window, counts." : "BOS, the same in every text, is left out.");
  if (windows > texts.length) sentences.push(`Longer than the context: read in ${integer(windows)} windows.`);
  if (replaced > 0) sentences.push(replacedNotice(replaced));
  if (cut > 0) sentences.push(`${integer(cut)} characters at the end were too many and were left out.`);
  return sentences.join(" ");
}

function toldSide(texts: readonly TextSummary[], kind: Sides["kind"]): string {
  const tokens = texts.reduce((sum, text) => sum + text.tokens, 0);
  if (kind === "texts") return counted(tokens, "token");
  return `${counted(texts.length, "line")}, ${counted(tokens, "token")}`;
}

function showTest({ rows, sides: { own }, view }: ResultScene, { exact, count }: Permutation): TemplateResult {
  const least = leastP(own.a.length, own.b.length, view.relabellings);
  const how = exact
    ? `all ${integer(count)} relabellings were looked at`
    : `of ${integer(count)} relabellings drawn at random (seed ${SEED}), with b as far, p = (b + 1) / (${integer(count)} + 1)`;
  return html`<details class="definitions contrast-test">
    <summary>
      p: permutation test over the lines${least > 0.05 ? html`; <strong>so few lines give no p below ${decimal(least, 2)}</strong>` : nothing}
    </summary>
    <p>
      p is the share of ways to relabel the lines, the sizes of the sets kept, in which the two means differ by as much or
      more, in either direction; ${how}. It is never zero (Phipson and Smyth 2010, doi:10.2202/1544-6115.1585), and here at
      least ${decimal(least, 2)}. It supposes that the lines were drawn independently.
    </p>
    <p>
      ${integer(rows.length)} features are tested at once: by chance alone about ${decimal(0.05 * rows.length, 2)} of them
      would have p ≤ 0.05. q is the false discovery rate at which a feature would be counted among the findings
      (Benjamini and Hochberg 1995), over the features that fire in any line and pass the limit of the density.
    </p>
  </details>`;
}
