import { AddressError, packAddress, unpackAddress } from "../frame/address.ts";
import { orderText, parseOrder } from "../table/sort.ts";
import { COLUMNS, DENSITIES, GROUPINGS, JOININGS } from "./view.ts";
import type { TextView } from "./view.ts";

/** First item of what an address carries; another number is another way of packing. */
const PACKING = 1;
/** Highest number of a piece or a feature that an address may name. */
const MOST = 1e9;

/** A text, the SAE that looks at it, and how it is shown. */
export interface SharedText {
  sae: string;
  text: string;
  view: TextView;
}

/** `[packing, sae, text, joining, densest, bos, grouping, order, locks, feature (-1 for none)]` */
type Packed = [number, string, string, string, number, boolean, string, string, number[], number];

/** `shared` as text for the fragment of an address, which browsers send to nobody. */
export function packText({ sae, text, view }: SharedText): Promise<string> {
  const { joining, densest, bos, grouping, order, locks, feature } = view;
  const packed: Packed = [
    PACKING,
    sae,
    text,
    joining,
    densest,
    bos,
    grouping,
    orderText(order),
    [...locks],
    feature ?? -1,
  ];
  return packAddress(packed);
}

/** The inverse of `packText`, for what anybody may have written. Rejects with `AddressError`. */
export async function unpackText(packed: string): Promise<SharedText> {
  const found = await unpackAddress(packed);
  if (!Array.isArray(found) || found[0] !== PACKING) throw new AddressError("it is of another version of this site");
  const [, sae, text, joining, densest, bos, grouping, order, locks, feature] = found as unknown[];
  if (typeof sae !== "string" || typeof text !== "string") throw new AddressError("a part of it is missing");
  const known = parseOrder(typeof order === "string" ? order : "");
  return {
    sae,
    text,
    view: {
      joining: oneOf(JOININGS, joining),
      densest: oneOf(DENSITIES, densest),
      bos: bos === true,
      grouping: oneOf(GROUPINGS, grouping),
      order: COLUMNS.includes(known.by) ? known : { by: "value", descending: true },
      locks: Array.isArray(locks) ? [...new Set(locks.filter(isNumber))].sort((a, b) => a - b) : [],
      feature: isNumber(feature) ? feature : null,
    },
  };
}

/** `value` where it is one of `known`, else the first of them. */
function oneOf<Known>(known: readonly Known[], value: unknown): Known {
  return known.find((each) => each === value) ?? (known[0] as Known);
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value < MOST;
}
