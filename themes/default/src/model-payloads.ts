// Written by `python -m atlas.render.typescript`; edit atlas/store/browser_model.py instead.
// The JSON that scripts read at run time; each interface marked Shard or Payload is one data file.

/** One file of the model for browsers. */
export interface ModelFilePayload {
  /** As the graphs and this payload call it. */
  name: string;
  /** Its bytes are those of the byte shards `<key>/0` to `<key>/<parts - 1>`, one after the other. */
  key: string;
  bytes: number;
  /** SHA-256 hex of the file. */
  sha256: string;
  parts: number;
  /** Bytes of these shards, as they are fetched; 0 in the manifest, which knows of no site. */
  transfer: number;
}

/** How well the exported model of one SAE agrees with the original on real text. */
export interface GatePayload {
  /** Tokens compared. */
  n_tokens: number;
  /** Mean share of each token's 20 strongest features (all, where fewer fire) that both have there. */
  top_overlap: number;
  /** Median of |difference| / reference over the firings of the original. */
  relative_error: number;
  /** Features per token that fire in one of the two only. */
  flips: number;
  /** Features per token that fire in the original. */
  l0: number;
  /** Largest |difference| of an activation, divided by max(1, |reference|). */
  largest_error: number;
  /** The same of the last position's logits, over the contexts compared. */
  logits_error: number;
  /** Share of these contexts whose most likely next token is the same. */
  argmax_agreement: number;
}

/** What runs one SAE in the browser. File names are those of `ModelPayload.files`. */
export interface SaeModelPayload {
  slug: string;
  /** Graph: `input_ids` int64 [batch, sequence] → `activations` float32 [batch, sequence, d_sae]. */
  activations: string;
  /** Graph: `input_ids`, `past_key.<layer>` and `past_value.<layer>` float32 [batch, kv_heads, past, d_head], `features` int64 [k], `directions` float32 [k, d_out], `add`, `target`, `clamp` float32 [k], `mask` float32 [batch, sequence] → `logits` [batch, vocabulary], `present_key.<layer>`, `present_value.<layer>`, `measured` [batch, sequence, k]. */
  steer: string;
  /** Weight files that the graph `activations` needs. */
  activation_files: string[];
  /** Weight files that the graph `steer` needs. */
  steer_files: string[];
  /** Where the SAE reads. */
  hook_name: string;
  /** Where it writes, and where steering adds; empty for an SAE that writes where it reads. */
  hook_name_out: string;
  d_sae: number;
  /** Width of a direction. */
  d_out: number;
  /** Whether every window begins with BOS. */
  prepend_bos: boolean;
  /** Tokens of a window, BOS included. */
  context_size: number;
  gate: GatePayload;
}

/** What a caller of the graphs must know of the model. */
export interface ModelShapePayload {
  /** As configured (untrusted). */
  name: string;
  /** Logits of a position. */
  vocabulary_size: number;
  /** Layers whose keys and values are remembered. */
  n_layers: number;
  /** Per layer. */
  kv_heads: number[];
  /** Per layer. */
  d_head: number[];
  /** Longest sequence, past included. */
  context_size: number;
  bos_token_id: number | null;
}

/** A library and its version. */
export interface VersionPayload {
  library: string;
  version: string;
}

/** Shard `model/index`: the model for browsers; in the manifest `browser_model`. */
export interface ModelPayload {
  /** How weights are stored: 'fp32', 'fp16' or 'int8'. All arithmetic is float32. */
  precision: string;
  /** Type of the numbers in the byte shards `<slug>/directions/<n>`, little-endian rows [d_out] of `SitePayload.features_per_shard` features each: 'float32' or 'float16'. */
  directions: string;
  /** Graphs, weights, `tokenizer.json`, `checks.json`; on the site also the runtime, `ort.wasm`. */
  files: ModelFilePayload[];
  saes: SaeModelPayload[];
  model: ModelShapePayload;
  /** What exported it. */
  versions: VersionPayload[];
}

/** Steered tokens as the build computed them, greedily, with the graphs that are shipped. */
export interface ReferenceRun {
  /** For people. */
  name: string;
  /** Slug. */
  sae: string;
  prompt_ids: number[];
  features: number[];
  /** What is added to the measured activation of each feature; in activation units. */
  add: number[];
  target: number[];
  /** 1: the feature's activation is set to `target`; 0: it is not. */
  clamp: number[];
  /** First positions of the prompt that are left as they are: 1 where it begins with BOS, else 0. */
  masked: number;
  new_tokens: number[];
  /** (id, logit) of the 20 largest logits of the last step, largest first. */
  logits: [number, number][];
}

/** Activations of one SAE on one window, as the build computed them with the graph that is shipped. */
export interface ActivationCheck {
  /** Slug. */
  sae: string;
  /** Tokens of the window, BOS included where the SAE wants one. */
  ids: number[];
  /** Per token (feature, activation) of the 8 strongest that fire, strongest first. */
  strongest: [number, number][][];
}

/** The file `checks.json`: what a browser compares itself with before it shows anything. */
export interface ModelChecks {
  /** (text, ids without any BOS added). */
  tokenizer: [string, number[]][];
  runs: ReferenceRun[];
  /** One per SAE. */
  activations: ActivationCheck[];
}
