import type { VocabularyShard } from "../payloads.ts";

/** How a term of the index answers what was typed. */
export type Likeness = "exact" | "prefix" | "similar";

/** One term of the index that answers a typed word. */
export interface TermMatch {
  /** Number of the term in its vocabulary. */
  term: number;
  text: string;
  how: Likeness;
}

/** More would load data for terms that nobody meant. */
const MOST_TERMS = 12;

/** Terms that answer `word`, best first; similar spellings only where nothing else does. */
export function matchWord({ terms, counts }: VocabularyShard, word: string): TermMatch[] {
  const found: TermMatch[] = [];
  for (let term = lowerBound(terms, word); term < terms.length; term++) {
    const text = terms[term] ?? "";
    if (!text.startsWith(word)) break;
    found.push({ term, text, how: text === word ? "exact" : "prefix" });
  }
  return found.length > 0 ? best(found, counts) : best(similarTerms(terms, word), counts);
}

/** Tokens that answer `word` whatever their case and outer white space, best first. */
export function matchLooseToken({ terms, counts }: VocabularyShard, word: string): TermMatch[] {
  const found: TermMatch[] = [];
  for (const [term, text] of terms.entries()) {
    const plain = text.normalize("NFKC").trim().toLowerCase();
    if (plain.startsWith(word)) found.push({ term, text, how: plain === word ? "exact" : "prefix" });
  }
  return best(found, counts);
}

/** The token that is exactly `token`, leading spaces and case included. */
export function matchToken({ terms }: VocabularyShard, token: string): TermMatch[] {
  const term = lowerBound(terms, token);
  return terms[term] === token ? [{ term, text: token, how: "exact" }] : [];
}

function best(matches: TermMatch[], counts: readonly number[]): TermMatch[] {
  const exactFirst = (match: TermMatch) => (match.how === "exact" ? 0 : 1);
  const count = (match: TermMatch) => counts[match.term] ?? 0;
  return matches
    .sort((a, b) => exactFirst(a) - exactFirst(b) || count(b) - count(a) || a.term - b.term)
    .slice(0, MOST_TERMS);
}

function similarTerms(terms: readonly string[], word: string): TermMatch[] {
  const allowed = word.length >= 8 ? 2 : word.length >= 4 ? 1 : 0;
  if (allowed === 0) return [];
  const found: TermMatch[] = [];
  for (const [term, text] of terms.entries()) {
    if (distanceWithin(text, word, allowed)) found.push({ term, text, how: "similar" });
  }
  return found;
}

/** Index of the first term not below `wanted`, in the index's order: by code points. */
export function lowerBound(terms: readonly string[], wanted: string): number {
  let low = 0;
  let high = terms.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareCodePoints(terms[middle] ?? "", wanted) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Order of two strings by code points, as Python sorts; JavaScript's own `<` compares UTF-16 units. */
export function compareCodePoints(left: string, right: string): number {
  const shorter = Math.min(left.length, right.length);
  for (let at = 0; at < shorter; at++) {
    if (left.charCodeAt(at) !== right.charCodeAt(at)) {
      return (left.codePointAt(at) ?? 0) - (right.codePointAt(at) ?? 0);
    }
  }
  return left.length - right.length;
}

/** Whether at most `allowed` insertions, deletions, replacements or swaps of neighbours turn `left` into `right`. */
export function distanceWithin(left: string, right: string, allowed: number): boolean {
  if (Math.abs(left.length - right.length) > allowed) return false;
  let before: number[] = [];
  let previous = Array.from({ length: right.length + 1 }, (_, column) => column);
  for (let row = 1; row <= left.length; row++) {
    const current = [row];
    for (let column = 1; column <= right.length; column++) {
      const same = left[row - 1] === right[column - 1];
      let cost = Math.min(
        (previous[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (previous[column - 1] ?? 0) + (same ? 0 : 1),
      );
      const swapped =
        row > 1 && column > 1 && left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1];
      if (swapped) cost = Math.min(cost, (before[column - 2] ?? 0) + 1);
      current.push(cost);
    }
    if (Math.min(...current) > allowed) return false;
    [before, previous] = [previous, current];
  }
  return (previous[right.length] ?? 0) <= allowed;
}
