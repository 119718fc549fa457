import assert from "node:assert/strict";
import { test } from "node:test";
import { showReason, showTitle, showTokens } from "../src/core/hit-view.ts";
import { parseQuery } from "../src/core/query.ts";
import type { Reason } from "../src/core/search-rank.ts";
import { showCoverage } from "../src/search/coverage.ts";
import { showOthers, showResult, showSyntax } from "../src/search/show-result.ts";
import { fakeSite } from "./support/fake-site.ts";
import { Dice, HOSTILE } from "./support/random.ts";
import { lineOf, printed, textOf } from "./support/template.ts";

fakeSite();

const reason = (kind: Reason["kind"], term: string, how: Reason["how"] = "exact", typed = "typed"): Reason => ({
  kind,
  term,
  how,
  typed,
  weight: 0.5,
});
const row = { feature: 1, explanation: "raise <b> errors", tokens: [" raise", "x"], density: 0.0125 };

test("the words that were found are marked in the title, and nothing else is", () => {
  assert.equal(textOf(showTitle(undefined)), "…");
  assert.equal(printed(showTitle(row, [reason("word", "raise")])), "<mark>raise</mark> &lt;b&gt; errors");
  for (const kind of ["token", "example", "meaning"] as const) {
    assert.doesNotMatch(printed(showTitle(row, [reason(kind, "raise")])), /<mark>/);
  }
  assert.equal(textOf(showTitle({ ...row, explanation: "" }, [reason("word", "raise")])), "no explanation");
});

test("the tokens that were found are marked, spelled exactly", () => {
  for (const kind of ["token", "seen"] as const) {
    assert.equal([...printed(showTokens(row.tokens, [reason(kind, " raise")])).matchAll(/class="found"/g)].length, 1);
  }
  assert.doesNotMatch(printed(showTokens(row.tokens, [reason("token", "raise"), reason("word", "x")])), /class="found"/);
});

test("a reason says what was found, how strongly, and what a similar spelling was typed as", () => {
  const lines: [Reason, string][] = [
    [reason("number", "1"), "number"],
    [reason("word", "<i>"), "word <i>"],
    [reason("word", "lawyer", "similar", "lawyr"), "word lawyer ≈ lawyr"],
    [reason("token", " x"), "token ␣x 0.50"],
    [reason("seen", "\n"), "also on ↵ 0.50"],
    [reason("phrase", " in the"), "phrase ␣in the 0.50"],
    [reason("example", "law"), "beside the peak law 50 %"],
    [reason("meaning", ""), "meaning 0.50"],
  ];
  for (const [one, line] of lines) assert.equal(lineOf(showReason(one)).replaceAll("\u202f", " "), line);
});

test("hostile terms and titles stay text", () => {
  for (let seed = 1; seed <= 150; seed++) {
    const text = new Dice(seed).text(HOSTILE, 8);
    const kinds = ["word", "token", "seen", "phrase", "example", "meaning"] as const;
    const reasons = kinds.map((kind) => reason(kind, text, "similar", text));
    const shown = showResult({ sae: 0, feature: 2, score: 1, reasons, whole: true, slug: "s", row: { ...row, explanation: text, tokens: [text] } }, text);
    const tags = [...printed(shown).matchAll(/<(\/?[a-z]+)/g)].map(([, name]) => name?.replace("/", ""));
    assert.deepEqual([...new Set(tags)].filter((tag) => !["li", "a", "bdi", "p", "code", "span", "mark"].includes(tag ?? "")), []);
  }
});

test("a result links its page and shows its numbers, also before its row has arrived", () => {
  const result = { sae: 0, feature: 1500, score: 1, reasons: [], whole: true, slug: "s" };
  assert.match(printed(showResult({ ...result, row }, "T\u202e")), /<a href="\.\.\/s\/1\/1500\.html">/);
  assert.match(lineOf(showResult({ ...result, row }, "T\u202e")), /^raise <b> errors s\/1500 TU\+202E fires on 1\.25.% of tokens/);
  assert.match(lineOf(showResult({ ...result, row: undefined }, "")), /^… s\/1500/);
});

const queries = (html: string) =>
  [...html.matchAll(/href="([^"]*)"/g)].map(([, href]) => new URL((href ?? "").replaceAll("&amp;", "&"), "http://x/").searchParams.get("q") ?? "");

test("every example of the syntax is a search that says what it is for", () => {
  const typed = queries(printed(showSyntax("stdlib-2")));
  assert.deepEqual(typed, ["raise", '"␣raise"', "1204", "error density<0.1%", "is:dense -is:single-token", "sae:stdlib-2 score>0.7"]);
  const parsed = typed.map(parseQuery);
  assert.deepEqual(parsed.map(({ words, tokens, comparisons, flags, saes }) => [words, tokens, comparisons, flags, saes].map(({ length }) => length).join("")), ["10000", "01000", "10000", "10100", "00020", "00101"]);
});

test("other spellings link their own exact search", () => {
  const others = [" x", 'a"b', "\n"].map((text, count) => ({ book: "terms" as const, key: "", field: "token" as const, text, count, unit: 0 }));
  const typed = queries(printed(showOthers(others, "s")));
  assert.deepEqual(typed.map((query) => parseQuery(query).tokens), [[" x"], ['a"b'], ["\n"]]);
});

test("the page says what each field covers, and how much", () => {
  const book = { blocks: [], n_keys: 0, shard_starts: [] };
  const fields = ["word", "token", "seen", "example", "phrase"];
  const directory = { fields, terms: book, phrases: book, keys_per_block: 1, postings_per_unit: 1, spellings: [], vector_shards: 1, sums: fields.map((_, at) => [at, 1234]) };
  const line = lineOf(showCoverage(directory));
  for (const field of fields) assert.match(line, new RegExp(`${field} \\d terms, 1,234 entries \\w`));
  assert.match(line, /Meaning:/);
  assert.doesNotMatch(lineOf(showCoverage({ ...directory, vector_shards: 0 })), /Meaning:/);
});
