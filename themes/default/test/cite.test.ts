import assert from "node:assert/strict";
import { test } from "node:test";
import { compareHashes, tellVerdict } from "../src/cite/changes.ts";
import { bibtexText, FORMATS, latexText, latexUrl, markdownText, markdownUrl } from "../src/cite/formats.ts";
import type { Citation } from "../src/cite/formats.ts";
import { Dice, HOSTILE } from "./support/random.ts";

const HASH = "0123456789abcdef01";
const plain: Citation = {
  atlas: "Small reader",
  author: "Ada and Bob",
  sae: "stdlib-res-2",
  feature_idx: 1216,
  title: "raise statements",
  build: "075f9e404fb6",
  url: `https://you.example/atlas/stdlib-res-2/1/1216.html?h=${HASH}`,
};
const written = (id: string, citation: Citation) => FORMATS.find((format) => format.id === id)?.write(citation) ?? "";

/** A citation in which every text is made of characters that break careless code. */
function hostile(dice: Dice): Citation {
  const text = () => dice.text([...HOSTILE, "$", "#", "~", "\\end{document}", "\\input|x", "%0a", "@misc{", "and"], 14);
  const url = `https://you.example/${dice.text(HOSTILE, 6)}/alpha/0/1.html?h=${HASH}`;
  return { ...plain, atlas: text(), author: text(), title: text(), url };
}

test("a plain citation reads as one would write it", () => {
  assert.equal(
    written("bibtex", plain),
    [
      "@misc{atlas-stdlib-res-2-1216-075f9e,",
      "  title        = {{Feature stdlib-res-2/1216: raise statements}},",
      "  author       = {{Ada and Bob}},",
      "  howpublished = {Small reader, Feature Atlas build 075f9e404fb6},",
      `  url          = {${plain.url}}`,
      "}",
    ].join("\n"),
  );
  assert.equal(
    written("latex", plain),
    `\\href{https://you.example/atlas/stdlib-res-2/1/1216.html?h=${HASH}}{feature~\\texttt{stdlib-res-2/1216} (raise statements)}`,
  );
  assert.equal(
    written("markdown", plain),
    `[feature stdlib\\-res\\-2/1216: raise statements](${plain.url})`,
  );
  assert.equal(
    written("plain", plain),
    `Ada and Bob. Feature stdlib-res-2/1216: raise statements. Small reader, Feature Atlas build 075f9e404fb6. ${plain.url}`,
  );
});

test("what is not known is left out", () => {
  const bare = { ...plain, author: "", title: "" };
  assert.ok(!written("bibtex", bare).includes("author"));
  assert.ok(written("plain", bare).startsWith("Feature stdlib-res-2/1216. "));
  assert.ok(written("latex", bare).endsWith("{feature~\\texttt{stdlib-res-2/1216}}"));
});

/** Depth of braces after `text`; -1 where one closes that none opened. A backslash hides the next character. */
function braces(text: string, escapes: boolean): number {
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    if (escapes && text[at] === "\\") at += 1;
    else if (text[at] === "{") depth += 1;
    else if (text[at] === "}") depth -= 1;
    if (depth < 0) return -1;
  }
  return depth;
}

test("BibTeX stays one entry of its own fields, whatever the texts hold", () => {
  const dice = new Dice(31);
  for (let round = 0; round < 2000; round += 1) {
    const entry = written("bibtex", hostile(dice));
    // BibTeX counts every brace, LaTeX only those without a backslash: both must come out even.
    assert.equal(braces(entry, false), 0, entry);
    assert.equal(braces(entry, true), 0, entry);
    const lines = entry.split("\n");
    assert.ok(lines.length === 5 || lines.length === 6, entry);
    for (const line of lines.slice(1, -1)) assert.match(line, /^ {2}(title|author|howpublished|url) +=/);
    for (const line of lines.slice(1, -2)) assert.equal(braces(line.replace(/,$/, ""), false), 0, line);
  }
});

