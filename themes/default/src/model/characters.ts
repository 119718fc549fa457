// The twin of `group_pieces` in atlas/text.py: tokens as whole characters.
import type { Piece } from "./client.ts";

/** What a token stands for: its bytes, or the name of a special token. */
export type Spelt = Uint8Array | string;

/** A character, or one byte that is none, with the number of bytes it takes. */
interface Unit {
  text: string;
  size: number;
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Tokens in groups such that no character is cut: as few tokens a piece as possible. A special token is a piece of its
 * own, and no character reaches across it. The pieces cover all tokens in order.
 */
export function groupPieces(tokens: readonly Spelt[]): Piece[] {
  const pieces: Piece[] = [];
  let start = 0;
  for (let at = 0; at <= tokens.length; at++) {
    const token = tokens[at];
    if (token !== undefined && typeof token !== "string") continue;
    groupRun(pieces, tokens.slice(start, at) as Uint8Array[], start);
    if (token !== undefined) pieces.push({ text: token, start: at, stop: at + 1, special: true });
    start = at + 1;
  }
  return pieces;
}

/** Adds the pieces of `tokens`, the first of which has the number `start`. */
function groupRun(pieces: Piece[], tokens: readonly Uint8Array[], start: number): void {
  const bytes = joined(tokens);
  let [reached, end, first, text] = [0, 0, 0, ""];
  for (const [at, token] of tokens.entries()) {
    end += token.length;
    while (reached < end) {
      const unit = unitAt(bytes, reached);
      if (reached + unit.size > end) break;
      text += unit.text;
      reached += unit.size;
    }
    if (reached !== end) continue;
    pieces.push({ text, start: start + first, stop: start + at + 1, special: false });
    first = at + 1;
    text = "";
  }
}

/** The text of tokens that come one by one: each token yields the characters that it completes. */
export class TextStream {
  #pending: Uint8Array = new Uint8Array();

  /** What `token` completes; with `last` also bytes that wait for more. */
  push(token: Spelt, last: boolean): string {
    if (typeof token === "string") return this.#take(true) + token;
    this.#pending = joined([this.#pending, token]);
    return this.#take(last);
  }

  #take(all: boolean): string {
    const bytes = this.#pending;
    let [text, reached] = ["", 0];
    while (reached < bytes.length && (all || reached + lengthOf(bytes[reached] ?? 0) <= bytes.length)) {
      const unit = unitAt(bytes, reached);
      text += unit.text;
      reached += unit.size;
    }
    this.#pending = bytes.slice(reached);
    return text;
  }
}

function joined(tokens: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(tokens.reduce((sum, token) => sum + token.length, 0));
  let at = 0;
  for (const token of tokens) {
    bytes.set(token, at);
    at += token.length;
  }
  return bytes;
}

/** The character at byte `at`, or that byte as `<0xE6>` where it begins none. */
function unitAt(bytes: Uint8Array, at: number): Unit {
  const byte = bytes[at] ?? 0;
  const size = lengthOf(byte);
  try {
    if (at + size <= bytes.length) return { text: decoder.decode(bytes.subarray(at, at + size)), size };
  } catch {
    // No character begins here.
  }
  return { text: `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`, size: 1 };
}

/** Bytes of the character that `byte` begins, by its high bits; 1 for one that begins none. */
function lengthOf(byte: number): number {
  if (byte >= 0xf0 && byte < 0xf8) return 4;
  if (byte >= 0xe0 && byte < 0xf0) return 3;
  return byte >= 0xc0 && byte < 0xe0 ? 2 : 1;
}
