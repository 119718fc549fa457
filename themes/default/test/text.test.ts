import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { badges, displayText, inlineText, INVISIBLE_RANGES, isBidi, RTL_RANGES } from "../src/core/text.ts";

interface Case {
  input: string;
  display: string;
  display_spaces: string;
  display_block: string;
  inline: string;
  badges: [string, string][];
  bidi: boolean;
}

const repository = new URL("../../../../", import.meta.url);
const golden = JSON.parse(readFileSync(new URL("tests/support/text_cases.json", repository), "utf8")) as {
  text: Case[];
};

test("every golden case reads as in Python", () => {
  assert.ok(golden.text.length > 20);
  for (const example of golden.text) {
    const { input } = example;
    const shown = {
      input,
      display: displayText(input),
      display_spaces: displayText(input, { visibleSpaces: true }),
      display_block: displayText(input, { newlines: true }),
      inline: inlineText(input),
      badges: badges(input),
      bidi: isBidi(input),
    };
    assert.deepEqual(shown, { ...shown, ...example });
  }
});

/** The tuples of a constant in atlas/text.py. */
function pythonRanges(name: string): number[][] {
  const source = readFileSync(new URL("atlas/text.py", repository), "utf8");
  const body = source.split(`${name}: `)[1]?.split("\n)")[0] ?? "";
  return [...body.matchAll(/\(0x([0-9A-F]+), 0x([0-9A-F]+)\)/g)].map(([, low = "", high = ""]) => [
    Number.parseInt(low, 16),
    Number.parseInt(high, 16),
  ]);
}

test("the tables of characters are those of atlas/text.py", () => {
  assert.deepEqual(INVISIBLE_RANGES, pythonRanges("INVISIBLE_RANGES"));
  assert.deepEqual(RTL_RANGES, pythonRanges("RTL_RANGES"));
});

test("lone surrogates, of which no file can hold an example, become U+FFFD", () => {
  assert.equal(displayText("a\ud800b\udfff"), "a\ufffdb\ufffd");
  assert.equal(displayText("🤗"), "🤗");
});

test("noncharacters at the end of every plane are badges", () => {
  assert.deepEqual(badges("\u{1fffe}x\u{10ffff}"), [
    ["badge", "U+1FFFE"],
    ["text", "x"],
    ["badge", "U+10FFFF"],
  ]);
});
