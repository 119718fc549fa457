import type { Checked, FeatureList } from "./check.ts";
import { checkLists } from "./check.ts";

/** First item of what an address carries; another number is another way of packing. */
const PACKING = 1;
/** Longest text that an address is unpacked to, in bytes: a small address can hide a large one. */
const MOST_BYTES = 2_000_000;
/** Longest address that every host and mail program takes; longer ones still work in most. */
export const SAFE_ADDRESS = 8000;

/** `[packing, name, description, slugs, slug number per feature (empty for one slug), numbers, notes]` */
type Packed = [number, string, string, string[], number[], number[], string[]];

/** `list` as text for an address: JSON in columns, deflated, in base64url. */
export async function packList(list: FeatureList): Promise<string> {
  const slugs = [...new Set(list.features.map(({ sae }) => sae))];
  const notes = list.features.map(({ note }) => note);
  const packed: Packed = [
    PACKING,
    list.name,
    list.description,
    slugs,
    slugs.length > 1 ? list.features.map(({ sae }) => slugs.indexOf(sae)) : [],
    list.features.map(({ feature_idx }) => feature_idx),
    notes.some((note) => note !== "") ? notes : [],
  ];
  const deflated = new Blob([JSON.stringify(packed)]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  return toBase64url(new Uint8Array(await new Response(deflated).arrayBuffer()));
}

/** The list in the text of an address, checked as a foreign file is. */
export async function unpackList(text: string): Promise<Checked> {
  try {
    const inflated = await inflate(fromBase64url(text));
    return checkLists(asFile(JSON.parse(new TextDecoder().decode(inflated))));
  } catch (error) {
    const reason = error instanceof TooLong ? "it holds more than can be shown" : "a part of it is missing";
    return { lists: [], problems: [`The list in this address cannot be read: ${reason}.`] };
  }
}

class TooLong extends Error {}

/** What was packed in the shape of a file; `checkLists` judges the values. */
function asFile(packed: unknown): unknown {
  if (!Array.isArray(packed) || packed[0] !== PACKING) throw new Error("packing");
  const [, name, description, slugs, owners, numbers, notes] = packed as unknown[];
  const each = (value: unknown): unknown[] => (Array.isArray(value) ? (value as unknown[]) : []);
  const features = each(numbers).map((feature_idx, at) => ({
    sae: each(slugs)[Number(each(owners)[at] ?? 0)],
    feature_idx,
    note: each(notes)[at] ?? "",
  }));
  return { name, description, features };
}

async function inflate(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
  const parts: Uint8Array[] = [];
  let size = 0;
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    size += part.value.length;
    if (size > MOST_BYTES) {
      await reader.cancel();
      throw new TooLong();
    }
    parts.push(part.value);
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function toBase64url(bytes: Uint8Array): string {
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

function fromBase64url(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}
