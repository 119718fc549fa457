// A card of the feature page with its columns, for tests of what panels draw.
import { drawCard } from "../../src/panels/registry.ts";
import type { ColumnPayload } from "../../src/payloads.ts";
import type { Scene, Value } from "../../src/feature/model.ts";
import { column, featureData, sceneOf } from "./feature.ts";
import type { Told } from "./feature.ts";

const LISTS: Record<string, string[]> = {
  token_list: ["token_id", "count", "value"],
  histogram: ["lower", "upper", "count"],
  feature_list: ["feature_idx", "value"],
  source_list: ["name", "count", "value"],
  neuron_list: ["dimension", "value", "share"],
};

/** A column with what its kind has as fields. */
export function col(name: string, kind: string, changes: Partial<ColumnPayload> = {}): ColumnPayload {
  return column(name, kind, { fields: LISTS[kind] ?? [], ...changes });
}

/** A scene with a card that holds all `columns`; `panel` draws it. */
export function card(columns: [ColumnPayload, Value][], told: Told = {}, panel = "") {
  const scene = sceneOf(featureData({ columns, ...told }));
  const names = columns.map(([{ name }]) => name);
  const spec = { id: "c", title: "C", panel, columns: names, kept: false };
  return { scene, draw: (at: Scene = scene) => drawCard(spec, at) };
}
