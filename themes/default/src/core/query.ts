/** One condition on a scalar column, such as `density<1%`. */
export interface Comparison {
  /** Column as typed: its name or a part of it. */
  column: string;
  operator: "<" | "<=" | ">" | ">=" | "=";
  value: number;
}

/** What someone typed, taken apart. */
export interface Query {
  /** Bare words, lower case. */
  words: string[];
  /** Text in quotes: exact tokens, leading spaces included. */
  tokens: string[];
  comparisons: Comparison[];
  /** Feature number, where the whole query is one. */
  feature: number | null;
  /** SAE named together with the number, as in `my-sae/12`; "" where none is. */
  sae: string;
}

const PIECE =
  /"((?:[^"\\]|\\.)*)"?|([\p{L}_][\p{L}\p{N}_]*)\s*(<=|>=|<|>|=)\s*([-+]?[\d.]+(?:e[-+]?\d+)?)(%?)|(\S+)/giu;
const ADDRESS = /^(?:([a-z0-9-]+?)[/:\s#]+)?(?:\d+\/)?#?(\d{1,9})(?:\.html)?$/;
const ESCAPES: Record<string, string> = { n: "\n", t: "\t", r: "\r" };

/** The `Query` in `text`. Never fails: what is no condition is a word. */
export function parseQuery(text: string): Query {
  const query: Query = { words: [], tokens: [], comparisons: [], feature: null, sae: "" };
  const address = ADDRESS.exec(text.trim());
  if (address !== null) {
    query.feature = Number(address[2]);
    query.sae = address[1] ?? "";
  }
  for (const match of text.matchAll(PIECE)) addPiece(query, match);
  return query;
}

function addPiece(query: Query, match: RegExpMatchArray): void {
  const [whole, quoted, column, operator, number, sign, word] = match;
  if (quoted !== undefined) {
    const token = unescape(quoted);
    if (token !== "") query.tokens.push(token);
    return;
  }
  const value = Number(number);
  if (column !== undefined && operator !== undefined && !Number.isNaN(value)) {
    query.comparisons.push({
      column: column.toLowerCase(),
      operator: operator as Comparison["operator"],
      value: sign === "%" ? value / 100 : value,
    });
    return;
  }
  query.words.push((word ?? whole).normalize("NFKC").toLowerCase());
}

/** Spaces may be typed as the sign that pages show for them (`\␣` is the sign), line breaks and tabs as in code. */
function unescape(text: string): string {
  return text.replace(/\\(.)|\u2423/gs, (_, letter?: string) =>
    letter === undefined ? " " : (ESCAPES[letter] ?? letter),
  );
}

/** `token` in quotes, such that `parseQuery` gives it back. */
export function quoteToken(token: string): string {
  const named: Record<string, string> = { "\n": "\\n", "\t": "\\t", "\r": "\\r", '"': '\\"', "\\": "\\\\" };
  return `"${token.replace(/[\n\t\r"\\\u2423]/g, (character) => named[character] ?? `\\${character}`)}"`;
}

/** Whether `value` fulfils `comparison`; a missing value fulfils none. */
export function fulfils(value: number, { operator, value: bound }: Comparison): boolean {
  if (Number.isNaN(value)) return false;
  if (operator === "<") return value < bound;
  if (operator === "<=") return value <= bound;
  if (operator === ">") return value > bound;
  if (operator === ">=") return value >= bound;
  return value === bound;
}

/** Index of the column that `typed` means: its name, else the first whose name holds it; -1 where none does. */
export function columnIndex(names: readonly string[], typed: string): number {
  const exact = names.indexOf(typed);
  return exact >= 0 ? exact : names.findIndex((name) => name.includes(typed));
}
