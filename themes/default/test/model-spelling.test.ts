import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { TextStream } from "../src/model/characters.ts";
import { halfOf, readRow } from "../src/model/directions.ts";
import { choose } from "../src/model/sampling.ts";
import { cutWindows } from "../src/model/windows.ts";
import { speller, type TokenizerSpec } from "../src/model/worker/spelling.ts";

// What Python computes: tests/unit/front/test_model_spelling.py.
interface Golden {
  halves: [number, number][];
  spelling: {
    tokenizer: TokenizerSpec & { model: { vocab: Record<string, number> } };
    bos: number | null;
    vocabulary: [string, boolean][];
  }[];
}
const path = new URL("../../../../tests/support/spelling_cases.json", import.meta.url);
const golden = JSON.parse(readFileSync(path, "utf8")) as Golden;

test("tokens are spelt as in Python, for every way of spelling bytes", () => {
  assert.ok(golden.spelling.length >= 12);
  for (const { tokenizer, bos, vocabulary } of golden.spelling) {
    const byId = new Map(Object.entries(tokenizer.model.vocab).map(([piece, id]) => [id, piece]));
    const spelt = speller(tokenizer, (id) => byId.get(id), bos);
    for (const [id, [shown, special]] of vocabulary.entries()) {
      const found = spelt(id);
      assert.equal(typeof found === "string" ? found : Buffer.from(found).toString("hex"), shown, `token ${id}`);
      assert.equal(typeof found === "string", special, `token ${id}`);
    }
  }
});

test("half-precision numbers are read as numpy reads them", () => {
  assert.ok(golden.halves.length > 200);
  for (const [bits, value] of golden.halves) assert.equal(halfOf(bits), value, bits.toString(16));
  assert.deepEqual([halfOf(0x7c00), halfOf(0xfc00)], [Infinity, -Infinity]);
  assert.ok(Number.isNaN(halfOf(0x7e01)));
});

test("a row of directions is read in either precision, and none where the file ends", () => {
  const singles = new Uint8Array(Float32Array.of(1, 2, 3, 4.5).buffer);
  assert.deepEqual([...(readRow(singles, "float32", 1, 2) ?? [])], [3, 4.5]);
  assert.equal(readRow(singles, "float32", 2, 2), null);
  const halves = new Uint8Array(Uint16Array.of(0x3c00, 0x4000, 0xc000, 0x0001).buffer);
  assert.deepEqual([...(readRow(halves, "float16", 1, 2) ?? [])], [-2, 2 ** -24]);
  // A file may begin anywhere in its memory.
  assert.deepEqual([...(readRow(halves.subarray(2), "float16", 0, 1) ?? [])], [2]);
});

test("a character is told with the token that completes it", () => {
  const [one, two, three] = [...Buffer.from("日")].map((byte) => Uint8Array.of(byte));
  assert.ok(one !== undefined && two !== undefined && three !== undefined);
  const stream = new TextStream();
  assert.deepEqual([one, two, three].map((token) => stream.push(token, false)), ["", "", "日"]);
  assert.deepEqual([stream.push(one, false), stream.push(two, true)], ["", "<0xE6><0x97>"]);
  assert.deepEqual([stream.push(one, false), stream.push("<end>", false)], ["", "<0xE6><end>"]);
});

test("however bytes are cut into tokens, what the stream tells adds up to their text", () => {
  const texts = ["a日é🤗", "\ufeffx\u0000", "e\u0301"];
  const broken = [Uint8Array.of(0xe6, 0x97, 0x41), Uint8Array.of(0x80, 0xf0, 0x9f), Uint8Array.of(0xed, 0xa0, 0x80, 0xff)];
  for (const bytes of [...texts.map((text) => new Uint8Array(Buffer.from(text))), ...broken])
    for (let size = 1; size <= bytes.length; size++) {
      const stream = new TextStream();
      let text = "";
      for (let at = 0; at < bytes.length; at += size)
        text += stream.push(bytes.subarray(at, at + size), at + size >= bytes.length);
      const plain = text.replace(/<0x([0-9A-F]{2})>/g, (_, hex: string) => String.fromCharCode(0xe000 + Number.parseInt(hex, 16)));
      const again = [...plain].flatMap((each) => {
        const code = each.codePointAt(0) ?? 0;
        return code >= 0xe000 && code < 0xe100 ? [code - 0xe000] : [...Buffer.from(each)];
      });
      assert.deepEqual(again, [...bytes]);
    }
});

test("the last token is taken where the number drawn is as large as can be", () => {
  assert.equal(choose(new Float32Array(4), 1, () => (2 ** 32 - 1) / 2 ** 32), 3);
  assert.equal(choose(new Float32Array(4), 1, () => 0), 0);
  assert.equal(choose(Float32Array.of(1, 5, 5), 0, () => assert.fail("nothing is drawn")), 1);
});

test("a text with more tokens than a call takes arguments has windows", () => {
  const many = new Array<number>(300_000).fill(7);
  assert.equal(cutWindows(many, 1000, 1).ids.length, 300_000 + 301);
  assert.equal(cutWindows(many, 1_000_000, null).bounds.length, 1);
});
