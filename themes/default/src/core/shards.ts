import { page } from "./page.ts";

/** A data file that could not be read; `message` is fit for people. */
export class ShardError extends Error {
  readonly key: string;

  constructor(key: string, reason: string) {
    super(`data/${key}.js ${reason}`);
    this.key = key;
  }
}

type Receiver = (payload: string) => void;

/** Long enough for 1 MB over a bad line; a reader who waits longer has left. */
const TIMEOUT_MS = 60_000;

const receivers = new Map<string, Receiver>();
const cache = new Map<string, Promise<unknown>>();

declare global {
  /** Called by every data file with its key and its base64 of gzip. */
  var atlasShard: (key: string, payload: string) => void;
}

globalThis.atlasShard = (key, payload) => receivers.get(key)?.(payload);

/**
 * The JSON of shard `key`. Classic scripts are the only thing a browser reads from file://, hence this one transport.
 * A shard is read once; after a failure the next call tries again. Rejects with `ShardError`.
 */
export function loadShard<Payload>(key: string): Promise<Payload> {
  const known = cache.get(key);
  if (known !== undefined) return known as Promise<Payload>;
  const loading = fetchPayload(key).then((payload) => decodeShard<Payload>(key, payload));
  cache.set(key, loading);
  loading.catch(() => cache.delete(key));
  return loading;
}

/** The value in a shard's text; rejects with `ShardError` where it is damaged. */
export async function decodeShard<Payload>(key: string, payload: string): Promise<Payload> {
  try {
    const bytes = Uint8Array.from(atob(payload), (character) => character.charCodeAt(0));
    const inflated = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return (await new Response(inflated).json()) as Payload;
  } catch {
    throw new ShardError(key, "is damaged");
  }
}

function fetchPayload(key: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    const finish = (reason: string | null, payload = "") => {
      window.clearTimeout(timer);
      receivers.delete(key);
      script.remove();
      if (reason === null) resolve(payload);
      else reject(new ShardError(key, reason));
    };
    const timer = window.setTimeout(() => finish("did not arrive in time"), TIMEOUT_MS);
    receivers.set(key, (payload) => finish(null, payload));
    script.addEventListener("error", () => finish("could not be loaded"));
    script.addEventListener("load", () => finish("holds other data than its name says"));
    script.src = `${page().root}data/${key}.js?v=${encodeURIComponent(page().build)}`;
    document.head.append(script);
  });
}
