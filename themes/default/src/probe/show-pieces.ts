import { html, nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { decimal } from "../core/numbers.ts";
import { showText } from "../core/show.ts";
import { inlineText, isBidi } from "../core/text.ts";
import type { Piece } from "../model/client.ts";

/** How the pieces of a text are shown. */
export interface PieceLook {
  /** The number that colours a piece; 0 leaves it as it is. */
  value: (piece: Piece, at: number) => number;
  /** The value of full heat; the scale is linear from 0. */
  max: number;
  /** What is said of a piece under the pointer and at the focus. */
  tell: (value: number, piece: Piece, at: number) => string;
  /** Number of the underlined piece; -1 for none. */
  peak: number;
  /** What the strip is, for those who do not see it. */
  label: string;
  /** Per token, whether it is a BOS that the text does not hold; such pieces are shown as BOS. */
  bos: readonly boolean[];
  /** The pieces that are chosen; only of strips whose pieces can be. */
  chosen?: ReadonlySet<number>;
  /** Called when a piece is clicked, or its key pressed; without it pieces cannot be chosen. */
  choose?: (at: number) => void;
}

const HEAT_STEPS = 9;
const HEAT = Array.from({ length: HEAT_STEPS }, (_, at) => at + 1);

/** Heat class of `value` where `max` is full heat: a1 … a9, linear; "" for none. */
export function heatClass(value: number, max: number): string {
  if (value <= 0 || max <= 0) return "";
  return `a${Math.min(HEAT_STEPS, Math.ceil((HEAT_STEPS * value) / max))}`;
}

/** The colour scale of a strip: from 0 to `max`, of what `words` say. */
export function showScale(max: number, words: TemplateResult | string): TemplateResult {
  return html`<p class="legend">
    0
    <span class="scale" aria-hidden="true"
      ><i class="none"></i>${HEAT.map((step) => html`<i class="a${step}"></i>`)}</span
    >
    <span title=${max}>${decimal(max)}</span> ${words}
  </p>`;
}

/**
 * A text as whole characters, coloured by `look`. Where pieces can be chosen it is a list box: arrow keys walk (by the
 * page's `Tip`), Enter and the space bar choose.
 */
export function showPieces(pieces: readonly Piece[], look: PieceLook): TemplateResult {
  const isolate = isBidi(pieces.map(({ text }) => text).join(""));
  const stop = entryOf(pieces, look);
  const shown = pieces.map((piece, at) => showPiece(piece, at, look, isolate, at === stop));
  if (look.choose === undefined)
    return html`<pre class="strip pieces" data-rove role="group" aria-label=${look.label}>${shown}</pre>`;
  return html`<pre
    class="strip pieces"
    data-rove
    role="listbox"
    aria-multiselectable="true"
    aria-label=${look.label}
    @keydown=${(event: KeyboardEvent) => pressed(event, look.choose)}
    @click=${(event: Event) => chosen(event, look.choose)}
  >${shown}</pre>`;
}

/** Where Tab stops: at the first chosen piece, else the peak, else the first one that is text. */
function entryOf(pieces: readonly Piece[], { chosen: own, peak }: PieceLook): number {
  const first = Math.min(...(own ?? []));
  if (Number.isFinite(first)) return first;
  return peak >= 0 ? peak : Math.max(0, pieces.findIndex(({ special }) => !special));
}

function showPiece(piece: Piece, at: number, look: PieceLook, isolate: boolean, isStop: boolean): unknown {
  const { text, special } = piece;
  const value = look.value(piece, at);
  const isBos = look.bos[piece.start] === true;
  const shown = isBos ? "BOS" : special ? inlineText(text) : showText(text, { newlines: true });
  const isPeak = at === look.peak;
  const tab = isStop ? "0" : "-1";
  const classes = ["token", heatClass(value, look.max), isPeak ? "peak" : "", special ? "special" : ""];
  const css = classes.filter((name) => name !== "").join(" ");
  if (look.choose === undefined) {
    if (value > 0 || isPeak)
      return html`<span class=${css} data-tip=${look.tell(value, piece, at)} tabindex=${tab}>${shown}</span>`;
    return isolate || special ? html`<span class=${css}>${shown}</span>` : shown;
  }
  const name = text.trim() === "" ? inlineText(text, { visibleSpaces: true }) : nothing;
  return html`<span
    class=${css}
    role="option"
    aria-selected=${look.chosen?.has(at) === true ? "true" : "false"}
    aria-label=${name}
    data-piece=${at}
    data-tip=${look.tell(value, piece, at)}
    tabindex=${tab}
    >${shown}</span
  >`;
}

/** Number of the piece with the largest value above 0, the first of equals; -1 where there is none. */
export function peakOf(pieces: readonly Piece[], value: (piece: Piece, at: number) => number): number {
  let [peak, most] = [-1, 0];
  pieces.forEach((piece, at) => {
    const own = value(piece, at);
    if (own > most) [peak, most] = [at, own];
  });
  return peak;
}

/** Number of the piece that an event is about; null beside all of them. */
export function pieceAt({ target }: Event): number | null {
  const found = target instanceof Element ? target.closest<HTMLElement>("[data-piece]") : null;
  return found === null ? null : Number(found.dataset["piece"]);
}

/** Number of the piece inside `host` that a key has led to; null where there is none. */
export function focusedPiece(host: Element): number | null {
  const found = host.querySelector<HTMLElement>("[data-piece]:focus-visible");
  return found === null ? null : Number(found.dataset["piece"]);
}

function chosen(event: Event, choose: PieceLook["choose"]): void {
  const at = pieceAt(event);
  if (at !== null) choose?.(at);
}

function pressed(event: KeyboardEvent, choose: PieceLook["choose"]): void {
  if (event.key !== "Enter" && event.key !== " ") return;
  event.preventDefault();
  chosen(event, choose);
}
