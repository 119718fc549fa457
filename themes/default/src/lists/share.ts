import { AddressError, packAddress, unpackAddress } from "../frame/address.ts";
import type { Checked, FeatureList } from "./check.ts";
import { checkLists } from "./check.ts";

/** First item of what an address carries; another number is another way of packing. */
const PACKING = 1;

/** `[packing, name, description, slugs, slug number per feature (empty for one slug), numbers, notes]` */
type Packed = [number, string, string, string[], number[], number[], string[]];

/** `list` as text for an address, in columns. */
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
  return packAddress(packed);
}

/** The list in the text of an address, checked as a foreign file is. */
export async function unpackList(text: string): Promise<Checked> {
  try {
    return checkLists(asFile(await unpackAddress(text)));
  } catch (error) {
    const reason = error instanceof AddressError ? error.message : "a part of it is missing";
    return { lists: [], problems: [`The list in this address cannot be read: ${reason}.`] };
  }
}

/** What was packed in the shape of a file; `checkLists` judges the values. */
function asFile(packed: unknown): unknown {
  if (!Array.isArray(packed) || packed[0] !== PACKING) throw new AddressError("a part of it is missing");
  const [, name, description, slugs, owners, numbers, notes] = packed as unknown[];
  const each = (value: unknown): unknown[] => (Array.isArray(value) ? (value as unknown[]) : []);
  const features = each(numbers).map((feature_idx, at) => ({
    sae: each(slugs)[Number(each(owners)[at] ?? 0)],
    feature_idx,
    note: each(notes)[at] ?? "",
  }));
  return { name, description, features };
}
