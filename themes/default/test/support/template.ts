// Prints lit templates without a DOM, so that tests see what a page would show.
import { nothing } from "../../src/core/lit.ts";

interface Template {
  strings: readonly string[];
  values: readonly unknown[];
}

function isTemplate(value: unknown): value is Template {
  return typeof value === "object" && value !== null && "_$litType$" in value;
}

/** A use of lit's `repeat`, in the form that has items, their keys and how to show one. */
interface Directive {
  _$litDirective$: unknown;
  values: readonly unknown[];
}

function isDirective(value: unknown): value is Directive {
  return typeof value === "object" && value !== null && "_$litDirective$" in value;
}

function resultOf({ values }: Directive): unknown[] {
  const [items, , show] = values as [Iterable<unknown>, unknown, (item: unknown, at: number) => unknown];
  return [...items].map(show);
}

/** `text` as lit puts it into a text node or an attribute. */
export function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

/** The HTML that lit would make of `content`; listeners are left out. */
export function printed(content: unknown): string {
  if (content === nothing || content === null || content === undefined) return "";
  if (Array.isArray(content)) return content.map(printed).join("");
  if (isDirective(content)) return printed(resultOf(content));
  if (!isTemplate(content)) return escaped(String(content));
  const { strings, values } = content;
  return values.reduce<string>((html, value, at) => addValue(html, value) + (strings[at + 1] ?? ""), strings[0] ?? "");
}

function addValue(html: string, value: unknown): string {
  const name = /\s([.?@]?)([a-z-]+)=$/i.exec(html);
  if (name === null || html.lastIndexOf("<") < html.lastIndexOf(">")) return html + printed(value);
  const start = html.slice(0, name.index);
  if (value === nothing) return start;
  if (name[1] === "@") return start;
  if (name[1] === "?") return value === true ? `${start} ${name[2] ?? ""}` : start;
  return `${start} ${name[2] ?? ""}="${escaped(String(value))}"`;
}

/** What a reader sees of `content`: no tags, no entities. */
export function textOf(content: unknown): string {
  return printed(content)
    .replace(/<[^>]*>/g, "")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&amp;", "&");
}

/** `textOf` in one line, for content whose white space is free. */
export function lineOf(content: unknown): string {
  return textOf(content).replace(/[ \n]+/g, " ").trim();
}

/** The listeners of all `@type` attributes in `content`, in reading order. */
export function listenersOf(content: unknown, type: string): ((event?: unknown) => void)[] {
  if (Array.isArray(content)) return content.flatMap((part) => listenersOf(part, type));
  if (isDirective(content)) return listenersOf(resultOf(content), type);
  if (!isTemplate(content)) return [];
  return content.values.flatMap((value, at) =>
    typeof value === "function" && content.strings[at]?.endsWith(`@${type}=`) === true
      ? [value as (event?: unknown) => void]
      : listenersOf(value, type),
  );
}
