import assert from "node:assert/strict";
import { test } from "node:test";
import { findPoints } from "../src/map/highlight.ts";
import { fakeSite } from "./support/fake-site.ts";
import { pointsFrom, scalarColumn } from "./support/layers.ts";

const densities = { one: [0.5, 0.001, 0.2, 0.0001], two: [0.9, 0.8, 0.002, 0.7] };
const site = fakeSite({
  site: {
    title: "",
    build_id: "",
    saes: ["one", "two", "three"].map((slug) => ({ slug, title: "", hook_name: "", n_features: 4 })),
    rows_per_column_shard: 4,
    rows_per_title_shard: 4,
  },
  "one/table": { columns: [scalarColumn("max_activation"), scalarColumn("activation_density", { type: "float64" })] },
  "two/table": { columns: [scalarColumn("activation_density", { type: "float64" })] },
});
const bytes = (values: ArrayLike<number>) => new Uint8Array(Float64Array.from(values).buffer);
site.answers.set("one/columns/1/0", { bytes: bytes(densities.one) });
site.answers.set("two/columns/0/0", { bytes: bytes(densities.two) });
site.answers.set("one/columns/0/0", { bytes: new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer) });

const points = pointsFrom([
  { x: [1, 2, 3, 4], y: [1, 2, 3, 4], sae: "one" },
  { x: [1, 2, 3], y: [1, 2, 3], sae: "two", features: [0, 2, 3] },
]);

async function found(typed: string): Promise<string[] | null> {
  const hits = await findPoints(typed, points);
  if (hits === null) return null;
  const names = hits.points.map((point) => points.named(point));
  return names.map((name) => `${name?.sae ?? ""}/${name?.feature ?? ""}`).sort();
}

test("nothing typed asks for nothing", async () => {
  for (const typed of ["", "  ", '"', '""']) assert.equal(await found(typed), null, typed);
});

test("a condition is asked of every SAE on the map; features without a place are left out", async () => {
  assert.deepEqual(await found("density<0.01"), ["one/1", "one/3", "two/2"]);
  assert.deepEqual(await found("density>=0.7"), ["two/0", "two/3"]);
  assert.deepEqual(await found("density>0.1 density<0.3"), ["one/2"]);
});

test("an SAE without the column answers no condition on it, and an unknown column is never fulfilled", async () => {
  assert.deepEqual(await found("max_activation>2"), ["one/2", "one/3"]);
  assert.deepEqual(await found("nothing_such<1"), []);
});

test("an SAE can be named alone or with conditions", async () => {
  assert.deepEqual(await found("sae:two"), ["two/0", "two/2", "two/3"]);
  assert.deepEqual(await found("sae:one density<0.01"), ["one/1", "one/3"]);
  assert.deepEqual(await found("sae:three"), []);
});

test("a column that cannot be read is an error, not an empty answer", async () => {
  site.answers.set("two/columns/0/0", { text: "!" });
  const fresh = pointsFrom({ x: [1], y: [1], sae: "three" });
  await assert.rejects(findPoints("density<1", fresh), /three\/table\.js could not be loaded/);
});
