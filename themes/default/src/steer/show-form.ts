import { showTitle } from "../core/hit-view.ts";
import { featurePath, link } from "../core/links.ts";
import { html, nothing, repeat } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { decimal } from "../core/numbers.ts";
import type { FeatureRow } from "../core/rows.ts";
import { inlineText } from "../core/text.ts";
import type { Sampling } from "../model/client.ts";
import { MOST_CHOSEN, STRONGEST, withMode, withStrength } from "./chosen.ts";
import type { Chosen, Mode } from "./chosen.ts";
import { HOTTEST, LAST_SEED, MOST_TOKENS } from "./state.ts";

/** Range of the slider, narrower than what can be typed. */
const SLIDER = 5;

const MODES: readonly [Mode, string][] = [
  ["add", "add"],
  ["clamp", "clamp to"],
  ["ablate", "ablate"],
];

/** The steered features, as the form shows them. */
export interface ChosenScene {
  sae: string;
  chosen: readonly Chosen[];
  /** Largest activation of a feature; NaN until it has arrived. */
  maxOf: (feature: number) => number;
  titleOf: (feature: number) => FeatureRow | undefined;
  /** The reader's lists that hold features of this SAE, with their numbers. */
  lists: readonly { name: string; features: readonly number[] }[];
}

/** What can be done with them. */
export interface ChosenActions {
  change: (chosen: Chosen) => void;
  remove: (feature: number) => void;
  add: (features: readonly number[]) => void;
}

/** Every steered feature with its mode and strength, and the ways to add more. */
export function showChosen(scene: ChosenScene, actions: ChosenActions): TemplateResult {
  const { chosen, sae } = scene;
  const isFull = chosen.length >= MOST_CHOSEN;
  return html`<fieldset class="steered">
    <legend>Features</legend>
    ${chosen.length === 0 ? html`<p class="note">Choose one or more features to steer.</p>` : nothing}
    <ul>
      ${repeat(
        chosen,
        ({ feature }) => feature,
        (item) => showItem(scene, actions, item),
      )}
    </ul>
    ${
      isFull
        ? html`<p class="note">No more than ${MOST_CHOSEN} features at once.</p>`
        : html`<atlas-feature-picker
            .sae=${sae}
            .label=${"Add a feature"}
            @atlas-pick=${({ detail }: CustomEvent<number>) => actions.add([detail])}
          ></atlas-feature-picker>`
    }
    ${isFull || scene.lists.length === 0 ? nothing : showLists(scene, actions)}
  </fieldset>`;
}

function showItem({ sae, maxOf, titleOf }: ChosenScene, actions: ChosenActions, item: Chosen): TemplateResult {
  const { feature, mode, strength } = item;
  const choose = ({ target }: Event) => actions.change(withMode(item, (target as HTMLSelectElement).value as Mode));
  return html`<li data-feature=${feature}>
    <span class="steered-name"
      ><a href=${link(featurePath(sae, feature))}><bdi>${showTitle(titleOf(feature))}</bdi></a>
      <code class="soft">${feature}</code></span
    >
    <span class="steered-how">
      <select aria-label="What is done to feature ${feature}" @change=${choose}>
        ${MODES.map(([value, label]) => html`<option value=${value} ?selected=${value === mode}>${label}</option>`)}
      </select>
      ${mode === "ablate" ? html`<span class="soft">set to 0</span>` : showStrength(item, actions)}
      ${mode === "ablate" ? nothing : html`<span class="soft">${inUnits(strength, maxOf(feature))}</span>`}
      <button type="button" class="sign" aria-label="Steer feature ${feature} no more" @click=${() => actions.remove(feature)}>✕</button>
    </span>
  </li>`;
}

function showStrength(item: Chosen, actions: ChosenActions): TemplateResult {
  const { feature, mode, strength } = item;
  const least = mode === "clamp" ? 0 : -1;
  const typed = ({ target }: Event) => {
    const input = target as HTMLInputElement;
    const next = withStrength(item, input.valueAsNumber);
    // A number out of bounds may leave the strength as it is: then nothing draws the field again.
    input.valueAsNumber = next.strength;
    actions.change(next);
  };
  return html`<input
      type="range"
      min=${least * SLIDER}
      max=${SLIDER}
      step="0.1"
      aria-label="Strength of feature ${feature}, times its maximum"
      .value=${String(strength)}
      @input=${typed}
    />
    <input
      type="number"
      class="number"
      min=${least * STRONGEST}
      max=${STRONGEST}
      step="any"
      aria-label="Strength of feature ${feature} in figures, times its maximum"
      .value=${String(strength)}
      @change=${typed}
    />`;
}

