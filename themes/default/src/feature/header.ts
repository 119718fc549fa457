import { html, nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { decimal } from "../core/numbers.ts";
import { showText } from "../core/show.ts";
import { copyFrom } from "../frame/copy.ts";
import { badgesOf, firingOf } from "./firing.ts";
import type { Badge } from "./firing.ts";
import { addressOf, numberOf } from "./model.ts";
import type { FeatureData } from "./model.ts";

/** The explanation as headline, and what else is to be known first. */
export function showHeader(data: FeatureData): TemplateResult {
  const { payload, sae } = data;
  const name = `${sae.slug}/${payload.feature_idx}`;
  const copy = (event: Event) => copyFrom(event.currentTarget as HTMLElement, name);
  return html`<h1><bdi>${showHeading(data)}</bdi></h1>
    <div class="chips">
      <button type="button" class="chip id" title="Copy" @click=${copy}>${name}</button>
      ${showSource(data)} ${showFiring(data)} ${badgesOf(data).map((badge) => showBadge(badge, data))}
      <div class="feature-tools"><atlas-star></atlas-star><atlas-cite></atlas-cite><atlas-guide></atlas-guide></div>
    </div>`;
}

function showHeading(data: FeatureData): TemplateResult {
  const { title, feature_idx: feature } = data.payload;
  if (title !== "") return html`${showText(title)}`;
  const dead = numberOf(data, "firing_tokens") === 0 ? ", which never fired" : "";
  return html`Feature ${feature}${dead}`;
}

function showSource({ payload }: FeatureData): TemplateResult {
  const { title, method, score, score_name: measure } = payload;
  if (title === "") return html`<span class="chip"><span class="soft">no explanation</span></span>`;
  const scored =
    score === null
      ? nothing
      : html` <span class="soft">· ${showText(measure === "" ? "score" : measure)}</span>
          <span title=${score}>${decimal(score, 2)}</span>`;
  return html`<span class="chip"><bdi>${showText(method === "" ? "explanation" : method)}</bdi>${scored}</span>`;
}

function showFiring(data: FeatureData): TemplateResult {
  const { phrase, detail, contexts } = firingOf(data);
  const shown = html`${phrase}${detail === "" ? nothing : html` <span class="soft">${detail}</span>`}`;
  if (contexts === "") return html`<span class="chip">${shown}</span>`;
  return html`<span class="chip" tabindex="0" data-tip=${contexts}>${shown}</span>`;
}

function showBadge({ label, doc, feature }: Badge, data: FeatureData): TemplateResult {
  if (feature === null) return html`<span class="chip warn" tabindex="0" data-tip=${doc}>${label}</span>`;
  return html`<a class="chip warn" href=${addressOf(data, feature)} data-tip=${doc}>${label}</a>`;
}