test("LaTeX gets no command, comment or group from a text", () => {
  const dice = new Dice(32);
  const command = /\\(?!(?:textbackslash|textasciitilde|textasciicircum|textless|textgreater|textbar|textquotedbl)\{\}|[{}%#$&_])/;
  for (let round = 0; round < 2000; round += 1) {
    const text = dice.text([...HOSTILE, "#", "~", "_"], 20);
    for (const shown of [latexText(text), bibtexText(text)]) {
      assert.doesNotMatch(shown, command);
      assert.doesNotMatch(shown.replace(/\\./g, ""), /[%#$&_~^]/);
      assert.equal(braces(shown, true), 0);
      assert.doesNotMatch(shown, /[\n\r\0]/);
    }
  }
  assert.equal(latexText("50 % of {x_1} & \\more"), "50 \\% of \\{x\\_1\\} \\& \\textbackslash{}more");
});

test("addresses hold nothing that ends them, in any format", () => {
  const dice = new Dice(33);
  for (let round = 0; round < 1000; round += 1) {
    const url = `https://x.example/${dice.text(HOSTILE, 12)}`;
    assert.doesNotMatch(markdownUrl(url), /[\s()<>\\"]/);
    assert.match(latexUrl(url), /^(?:[!-~]|\\[%#&_])*$/);
    assert.doesNotMatch(latexUrl(url).replace(/\\[%#&_]/g, ""), /[%#&_{}\\~^$"]/);
  }
  const spaced = "https://x.example/a b/é?h=1&x=2";
  assert.equal(markdownUrl(spaced), "https://x.example/a%20b/%C3%A9?h=1&x=2");
  assert.equal(decodeURI(markdownUrl(spaced)), spaced);
});

test("Markdown gets no link, emphasis, code or element from a text", () => {
  const dice = new Dice(34);
  for (let round = 0; round < 2000; round += 1) {
    const shown = markdownText(dice.text(HOSTILE, 20));
    assert.doesNotMatch(shown.replace(/\\./g, ""), /[\\`*_{}[\]()<>#+!|~&$^=-]/);
  }
  assert.equal(markdownText("[x](javascript:y) <b>"), "\\[x\\]\\(javascript:y\\) \\<b\\>");
});

test("a hash tells whether and what has changed", () => {
  assert.deepEqual(compareHashes(HASH, HASH), { kind: "unchanged" });
  assert.deepEqual(compareHashes(` ${HASH.toUpperCase()} `, HASH), { kind: "unchanged" });
  const changed = (cited: string) => compareHashes(cited, HASH);
  assert.deepEqual(changed(`ffffff${HASH.slice(6)}`), { kind: "changed", parts: ["numbers"] });
  assert.deepEqual(changed(`${HASH.slice(0, 6)}ffffff${HASH.slice(12)}`), { kind: "changed", parts: ["examples"] });
  assert.deepEqual(changed(`${HASH.slice(0, 12)}ffffff`), { kind: "changed", parts: ["explanation"] });
  assert.deepEqual(changed("f".repeat(18)), { kind: "changed", parts: ["explanation", "examples", "numbers"] });
  for (const bad of ["", "12", `${HASH}0`, "g".repeat(18), "<script>"])
    assert.deepEqual(changed(bad), { kind: "unreadable" });
  assert.deepEqual(compareHashes(HASH, ""), { kind: "unreadable" });
});

test("any change of any part is told, and only that part", () => {
  const dice = new Dice(35);
  const names = ["numbers", "examples", "explanation"];
  for (let round = 0; round < 300; round += 1) {
    const now = dice.list(18, () => dice.whole(0, 16).toString(16)).join("");
    const at = dice.whole(0, 18);
    const other = ((Number.parseInt(now[at] ?? "0", 16) + dice.whole(1, 16)) % 16).toString(16);
    const verdict = compareHashes(now.slice(0, at) + other + now.slice(at + 1), now);
    assert.deepEqual(verdict, { kind: "changed", parts: [names[Math.floor(at / 6)]] });
  }
});

test("verdicts are sentences", () => {
  assert.match(tellVerdict({ kind: "unchanged" }), /^Unchanged since it was cited/);
  assert.equal(
    tellVerdict({ kind: "changed", parts: ["explanation"] }),
    "Changed since it was cited: explanation. The same as then: examples and numbers.",
  );
  assert.equal(
    tellVerdict({ kind: "changed", parts: ["explanation", "examples", "numbers"] }),
    "Changed since it was cited: explanation, examples and numbers.",
  );
  assert.match(tellVerdict({ kind: "unreadable" }), /cannot tell/);
});
