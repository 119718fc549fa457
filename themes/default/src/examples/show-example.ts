import type { Example, ExampleEffect } from "../payloads.ts";
import { html, nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { decimal, integer } from "../core/numbers.ts";
import { showText } from "../core/show.ts";
import type { FeatureData, Scene } from "../feature/model.ts";
import { copyFrom } from "../frame/copy.ts";
import { showLogitChanges } from "./effects.ts";
import { contextRange } from "./range.ts";
import { showStrip, tellActivation, tellLoss } from "./show-strip.ts";
import type { StripView } from "./show-strip.ts";
import { heatPaints, lossPaints, windowText } from "./strip.ts";
import { SILENT } from "./tabs.ts";

/** Where an example stands among those of its feature. */
export interface Place {
  group: string;
  /** Its number in its group, from 0. */
  rank: number;
}

/** Loss effects of the top example number `rank`; undefined where none were measured, or it is another group. */
export function effectOf({ payload }: FeatureData, { group, rank }: Place): ExampleEffect | undefined {
  return group === "top" ? payload.effects.find((effect) => effect.rank === rank) : undefined;
}

/** The largest loss effect of the feature either way: the end of their colour scale. */
export function lossScale({ payload }: FeatureData): number {
  return Math.max(0, ...payload.effects.flatMap(({ effects }) => effects.map((value) => Math.abs(value ?? 0))));
}

/** One example: its activation, where it is from, its text, and what ablating the feature does to it. */
export function showExample(example: Example, place: Place, scene: Scene): TemplateResult {
  const { data, view } = scene;
  const effect = view.colouring === "loss" ? effectOf(data, place) : undefined;
  const strip: StripView = { context: view.context, spaces: view.spaces, reach: data.reach };
  const { pieces } = data.shard;
  const max = data.payload.max_activation;
  const text =
    effect === undefined
      ? showStrip(example, pieces, heatPaints(example, max), tellActivation(max), strip)
      : showStrip(example, pieces, lossPaints(effect.effects, lossScale(data)), tellLoss, strip);
  const own = windowText(example, pieces, [example.peak, example.peak + 1]);
  return html`<li class="example" data-group=${place.group} data-rank=${place.rank}>
    <div class="example-meta">${showMeta(example, place, scene)}</div>
    <div class="example-text">
      ${text} ${effect === undefined ? nothing : showLogitChanges(effect, data, own)}
    </div>
  </li>`;
}

function showMeta(example: Example, { group }: Place, scene: Scene): TemplateResult {
  const { activation, copies } = example;
  const { shard } = scene.data;
  const value =
    group in SILENT
      ? html`<span class="activation silent">silent</span>`
      : html`<span class="activation" title=${String(activation)}>${decimal(activation)}</span>`;
  const where = `context ${example.context_idx}, position ${example.position}`;
  return html`<div class="example-head">${value} ${showTools(example, scene)}</div>
    <span class="document" title=${where}>${showName(shard.documents[example.document] ?? "")}</span>
    ${copies > 1 ? html`<span class="copies">${equalTexts(copies)}</span>` : nothing}`;
}

/** A name that may break after its slashes. */
function showName(name: string): TemplateResult {
  return html`${name.split(/(?<=\/)/).map((part, at) => [at === 0 ? nothing : html`<wbr />`, showText(part)])}`;
}

/** How many more contexts hold the text, in words. */
export function equalTexts(copies: number): string {
  return copies === 2 ? "and 1 equal text" : `and ${integer(copies - 1)} equal texts`;
}

function showTools(example: Example, { data, view }: Scene): TemplateResult {
  const { pieces } = data.shard;
  const copy = (event: Event) => {
    const range = contextRange(example, pieces, view.context);
    copyFrom(event.currentTarget as HTMLElement, windowText(example, pieces, range));
  };
  return html`<span class="example-tools"
    ><button type="button" title="Copy this text" @click=${copy}>copy</button>
    <button type="button" data-figure="strip" title="This strip as a picture">figure</button></span
  >`;
}
