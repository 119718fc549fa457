import type { Example, ExampleGroup } from "../payloads.ts";
import { logitChanges } from "../examples/effects.ts";
import { heatPaints, windowText } from "../examples/strip.ts";
import { csvText } from "../table/csv.ts";
import { numeric, recordsOf } from "./model.ts";
import type { Entry, FeatureData } from "./model.ts";

/** Anything JSON can hold. */
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

/** Field of a list column that holds a token. */
const TOKEN_FIELDS = new Set(["token_id", "piece", "token"]);

/** All of a feature that its page shows, under names that need no other file to be read. */
export function featureRecord(data: FeatureData): { [key: string]: Json } {
  const { site, sae, payload } = data;
  const { columns } = sae;
  return {
    atlas: site.title,
    build_id: site.build_id,
    sae: sae.slug,
    hook_name: sae.hook_name,
    feature_idx: payload.feature_idx,
    content_hash: payload.hash,
    counted_tokens: site.n_tokens,
    explanation: payload.title,
    explanation_method: payload.method,
    explanation_score: payload.score,
    explanation_score_name: payload.score_name,
    columns: Object.fromEntries(
      columns.map((column, at) => {
        return [column.name, columnRecord({ column, value: payload.values[at] ?? null }, data)];
      }),
    ),
    definitions: Object.fromEntries(columns.map(({ name, unit, doc }) => [name, { unit, doc }])),
    examples: payload.groups.flatMap((group) =>
      group.examples.map((example, rank) => exampleRecord(example, group, rank, data)),
    ),
    effects: payload.effects.map(({ rank, effects, raised, lowered }) => ({
      rank,
      loss_effects: effects,
      raised: logitChanges(raised, data.shard.pieces).map((change) => ({ ...change })),
      lowered: logitChanges(lowered, data.shard.pieces).map((change) => ({ ...change })),
    })),
  };
}

function columnRecord(entry: Entry, { shard }: FeatureData): Json {
  if (!Array.isArray(entry.value)) return entry.value;
  return recordsOf(entry).map((record) =>
    Object.fromEntries(
      Object.entries(record).map(([field, value]) =>
        TOKEN_FIELDS.has(field) ? ["token", shard.pieces[numeric(value)] ?? null] : [field, value],
      ),
    ),
  );
}

function exampleRecord(
  example: Example,
  { group, lower, upper }: ExampleGroup,
  rank: number,
  { shard, payload }: FeatureData,
): { [key: string]: Json } {
  const { pieces, peak } = example;
  const paints = heatPaints(example, payload.max_activation);
  return {
    group,
    interval: group === "interval" ? [lower, upper] : null,
    rank,
    activation: example.activation,
    document: shard.documents[example.document] ?? "",
    context_idx: example.context_idx,
    position: example.position,
    copies: example.copies,
    token: windowText(example, shard.pieces, [peak, peak + 1]),
    before: windowText(example, shard.pieces, [0, peak]),
    after: windowText(example, shard.pieces, [peak + 1, pieces.length]),
    tokens: pieces.map((piece) => shard.pieces[piece] ?? ""),
    activations: pieces.map((_, at) => Math.round((paints.get(at)?.value ?? 0) * 1e6) / 1e6),
  };
}

const EXAMPLE_COLUMNS = [
  "group",
  "rank",
  "activation",
  "document",
  "context_idx",
  "position",
  "copies",
  "before",
  "token",
  "after",
] as const;

/** The examples as a table: one line each. */
export function examplesTable(data: FeatureData): string {
  const rows = data.payload.groups.flatMap((group) =>
    group.examples.map((example, rank) => {
      const record = exampleRecord(example, group, rank, data);
      return EXAMPLE_COLUMNS.map((name) => record[name] ?? "");
    }),
  );
  return csv([[...EXAMPLE_COLUMNS], ...rows]);
}

/** Every number of the feature as a table of name, entry, field, value: lists have an entry for each of their rows. */
export function numbersTable(data: FeatureData): string {
  const rows: Json[][] = [["column", "entry", "field", "value", "unit"]];
  for (const [at, column] of data.sae.columns.entries()) {
    const value = columnRecord({ column, value: data.payload.values[at] ?? null }, data);
    if (!Array.isArray(value)) {
      rows.push([column.name, "", "", value, column.unit]);
      continue;
    }
    for (const [entry, record] of value.entries()) {
      for (const [field, part] of Object.entries(record as { [key: string]: Json })) {
        rows.push([column.name, entry, field, part, field === "value" ? column.unit : ""]);
      }
    }
  }
  return csv(rows);
}

/** `rows` as RFC 4180 writes them; null is an empty field, and no text is a formula. */
export function csv(rows: readonly (readonly Json[])[]): string {
  return rows.map((row) => `${row.map(field).join(",")}\r\n`).join("");
}

function field(value: Json): string {
  if (value === null) return "";
  if (typeof value === "string") return csvText(value);
  return typeof value === "object" ? csvText(JSON.stringify(value)) : String(value);
}
