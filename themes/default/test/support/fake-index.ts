// A search index in memory, written as atlas/render/search.py writes it, from plain lists.
import { compareCodePoints, searchKey } from "../../src/core/search-index.ts";
import type { Field } from "../../src/core/search-index.ts";
import type { Answer } from "./fake-site.ts";

/** One fact of the index. `number` counts features on through all SAEs, `weight` is in thousandths. */
export interface Fact {
  field: Field;
  term: string;
  number: number;
  weight: number;
}

/** How finely the index is cut. */
export interface Cut {
  keysPerBlock: number;
  postingsPerUnit: number;
  postingsPerShard: number;
  keysPerSpelling: number;
}

export const FIELDS: readonly Field[] = ["word", "token", "seen", "example", "phrase"];
export const FINE: Cut = { keysPerBlock: 3, postingsPerUnit: 4, postingsPerShard: 6, keysPerSpelling: 2 };

/** Numbers as LEB128. */
export function leb128(numbers: readonly number[]): number[] {
  return numbers.flatMap((number) => {
    const bytes: number[] = [];
    let rest = number;
    while (rest >= 128) {
      bytes.push((rest % 128) + 128);
      rest = Math.floor(rest / 128);
    }
    return [...bytes, rest];
  });
}

/** A unit of postings, given by number and thousandths. */
export function unitBytes(postings: readonly (readonly [number, number])[]): number[] {
  const ascending = [...postings].sort(([a], [b]) => a - b);
  return leb128(
    ascending.flatMap(([number, weight], at) => [number - (ascending[at - 1]?.[0] ?? -1) - 1, weight]),
  );
}

/** Sorted, distinct. */
export function sorted(keys: Iterable<string>): string[] {
  return [...new Set(keys)].sort(compareCodePoints);
}

/** Shards of a whole index; add those of vectors by `vectorShards`. */
export function indexShards(facts: readonly Fact[], cut: Cut = FINE, vectors = 0): Map<string, Answer> {
  const answers = new Map<string, Answer>();
  const terms = writeBook(answers, "terms", facts.filter(({ field }) => field !== "phrase"), cut);
  const phrases = writeBook(answers, "phrases", facts.filter(({ field }) => field === "phrase"), cut);
  const lengths = new Map<number, string[]>();
  for (const key of terms.keys) {
    const length = [...key].length;
    if (length > 2 && /^[\p{L}\p{N}_]+$/u.test(key)) lengths.set(length, [...(lengths.get(length) ?? []), key]);
  }
  const spellings: number[][] = [];
  let number = 0;
  for (const [length, keys] of [...lengths].sort(([a], [b]) => a - b)) {
    const parts = Math.ceil(keys.length / cut.keysPerSpelling);
    for (let at = 0; at < parts; at++) {
      const own = keys.slice(at * cut.keysPerSpelling, (at + 1) * cut.keysPerSpelling);
      answers.set(`search/spelling/${number++}`, { payload: { keys: own } });
    }
    spellings.push([length, parts]);
  }
  const directory = {
    fields: FIELDS,
    terms: terms.payload,
    phrases: phrases.payload,
    keys_per_block: cut.keysPerBlock,
    postings_per_unit: cut.postingsPerUnit,
    spellings,
    vector_shards: vectors,
    sums: FIELDS.map((name) => {
      const own = facts.filter(({ field }) => field === name);
      return [new Set(own.map(({ term }) => term)).size, own.length];
    }),
  };
  return answers.set("search/directory", { payload: directory });
}

function writeBook(answers: Map<string, Answer>, book: string, facts: readonly Fact[], cut: Cut) {
  const keys = sorted(facts.map(({ term }) => searchKey(term)));
  const blocks: string[] = [];
  const units: { bytes: number[]; count: number }[] = [];
  for (let start = 0; start < keys.length; start += cut.keysPerBlock) {
    const own = keys.slice(start, start + cut.keysPerBlock);
    const [entries, spellings]: [number[], string[]] = [[], []];
    const first_unit = units.length;
    for (const [place, key] of own.entries()) {
      for (const [code, field] of FIELDS.entries()) {
        const inField = facts.filter((fact) => fact.field === field && searchKey(fact.term) === key);
        for (const term of sorted(inField.map((fact) => fact.term))) {
          const postings = inField.filter((fact) => fact.term === term).sort((a, b) => b.weight - a.weight);
          entries.push(place, code, postings.length);
          spellings.push(term === key ? "" : term);
          for (let at = 0; at < postings.length; at += cut.postingsPerUnit) {
            const unit = postings.slice(at, at + cut.postingsPerUnit);
            const bytes = unitBytes(unit.map(({ number, weight }) => [number, weight] as const));
            units.push({ bytes, count: unit.length });
          }
        }
      }
    }
    answers.set(`search/${book}/${blocks.length}`, { payload: { first_unit, keys: own, entries, spellings } });
    blocks.push(own[0] ?? "");
  }
  return { keys, payload: { blocks, n_keys: keys.length, shard_starts: writePostings(answers, book, units, cut) } };
}

function writePostings(
  answers: Map<string, Answer>,
  book: string,
  units: readonly { bytes: number[]; count: number }[],
  cut: Cut,
): number[] {
  const starts: number[] = [];
  let open: number[][] = [];
  let held = 0;
  const close = () => {
    if (open.length === 0) return;
    const bytes = [...leb128([open.length, ...open.map(({ length }) => length)]), ...open.flat()];
    answers.set(`search/postings/${book}/${starts.length - 1}`, { bytes: Uint8Array.from(bytes) });
  };
  for (const [number, unit] of units.entries()) {
    if (open.length === 0 || held >= cut.postingsPerShard) {
      close();
      starts.push(number);
      [open, held] = [[], 0];
    }
    open.push(unit.bytes);
    held += unit.count;
  }
  close();
  return starts;
}

/** Shards of the search by meaning: one vector per key of the book 'terms', and features in parts. */
export function vectorShards(
  keys: readonly string[],
  keysPerBlock: number,
  vectorOf: (key: string) => readonly number[],
  parts: readonly (readonly (readonly [number, readonly number[]])[])[],
): Map<string, Answer> {
  const answers = new Map<string, Answer>();
  const bytes = (rows: readonly (readonly number[])[]) => Uint8Array.from(Int8Array.from(rows.flat()));
  for (let start = 0; start < keys.length; start += keysPerBlock) {
    const own = keys.slice(start, start + keysPerBlock).map(vectorOf);
    answers.set(`search/vectors/terms/${start / keysPerBlock}`, { bytes: bytes(own) });
  }
  const middle = (rows: readonly (readonly number[])[]) =>
    Array.from({ length: 64 }, (_, at) => Math.round(rows.reduce((sum, row) => sum + (row[at] ?? 0), 0) / rows.length));
  answers.set("search/vectors/centres", { bytes: bytes(parts.map((part) => middle(part.map(([, row]) => row)))) });
  for (const [number, part] of parts.entries()) {
    const gaps = part.map(([own], at) => own - (part[at - 1]?.[0] ?? -1) - 1);
    const head = leb128([part.length, ...gaps]);
    const data = Uint8Array.from([...head, ...bytes(part.map(([, row]) => row))]);
    answers.set(`search/vectors/features/${number}`, { bytes: data });
  }
  return answers;
}
