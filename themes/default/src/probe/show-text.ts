import { html } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { decimal } from "../core/numbers.ts";
import { showTitle } from "../core/hit-view.ts";
import { tellActivation } from "../examples/show-strip.ts";
import type { Piece } from "../model/client.ts";
import { pieceValue } from "./aggregate.ts";
import type { Analysis } from "./analysis.ts";
import type { FeatureNames } from "./names.ts";
import { LARGEST } from "./ranking.ts";
import { peakOf, showPieces, showScale } from "./show-pieces.ts";
import type { PieceLook } from "./show-pieces.ts";
import type { TextView } from "./view.ts";

/** All that the strip of a text is drawn from. */
export interface TextScene {
  analysis: Analysis;
  view: TextView;
  names: FeatureNames;
  /** Locks a piece, or frees it. */
  lock: (at: number) => void;
  /** Colours the text by a feature; null for the strongest of all. */
  colour: (feature: number | null) => void;
}

/** What colours a strip: a number per piece, the value of full heat, and words for both. */
interface Colouring extends Pick<PieceLook, "value" | "max" | "tell"> {
  legend: TemplateResult;
}

/** The tokens of a text, coloured by one feature or by the strongest at each, with the legend. */
export function showTextStrip(scene: TextScene): TemplateResult {
  const { analysis, view, lock } = scene;
  const { pieces, bos } = analysis.found;
  const { legend, ...look } = view.feature === null ? strongestOf(scene) : ownOf(scene, view.feature);
  const peak = peakOf(pieces, look.value);
  return html`${showScale(look.max, legend)}
  ${showPieces(pieces, { ...look, bos, peak, label: "Tokens of the text", chosen: new Set(view.locks), choose: lock })}`;
}

function strongestOf({ analysis, view }: TextScene): Colouring {
  const tops = analysis.topsOf(view);
  return {
    value: (_, at) => tops[at]?.value ?? 0,
    max: tops.reduce((most, { value }) => Math.max(most, value), 0),
    tell: (value, _, at) => (value > 0 ? `${decimal(value)} of feature ${tops[at]?.feature}` : "no feature fires here"),
    legend: html`activation of the strongest feature at each token`,
  };
}

function ownOf({ analysis: { found }, view, names, colour }: TextScene, feature: number): Colouring {
  const value = (piece: Piece) => pieceValue(found, feature, piece, view.bos);
  const known = names.value(LARGEST, feature);
  const max = known > 0 ? known : found.pieces.reduce((most, piece) => Math.max(most, value(piece)), 0);
  return {
    value,
    max,
    tell: tellActivation(max),
    legend: html`activation of feature ${feature}: <bdi>${showTitle(names.row(feature))}</bdi>
      <button type="button" class="tool quiet" @click=${() => colour(null)}>all features</button>`,
  };
}

/** The tokens looked at, as the end of a sentence. */
export function tellWhere({ locks, bos }: TextView, looked: number | null): string {
  if (locks.length > 0) return locks.length === 1 ? "at the locked token" : "at the locked tokens";
  if (looked !== null) return "at this token";
  return bos ? "on the text, BOS included" : "on the text";
}
