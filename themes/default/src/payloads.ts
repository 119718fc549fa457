// Written by `python -m atlas.render.typescript`; edit atlas/render/payloads.py instead.
// The JSON that scripts read at run time; each interface marked Shard or Payload is one data file.

export type * from "./model-payloads.ts";

/** A column of the dataset's tables, as its metadata says. */
export interface ColumnPayload {
  name: string;
  label: string;
  doc: string;
  unit: string;
  /** A key of the schema's KINDS, 'neuron_list', or 'hidden' for a number that belongs to another column. */
  kind: string;
  /** What the numbers of one entry are, for kinds that are lists; empty for the others. */
  fields: string[];
  /** True for what the dataset keeps beside its main numbers: shown on demand or as a remark. */
  hidden: boolean;
}

/** A card of the feature page: the theme's cards laid over the columns, top to bottom. */
export interface CardPayload {
  id: string;
  title: string;
  /** Panel the theme names for it; empty where each column is drawn by its name or its kind. */
  panel: string;
  /** Columns the script draws on it, by name. */
  columns: string[];
  /** True where a template drew it: the page holds it as `<section data-keep id=…>`, which the script keeps, drawing `columns` below what is there. */
  kept: boolean;
}

/** One SAE, for links, search results and the feature page. */
export interface SaePayload {
  slug: string;
  title: string;
  hook_name: string;
  n_features: number;
  /** Every column of the feature page, in the order of the tables; `FeaturePayload.values` follows it. */
  columns: ColumnPayload[];
  cards: CardPayload[];
}

/** Which examples of the dataset the site holds: as configured, or as `site_budget` allows. */
export interface ChoicePayload {
  /** Largest size of the site in bytes; 0 where none is set. */
  budget: number;
  /** True where the budget made the site hold less than was asked for. */
  fitted: boolean;
  /** At most so many examples of the group 'top'. */
  top: number;
  /** At most so many of each other group, and of each interval. */
  others: number;
  /** At most so many tokens before the example's own. */
  before: number;
  /** At most so many tokens after it. */
  after: number;
}

/** Shard `site`: what every page may need to know of the whole atlas. */
export interface SitePayload {
  title: string;
  /** Who made it, for citations; empty where nobody is named. */
  author: string;
  build_id: string;
  /** Counted tokens of the pass: what firing counts are of. */
  n_tokens: number;
  saes: SaePayload[];
  /** Feature shard of feature i: `<sae slug>/features/<i // features_per_shard>`. */
  features_per_shard: number;
  /** Title shard of feature i: `<sae slug>/titles/<i // rows_per_title_shard>`. */
  rows_per_title_shard: number;
  /** Value of column n for feature i: `<sae slug>/columns/<n>/<i // rows_per_column_shard>`. */
  rows_per_column_shard: number;
  choice: ChoicePayload;
  /** Whether the atlas brings its model for browsers: shard `model/index`. */
  model: boolean;
}

/** One window of the corpus. */
export interface Example {
  /** Exact activation at the example's own token; 0 in the groups where the feature is silent. */
  activation: number;
  /** Index into the shard's `documents`. */
  document: number;
  context_idx: number;
  position: number;
  /** Contexts of the corpus that hold this text, this one included. */
  copies: number;
  /** Index into `pieces` of the example's own token. */
  peak: number;
  /** The window's text: indices into the shard's `pieces`. */
  pieces: number[];
  /** Flat pairs (index into `pieces`, strength 1..255): 255 is the feature's max_activation, linear. */
  heat: number[];
}

/** Examples chosen for one reason. */
export interface ExampleGroup {
  /** 'top', 'interval', 'random', or where it is silent 'same_token', 'near_miss'. */
  group: string;
  /** Interval bound, exclusive; 0 outside 'interval'. */
  lower: number;
  /** Interval bound, inclusive; 0 outside 'interval'. */
  upper: number;
  examples: Example[];
}

/** What ablating the feature does to one of its top examples. */
export interface ExampleEffect {
  /** Index into the examples of the group 'top'. */
  rank: number;
  /** Loss effect per piece of that example, in nats; null where unknown. */
  effects: (number | null)[];
  /** Flat triples (index into the shard's `pieces`, measured, direct), largest first. */
  raised: (number | null)[];
  /** The same of the tokens it lowers most. */
  lowered: (number | null)[];
}

/** All of one feature that its page shows. */
export interface FeaturePayload {
  feature_idx: number;
  /** Its explanation; empty where there is none. */
  title: string;
  method: string;
  score: number | null;
  score_name: string;
  /** 18 hex digits: six each of its numbers, its examples, its explanation (see `atlas.render.hashes`). */
  hash: string;
  max_activation: number;
  /** One per `SaePayload.columns`, null where there is none: a number, a text, or for kinds that are lists the entries' fields one after the other (token_id as an index into the shard's `pieces`). */
  values: (number | string | (number | string | null)[] | null)[];
  groups: ExampleGroup[];
  effects: ExampleEffect[];
}

