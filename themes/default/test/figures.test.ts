import assert from "node:assert/strict";
import { test } from "node:test";
import { columnsOf, histogramSvg, layOut, readColour, stripSvg, xml } from "../src/figures/svg.ts";
import type { Colour, FigureRun, Histogram, Palette } from "../src/figures/svg.ts";
import { Dice, HOSTILE } from "./support/random.ts";

const colour = (hex: string, alpha = 1): Colour => ({ hex, alpha });
const palette: Palette = { paper: colour("#ffffff"), ink: colour("#1c1f24"), soft: colour("#5c636e") };
const run = (text: string, heat: Colour | null = null, line: Colour | null = null): FigureRun => ({
  text,
  colour: palette.ink,
  heat,
  line,
});
const ember = colour("#e8590c", 0.78);
const caption = { title: "", source: ["alpha/5", "a build"] };

/** The one style of a picture: numbers only. */
const SHEET = /^<style>@page \{ size: \d+(?:\.\d+)?px \d+(?:\.\d+)?px; margin: 0; \}<\/style>$/m;

/** Names of elements and the text of a picture; throws where it is not well-formed. */
function read(svg: string): { elements: string[]; text: string } {
  const open: string[] = [];
  const elements: string[] = [];
  let text = "";
  const token = /<(\/?)([a-z]+)((?: [\w:-]+="[^"<>]*")*)(\/?)>|([^<]+)/gy;
  let reached = 0;
  for (let match = token.exec(svg); match !== null; match = token.exec(svg)) {
    reached = token.lastIndex;
    const [, close, name = "", , alone, chars] = match;
    if (chars !== undefined) {
      assert.doesNotMatch(chars, /[<>]|&(?!(?:amp|lt|gt|quot|#39);)/);
      text += chars;
    } else if (close === "/") assert.equal(open.pop(), name);
    else {
      elements.push(name);
      if (alone !== "/") open.push(name);
    }
  }
  assert.equal(reached, svg.length, svg.slice(reached, reached + 80));
  assert.deepEqual(open, []);
  return { elements, text };
}

const unescape = (text: string) =>
  text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&quot;", '"').replaceAll("&#39;", "'").replaceAll("&amp;", "&");

test("XML holds any text, and what it cannot hold is a replacement character", () => {
  assert.equal(xml(`<a b="c">&'`), "&lt;a b=&quot;c&quot;&gt;&amp;&#39;");
  assert.equal(xml("a\0b\ud800c\u{1f917}"), "a\ufffdb\ufffdc\u{1f917}");
});

test("wide characters take two columns, marks none", () => {
  assert.deepEqual(["a", "日", "🤗", "\u0301", "é", "\u200d"].map(columnsOf), [1, 2, 2, 0, 1, 0]);
});

test("lines break at newlines and where they are full; every character stays", () => {
  const lines = layOut([run("ab\ncdefg", ember), run("h\ti")], 4);
  const shown = lines.map((line) => line.map(({ text }) => text).join(""));
  assert.deepEqual(shown, ["ab", "cdef", "gh  ", "i"]);
  assert.deepEqual(layOut([], 4), [[]]);
  const dice = new Dice(4);
  for (let round = 0; round < 500; round += 1) {
    const runs = dice.list(dice.whole(0, 8), () => run(dice.text(HOSTILE, 10), dice.pick([null, ember])));
    const columns = dice.whole(4, 30);
    const laid = layOut(runs, columns);
    for (const line of laid) {
      let reached = 0;
      for (const span of line) {
        assert.equal(span.column, reached);
        reached += span.width;
      }
      assert.ok(reached <= columns);
    }
    const plain = (text: string) => text.replace(/[\s]/gu, "");
    assert.equal(plain(laid.flat().map(({ text }) => text).join("")), plain(runs.map(({ text }) => text).join("")));
  }
});

test("tokens of one colour beside each other stay two", () => {
  assert.equal(layOut([run("a", ember), run("b", ember)], 9)[0]?.length, 2);
});

test("a strip is well-formed, needs nothing else, and has all its text, whatever the text", () => {
  const dice = new Dice(6);
  for (let round = 0; round < 300; round += 1) {
    const runs = dice.list(dice.whole(1, 9), () =>
      run(dice.text(HOSTILE, 12), dice.pick([null, ember]), dice.pick([null, colour("#a63c00")])),
    );
    const svg = stripSvg(runs, { title: dice.text(HOSTILE, 9), source: [dice.text(HOSTILE, 9)] }, palette);
    const { elements, text } = read(svg);
    assert.ok(elements.every((name) => ["svg", "style", "rect", "text"].includes(name)));
    assert.doesNotMatch(svg.replace(SHEET, ""), /href|url\(|<style|<script|<image|@import|data:/);
    for (const { text: wanted } of runs) {
      for (const word of wanted.split(/[\s\0]+/u)) {
        // A word may be broken over two lines; its characters stay in order.
        const letters = [...word].filter((letter) => !/[\u0000-\u001f\ufffe\uffff]/u.test(letter));
        assert.ok(letters.every((letter) => unescape(text).includes(letter)), word);
      }
    }
  }
});

test("a figure is printed on a page of its own size", () => {
  for (const svg of [stripSvg([run("if")], caption, palette), histogramSvg(histogram, palette)]) {
    const [, width, height] = /width="([\d.]+)" height="([\d.]+)"/.exec(svg) ?? [];
    assert.ok(SHEET.exec(svg)?.[0].includes(`size: ${width}px ${height}px;`));
  }
});

test("heat lies behind its text, the peak is underlined, and widths hold in any font", () => {
  const svg = stripSvg([run("if "), run("raise", ember, colour("#a63c00")), run(" x")], caption, palette);
  assert.match(svg, /<rect x="37\.4" y="15" width="39" height="18" rx="1\.5" fill="#e8590c" fill-opacity="0\.78"\/>/);
  assert.match(svg, /<rect x="37\.4" y="31" width="39" height="2" rx="1\.5" fill="#a63c00"\/>/);
  assert.match(svg, /textLength="39" lengthAdjust="spacingAndGlyphs"[^>]*>raise</);
  assert.ok(svg.includes("monospace"));
});

const histogram: Histogram = {
  title: "Activations <1>",
  source: ["alpha/5"],
  axis: "activation",
  width: 100,
  height: 50,
  ticks: [
    { text: "0", at: 0 },
    { text: "7", at: 0.5 },
    { text: "14", at: 1 },
  ],
  bars: [
    { x: 0, y: 0, width: 10, height: 50, colour: colour("#888888") },
    { x: 50, y: 25, width: 10, height: 25, colour: colour("#e8590c", 0.85) },
  ],
};

test("a histogram keeps the page's proportions and colours", () => {
  const svg = histogramSvg(histogram, palette);
  const { elements, text } = read(svg);
  assert.equal(elements.filter((name) => name === "rect").length, 3);
  assert.match(svg, /<rect x="14" y="39" width="48" height="150" fill="#888888"\/>/);
  assert.match(svg, /<rect x="254" y="114" width="48" height="75" fill="#e8590c" fill-opacity="0\.85"\/>/);
  assert.match(svg, /text-anchor="end"[^>]*>14</);
  assert.ok(text.includes("Activations &lt;1&gt;"));
  assert.doesNotThrow(() => read(histogramSvg({ ...histogram, bars: [], ticks: [], width: 0, height: 0 }, palette)));
});

test("computed colours are read in every form that browsers write", () => {
  assert.deepEqual(readColour("rgb(232, 89, 12)"), colour("#e8590c"));
  assert.deepEqual(readColour("rgba(232, 89, 12, 0.5)"), colour("#e8590c", 0.5));
  assert.deepEqual(readColour("rgb(232 89 12 / 50%)"), colour("#e8590c", 0.5));
  assert.deepEqual(readColour("color(srgb 1 0 0.5 / 0.25)"), colour("#ff0080", 0.25));
  assert.deepEqual(readColour("color(srgb 1 0 0)"), colour("#ff0000"));
  for (const none of ["rgba(0, 0, 0, 0)", "transparent", "", "none", "lab(1 2 3)"]) assert.equal(readColour(none), null);
});
