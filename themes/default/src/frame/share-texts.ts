import { AddressError, packAddress, unpackAddress } from "./address.ts";
import { copyFrom } from "./copy.ts";

const NAME = "share";

/**
 * The texts called `names` that the address carries after `#`, where browsers send nothing to a host; those that it lacks
 * are left out. Rejects with an `Error` fit for people where it cannot be read.
 */
export async function readShared(names: readonly string[]): Promise<Record<string, string>> {
  const packed = new URLSearchParams(window.location.hash.slice(1)).get(NAME);
  if (packed === null) return {};
  try {
    return pickTexts(await unpackAddress(packed), names);
  } catch (error) {
    const reason = error instanceof AddressError ? error.message : String(error);
    throw new Error(`The text in this address cannot be read: ${reason}.`);
  }
}

/** Those of `names` that are texts in `value`, which anybody may have written. */
export function pickTexts(value: unknown, names: readonly string[]): Record<string, string> {
  const record = typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  const found = names.flatMap((name): [string, string][] => {
    const text = record[name];
    return typeof text === "string" ? [[name, text]] : [];
  });
  return Object.fromEntries(found);
}

/** Puts `texts` into the address, copies it, and says so beside `button`. Only where the reader asks for it. */
export async function shareTexts(button: HTMLElement, texts: Record<string, string>): Promise<void> {
  const packed = await packAddress(texts);
  const { pathname, search } = window.location;
  window.history.replaceState(null, "", `${pathname}${search}#${NAME}=${packed}`);
  copyFrom(button, window.location.href);
}

/** Takes texts out of the address: they are no longer what is typed. */
export function forgetShared(): void {
  const { pathname, search, hash } = window.location;
  if (hash.startsWith(`#${NAME}=`)) window.history.replaceState(null, "", pathname + search);
}
