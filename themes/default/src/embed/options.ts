import type { ViewState } from "../core/state.ts";

/** Parts of a feature page that an embedding page may turn off, by the end of their parameter (`embedplots=false`). */
export const EMBED_PARTS = [
  "explanation",
  "activations",
  "plots",
  "link",
  "test",
  "testfield",
  "steer",
] as const;
export type EmbedPart = (typeof EMBED_PARTS)[number];

/** How a page is shown inside another one. */
export interface EmbedOptions {
  /** Parts that stay away. */
  hidden: EmbedPart[];
  /** Most examples shown; 0 is all. */
  examples: number;
  theme: "auto" | "light" | "dark";
}

const MOST_EXAMPLES = 999;

/** The options in an address; null where the page is not embedded. Parameters have the names Neuronpedia gave them. */
export function embedOptions(state: ViewState): EmbedOptions | null {
  if (state["embed"] !== "true") return null;
  const { theme, examples = "" } = state;
  return {
    hidden: EMBED_PARTS.filter((part) => state[`embed${part}`] === "false"),
    examples: /^\d{1,3}$/.test(examples) ? Math.min(MOST_EXAMPLES, Number(examples)) : 0,
    theme: theme === "light" || theme === "dark" ? theme : "auto",
  };
}

/** Parameters that only matter inside another page: the address without them is the page itself. */
export function isEmbedParameter(name: string): boolean {
  return name === "embed" || name === "theme" || EMBED_PARTS.some((part) => name === `embed${part}`);
}

/** The query that embeds a page with `options`, "?embed=true&…". */
export function embedQuery({ hidden, examples, theme }: EmbedOptions): string {
  const parameters = new URLSearchParams({ embed: "true" });
  for (const part of hidden) parameters.set(`embed${part}`, "false");
  if (theme !== "auto") parameters.set("theme", theme);
  if (examples > 0) parameters.set("examples", String(examples));
  return `?${parameters.toString()}`;
}
