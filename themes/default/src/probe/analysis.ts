import type { TextActivations } from "../model/client.ts";
import { scored, strongest, tokensOf } from "./aggregate.ts";
import type { Scored } from "./aggregate.ts";
import { DENSITY, isDenser, piecesOf } from "./ranking.ts";
import type { Known } from "./ranking.ts";
import type { TextView } from "./view.ts";

/** The strongest feature at a piece; -1 where none fires. */
export interface Top {
  feature: number;
  value: number;
}

/** What is computed of the activations of one text: each answer is kept until another is asked for. */
export class Analysis {
  readonly found: TextActivations;
  private readonly known: Known;
  private readonly pieces: Int32Array;
  private firingKey = "";
  private firing: { features: Scored[]; tokens: number } = { features: [], tokens: 0 };
  private topsKey = "";
  private tops: Top[] = [];

  constructor(found: TextActivations, known: Known) {
    this.found = found;
    this.known = known;
    this.pieces = piecesOf(found);
  }

  /** Number of the piece that `token` is in. */
  pieceOf(token: number): number {
    return this.pieces[token] ?? -1;
  }

  /** The features that fire on the pieces `looked` at (none is the whole text), and how many tokens those are. */
  firingOn({ joining, bos }: TextView, looked: readonly number[]): { features: Scored[]; tokens: number } {
    const key = JSON.stringify([joining, bos, looked]);
    if (key !== this.firingKey) {
      const tokens = tokensOf(this.found, looked, bos);
      this.firing = { features: scored(this.found, tokens, joining), tokens: tokens.length };
      this.firingKey = key;
    }
    return this.firing;
  }

  /** The strongest feature at each piece, of those that `view` lists. */
  topsOf(view: TextView): Top[] {
    const key = JSON.stringify([view.bos, view.densest, Number.isNaN(this.known.value(DENSITY, 0))]);
    if (key !== this.topsKey) {
      this.tops = this.strongestPerPiece(view);
      this.topsKey = key;
    }
    return this.tops;
  }

  private strongestPerPiece(view: TextView): Top[] {
    const { found } = this;
    const perToken = strongest(found, (feature) => !isDenser(feature, view, this.known));
    return found.pieces.map(({ start, stop }) => {
      let most: Top = { feature: -1, value: 0 };
      for (let token = start; token < stop; token++) {
        const top = perToken[token];
        if (top !== undefined && top.value > most.value && (view.bos || found.bos[token] !== true)) most = top;
      }
      return most;
    });
  }
}
