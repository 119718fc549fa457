/**
 * The one query language of the site: search, table, map and lists all read it here. Pure; nothing is loaded.
 *
 * - `raise error`: words; the beginning of one is enough.
 * - `"␣raise"`: exactly this text, spaces and case included; `\n`, `\t`, `\r`, `\"` and `\\` as in source code.
 * - `density<0.01`, `score >= 70%`: a condition on a number of the table, by column name, short name or part of a name.
 * - `is:dead`, `-is:dense`: a condition of `FLAGS`, or its opposite.
 * - `sae:my-sae`: only this SAE; several are either of them.
 * - `1204`, `#1204`, `my-sae/1204`: a feature, where nothing else but conditions is typed.
 */

/** Relation of a value to a bound. */
export type Operator = "<" | "<=" | ">" | ">=" | "=";

/** One condition on a scalar column, such as `density<1%`. */
export interface Comparison {
  /** Column as typed, in lower case with `_` for `-`: see `columnIndex`. */
  column: string;
  operator: Operator;
  value: number;
}

/** One word of `FLAGS`, such as `is:dead`. */
export interface Flag {
  /** As typed, in lower case; perhaps none that is known. */
  name: string;
  /** Whether the opposite is asked for, as in `-is:dead`. */
  negated: boolean;
}

/** What someone typed, taken apart. */
export interface Query {
  /** Bare words, lower case and NFKC. */
  words: string[];
  /** Text in quotes: exact tokens or text, leading spaces included. */
  tokens: string[];
  comparisons: Comparison[];
  flags: Flag[];
  /** Slugs that `sae:` names. */
  saes: string[];
  /** Feature number, where the whole query but its conditions is one. */
  feature: number | null;
  /** SAE named together with the number, as in `my-sae/12`; "" where none is. */
  sae: string;
}

/** What a feature must fulfil: all comparisons, or, where negated, not all of them. */
export interface Condition {
  /** As it can be typed. */
  text: string;
  all: readonly Comparison[];
  negated: boolean;
}

/** A feature that fires on a larger share of tokens is dense (DENSE of atlas/schema). */
export const DENSE = 0.1;

/** What `is:` can say → the comparisons that say the same. The bounds are those of badges and report card. */
export const FLAGS: Readonly<Record<string, readonly Comparison[]>> = {
  dead: [{ column: "firing_tokens", operator: "=", value: 0 }],
  alive: [{ column: "firing_tokens", operator: ">", value: 0 }],
  dense: [{ column: "activation_density", operator: ">", value: DENSE }],
  rare: [
    { column: "firing_tokens", operator: ">", value: 0 },
    { column: "activation_density", operator: "<", value: 1e-4 },
  ],
  "single-token": [{ column: "single_token", operator: "=", value: 1 }],
};

/** Short name → the column that it means before any other whose name holds it. */
export const SHORT_NAMES: Readonly<Record<string, string>> = {
  density: "activation_density",
  count: "firing_tokens",
  firings: "firing_tokens",
  max: "max_activation",
  mean: "mean_activation",
  median: "activation_median",
  std: "std_activation",
  skew: "activation_skew",
  kurtosis: "activation_kurtosis",
  entropy: "token_entropy",
  norm: "decoder_norm",
  bias: "encoder_bias",
  cosine: "encoder_decoder_cosine",
  alignment: "neuron_alignment",
};

