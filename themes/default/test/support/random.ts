/** A source of numbers that look random and are the same every time (mulberry32). */
export class Dice {
  private state: number;

  constructor(seed: number) {
    this.state = seed;
  }

  /** A number in [0, 1). */
  share(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number in [low, high). */
  whole(low: number, high: number): number {
    return low + Math.floor(this.share() * (high - low));
  }

  /** A number in [low, high). */
  between(low: number, high: number): number {
    return low + this.share() * (high - low);
  }

  /** One of `choices`. */
  pick<Choice>(choices: readonly Choice[]): Choice {
    const chosen = choices[this.whole(0, choices.length)];
    if (chosen === undefined) throw new Error("nothing to pick from");
    return chosen;
  }

  /** `count` results of `make`. */
  list<Item>(count: number, make: () => Item): Item[] {
    return Array.from({ length: count }, make);
  }

  /** `items` in another order. */
  shuffled<Item>(items: readonly Item[]): Item[] {
    return items
      .map((item) => [this.share(), item] as const)
      .sort(([a], [b]) => a - b)
      .map(([, item]) => item);
  }

  /** A text of up to `longest` characters of `alphabet`. */
  text(alphabet: readonly string[], longest: number): string {
    return this.list(this.whole(0, longest + 1), () => this.pick(alphabet)).join("");
  }
}

/** Characters that break careless code: markup, quotes, escapes, bidi controls, joiners, combining marks, astral ones. */
export const HOSTILE: readonly string[] = [
  "<", ">", "&", '"', "'", "\\", "`", "${", "</script>", "<img src=x onerror=alert(1)>", "%", "[", "]", "(", ")", "*",
  "+", "-", "/", "|", "^", "$", ".", "?", "{", "}", " ", "\t", "\n", "\r", "\0", "\x7f", "\u202e", "\u2066", "\u200b",
  "\u200d", "\ufeff", "\u00ad", "\u0301", "é", "ß", "İ", "ﬁ", "Ａ", "日", "שלום", "ع", "🤗", "👩‍👩‍👧", "\u{e0041}", "␣", "a",
  "B", "0", "9",
];
