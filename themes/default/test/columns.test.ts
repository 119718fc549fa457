import assert from "node:assert/strict";
import { test } from "node:test";
import { compareAs, decodeValues, loadColumn, loadColumns, loadPart } from "../src/core/columns.ts";
import { TITLES } from "../src/table/data.ts";
import { openTable, TableLoader } from "../src/table/loader.ts";
import { TableModel } from "../src/table/model.ts";
import { viewOf } from "../src/table/state.ts";
import { fakeSite } from "./support/fake-site.ts";
import { Dice } from "./support/random.ts";
import { columnOf } from "./support/table.ts";

const N = 10;
const site = fakeSite();

/** Sets up an SAE of `N` features called `slug`: values of column x fall, y is 0.1 where there is one. */
function publish(slug: string): void {
  const ys = Array.from({ length: N }, (_, at) => (at % 3 === 0 ? Number.NaN : Math.fround(0.1)));
  const xs = Array.from({ length: N }, (_, at) => (at === 4 ? 255 : 9 - at));
  const columns = [columnOf("x", xs, { type: "uint8" }), columnOf("y", ys, { type: "float32" })];
  site.answers.set("site", {
    payload: {
      saes: ["one", "two", "three", "four"].map((name) => ({ slug: name, n_features: N })),
      rows_per_title_shard: 2,
      rows_per_column_shard: 4,
    },
  });
  site.answers.set(`${slug}/table`, { payload: { columns } });
  for (let part = 0; part * 4 < N; part++) {
    const [first, last] = [part * 4, Math.min(part * 4 + 4, N)];
    const numbers = Array.from({ length: last - first }, (_, at) => first + at);
    site.answers.set(`${slug}/columns/0/${part}`, { bytes: Uint8Array.from(xs.slice(first, last)) });
    site.answers.set(`${slug}/columns/1/${part}`, {
      bytes: new Uint8Array(Float32Array.from(ys.slice(first, last)).buffer),
    });
    const titles = (some: number[]) => ({
      start: some[0],
      explanations: some.map((at) => `feature ${at}`),
      tokens: some.map((at) => (at === 3 ? [] : [`t${at}`])),
      densities: some,
    });
    site.answers.set(`${slug}/texts/${part}`, { payload: titles(numbers) });
    for (let half = 0; half * 2 < numbers.length; half++)
      site.answers.set(`${slug}/titles/${part * 2 + half}`, { payload: titles(numbers.slice(half * 2, half * 2 + 2)) });
  }
}

publish("one");
const asked = () => site.asked.splice(0).map((address) => /data\/(.*)\.js/.exec(address)?.[1] ?? "");

test("every stored type is read as it was written, and its mark for no value is NaN", () => {
  const bytes = (numbers: ArrayLike<number> & { buffer: ArrayBufferLike }) => new Uint8Array(numbers.buffer as ArrayBuffer);
  const nan = Number.NaN;
  assert.deepEqual([...decodeValues(Uint8Array.of(0, 254, 255), "uint8")], [0, 254, nan]);
  assert.deepEqual([...decodeValues(bytes(Uint16Array.of(0, 65_534, 65_535)), "uint16")], [0, 65_534, nan]);
  assert.deepEqual([...decodeValues(bytes(Uint32Array.of(7, 4294967294, 4294967295)), "uint32")], [7, 4294967294, nan]);
  assert.deepEqual([...decodeValues(bytes(Int32Array.of(-1, 2147483647, -2147483648)), "int32")], [-1, 2147483647, nan]);
  assert.deepEqual([...decodeValues(bytes(Float32Array.of(1.5, nan)), "float32")], [1.5, nan]);
  assert.deepEqual([...decodeValues(bytes(Float64Array.of(Math.PI, nan, -0)), "float64")], [Math.PI, nan, -0]);
  assert.throws(() => decodeValues(Uint8Array.of(1, 2, 3), "float32", "a/columns/0/0"), /a\/columns\/0\/0\.js is damaged/);
  assert.throws(() => decodeValues(Uint8Array.of(1), "complex", "k"), /is damaged/);
});

test("bytes in the middle of a larger buffer are read from their own beginning", () => {
  const whole = new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer);
  assert.deepEqual([...decodeValues(whole.subarray(4, 12), "float32")], [2, 3]);
  for (let seed = 1; seed <= 50; seed++) {
    const dice = new Dice(seed);
    const numbers = Float64Array.from(dice.list(dice.whole(0, 9), () => dice.between(-1e9, 1e9)));
    const shifted = new Uint8Array(numbers.byteLength + 3);
    shifted.set(new Uint8Array(numbers.buffer), 3);
    assert.deepEqual(decodeValues(shifted.subarray(3), "float64"), numbers);
  }
});

