import type { ModelFilePayload } from "../../payloads.ts";
import { inflate } from "../../core/inflate.ts";
import { ModelError } from "../../core/model-error.ts";

/** The files of the model, put together from their parts. */
export class Files {
  readonly #parts = new Map<string, Uint8Array[]>();

  /** Unpacks part `place` of `file`; rejects with `ModelError` where it is damaged. */
  async add(file: string, place: number, payload: string): Promise<void> {
    const parts = this.#parts.get(file) ?? [];
    this.#parts.set(file, parts);
    try {
      parts[place] = new Uint8Array(await inflate(payload).arrayBuffer());
    } catch (error) {
      if (error instanceof RangeError) throw error;
      throw damaged(file);
    }
  }

  /** The bytes of a file, which are forgotten; rejects with `ModelError` unless they are those that the build wrote. */
  async take({ name, bytes: size, sha256 }: ModelFilePayload): Promise<Uint8Array> {
    const parts = this.#parts.get(name) ?? [];
    this.#parts.delete(name);
    const bytes = new Uint8Array(size);
    let at = 0;
    for (const part of parts) {
      if (part === undefined || at + part.length > size) throw damaged(name);
      bytes.set(part, at);
      at += part.length;
    }
    if (at !== size || !(await isSame(bytes, sha256))) throw damaged(name);
    return bytes;
  }
}

/** Whether SHA-256 says so; over plain http browsers offer none, and the length must do. */
async function isSame(bytes: Uint8Array, sha256: string): Promise<boolean> {
  const subtle = globalThis.crypto?.subtle as SubtleCrypto | undefined;
  if (subtle === undefined) return true;
  const digest = new Uint8Array(await subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("") === sha256;
}

function damaged(file: string): ModelError {
  return new ModelError("shard", `The model's file ${file} is damaged, or belongs to another build.`);
}
