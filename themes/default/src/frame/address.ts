/** Longest text that an address is unpacked to, in bytes: a small address can hide a large one. */
const MOST_BYTES = 2_000_000;

/** Longest address that every host and mail program takes; longer ones still work in most. */
export const SAFE_ADDRESS = 8000;

/** An address whose text cannot be read; `message` says why, as the end of a sentence. */
export class AddressError extends Error {}

/** `value` as text for an address: JSON, deflated, in base64url. */
export async function packAddress(value: unknown): Promise<string> {
  const deflated = new Blob([JSON.stringify(value)]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  return toBase64url(new Uint8Array(await new Response(deflated).arrayBuffer()));
}

/** The inverse of `packAddress`; anybody may have written it, so the caller checks it. Rejects with `AddressError`. */
export async function unpackAddress(text: string): Promise<unknown> {
  try {
    const inflated = await inflate(fromBase64url(text));
    return JSON.parse(new TextDecoder().decode(inflated)) as unknown;
  } catch (error) {
    throw error instanceof AddressError ? error : new AddressError("a part of it is missing");
  }
}

async function inflate(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
  const parts: Uint8Array[] = [];
  let size = 0;
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    size += part.value.length;
    if (size > MOST_BYTES) {
      await reader.cancel();
      throw new AddressError("it holds more than can be shown");
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