/** Shard `<sae>/features/<k>`, decoded: `features_per_shard` features. On disk it is the bytes that `atlas.render.packing` documents. */
export interface FeatureShard {
  /** Exact text of every piece used here: whole characters; undecodable bytes as `<0xE6>`. */
  pieces: string[];
  documents: string[];
  /** (feature_idx, explanation) of every other feature named here that has one. */
  titles: [number, string][];
  features: FeaturePayload[];
}

/** Shard `pieces`: the pieces of text that all feature shards share, before their own. */
export interface PiecesShard {
  /** For each piece a digit of base 36: how many of its first characters are those of the one before. */
  shared: string;
  /** The exact text of each piece behind these. */
  rest: string[];
}

/** A column of the feature table: one number per feature. */
export interface TableColumn {
  name: string;
  label: string;
  doc: string;
  unit: string;
  /** 'scalar' or 'category'. */
  kind: string;
  /** How its shards hold it: 'uint8', 'uint16', 'uint32', 'int32', 'float32' or 'float64'. */
  type: string;
  /** Smallest value; null where there is none at all. */
  least: number | null;
  largest: number | null;
  /** Features without a value. */
  missing: number;
  /** Bounds of the bins of its histogram, ascending; bins are drawn equally wide. Empty without values. */
  edges: number[];
  /** Features per bin [edges[i], edges[i + 1]); the last bin holds its upper bound too. */
  counts: number[];
  /** Of a category: name of value v at index v (untrusted); may be empty. */
  labels: string[];
}

/** Shard `<sae>/table`: the columns of the feature table. Values of column n are in shards `<sae>/columns/<n>/<k>`, each the bytes of `rows_per_column_shard` little-endian numbers of the column's type. NaN, the largest unsigned or smallest signed number: no value. */
export interface TableShard {
  columns: TableColumn[];
}

/** Shard `<sae>/titles/<k>`: what `rows_per_title_shard` features are called; one entry per feature. Shard `<sae>/texts/<k>` says the same of `rows_per_column_shard` features, for whoever needs all of them; its densities are empty. */
export interface TitleShard {
  start: number;
  /** Empty string where there is none. */
  explanations: string[];
  /** The (at most 5) tokens each feature fires on most, exact text. */
  tokens: string[][];
  /** Share of the counted tokens on which each fires, as lists show it; the column has it exactly. */
  densities: (number | null)[];
}

/** A group of neighbouring points. */
export interface MapCluster {
  /** Empty where it has no name. */
  label: string;
  /** Number of its points. */
  size: number;
  /** Median of its points, 0..65535; y points up. */
  x: number;
  y: number;
}

/** Shard `<sae>/map`: what lies on the map of an SAE. Where, is in the bytes of `<sae>/map/<k>`: of n points of part k, in the order of their features, n uint16 x, n uint16 y and n int16 cluster, all little-endian. x and y are scaled to 0..65535 on the longer axis, y points up, cluster -1 is none. */
export interface MapShard {
  n_points: number;
  /** Part k holds the points from k * points_per_part on. */
  points_per_part: number;
  /** Largest x. */
  width: number;
  /** Largest y. */
  height: number;
  /** Flat pairs (first feature, number of features in a row): the features that have a place, ascending. */
  runs: number[];
  /** Cluster c at index c. */
  clusters: MapCluster[];
}

/** Shard `<sae>/minimap`: the map as a small picture, for the pages of single features. */
export interface MinimapShard {
  /** `coords.x` at the left edge. */
  left: number;
  /** `coords.y` at the lower edge. */
  bottom: number;
  /** Side of a cell in units of `coords`. */
  cell: number;
  columns: number;
  rows: number;
  /** By rows from the top: 0 where no point is, else 16 * density (1..15, by its logarithm) + colour of most of the cell's points (0 no cluster, 1..10). */
  cells: number[];
}

/** One sorted vocabulary of the search: 'terms' or 'phrases'. */
export interface BookPayload {
  /** First key of each block `search/<book>/<b>`; keys are sorted by code points. */
  blocks: string[];
  n_keys: number;
  /** First unit of each posting shard `search/postings/<book>/<s>`. */
  shard_starts: number[];
}

/** Shard `search/directory`: where to find what in the search index (`atlas.render.search`). */
export interface SearchPayload {
  /** What a posting says, by number: word, token, seen, example, phrase. */
  fields: string[];
  /** Words and tokens. */
  terms: BookPayload;
  /** Phrases. */
  phrases: BookPayload;
  keys_per_block: number;
  postings_per_unit: number;
  /** [number of characters, number of shards `search/spelling/<k>`], ascending; k counts on through all. */
  spellings: number[][];
  /** Feature shards of the search by meaning; 0 where there is none. */
  vector_shards: number;
  /** Per field [terms, postings]. */
  sums: number[][];
}

/** Shard `search/<book>/<b>`: consecutive keys and their entries. */
export interface TermShard {
  /** Number of the first entry's first unit; an entry has one per `postings_per_unit` of its postings. */
  first_unit: number;
  keys: string[];
  /** Flat triples (index into `keys`, field, number of postings), in order. */
  entries: number[];
  /** Exact text of each entry; "" where it is the key. */
  spellings: string[];
}

/** Shard `search/spelling/<k>`: keys of one number of characters, for similar spellings. */
export interface SpellingShard {
  keys: string[];
}