/** What a strength is in units of activation. */
function inUnits(strength: number, max: number): string {
  if (Number.isNaN(max)) return "× max";
  return max > 0 ? `× max ${decimal(max, 3)} = ${decimal(strength * max, 3)}` : "× max 0: it never fired, so this changes nothing";
}

function showLists({ lists }: ChosenScene, actions: ChosenActions): TemplateResult {
  const add = ({ currentTarget }: Event) => {
    const select = (currentTarget as HTMLElement).parentElement?.querySelector("select");
    actions.add(lists[select?.selectedIndex ?? 0]?.features ?? []);
  };
  return html`<p class="steered-lists">
    <label class="pick"
      ><span>your list</span>
      <select>
        ${lists.map(({ name, features }) => html`<option>${inlineText(name)} (${features.length})</option>`)}
      </select></label
    >
    <button type="button" class="tool" @click=${add}>Add its features</button>
  </p>`;
}

/** The prompt, and how it is continued. */
export interface PromptScene {
  prompt: string;
  sampling: Sampling;
  /** Whether continuations are on their way. */
  busy: boolean;
  problem: string;
  /** What the reader must know of how the prompt was read; "" for nothing. */
  notice: string;
}

/** What the prompt's part of the form can ask for. */
export interface PromptActions {
  typed: (prompt: string) => void;
  sample: (changes: Partial<Sampling>) => void;
  run: () => void;
  cancel: () => void;
  share: (button: HTMLElement) => void;
}

/** Prompt, length, temperature, seed, and the button that runs both continuations. */
export function showPrompt(scene: PromptScene, actions: PromptActions): TemplateResult {
  const { prompt, busy, problem, notice } = scene;
  return html`<div class="steer-prompt">
    <label for="steer-prompt">Prompt</label>
    <textarea
      id="steer-prompt"
      rows="4"
      spellcheck="false"
      autocomplete="off"
      placeholder="The beginning of a text, which the model goes on with"
      .value=${prompt}
      @input=${({ target }: Event) => actions.typed((target as HTMLTextAreaElement).value)}
      @keydown=${(event: KeyboardEvent) => {
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) actions.run();
      }}
    ></textarea>
    <p class="steer-sampling">${showSampling(scene, actions)}</p>
    <p class="contrast-buttons">
      <button type="button" class="tool primary" ?disabled=${busy} @click=${() => actions.run()}>Run both</button>
      ${busy ? html`<button type="button" class="tool" @click=${() => actions.cancel()}>Cancel</button>` : nothing}
      <button
        type="button"
        class="tool"
        ?disabled=${prompt === ""}
        @click=${({ currentTarget }: Event) => actions.share(currentTarget as HTMLElement)}
      >
        Copy a link with the prompt
      </button>
    </p>
    ${problem === "" ? nothing : html`<p class="problem" role="alert">${problem}</p>`}
    ${notice === "" ? nothing : html`<p class="text-notice">${notice}</p>`}
  </div>`;
}

function showSampling({ sampling }: PromptScene, { sample }: PromptActions): TemplateResult {
  const { tokens, temperature, seed } = sampling;
  const isGreedy = temperature === 0;
  const chosen = ({ target }: Event) => sample({ temperature: (target as HTMLSelectElement).value === "greedy" ? 0 : 1 });
  return html`${showNumber("tokens", tokens, [1, MOST_TOKENS], "1", (value) => sample({ tokens: value }))}
    <label class="pick"
      ><span>each</span>
      <select @change=${chosen}>
        <option value="greedy" ?selected=${isGreedy}>the most likely (greedy)</option>
        <option value="drawn" ?selected=${!isGreedy}>drawn at random</option>
      </select></label
    >
    ${
      isGreedy
        ? nothing
        : html`${showNumber("temperature", temperature, [0, HOTTEST], "any", (value) => sample({ temperature: value }))}
            ${showNumber("seed", seed, [0, LAST_SEED], "1", (value) => sample({ seed: value }))}`
    }`;
}

function showNumber(
  label: string,
  value: number,
  [least, most]: readonly [number, number],
  step: string,
  change: (value: number) => void,
): TemplateResult {
  const typed = ({ target }: Event) => {
    const input = target as HTMLInputElement;
    if (Number.isNaN(input.valueAsNumber)) input.valueAsNumber = value;
    else change(input.valueAsNumber);
  };
  return html`<label class="pick"
    ><span>${label}</span>
    <input type="number" min=${least} max=${most} step=${step} .value=${String(value)} @change=${typed} /></label
  >`;
}
