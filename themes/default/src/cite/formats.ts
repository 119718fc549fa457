import { inlineText } from "../core/text.ts";

/** What a citation of a feature says. All text as it is, not escaped. */
export interface Citation {
  /** Name of the atlas. */
  atlas: string;
  /** Who made it; "" where nobody is named. */
  author: string;
  /** Slug of the SAE. */
  sae: string;
  feature_idx: number;
  /** The feature's explanation; "" where it has none. */
  title: string;
  /** Build id of the atlas. */
  build: string;
  /** Address of the feature's page with `?h=` and the hash of its content. */
  url: string;
}

/** A way to cite. */
export interface Format {
  id: string;
  label: string;
  write(citation: Citation): string;
}

/** All ways, in the order they are offered. */
export const FORMATS: readonly Format[] = [
  { id: "bibtex", label: "BibTeX", write: bibtex },
  { id: "latex", label: "LaTeX \\href", write: latex },
  { id: "markdown", label: "Markdown", write: markdown },
  { id: "plain", label: "Plain text", write: plain },
];

const LATEX: Record<string, string> = {
  "\\": "\\textbackslash{}",
  "{": "\\{",
  "}": "\\}",
  "%": "\\%",
  "#": "\\#",
  $: "\\$",
  "&": "\\&",
  _: "\\_",
  "~": "\\textasciitilde{}",
  "^": "\\textasciicircum{}",
  "<": "\\textless{}",
  ">": "\\textgreater{}",
  "|": "\\textbar{}",
  '"': "\\textquotedbl{}",
};

/** `text` for LaTeX: one visible line whose special characters print as they are. */
export function latexText(text: string): string {
  return line(text).replace(/[\\{}%#$&_~^<>|"]/g, (sign) => LATEX[sign] ?? sign);
}

/** `text` for a field of BibTeX: as LaTeX, with braces that pair even where a program counts escaped ones. */
export function bibtexText(text: string): string {
  return latexText(line(text).replaceAll("{", "(").replaceAll("}", ")"));
}

/** `url` for `\href` and `\url`, also inside another command's argument: nothing but signs that LaTeX takes there. */
export function latexUrl(url: string): string {
  return encoded(url).replaceAll("$", "%24").replaceAll("~", "%7E").replace(/[%#&_]/g, (sign) => `\\${sign}`);
}

/** `text` for Markdown: no sign of it starts a link, an emphasis, code or an element. */
export function markdownText(text: string): string {
  return line(text).replace(/[\\`*_{}[\]()<>#+!|~&$^=-]/g, (sign) => `\\${sign}`);
}

/** `url` between the angle brackets or brackets of Markdown. */
export function markdownUrl(url: string): string {
  return encoded(url).replaceAll("(", "%28").replaceAll(")", "%29");
}

/** One line of visible characters. */
function line(text: string): string {
  return inlineText(text.replace(/\s+/gu, " ").trim());
}

/** `url` in ASCII without spaces, quotes, brackets and backslashes. */
function encoded(url: string): string {
  const strange = /[^\x21-\x7e]|["'<>\\^`{|}]/gu;
  return url.replace(strange, (sign) =>
    Array.from(new TextEncoder().encode(sign), (byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join(""),
  );
}

/** `slug/12`, the way this site writes a feature. */
export function featureName({ sae, feature_idx }: Pick<Citation, "sae" | "feature_idx">): string {
  return `${sae}/${feature_idx}`;
}

function bibtex(citation: Citation): string {
  const { sae, feature_idx, build, title, atlas, author } = citation;
  const name = featureName(citation);
  const lines = [
    `@misc{atlas-${sae}-${feature_idx}-${build.slice(0, 6)},`,
    `  title        = {{Feature ${name}${title === "" ? "" : `: ${bibtexText(title)}`}}},`,
  ];
  // Braces around the whole: "and" and commas in the name of a group are not for BibTeX to read.
  if (author !== "") lines.push(`  author       = {{${bibtexText(author)}}},`);
  lines.push(
    `  howpublished = {${bibtexText(atlas)}, Feature Atlas build ${build}},`,
    `  url          = {${encoded(citation.url)}}`,
    "}",
  );
  return lines.join("\n");
}

function latex(citation: Citation): string {
  const { title, url } = citation;
  const name = `feature~\\texttt{${latexText(featureName(citation))}}`;
  return `\\href{${latexUrl(url)}}{${name}${title === "" ? "" : ` (${latexText(title)})`}}`;
}

function markdown(citation: Citation): string {
  const { title, url } = citation;
  const name = `feature ${markdownText(featureName(citation))}`;
  return `[${name}${title === "" ? "" : `: ${markdownText(title)}`}](${markdownUrl(url)})`;
}

function plain(citation: Citation): string {
  const { title, author, atlas, build, url } = citation;
  const by = author === "" ? "" : `${line(author)}. `;
  const what = `Feature ${featureName(citation)}${title === "" ? "" : `: ${line(title)}`}`;
  return `${by}${what}. ${line(atlas)}, Feature Atlas build ${build}. ${encoded(url)}`;
}
