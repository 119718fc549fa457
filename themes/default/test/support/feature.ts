// A feature as its data file gives it, for tests of what its page shows.
import type { ColumnPayload, Example, ExampleGroup, FeaturePayload, SitePayload } from "../../src/payloads.ts";
import { reachOf } from "../../src/feature/model.ts";
import type { FeatureData, Scene, Value } from "../../src/feature/model.ts";
import { PLAIN } from "../../src/feature/view.ts";
import type { View } from "../../src/feature/view.ts";

/** An example whose own piece is number `peak` of `pieces`. */
export function example(changes: Partial<Example> = {}): Example {
  return {
    activation: 10,
    document: 0,
    context_idx: 3,
    position: 40,
    copies: 1,
    peak: 0,
    pieces: [0],
    heat: [],
    ...changes,
  };
}

/** A group of `examples`. */
export function group(name: string, examples: Example[], lower = 0, upper = 0): ExampleGroup {
  return { group: name, lower, upper, examples };
}

/** A column of that kind. */
export function column(name: string, kind: string, changes: Partial<ColumnPayload> = {}): ColumnPayload {
  const label = name.replaceAll("_", " ");
  return { name, kind, label, doc: `What ${label} is.`, unit: "none", fields: [], hidden: false, ...changes };
}

/** What a test says of a feature; everything else is plain. */
export interface Told {
  columns?: [ColumnPayload, Value][];
  pieces?: string[];
  documents?: string[];
  titles?: [number, string][];
  payload?: Partial<FeaturePayload>;
  site?: Partial<SitePayload>;
}

/** The data of feature 12 of the SAE called `alpha`. */
export function featureData(told: Told): FeatureData {
  const { columns = [], pieces = [], documents = ["a.py"], titles = [], payload = {}, site = {} } = told;
  const feature: FeaturePayload = {
    feature_idx: 12,
    title: "",
    method: "",
    score: null,
    score_name: "",
    hash: "0123456789abcdef01",
    max_activation: 10,
    values: columns.map(([, value]) => value),
    groups: [],
    effects: [],
    ...payload,
  };
  const sae = {
    slug: "alpha",
    title: "Alpha",
    hook_name: "blocks.0",
    n_features: 100,
    columns: columns.map(([info]) => info),
    cards: [],
  };
  const choice = { budget: 0, fitted: false, top: 20, others: 8, before: 26, after: 14 };
  const known = { title: "Test atlas", build_id: "b1", n_tokens: 1000, saes: [sae], features_per_shard: 16, choice };
  // What other pages read of the site is left out.
  const whole = { ...known, ...site } as SitePayload;
  const shard = { pieces, documents, titles, features: [feature] };
  return { site: whole, sae, shard, payload: feature, reach: reachOf(shard) };
}

/** A scene of `data` that notes what is changed. */
export function sceneOf(data: FeatureData, view: Partial<View> = {}): Scene & { changes: Partial<View>[] } {
  const changes: Partial<View>[] = [];
  return { data, view: { ...PLAIN, ...view }, most: Infinity, change: (change) => void changes.push(change), changes };
}
