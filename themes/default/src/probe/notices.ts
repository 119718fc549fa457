import { integer } from "../core/numbers.ts";
import type { TextActivations } from "../model/client.ts";
import type { SaeModelPayload } from "../payloads.ts";

/** What a reader must know of how a text was run, in sentences; `cut` is the number of characters left out. */
export function noticesOf(
  { windows, replaced, ids }: Pick<TextActivations, "windows" | "replaced" | "ids">,
  cut: number,
  sae: Pick<SaeModelPayload, "context_size" | "prepend_bos">,
): string[] {
  const found: string[] = [];
  if (windows > 1) {
    const begins = sae.prepend_bos ? "Each begins anew, with BOS" : "Each begins anew";
    found.push(
      `Longer than the model’s context of ${integer(sae.context_size)} tokens: read in ${integer(windows)} windows. ${begins}: the model sees nothing of the one before.`,
    );
  }
  if (replaced > 0) found.push(replacedNotice(replaced));
  if (cut > 0)
    found.push(`Only the first ${integer(ids.length)} tokens are shown; ${integer(cut)} characters at the end are left out.`);
  return found;
}

/** What became of the lone surrogates of a text, of which there are `replaced`, one or more. */
export function replacedNotice(replaced: number): string {
  const what = replaced === 1 ? "A half character (lone surrogate) was" : `${integer(replaced)} half characters (lone surrogates) were`;
  return `${what} replaced by U+FFFD.`;
}
