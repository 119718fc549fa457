import { html } from "./lit.ts";
import type { TemplateResult } from "./lit.ts";
import { badges, displayText } from "./text.ts";
import type { Shown } from "./text.ts";

/** Something lit can render inside an element. */
export type Content = string | TemplateResult;

const LINE_END = "\u21b5\n";

/** Data text as text nodes, badges for the invisible, and faint marks at line ends. */
export function showText(text: string, shown: Shown = {}): Content[] {
  return badges(text).flatMap(([kind, run]) =>
    kind === "badge"
      ? [html`<span class="badge" title="invisible character">${run}</span>`]
      : showRun(displayText(run, shown)),
  );
}

function showRun(run: string): Content[] {
  const lines = run.split(LINE_END);
  return lines.flatMap((line, at) =>
    at + 1 < lines.length ? [line, html`<span class="newline">↵</span>`, "\n"] : [line],
  );
}

/** A token on its own: spaces visible, isolated from its neighbours' writing direction. */
export function showToken(token: string): TemplateResult {
  return html`<bdi class="token">${showText(token, { visibleSpaces: true })}</bdi>`;
}

/** `text` with every occurrence of `terms` marked; case does not matter. */
export function showMarked(text: string, terms: readonly string[]): Content[] {
  return cutAt(text, terms).flatMap(([marked, run]) =>
    marked ? [html`<mark>${showText(run)}</mark>`] : showText(run),
  );
}

/** `text` cut into `[is one of terms, run]`; longer terms win. */
export function cutAt(text: string, terms: readonly string[]): [boolean, string][] {
  const wanted = terms.map((term) => term.trim()).filter((term) => term !== "");
  if (wanted.length === 0) return text === "" ? [] : [[false, text]];
  const longestFirst = wanted.sort((a, b) => b.length - a.length);
  const pattern = new RegExp(`(${longestFirst.map(escapePattern).join("|")})`, "giu");
  const runs = text.split(pattern).map((run, at): [boolean, string] => [at % 2 === 1, run]);
  return runs.filter(([, run]) => run !== "");
}

function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, (sign) => `\\u{${sign.charCodeAt(0).toString(16)}}`);
}
