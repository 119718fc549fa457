import { html, nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { counted, integer } from "../core/numbers.ts";
import { textsOf } from "./session.ts";
import type { Progress } from "./session.ts";
import type { ContrastView, Kind } from "./state.ts";

/** What the form shows. */
export interface FormScene {
  view: ContrastView;
  a: string;
  b: string;
  /** null while nothing is being worked on. */
  progress: Progress | null;
  problem: string;
}

/** What the form can ask for. */
export interface FormActions {
  kind: (kind: Kind) => void;
  typed: (side: "a" | "b", text: string) => void;
  compare: () => void;
  cancel: () => void;
  /** Puts the texts into the address and copies it. */
  share: (button: HTMLElement) => void;
}

const KINDS: readonly [Kind, string][] = [
  ["texts", "two texts"],
  ["lines", "two sets of lines, a text each"],
];

const PLACEHOLDERS: Record<Kind, Record<"a" | "b", string>> = {
  texts: { a: "A text", b: "Another text" },
  lines: { a: "One text a line", b: "One text a line" },
};

/** The two sides, what they are, and the button that compares them. */
export function showForm(scene: FormScene, actions: FormActions): TemplateResult {
  const { view, progress, problem } = scene;
  return html`<form
    class="contrast-form"
    @submit=${(event: Event) => {
      event.preventDefault();
      actions.compare();
    }}
  >
    <div class="choice" role="group" aria-label="What to compare">
      <span>compare</span>
      ${KINDS.map(
        ([kind, label]) =>
          html`<button type="button" aria-pressed=${view.kind === kind ? "true" : "false"} @click=${() => actions.kind(kind)}>
            ${label}
          </button>`,
      )}
    </div>
    <div class="sides">${showSide(scene, actions, "a")} ${showSide(scene, actions, "b")}</div>
    <p class="contrast-buttons">
      <button type="submit" class="tool primary" ?disabled=${progress !== null}>Compare</button>
      <button
        type="button"
        class="tool"
        ?disabled=${scene.a + scene.b === ""}
        @click=${({ currentTarget }: Event) => actions.share(currentTarget as HTMLElement)}
      >
        Copy a link with the texts
      </button>
      ${progress === null ? nothing : showProgress(progress, actions)}
    </p>
    ${problem === "" ? nothing : html`<p class="problem" role="alert">${problem}</p>`}
  </form>`;
}

function showSide(scene: FormScene, actions: FormActions, side: "a" | "b"): TemplateResult {
  const { kind } = scene.view;
  const count = textsOf(scene[side], kind).length;
  return html`<div class="side">
    <label for="contrast-${side}">${kind === "texts" ? "Text" : "Set"} ${side.toUpperCase()}</label>
    ${kind === "texts" ? nothing : html`<span class="soft">${counted(count, "line")}</span>`}
    <textarea
      id="contrast-${side}"
      rows=${kind === "texts" ? 5 : 9}
      spellcheck="false"
      autocomplete="off"
      placeholder=${PLACEHOLDERS[kind][side]}
      .value=${scene[side]}
      @input=${({ target }: Event) => actions.typed(side, (target as HTMLTextAreaElement).value)}
      @keydown=${(event: KeyboardEvent) => {
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) actions.compare();
      }}
    ></textarea>
  </div>`;
}

/** What is being done, in words. */
export function progressText({ doing, done, total }: Progress): string {
  if (doing === "relabellings") return `Relabelling ${integer(done)} of ${integer(total)}`;
  return `Text ${integer(Math.min(done + 1, total))} of ${integer(total)}`;
}

function showProgress(progress: Progress, actions: FormActions): TemplateResult {
  return html`<span class="working">
    <progress max=${progress.total} .value=${progress.done} aria-label="Comparing"></progress>
    <span class="soft" role="status">${progressText(progress)}</span>
    <button type="button" class="tool" @click=${() => actions.cancel()}>Cancel</button>
  </span>`;
}
