import { page } from "../core/page.ts";
import { inLight, readHistogram, readPalette, readStrip, sourceLine } from "./read.ts";
import { histogramSvg, stripSvg } from "./svg.ts";

/** A figure to be saved. */
export interface Figure {
  /** Name of its file. */
  name: string;
  svg: string;
}

/** The figure that a `[data-figure]` button stands beside; null where there is nothing to draw. */
export async function figureOf(button: HTMLElement): Promise<Figure | null> {
  const from = await sourceLine();
  const isStrip = button.dataset["figure"] === "strip";
  return inLight(() => (isStrip ? stripFigure(button, from) : histogramFigure(button, from)));
}

function stripFigure(button: HTMLElement, from: string): Figure | null {
  const example = button.closest<HTMLElement>("li.example");
  const strip = example?.querySelector(".strip") ?? null;
  if (example === null || strip === null) return null;
  const { group = "example", rank = "0" } = example.dataset;
  const value = example.querySelector(".activation")?.textContent?.trim() ?? "";
  const source = example.querySelector(".document")?.textContent?.trim() ?? "";
  const about = value === "silent" ? value : `activation ${value}`;
  const caption = { title: "", source: [[about, source].filter(Boolean).join(" · "), from] };
  return {
    name: fileName(`${group}-${Number(rank) + 1}`),
    svg: stripSvg(readStrip(strip), caption, readPalette()),
  };
}

function histogramFigure(button: HTMLElement, from: string): Figure | null {
  const card = button.closest(".card, section");
  const figure = button.closest("figure") ?? card?.querySelector("figure.histogram") ?? null;
  if (figure === null) return null;
  const title = card?.querySelector("h2, h3")?.firstChild?.parentElement?.textContent?.trim() ?? "";
  const histogram = readHistogram(figure, title.replace(/\s+/gu, " "), from);
  const id = card?.id === undefined || card.id === "" ? "histogram" : card.id;
  return histogram === null ? null : { name: fileName(id), svg: histogramSvg(histogram, readPalette()) };
}

function fileName(part: string): string {
  const { sae, feature } = page();
  return `${sae}-${feature ?? 0}-${part.replace(/[^a-z0-9-]+/gi, "-")}.svg`;
}
