import { showTitle } from "../core/hit-view.ts";
import { featurePath, link } from "../core/links.ts";
import { html, nothing, repeat } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { decimal, percent, signed } from "../core/numbers.ts";
import type { FeatureRow } from "../core/rows.ts";
import { showToken } from "../core/show.ts";
import type { Order } from "../table/sort.ts";
import type { Measure } from "./compare.ts";
import { onlyOn } from "./rows.ts";
import type { Row } from "./rows.ts";
import type { Unit } from "./state.ts";

/** What the table draws from. */
export interface TableScene {
  sae: string;
  rows: readonly Row[];
  order: Order;
  measure: Measure;
  unit: Unit;
  /** Lines per side; null where each side is one text. */
  sets: { nA: number; nB: number } | null;
  /** Largest difference of all rows, either way: the length of the longest bar. */
  widest: number;
  /** Explanation and tokens of a feature; undefined until they have arrived. */
  titleOf: (feature: number) => FeatureRow | undefined;
  sort: (by: string) => void;
}

interface Heading {
  by: string;
  label: string;
  doc: string;
}

const WORDS: Record<Measure, string> = { max: "largest activation", mean: "mean activation", sum: "sum of the activations" };
const HALF = 50;

function headingsOf({ measure, unit, sets }: TableScene): Heading[] {
  const counted = sets === null ? WORDS[measure] : `mean over the lines of the ${WORDS[measure]}`;
  const of = unit === "share" ? `${counted}, divided by the feature’s largest activation in the corpus` : counted;
  const headings = [
    { by: "difference", label: "A − B", doc: "Difference; sorts by its size either way, then A first, then B first" },
    { by: "a", label: "A", doc: `Side A: ${of}` },
    { by: "b", label: "B", doc: `Side B: ${of}` },
    { by: "density", label: "density", doc: "Share of the corpus’ tokens on which it fires" },
  ];
  if (sets !== null)
    headings.push({ by: "p", label: "p", doc: "Two-sided p-value of the permutation test, and q, corrected for all features listed" });
  return headings;
}

/** The features, a row each. */
export function showTable(scene: TableScene): TemplateResult {
  return html`<section class="scroll contrast-frame" tabindex="0" aria-label="Table of differences">
    <table class="features contrast">
      <thead>
        <tr>
          ${showHeading(scene, { by: "feature", label: "#", doc: "Feature number" }, "")}
          <th scope="col">Explanation</th>
          ${headingsOf(scene).map((heading) => showHeading(scene, heading, "number"))}
          ${scene.sets === null ? nothing : html`<th scope="col" class="number">lines</th>`}
          <th scope="col">strongest on</th>
          <th scope="col"><span class="visually-hidden">Next step</span></th>
        </tr>
      </thead>
      <tbody>
        ${repeat(
          scene.rows,
          ({ feature }) => feature,
          (row) => showRow(scene, row),
        )}
      </tbody>
    </table>
  </section>`;
}

function showHeading({ order, sort }: TableScene, { by, label, doc }: Heading, css: string): TemplateResult {
  return html`<th scope="col" class=${css} aria-sort=${sortedBy(order, by)}>
    <button type="button" title=${doc} @click=${() => sort(by)}>${label}</button>
  </th>`;
}

function sortedBy(order: Order, by: string): "ascending" | "descending" | "none" | "other" {
  if (order.by === "size" && by === "difference") return "other";
  if (order.by !== by) return "none";
  return order.descending ? "descending" : "ascending";
}

function showRow(scene: TableScene, row: Row): TemplateResult {
  const { sae, sets } = scene;
  const { feature } = row;
  const only = onlyOn(row);
  const page = link(featurePath(sae, feature));
  return html`<tr>
    <th scope="row" class="number"><a href=${page}>${feature}</a></th>
    <td>
      <a href=${page}><bdi>${showTitle(scene.titleOf(feature))}</bdi></a>
      ${only === "" ? nothing : html`<span class="only">only ${only.toUpperCase()}</span>`}
    </td>
    <td class="number gap" title=${exact(row.difference)}>
      ${showBar(row.difference, scene.widest)} ${signed(row.difference)}
    </td>
    <td class="number" title=${exact(row.a)}>${decimal(row.a)}</td>
    <td class="number" title=${exact(row.b)}>${decimal(row.b)}</td>
    <td class="number" title=${exact(row.density)}>${percent(row.density)}</td>
    ${
      sets === null
        ? nothing
        : html`<td class="number" title=${`p ${exact(row.p)}, q ${exact(row.q)}`}>
              ${decimal(row.p, 2)} <span class="soft">q ${decimal(row.q, 2)}</span>
            </td>
            <td class="number">${row.firesA}/${sets.nA} · ${row.firesB}/${sets.nB}</td>`
    }
    <td class="tokens"><code>${showToken(row.peak)}</code></td>
    <td><a href=${link(`steer.html?sae=${sae}&f=${feature}`)} aria-label="Steer with feature ${feature}">Steer</a></td>
  </tr>`;
}

function exact(value: number): string {
  return Number.isNaN(value) ? "no value" : String(value);
}

/** A bar to the left for A, which stands left in the form, to the right for B. */
function showBar(difference: number, widest: number): TemplateResult {
  const width = widest > 0 && !Number.isNaN(difference) ? (HALF * Math.abs(difference)) / widest : 0;
  const start = difference > 0 ? HALF - width : HALF;
  return html`<svg class="gap-bar" viewBox="0 0 100 10" aria-hidden="true">
    <rect class="bar" x=${start} y="1" width=${width} height="8"></rect>
    <path class="middle" d="M50 0V10"></path>
  </svg>`;
}
