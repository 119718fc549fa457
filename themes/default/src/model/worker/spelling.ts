// The twin of `TokenBytes.vocabulary` in atlas/sources/tokens.py: the exact bytes of each token.
import type { Spelt } from "../characters.ts";

/** The parts of a `tokenizer.json` that say how tokens are spelt. */
export interface TokenizerSpec {
  model: { type: string; byte_fallback?: boolean; continuing_subword_prefix?: string; end_of_word_suffix?: string | null };
  decoder?: SpecPart | null;
  pre_tokenizer?: SpecPart | null;
  added_tokens: { id: number; content: string; special: boolean }[];
}
interface SpecPart {
  type: string;
  pattern?: unknown;
  decoders?: SpecPart[];
  pretokenizers?: SpecPart[];
}

const SPACE_PIECE = "\u2581";
const BYTE_PIECE = /^<0x([0-9A-Fa-f]{2})>$/;
const encoder = new TextEncoder();

/** The function id → bytes or special name; `pieceOf` gives the tokenizer's own spelling. */
export function speller(
  spec: TokenizerSpec,
  pieceOf: (id: number) => string | undefined,
  bos: number | null,
): (id: number) => Spelt {
  const added = new Map(spec.added_tokens.map((token) => [token.id, token]));
  const bytesOf = bytesSpeller(spec);
  return (id) => {
    const token = added.get(id);
    const piece = token?.content ?? pieceOf(id);
    if (piece === undefined) return `<unused ${id}>`;
    if (token?.special === true || id === bos) return piece;
    // Added tokens are matched in the text itself, so their spelling is their bytes.
    return token === undefined ? bytesOf(piece) : encoder.encode(piece);
  };
}

function bytesSpeller(spec: TokenizerSpec): (piece: string) => Uint8Array {
  switch (spelling(spec)) {
    case "byte_level": {
      const alphabet = byteAlphabet();
      return (piece) => fromAlphabet(piece, alphabet);
    }
    case "sentencepiece":
      return (piece) => fromSentencePiece(piece, spec.model.byte_fallback === true);
    case "wordpiece":
      return (piece) => fromWordPiece(piece, spec.model.continuing_subword_prefix || "##");
    case "suffix":
      return (piece) => fromSuffix(piece, spec.model.end_of_word_suffix ?? "");
    case "plain":
      return (piece) => encoder.encode(piece);
  }
}

function spelling(spec: TokenizerSpec): "byte_level" | "sentencepiece" | "wordpiece" | "suffix" | "plain" {
  const decoders = parts(spec.decoder, "decoders");
  const kinds = new Set([...decoders, ...parts(spec.pre_tokenizer, "pretokenizers")].map(({ type }) => type));
  const writesSpaces = decoders.some(
    ({ type, pattern }) => type === "Replace" && JSON.stringify(pattern ?? "").includes(SPACE_PIECE),
  );
  if (kinds.has("ByteLevel")) return "byte_level";
  if (kinds.has("WordPiece") || spec.model.type === "WordPiece") return "wordpiece";
  if (kinds.has("Metaspace") || spec.model.byte_fallback === true || writesSpaces) return "sentencepiece";
  return spec.model.end_of_word_suffix ? "suffix" : "plain";
}

/** A component and, for a Sequence, its members, all the way down. */
function parts(section: SpecPart | null | undefined, members: "decoders" | "pretokenizers"): SpecPart[] {
  if (section === null || section === undefined) return [];
  return [section, ...(section[members] ?? []).flatMap((member) => parts(member, members))];
}

/** GPT-2's printable stand-in for each byte → the byte (OpenAI's GPT-2 encoder, 2019). */
function byteAlphabet(): Map<string, number> {
  const isVisible = (byte: number) => (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
  const alphabet = new Map<string, number>();
  let hidden = 0;
  for (let byte = 0; byte < 256; byte++)
    alphabet.set(String.fromCharCode(isVisible(byte) ? byte : 0x100 + hidden++), byte);
  return alphabet;
}

/** A byte-level piece; one that is not spelt in the alphabet stands for itself. */
function fromAlphabet(piece: string, alphabet: ReadonlyMap<string, number>): Uint8Array {
  const bytes = [...piece].map((character) => alphabet.get(character));
  return bytes.includes(undefined) ? encoder.encode(piece) : Uint8Array.from(bytes as number[]);
}

function fromSentencePiece(piece: string, fallback: boolean): Uint8Array {
  const byte = fallback ? BYTE_PIECE.exec(piece)?.[1] : undefined;
  if (byte !== undefined) return Uint8Array.of(Number.parseInt(byte, 16));
  return encoder.encode(piece.replaceAll(SPACE_PIECE, " "));
}

function fromWordPiece(piece: string, prefix: string): Uint8Array {
  const continues = piece.startsWith(prefix) && piece.length > prefix.length;
  return encoder.encode(continues ? piece.slice(prefix.length) : ` ${piece}`);
}

function fromSuffix(piece: string, suffix: string): Uint8Array {
  return encoder.encode(piece.endsWith(suffix) ? `${piece.slice(0, -suffix.length)} ` : piece);
}
