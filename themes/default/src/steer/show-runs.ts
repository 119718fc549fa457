import { html, nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { decimal, integer, percent } from "../core/numbers.ts";
import { showText, showToken } from "../core/show.ts";
import type { Content } from "../core/show.ts";
import type { Step } from "../model/client.ts";
import { firstDifference, surprise } from "./run.ts";
import type { Continuation, Runs } from "./run.ts";

/** What is done with both continuations. */
export interface RunActions {
  copy: (what: "text" | "json", button: HTMLElement) => void;
}

/** Below these probabilities a token is marked, ever more. */
const BOUNDS: readonly number[] = [0.5, 0.2, 0.05, 0.01];

/** How unlikely a token is, 0 (at least 50 %) to 4 (less than 1 %). */
export function unlikeliness(probability: number): number {
  return BOUNDS.filter((bound) => probability < bound).length;
}

/** Both continuations side by side, and their numbers. */
export function showRuns(runs: Runs, features: readonly number[], actions: RunActions): TemplateResult {
  const { plain, steered } = runs;
  const differ = firstDifference(plain?.steps ?? [], steered?.steps ?? []);
  return html`<section class="section" aria-labelledby="continuations">
    <header><h2 id="continuations">Continuations</h2></header>
    <div class="runs">
      ${showRun("As it is", "plain", plain, -1)} ${showRun("Steered", "steered", steered, differ)}
    </div>
    <p class="note" role="status">${statusOf(runs)}</p>
    ${showLegend()}
    <p class="contrast-buttons">
      ${(["text", "json"] as const).map(
        (what) =>
          html`<button
            type="button"
            class="tool"
            ?disabled=${steered?.done !== true}
            @click=${({ currentTarget }: Event) => actions.copy(what, currentTarget as HTMLElement)}
          >
            Copy as ${what === "text" ? "text" : "JSON"}
          </button>`,
      )}
    </p>
    ${showNumbers(runs, features)}
  </section>`;
}

/** What there is, and how the two compare, in words. */
export function statusOf({ plain, steered }: Runs): string {
  const running = [plain, steered].find((run) => run !== null && !run.done);
  if (running) return `Token ${integer(running.steps.length)} of ${integer(running.task.sampling.tokens)} …`;
  if (plain === null || steered === null) return "Cancelled.";
  if (steered.task.steered.length === 0) return "No feature is steered: both are the same.";
  const at = firstDifference(plain.steps, steered.steps);
  return at < 0 ? "Both are the same, token for token." : `They differ from token ${integer(at + 1)} on.`;
}

function showRun(title: string, name: string, run: Continuation | null, differ: number): TemplateResult {
  const steps = run?.steps ?? [];
  const mean = steps.length === 0 ? nothing : html`<span class="soft">${decimal(surprise(steps), 3)} nats a token</span>`;
  return html`<div class="run" data-run=${name}>
    <h3>${title} ${mean}</h3>
    <pre class="strip" data-rove><span class="run-prompt">${showText(run?.task.prompt ?? "", { newlines: true })}</span>${steps.map(
      (step, at) => showStep(step, at, at === differ),
    )}</pre>
  </div>`;
}

function showStep({ text, probability }: Step, at: number, isFirstOther: boolean): TemplateResult {
  const classes = ["token", `u${unlikeliness(probability)}`, isFirstOther ? "first-other" : ""];
  const tip = `token ${at + 1}: probability ${percent(probability)}${isFirstOther ? "; the first that differs" : ""}`;
  return html`<span class=${classes.join(" ").trim()} data-tip=${tip} tabindex=${at === 0 ? "0" : "-1"}>${showPiece(text)}</span>`;
}

/** A token that completes no character has no text of its own. */
function showPiece(text: string): Content[] {
  return text === "" ? [html`<span class="badge" title="part of a character">·</span>`] : showText(text, { newlines: true });
}

function showLegend(): TemplateResult {
  return html`<p class="legend">
    probability of a token:
    ${[1, ...BOUNDS].map((bound, at) => html`<span class="token u${at}">${at === 0 ? "50\u202f% or more" : `below ${percent(bound, 2)}`}</span> `)}
    · value under the pointer and at the focus; arrow keys walk
  </p>`;
}

function showNumbers({ plain, steered }: Runs, features: readonly number[]): TemplateResult {
  const rows = Math.max(plain?.steps.length ?? 0, steered?.steps.length ?? 0);
  return html`<details class="definitions run-numbers">
    <summary>Token by token</summary>
    <section class="scroll" tabindex="0" aria-label="Table of tokens">
      <table>
        <thead>
          <tr>
            <th scope="col">#</th>
            <th scope="col">as it is</th>
            <th scope="col" class="number">probability</th>
            <th scope="col">steered</th>
            <th scope="col" class="number">probability</th>
            ${features.map((feature) => html`<th scope="col" class="number" title="Activation of feature ${feature} before steering, where the token was chosen">${feature}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${Array.from({ length: rows }, (_, at) => showNumbersOf(at, plain?.steps[at], steered?.steps[at], features))}
        </tbody>
      </table>
    </section>
  </details>`;
}

function showNumbersOf(
  at: number,
  plain: Step | undefined,
  steered: Step | undefined,
  features: readonly number[],
): TemplateResult {
  const token = (step: Step | undefined) => (step === undefined ? nothing : showToken(step.text));
  const share = (step: Step | undefined) =>
    step === undefined ? html`<td></td>` : html`<td class="number" title=${step.probability}>${percent(step.probability)}</td>`;
  return html`<tr>
    <th scope="row">${at + 1}</th>
    <td>${token(plain)}</td>
    ${share(plain)}
    <td>${token(steered)}</td>
    ${share(steered)}
    ${features.map((_, place) => {
      const measured = steered?.measured[place];
      return measured === undefined ? html`<td></td>` : html`<td class="number" title=${measured}>${decimal(measured)}</td>`;
    })}
  </tr>`;
}
