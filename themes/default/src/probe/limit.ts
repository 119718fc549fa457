import type { OpenModel, Piece } from "../model/client.ts";

/** Most activations kept of a text: tokens times features; a browser tab has no room for many more. */
const MOST_VALUES = 32_000_000;
/** Most tokens of a text: more than anybody reads as a strip. */
const MOST_TOKENS = 4096;

/** The beginning of a text that a page can hold. */
export interface Fitted {
  text: string;
  /** Characters (UTF-16 units) left out at its end. */
  cut: number;
}

/** Most tokens of a text that an SAE of `nFeatures` features is run on. */
export function mostTokens(nFeatures: number): number {
  return Math.max(1, Math.min(MOST_TOKENS, Math.floor(MOST_VALUES / nFeatures)));
}

/** As much of `text` as has at most `mostTokens` tokens. */
export async function fitText(model: Pick<OpenModel, "tokenise" | "sae">, text: string): Promise<Fitted> {
  const room = mostTokens(model.sae.d_sae);
  // A token is at least a byte, so a short text needs no counting.
  if (text.length * 3 <= room) return { text, cut: 0 };
  const { ids, pieces } = await model.tokenise(text);
  return ids.length <= room ? { text, cut: 0 } : cutAfter(text, pieces, room);
}

/** `text` up to the last of `pieces` that ends within `room` tokens. */
export function cutAfter(text: string, pieces: readonly Piece[], room: number): Fitted {
  const kept = pieces.filter(({ stop, special }) => stop <= room && !special);
  const length = kept.reduce((sum, piece) => sum + piece.text.length, 0);
  // Between the halves of a surrogate pair no text may end.
  const end = /[\ud800-\udbff]/.test(text[length - 1] ?? "") ? length - 1 : length;
  return { text: text.slice(0, end), cut: text.length - end };
}
