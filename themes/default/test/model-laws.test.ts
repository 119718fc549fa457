import assert from "node:assert/strict";
import { test } from "node:test";
import { groupPieces, type Spelt, TextStream } from "../src/model/characters.ts";
import { halfOf } from "../src/model/directions.ts";
import { choose, mulberry32, probability } from "../src/model/sampling.ts";
import { cutWindows, wellFormed } from "../src/model/windows.ts";
import { Dice, HOSTILE } from "./support/random.ts";

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** `bytes` cut at random places, empty tokens included. */
function cutAtRandom(bytes: Uint8Array, dice: Dice): Uint8Array[] {
  const cuts = dice.list(dice.whole(0, 12), () => dice.whole(0, bytes.length + 1)).sort((a, b) => a - b);
  return [...cuts, bytes.length].map((stop, at) => bytes.slice(at === 0 ? 0 : cuts[at - 1], stop));
}

test("pieces cover all tokens in order, and hold the text however it was cut", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const dice = new Dice(seed);
    const text = dice.text(HOSTILE, 12);
    const tokens = cutAtRandom(new TextEncoder().encode(text), dice);
    const pieces = groupPieces(tokens);
    assert.equal(pieces.map((piece) => piece.text).join(""), text);
    let reached = 0;
    for (const { start, stop } of pieces) {
      assert.equal(start, reached);
      assert.ok(stop > start);
      reached = stop;
    }
    assert.equal(reached, tokens.length);
  }
});

test("a piece has no more tokens than its characters need", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const dice = new Dice(seed);
    const tokens = cutAtRandom(new TextEncoder().encode(dice.text(HOSTILE, 12)), dice);
    for (const { start, stop } of groupPieces(tokens))
      for (let end = start + 1; end < stop; end++) {
        const some = Buffer.concat(tokens.slice(start, end));
        assert.throws(() => strict.decode(some), "the piece could have ended before");
      }
  }
});

test("bytes that are no text never fail, and are all told", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const dice = new Dice(seed);
    const bytes = Uint8Array.from(dice.list(dice.whole(1, 30), () => dice.whole(0x80, 0x100)));
    const tokens: Spelt[] = cutAtRandom(bytes, dice);
    const pieces = groupPieces(tokens).map((piece) => piece.text).join("");
    const stream = new TextStream();
    const told = tokens.map((token, at) => stream.push(token, at === tokens.length - 1)).join("");
    assert.equal(told, pieces);
    assert.ok(!pieces.includes("\ufffd"));
  }
});

test("no character reaches across a special token", () => {
  const [first, rest] = [Uint8Array.of(0xe6), Uint8Array.of(0x97, 0xa5)];
  const pieces = groupPieces([first, "<end>", rest, first, rest]);
  assert.deepEqual(
    pieces.map(({ text, special }) => [text, special]),
    [
      ["<0xE6>", false],
      ["<end>", true],
      ["<0x97><0xA5>", false],
      ["日", false],
    ],
  );
});

test("windows hold every token once, in order, and are full but for the last", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const dice = new Dice(seed);
    const own = dice.list(dice.whole(0, 60), () => dice.whole(0, 1000));
    const size = dice.whole(2, 20);
    const mark = dice.pick([null, 5]);
    const { ids, bos, bounds } = cutWindows(own, size, mark);
    assert.deepEqual(ids.filter((_, at) => bos[at] === false), own);
    assert.ok(ids.every((id, at) => bos[at] === false || id === mark));
    assert.equal(bos.filter(Boolean).length, mark === null ? 0 : bounds.length);
    let reached = 0;
    for (const [at, [start, stop]] of bounds.entries()) {
      assert.equal(start, reached);
      assert.ok(at === bounds.length - 1 ? stop - start <= size : stop - start === size);
      reached = stop;
    }
    assert.equal(reached, ids.length);
  }
});

test("mended text is valid, as long as before, and is not mended twice", () => {
  const units = [...HOSTILE, "\ud800", "\udbff", "\udc00", "\udfff"];
  for (let seed = 1; seed <= 300; seed++) {
    const text = new Dice(seed).text(units, 20);
    const { text: mended, replaced } = wellFormed(text);
    assert.equal(mended.length, text.length);
    assert.deepEqual(wellFormed(mended), { text: mended, replaced: 0 });
    assert.equal([...text].filter((each) => /^\p{Surrogate}$/u.test(each)).length, replaced);
    if (replaced === 0) assert.equal(mended, text);
  }
});

test("tokens are drawn as often as their probabilities say, and impossible ones never", () => {
  const logits = Float32Array.of(0, 1, -Infinity, 2, -1);
  const draw = mulberry32(1);
  const counts = [0, 0, 0, 0, 0];
  const draws = 20_000;
  for (let time = 0; time < draws; time++) {
    const id = choose(logits, 1, draw);
    counts[id] = (counts[id] ?? 0) + 1;
  }
  assert.equal(counts[2], 0);
  const total = [0, 1, 2, 3, 4].map((id) => probability(logits, id));
  assert.ok(Math.abs(total.reduce((sum, share) => sum + share, 0) - 1) < 1e-12);
  for (const [id, share] of total.entries()) assert.ok(Math.abs((counts[id] ?? 0) / draws - share) < 0.015, `token ${id}`);
});

test("the colder, the likelier the likeliest; logits may be shifted", () => {
  for (let seed = 1; seed <= 100; seed++) {
    const dice = new Dice(seed);
    const logits = Float32Array.from(dice.shuffled(Array.from({ length: 40 }, (_, at) => at - 20)));
    assert.equal(choose(logits, 1e-3, mulberry32(seed)), choose(logits, 0, () => 0));
    const shifted = logits.map((logit) => logit + 64);
    assert.equal(choose(shifted, 2, mulberry32(seed)), choose(logits, 2, mulberry32(seed)));
  }
});

test("half-precision numbers grow with their bits, and have a sign", () => {
  for (let bits = 1; bits < 0x7c00; bits++) {
    assert.ok(halfOf(bits) > halfOf(bits - 1));
    assert.equal(halfOf(bits | 0x8000), -halfOf(bits));
  }
});
