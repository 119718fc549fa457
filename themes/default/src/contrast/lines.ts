/** The texts in `text`, one a line; lines of nothing but white space are none. */
export function linesOf(text: string): string[] {
  return text.split(/\r\n|\r|\n/).filter((line) => line.trim() !== "");
}
