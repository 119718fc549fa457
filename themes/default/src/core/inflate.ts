import { fromLetters } from "./letters.ts";

/** What the letters in a data file stand for, gzip undone; rejects, or throws at once, where they are damaged. */
export function inflate(payload: string): Response {
  const bytes = fromLetters(payload);
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")));
}
