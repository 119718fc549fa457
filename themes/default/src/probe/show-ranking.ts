import { showTitle } from "../core/hit-view.ts";
import { featurePath, link } from "../core/links.ts";
import { html, nothing, repeat } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { counted, decimal, integer, percent } from "../core/numbers.ts";
import { showText, showToken } from "../core/show.ts";
import type { Piece } from "../model/client.ts";
import { meter } from "../panels/meter.ts";
import type { Scored } from "./aggregate.ts";
import type { Group } from "./groups.ts";
import type { FeatureNames } from "./names.ts";
import { CLUSTER, DENSITY, LARGEST, shareOf } from "./ranking.ts";
import type { Ranking } from "./ranking.ts";
import type { TextView } from "./view.ts";

/** All that the list of features is drawn from. */
export interface RankingScene {
  ranking: Ranking;
  view: TextView;
  names: FeatureNames;
  pieces: readonly Piece[];
  /** Number of the piece that a token is in. */
  pieceOf: (token: number) => number;
  /** Most features shown of a group. */
  most: number;
  sort: (by: string) => void;
  /** Colours the text by a feature; null for the strongest of all. */
  colour: (feature: number | null) => void;
  more: () => void;
}

interface Heading {
  by: string;
  label: string;
  doc: string;
}

/** The columns that can be sorted by, with their meaning. */
function headings({ joining }: TextView): Heading[] {
  const joined = { max: "largest", sum: "summed", mean: "mean" }[joining];
  return [
    { by: "feature", label: "feature", doc: "What the feature seems to respond to; sorts by its number." },
    { by: "value", label: `${joined} activation`, doc: `Its ${joined} activation on the tokens looked at.` },
    { by: "share", label: "of its maximum", doc: "Its largest activation here, as a share of its largest in the corpus." },
    { by: "density", label: "density", doc: "Share of the corpus’s tokens on which it fires." },
  ];
}

function showHead({ view, sort }: RankingScene): TemplateResult {
  const { by, descending } = view.order;
  return html`<thead>
    <tr>
      ${headings(view).map(({ by: name, label, doc }) => {
        const order = name === by ? (descending ? "descending" : "ascending") : "none";
        return html`<th scope="col" class=${name === "feature" ? "" : "number"} aria-sort=${order}>
          <button type="button" class="sort" data-tip=${doc} @click=${() => sort(name)}>${label}</button>
        </th>`;
      })}
      <th scope="col">strongest at</th>
      <th scope="col"><span class="visually-hidden">colour the text</span></th>
    </tr>
  </thead>`;
}

function showRow(one: Scored, scene: RankingScene, largest: number): TemplateResult {
  const { feature, value, token } = one;
  const { names, view } = scene;
  const piece = scene.pieces[scene.pieceOf(token)];
  const isOwn = view.feature === feature;
  const max = names.value(LARGEST, feature);
  return html`<tr data-feature=${feature}>
    <td class="ranked-title">
      <a href=${link(featurePath(names.sae, feature))}><bdi>${showTitle(names.row(feature))}</bdi></a>
      <span class="soft number">${feature}</span>
    </td>
    <td class="number ranked-value" title=${value}>${decimal(value)} ${meter(value, largest)}</td>
    <td class="number" title=${Number.isNaN(max) ? nothing : `of ${decimal(max)}`}>${percent(shareOf(one, names), 2)}</td>
    <td class="number">${percent(names.value(DENSITY, feature))}</td>
    <td>${piece === undefined ? nothing : showToken(piece.text)}</td>
    <td>
      <button
        type="button"
        class="tool"
        aria-pressed=${isOwn ? "true" : "false"}
        aria-label="Colour the text by feature ${feature}"
        @click=${() => scene.colour(isOwn ? null : feature)}
      >
        colour
      </button>
    </td>
  </tr>`;
}

/** The line above a group: its token or its cluster, and how many features it has. */
function showGroupName({ key, features }: Group, { view, names, pieces }: RankingScene): TemplateResult {
  const count = html`<span class="soft">${counted(features.length, "feature")}</span>`;
  let name: unknown = "no cluster";
  if (view.grouping === "token") name = html`at ${showToken(pieces[key]?.text ?? "")}`;
  else if (key >= 0) name = html`<bdi>${showText(names.label(CLUSTER, key) || `cluster ${key}`)}</bdi>`;
  return html`<tr class="ranked-group"><th colspan="6" scope="rowgroup">${name} ${count}</th></tr>`;
}

/** The features that fire, group by group, and how many there are. */
export function showRanking(scene: RankingScene): TemplateResult {
  const { ranking, view, most } = scene;
  const largest = Math.max(0, ...ranking.groups.flatMap(({ features }) => features.slice(0, most)).map(({ value }) => value));
  const isCut = ranking.groups.some(({ features }) => features.length > most);
  return html`<div class="scroll" role="region" aria-label="The list of features" tabindex="0">
      <table class="ranked">
        ${showHead(scene)}
        ${repeat(
          ranking.groups,
          ({ key }) => `${view.grouping} ${key}`,
          (group) =>
            html`<tbody>
              ${view.grouping === "" ? nothing : showGroupName(group, scene)}
              ${repeat(
                group.features.slice(0, most),
                ({ feature }) => feature,
                (one) => showRow(one, scene, largest),
              )}
            </tbody>`,
        )}
      </table>
    </div>
    ${
      isCut
        ? html`<button type="button" class="search-more" @click=${() => scene.more()}>
            ${view.grouping === "" ? "Show more" : "Show more of each group"}
          </button>`
        : nothing
    }`;
}

/** How many features fire where, in a sentence. */
export function tellCount({ count, denser, tokens }: Ranking, where: string): string {
  const features = `${counted(count, "feature")} ${count === 1 ? "fires" : "fire"}`;
  const left = denser > 0 ? `; ${integer(denser)} denser ones are left out` : "";
  return `${features} ${where} (${counted(tokens, "token")})${left}.`;
}
