import type { SitePayload } from "../payloads.ts";
import { inflate } from "./inflate.ts";
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
  /** Called by every data file with its key and the letters of its gzip. */
  var atlasShard: (key: string, payload: string) => void;
}

globalThis.atlasShard = (key, payload) => receivers.get(key)?.(payload);

/**
 * The JSON of shard `key`. Classic scripts are the only thing a browser reads from file://, hence this one transport.
 * A shard is read once; after a failure the next call tries again. Rejects with `ShardError`.
 */
export function loadShard<Payload>(key: string): Promise<Payload> {
  return once(key, (payload) => decodeShard<Payload>(key, payload));
}

/** The bytes of shard `key`, for those that hold no JSON; otherwise as `loadShard`. */
export function loadBytes(key: string): Promise<Uint8Array> {
  return once(key, (payload) => decodeBytes(key, payload));
}

function once<Content>(key: string, decode: (payload: string) => Promise<Content>): Promise<Content> {
  const known = cache.get(key);
  if (known !== undefined) return known as Promise<Content>;
  const loading = fetchPayload(key).then(decode);
  cache.set(key, loading);
  loading.catch(() => cache.delete(key));
  return loading;
}

/** The value in a shard's text; rejects with `ShardError` where it is damaged. */
export async function decodeShard<Payload>(key: string, payload: string): Promise<Payload> {
  try {
    return (await inflate(payload).json()) as Payload;
  } catch {
    throw new ShardError(key, "is damaged");
  }
}

/** The bytes in a shard's text; rejects with `ShardError` where it is damaged. */
export async function decodeBytes(key: string, payload: string): Promise<Uint8Array> {
  try {
    return new Uint8Array(await inflate(payload).arrayBuffer());
  } catch {
    throw new ShardError(key, "is damaged");
  }
}

/**
 * Address of shard `key`. Data files are named after what they hold, so a cache would mix two builds but for the build
 * id, which `site` alone knows: a page that named it would change with every build.
 */
async function address(key: string): Promise<string> {
  const path = `${page().root}data/${key}.js`;
  if (key === "site") return path;
  const { build_id } = await loadShard<SitePayload>("site");
  return `${path}?v=${encodeURIComponent(build_id)}`;
}

/**
 * The text of shard `key`, still packed, and not kept: for files that are large and read once. Rejects with `ShardError`,
 * also where it has not come after `patience` milliseconds.
 */
export async function fetchPayload(key: string, patience = TIMEOUT_MS): Promise<string> {
  const source = await address(key);
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    const finish = (reason: string | null, payload = "") => {
      window.clearTimeout(timer);
      receivers.delete(key);
      script.remove();
      if (reason === null) resolve(payload);
      else reject(new ShardError(key, reason));
    };
    const timer = window.setTimeout(() => finish("did not arrive in time"), patience);
    receivers.set(key, (payload) => finish(null, payload));
    script.addEventListener("error", () => finish("could not be loaded"));
    script.addEventListener("load", () => finish("holds other data than its name says"));
    script.src = source;
    document.head.append(script);
  });
}
