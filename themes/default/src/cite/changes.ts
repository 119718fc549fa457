/** What a hash in an address says of the feature as it is now. */
export type Verdict =
  | { kind: "unchanged" }
  /** Which parts differ, in reading order. */
  | { kind: "changed"; parts: string[] }
  /** The address holds something else than a hash. */
  | { kind: "unreadable" };

const DIGITS = /^[0-9a-f]{18}$/;
/** Digits of each part, in the order in which `atlas.render.hashes` puts them, with what they stand for. */
const PART_DIGITS = 6;
const PARTS = ["numbers", "examples", "explanation"] as const;

/** Compares the hash that was cited with the feature's own; both 18 hex digits, six per part. */
export function compareHashes(cited: string, now: string): Verdict {
  const asked = cited.trim().toLowerCase();
  if (!DIGITS.test(asked) || !DIGITS.test(now)) return { kind: "unreadable" };
  if (asked === now) return { kind: "unchanged" };
  const differs = (_: string, at: number) => {
    const digits = [at * PART_DIGITS, (at + 1) * PART_DIGITS] as const;
    return asked.slice(...digits) !== now.slice(...digits);
  };
  return { kind: "changed", parts: PARTS.filter(differs).reverse() };
}

/** `verdict` as a sentence for the reader who followed a citation. */
export function tellVerdict(verdict: Verdict): string {
  if (verdict.kind === "unchanged")
    return "Unchanged since it was cited: explanation, examples and numbers are the same.";
  if (verdict.kind === "unreadable")
    return "The address names no hash that this site knows, so it cannot tell whether the feature changed since it was cited.";
  const same = [...PARTS].reverse().filter((part) => !verdict.parts.includes(part));
  const what = `Changed since it was cited: ${joinWords(verdict.parts)}.`;
  return same.length === 0 ? what : `${what} The same as then: ${joinWords(same)}.`;
}

function joinWords(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1) ?? ""}`;
}