const PIECE = new RegExp(
  [
    /"(?<quoted>(?:[^"\\]|\\.)*)"?/,
    /(?<negated>-?)is:(?<flag>[\p{L}\p{N}_-]+)(?!\S)/u,
    /sae:(?<slug>[a-z0-9-]+)(?!\S)/,
    /(?<column>[\p{L}_][\p{L}\p{N}_-]*)\s*(?<operator><=|>=|[<>=≤≥])\s*(?<value>[-+]?[\d.]+(?:e[-+]?\d+)?)(?<percent>%?)(?!\S)/u,
    /\S+/,
  ]
    .map(({ source }) => source)
    .join("|"),
  "giu",
);
const ADDRESS = /^(?:([a-z0-9-]+?)[/:\s#]+)?(?:\d+\/)?#?(\d{1,9})(?:\.html)?$/;
const ESCAPES: Record<string, string> = { n: "\n", t: "\t", r: "\r" };
const OPERATORS: Record<string, Operator> = { "≤": "<=", "≥": ">=" };

/** The `Query` in `text`. Never fails: what is no condition is a word. */
export function parseQuery(text: string): Query {
  const query: Query = { words: [], tokens: [], comparisons: [], flags: [], saes: [], feature: null, sae: "" };
  const rest: string[] = [];
  for (const { 0: whole, groups = {} } of text.matchAll(PIECE)) {
    if (!addCondition(query, groups)) {
      addText(query, whole, groups["quoted"]);
      rest.push(whole);
    }
  }
  const address = ADDRESS.exec(rest.join(" "));
  if (address !== null) {
    query.feature = Number(address[2]);
    query.sae = address[1] ?? "";
  }
  return query;
}

/** `text` cut into its words and conditions, each as it was typed: what is left out of them changes nothing else. */
export function piecesOf(text: string): string[] {
  return [...text.matchAll(PIECE)].map(([piece]) => piece);
}

type Groups = Record<string, string | undefined>;

function addCondition(query: Query, groups: Groups): boolean {
  const { negated, flag, slug, column, operator = "" } = groups;
  if (flag !== undefined) query.flags.push({ name: flag.toLowerCase(), negated: negated === "-" });
  else if (slug !== undefined) query.saes.push(slug.toLowerCase());
  else if (column !== undefined && !Number.isNaN(Number(groups["value"]))) {
    query.comparisons.push({
      column: column.toLowerCase().replaceAll("-", "_"),
      operator: OPERATORS[operator] ?? (operator as Operator),
      value: Number(groups["value"]) / (groups["percent"] === "%" ? 100 : 1),
    });
  } else return false;
  return true;
}

function addText(query: Query, whole: string, quoted: string | undefined): void {
  if (quoted === undefined) {
    const plain = whole.normalize("NFKC").toLowerCase().trim();
    if (plain !== "") query.words.push(plain);
    return;
  }
  const token = unescape(quoted);
  if (token !== "") query.tokens.push(token);
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

/** `comparison` as it is typed, such that `parseQuery` gives it back. */
export function writeComparison({ column, operator, value }: Comparison): string {
  return `${column}${operator}${value}`;
}

/** `flag` as it is typed. */
export function writeFlag({ name, negated }: Flag): string {
  return `${negated ? "-" : ""}is:${name}`;
}

/** Everything in `query` that a feature must fulfil, but for its SAE; flags that nobody knows are left out. */
export function conditionsOf({ comparisons, flags }: Query): Condition[] {
  const known = flags.filter(({ name }) => Object.hasOwn(FLAGS, name));
  return [
    ...comparisons.map((one) => ({ text: writeComparison(one), all: [one], negated: false })),
    ...known.map((flag) => ({ text: writeFlag(flag), all: FLAGS[flag.name] ?? [], negated: flag.negated })),
  ];
}

/** Names in `is:` that mean nothing. */
export function unknownFlags({ flags }: Query): string[] {
  return flags.map(({ name }) => name).filter((name) => !Object.hasOwn(FLAGS, name));
}

/** Columns, as typed, whose values `conditions` ask for; each once. */
export function columnsAsked(conditions: readonly Condition[]): string[] {
  return [...new Set(conditions.flatMap(({ all }) => all.map(({ column }) => column)))];
}

/** Whether a feature fulfils `condition`; `valueOf` gives the value of a column as typed, NaN where it has none. */
export function holds({ all, negated }: Condition, valueOf: (column: string) => number): boolean {
  const values = all.map(({ column }) => valueOf(column));
  if (values.some(Number.isNaN)) return false;
  return all.every((comparison, at) => fulfils(values[at] ?? Number.NaN, comparison)) !== negated;
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

/** Index of the column that `typed` means: its name, its short name, else the first whose name holds it; -1 for none. */
export function columnIndex(names: readonly string[], typed: string): number {
  const exact = names.indexOf(typed);
  if (exact >= 0) return exact;
  const short = Object.hasOwn(SHORT_NAMES, typed) ? names.indexOf(SHORT_NAMES[typed] ?? "") : -1;
  return short >= 0 ? short : names.findIndex((name) => name.toLowerCase().includes(typed));
}
