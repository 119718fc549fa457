import { decimal, integer, oneIn, percent, ratio } from "../core/numbers.ts";
import { DENSE } from "../core/query.ts";
import { entryOf, numberOf, numeric, recordsOf } from "./model.ts";
import type { FeatureData } from "./model.ts";

/** From here on a share reads better in per cent than as one in so many. */
const RARE = 0.5;
/** Decoder directions with at least this cosine count as the same (DUPLICATE of atlas/render/features.py). */
export const DUPLICATE = 0.95;

/** How often a feature fires: a phrase, the exact counts, and what whole contexts say. */
export interface Firing {
  phrase: string;
  detail: string;
  contexts: string;
}

/** In the words of `firing_view` in atlas/render/features.py. */
export function firingOf(data: FeatureData): Firing {
  const count = numberOf(data, "firing_tokens");
  const total = data.site.n_tokens;
  const contexts = contextsOf(data);
  if (count === null) return { phrase: "how often it fires is not recorded", detail: "", contexts };
  if (total <= 0) return { phrase: "no tokens were counted", detail: "", contexts };
  if (count === 0) return { phrase: `never fired on ${integer(total)} tokens`, detail: "", contexts: "" };
  const interval = intervalOf(numberOf(data, "density_lower"), numberOf(data, "density_upper"));
  const told = interval === "" ? "" : `, 95\u202f% interval ${interval}`;
  const detail = `${integer(count)} of ${integer(total)} tokens${told}`;
  return { phrase: `fires on ${oneIn(count, total)}`, detail, contexts };
}

function contextsOf(data: FeatureData): string {
  const count = numberOf(data, "firing_contexts");
  const share = numberOf(data, "context_density");
  if (count === null || share === null || share === 0) return "";
  const [low, high] = [numberOf(data, "context_density_lower"), numberOf(data, "context_density_upper")];
  const interval = intervalOf(low, high);
  const counts = `It fires in ${integer(count)} of ${integer(Math.round(count / share))} contexts`;
  if (interval === "") return `${counts}.`;
  const why = "Tokens of one context depend on each other, contexts hardly";
  return `${counts}, 95\u202f% interval ${interval}. ${why}: of the two intervals this is the honest one.`;
}

/** A confidence interval in the words of `oneIn`: `1 in 836–906`. */
function intervalOf(low: number | null, high: number | null): string {
  if (low === null || high === null || low <= 0 || high <= 0) return "";
  if (high >= RARE) return `${percent(low)}\u2013${percent(high)}`;
  return `1 in ${ratio(high)}\u2013${ratio(low)}`;
}

/** A remark that changes how a feature's page is to be read. */
export interface Badge {
  label: string;
  doc: string;
  /** The feature it names; null for most. */
  feature: number | null;
}

/** The remarks on a feature: dead, dense, single-token, duplicate. */
export function badgesOf(data: FeatureData): Badge[] {
  const found: Badge[] = [];
  const add = (label: string, doc: string, feature: number | null = null) => found.push({ label, doc, feature });
  const share = numberOf(data, "top_token_share");
  if (numberOf(data, "firing_tokens") === 0) add("dead", "It fired on no counted token of this corpus.");
  if ((numberOf(data, "activation_density") ?? 0) > DENSE)
    add("dense", "It fires on more than 10\u202f% of the counted tokens.");
  if (numberOf(data, "single_token") === 1)
    add("single-token", `${percent(share, 2)} of its firings are on one token.`);
  const twin = nearestOf(data);
  if (twin !== null && twin.cosine >= DUPLICATE) {
    const doc = `The cosine of their decoder directions is ${decimal(twin.cosine, 2)}.`;
    add(`duplicate of ${twin.feature}`, doc, twin.feature);
  }
  return found;
}

function nearestOf(data: FeatureData): { feature: number; cosine: number } | null {
  const entry = entryOf(data, "neighbours");
  const [first] = entry === undefined || entry.column.unit !== "cosine" ? [] : recordsOf(entry);
  if (first === undefined) return null;
  return { feature: numeric(first["feature_idx"]), cosine: numeric(first["value"]) };
}
