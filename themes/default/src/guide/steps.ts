import type { ColumnPayload, SaePayload } from "../payloads.ts";

/** One page of the guide. */
export interface Step {
  title: string;
  sentences: string[];
}

/** A number of the feature page in one sentence. */
export interface Meaning {
  label: string;
  sentence: string;
}

/** The guide's pages, about the SAE at hand. */
export function guideSteps({ hook_name, title }: Pick<SaePayload, "hook_name" | "title">): Step[] {
  const where = hook_name === "" ? "inside the model" : `at ${hook_name}`;
  return [
    {
      title: "A feature is a direction",
      sentences: [
        `While a language model reads, its state ${where} is a long list of numbers. A sparse autoencoder (${title}) was trained to write that state as a sum of few directions out of many: the features.`,
        "A feature has an activation on every token: how much of its direction is in the state there. Nearly always that is zero.",
      ],
    },
    {
      title: "The headline is a guess",
      sentences: [
        "The words on top are an explanation that somebody or something wrote after looking at examples. Beside it stand where it comes from and, if it was tested, how well it predicts.",
        "Believe the examples first.",
      ],
    },
    {
      title: "The examples are the evidence",
      sentences: [
        "Each is a piece of the corpus. The stronger the colour of a token, the stronger the feature there; the underlined token is the one the example was chosen for. Point at a token, or go through them with Tab and the arrow keys, to read values.",
        "The strongest examples flatter. Look at the other tabs too: weaker intervals, chance samples, and texts where one would expect the feature but it stays silent.",
      ],
    },
    {
      title: "The margin has the numbers",
      sentences: [
        "How often and how strongly it fires, which next tokens it makes more or less likely, on which tokens it fires, and which features are like it or fire together with it.",
        "Everything was counted in one pass over one corpus: another corpus gives other numbers. The about page says which.",
      ],
    },
  ];
}

/** The first sentence of what a column's documentation says, for every column that is shown. */
export function numberMeanings(columns: readonly ColumnPayload[]): Meaning[] {
  const shown = columns.filter(({ hidden, doc }) => !hidden && doc !== "");
  return shown.map(({ label, doc }) => ({ label, sentence: firstSentence(doc) }));
}

/** `text` up to its first full stop that ends a sentence; one in a number or an abbreviation does not. */
export function firstSentence(text: string): string {
  const end = /[.!?](?=\s+[A-Z\u201c"(]|\s*$)/u;
  const abbreviation = /\b(?:e\.g|i\.e|cf|vs|approx)\.$/u;
  let reached = 0;
  for (let match = end.exec(text); match !== null; match = end.exec(text.slice(reached))) {
    reached += match.index + 1;
    if (!abbreviation.test(text.slice(0, reached))) return text.slice(0, reached).trim();
  }
  return text.trim();
}