test("a column is all its parts, each read once", async () => {
  const { info, values } = await loadColumn("one", "x");
  assert.equal(info.label, "x");
  assert.deepEqual([...values], [9, 8, 7, 6, Number.NaN, 4, 3, 2, 1, 0]);
  assert.deepEqual(asked().sort(), ["one/columns/0/0", "one/columns/0/1", "one/columns/0/2", "one/table"]);
  assert.equal(await loadColumn("one", "x"), await loadColumn("one", "x"));
  assert.deepEqual((await loadColumns("one")).map(({ name }) => name), ["x", "y"]);
  assert.deepEqual([...(await loadPart("one", "x", 2))], [1, 0]);
  assert.deepEqual(asked(), []);
});

test("a column that does not exist, or a part that does not come, is an error and no memory", async () => {
  await assert.rejects(loadColumn("one", "gone"), /data\/one\/table\.js has no column called gone/);
  publish("two");
  site.answers.set("two/columns/0/1", "missing");
  await assert.rejects(loadColumn("two", "x"), /data\/two\/columns\/0\/1\.js could not be loaded/);
  publish("two");
  assert.equal((await loadColumn("two", "x")).values[9], 0);
});

test("a bound is compared as the column stores it", () => {
  assert.equal(compareAs(columnOf("a", [1], { type: "float32" }), 0.1), Math.fround(0.1));
  assert.equal(compareAs(columnOf("a", [1], { type: "float64" }), 0.1), 0.1);
});

test("only what is in view is read, and what left the view before its turn is not", async () => {
  publish("three");
  const data = await openTable("three");
  asked();
  let calls = 0;
  const loader = new TableLoader("three", data, () => calls++);
  loader.view(["x", TITLES], [0, 1]);
  await loader.all([]);
  while (calls < 2) await new Promise((resolve) => setTimeout(resolve, 1));
  assert.deepEqual(asked().sort(), ["three/columns/0/0", "three/titles/0"]);
  assert.ok(data.has("x", 3) && !data.has("x", 4) && !data.has("y", 0));
  await loader.all(["y", TITLES]);
  assert.ok(data.hasAll("y") && data.hasAll(TITLES) && !data.hasAll("x"));
  const wanted = ["columns/1/0", "columns/1/1", "columns/1/2", "texts/0", "texts/1", "texts/2"];
  assert.deepEqual(asked().sort(), wanted.map((key) => `three/${key}`), "all of it in few files");
  loader.view([TITLES], [0, 5, 9]);
  await loader.all([TITLES]);
  assert.deepEqual(asked(), [], "what is there is not asked for again");
  assert.equal(data.explanation(9), "feature 9");
});

test("the rows of a view come once what it needs has arrived; a later view wins", async () => {
  publish("four");
  const model = new TableModel("four", await openTable("four"), () => undefined);
  asked();
  await model.settle(viewOf({}));
  assert.equal(model.rows.length, N);
  assert.deepEqual(asked(), [], "the natural order needs nothing");
  const first = model.settle(viewOf({ sort: "x" }));
  assert.equal(model.progress, 0);
  await Promise.all([first, model.settle(viewOf({ f: "x>3 feature", sort: "x" }))]);
  assert.deepEqual([...model.rows], [5, 3, 2, 1, 0]);
  assert.equal(model.progress, null);
  await model.settle(viewOf({ f: "nothing=1" }));
  assert.deepEqual(model.unknown, ["nothing"]);
});

test("a failed part is said, does not keep the others, and is tried again by the next view", async () => {
  publish("two");
  const model = new TableModel("two", await openTable("two"), () => undefined);
  site.answers.set("two/columns/1/2", "missing");
  site.answers.set("two/titles/2", "missing");
  await model.settle(viewOf({ f: "y>0" }));
  assert.match(model.problem, /Not all rows can be shown: data\/two\/columns\/1\/2\.js could not be loaded/);
  assert.deepEqual([...model.rows], [1, 2, 4, 5, 7]);
  asked();
  model.look(["y"], [0, 8]);
  model.look(["y"], [8, 4]);
  await new Promise((resolve) => setTimeout(resolve, 50));
  model.look(["y"], [8, 4]);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual(asked().sort(), ["two/titles/0", "two/titles/2", "two/titles/4"], "looking does not ask again for what failed");
  assert.ok(model.isReady(["y"], { start: 2, stop: 4 }));
  publish("two");
  await model.settle(viewOf({ f: "y>0", sort: "-feature" }));
  assert.equal(model.problem, "");
  assert.deepEqual([...model.rows], [8, 7, 5, 4, 2, 1]);
});
