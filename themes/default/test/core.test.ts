import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { test } from "node:test";
import { heatStep } from "../src/examples/strip.ts";
import { featurePath, searchPath } from "../src/core/links.ts";
import { counted, decimal, integer, NO_DATA, oneIn, percent, scalar, signed } from "../src/core/numbers.ts";
import { readPage } from "../src/core/page.ts";
import { decodeShard, ShardError } from "../src/core/shards.ts";
import { cutAt } from "../src/core/show.ts";
import { DENSE } from "../src/core/query.ts";
import { mergeState, parseState } from "../src/core/state.ts";
import { DUPLICATE } from "../src/feature/firing.ts";
import { toLetters } from "./support/letters.ts";

test("a feature's address never changes: SAE, thousand, number", () => {
  assert.equal(featurePath("my-sae", 0), "my-sae/0/0.html");
  assert.equal(featurePath("my-sae", 999), "my-sae/0/999.html");
  assert.equal(featurePath("my-sae", 131_071), "my-sae/131/131071.html");
});

test("the search page's address carries the query exactly", () => {
  const query = '" a&b=c#d"';
  assert.equal(new URLSearchParams(searchPath(query).split("?")[1]).get("q"), query);
  assert.equal(searchPath("a", "x"), "search.html?q=a&sae=x");
});

test("numbers read as atlas/render/numbers.py writes them", () => {
  const cases: [number | null, string][] = [
    [null, NO_DATA],
    [Number.NaN, NO_DATA],
    [Number.POSITIVE_INFINITY, NO_DATA],
    [0, "0"],
    [14.2131, "14.21"],
    [0.5, "0.5000"],
    [1234567, "1,234,567"],
    [0.00001234, "1.234e−5"],
    [-0.00115, "−0.001150"],
    [12345678, "1.235e7"],
    [0.0001, "0.0001000"],
  ];
  for (const [value, text] of cases) assert.equal(decimal(value), text);
  assert.equal(integer(-1234567), "−1,234,567");
  assert.deepEqual([0, 1, 2345].map((count) => counted(count, "token")), ["0 tokens", "1 token", "2,345 tokens"]);
  assert.equal(percent(0.00115), "0.115\u202f%");
});

interface NumberCases {
  decimal: [number, string, string, string][];
  percent: [number, string][];
  integer: [number, string][];
  signed: [number, string][];
  one_in: [number, number, string][];
  heat: [number, number][];
  bounds: Record<string, number>;
}

test("golden numbers of every size read as in Python", () => {
  const golden = new URL("../../../../tests/support/number_cases.json", import.meta.url);
  const cases = JSON.parse(readFileSync(golden, "utf8")) as NumberCases;
  assert.ok(cases.decimal.length > 200);
  for (const [value, ...texts] of cases.decimal) {
    assert.deepEqual([decimal(value), decimal(value, 3), decimal(value, 2)], texts, String(value));
  }
  for (const [value, text] of cases.percent) assert.equal(percent(value), text);
  for (const [value, text] of cases.integer) assert.equal(integer(value), text);
  for (const [value, text] of cases.signed) assert.equal(signed(value), text, String(value));
  for (const [count, total, text] of cases.one_in) assert.equal(oneIn(count, total), text);
  for (const [strength, step] of cases.heat) assert.equal(heatStep(strength), step, String(strength));
  assert.deepEqual(cases.bounds, { dense: DENSE, duplicate: DUPLICATE });
});

test("a scalar is shown in the manner of its unit", () => {
  assert.equal(scalar(8701, "tokens"), "8,701");
  assert.equal(scalar(0.25, "fraction"), "25.0\u202f%");
  assert.equal(scalar(14.2131, "activation"), "14.21");
  assert.equal(scalar(14, "activation"), "14.00");
  assert.equal(scalar(1, "none"), "1");
  assert.equal(scalar(null, "tokens"), NO_DATA);
  assert.equal(scalar(Number.NaN, "fraction"), NO_DATA);
});

test("a page knows itself from its attributes", () => {
  const page = readPage({ root: "../../", build: "b1", page: "feature" }, { sae: "x", feature: "12" });
  assert.deepEqual(page, { root: "../../", build: "b1", kind: "feature", sae: "x", feature: 12 });
  assert.equal(readPage({}, {}).feature, null);
  assert.equal(readPage({}, { feature: "x" }).feature, null);
});

test("the page for missing addresses finds the root through its script", () => {
  const script = "https://host/repo/assets/site.js?v=1";
  assert.equal(readPage({ root: "", page: "missing" }, {}, script).root, "https://host/repo/");
  assert.equal(readPage({ root: "../", page: "feature" }, {}, script).root, "../");
  assert.equal(readPage({ root: "/r/", page: "missing" }, {}, "").root, "/r/");
});

test("the address keeps what a view does not touch", () => {
  assert.deepEqual(parseState("?q=a%20b&x=1"), { q: "a b", x: "1" });
  assert.equal(mergeState("?q=a&other=1", { q: "", sort: "-b" }), "?other=1&sort=-b");
  assert.equal(mergeState("?q=a", { q: "" }), "");
  const text = '" \u{1f917}&=?#%"';
  assert.equal(parseState(mergeState("", { q: text }))["q"], text);
});

test("a shard's payload is the letters of gzip of JSON", async () => {
  const value = { text: "日本語 🤗 </script>", list: [1, null] };
  const payload = toLetters(gzipSync(JSON.stringify(value)));
  assert.deepEqual(await decodeShard("k", payload), value);
});

test("a damaged shard is an error that names the file", async () => {
  const good = gzipSync(JSON.stringify({ a: "b".repeat(500) }));
  const flipped = Buffer.from(good);
  flipped[20] = (flipped[20] ?? 0) ^ 0xff;
  for (const payload of ["%%%", "", toLetters(flipped), toLetters(good.subarray(0, 30)), toLetters(good).slice(0, -1)]) {
    await assert.rejects(decodeShard("a/b", payload), (error: Error) => {
      assert.ok(error instanceof ShardError);
      assert.equal(error.message, "data/a/b.js is damaged");
      return true;
    });
  }
});

test("what was found is cut out whatever its case, and nothing is lost", () => {
  assert.deepEqual(cutAt("Raises an error", ["raise", "ERROR"]), [
    [true, "Raise"],
    [false, "s an "],
    [true, "error"],
  ]);
  assert.deepEqual(cutAt("a.b a+b", ["a+b"]), [
    [false, "a.b "],
    [true, "a+b"],
  ]);
  assert.deepEqual(cutAt("x", [" "]), [[false, "x"]]);
  assert.deepEqual(cutAt("", ["x"]), []);
  for (const sign of "\\^$.*+?()[]{}|/-") {
    assert.deepEqual(cutAt(`a${sign}b`, [sign]), [
      [false, "a"],
      [true, sign],
      [false, "b"],
    ]);
  }
});
