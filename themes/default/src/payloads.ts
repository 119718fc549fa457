// Written by `python -m atlas.render.typescript`; edit atlas/render/payloads.py instead.
// The JSON that scripts read at run time; each interface marked Shard or Payload is one data file.

/** One SAE, for links and search results. */
export interface SaePayload {
  slug: string;
  title: string;
  hook_name: string;
  n_features: number;
}

/** Shard `site`: what every page may need to know of the whole atlas. */
export interface SitePayload {
  title: string;
  build_id: string;
  saes: SaePayload[];
  /** Feature shard of feature i: `<sae slug>/features/<i // features_per_shard>`. */
  features_per_shard: number;
  /** Table shard of feature i: `<sae slug>/table/<i // rows_per_table_shard>`. */
  rows_per_table_shard: number;
  /** Posting shard of term number t of a field: `search/<field>/<t // terms_per_shard>`. */
  terms_per_shard: number;
}

/** One window of the corpus. */
export interface Example {
  /** Exact activation at the example's own token. */
  activation: number;
  /** Index into the shard's `documents`. */
  document: number;
  context_idx: number;
  position: number;
  /** Index into `pieces` of the example's own token. */
  peak: number;
  /** The window's text: indices into the shard's `pieces`. */
  pieces: number[];
  /** Flat pairs (index into `pieces`, strength 1..255): 255 is the feature's max_activation, linear. */
  heat: number[];
}

/** Examples chosen for one reason. */
export interface ExampleGroup {
  /** 'top', 'interval' or 'random'. */
  group: string;
  /** Interval bound, exclusive; 0 outside 'interval'. */
  lower: number;
  /** Interval bound, inclusive; 0 outside 'interval'. */
  upper: number;
  examples: Example[];
}

/** One feature's examples. */
export interface FeaturePayload {
  feature_idx: number;
  max_activation: number;
  groups: ExampleGroup[];
}

/** Shard `<sae>/features/<k>`: examples of `features_per_shard` features. */
export interface FeatureShard {
  /** Exact text of every piece used here: whole characters; undecodable bytes as `<0xE6>`. */
  pieces: string[];
  documents: string[];
  features: FeaturePayload[];
}

/** A scalar column, as its metadata says. */
export interface ColumnPayload {
  name: string;
  label: string;
  doc: string;
  unit: string;
}

/** Shard `<sae>/table/<k>`: rows of the feature table, in columns. */
export interface TableShard {
  start: number;
  columns: ColumnPayload[];
  /** One list per column, in the order of `columns`. */
  values: (number | null)[][];
  /** Empty string where there is none. */
  explanations: string[];
  /** The (at most 5) tokens each feature fires on most, exact text. */
  tokens: string[][];
  /** Cluster on the map; -1 is none. */
  clusters: number[];
}

/** Shard `<sae>/map`: every feature's place, scaled to 0..65535 on the longer axis. */
export interface MapShard {
  feature_idx: number[];
  x: number[];
  y: number[];
  cluster: number[];
  /** Label of cluster c at index c. */
  cluster_labels: string[];
}

/** Shard `search/<field>/vocabulary`: the sorted terms of one field ('word' or 'token'). */
export interface VocabularyShard {
  terms: string[];
  /** Postings per term. */
  counts: number[];
}

/** Shard `search/<field>/<k>`: postings of consecutive terms. */
export interface PostingShard {
  /** Per term a flat list of triples (sae index, feature_idx, weight 0..1000), strongest first. */
  postings: number[][];
}
