import type { LightElement } from "../core/element.ts";
import { html } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import type { OpenModel } from "../model/client.ts";
import type { LiveText } from "./live.ts";

/** The field for a reader's own text. */
export interface TextField {
  text: string;
  rows: number;
  /** Classes of its label. */
  label: string;
}

/** The field; every change of it is told. */
export function showTextField({ text, rows, label }: TextField, typed: (text: string) => void): TemplateResult {
  return html`<label class=${label} for="own-text">Your text</label>
    <textarea
      id="own-text"
      rows=${rows}
      spellcheck="false"
      autocomplete="off"
      placeholder="Type or paste a text"
      .value=${text}
      @input=${({ target }: Event) => typed((target as HTMLTextAreaElement).value)}
    ></textarea>`;
}

/** The offer of the model of `sae`: once open it runs `live`, and the reader types on in the field of `host`. */
export function showTextModel(host: LightElement, live: LiveText, sae: string): TemplateResult {
  const use = (model: OpenModel | null) => {
    live.use(model);
    host.requestUpdate();
    if (model !== null) host.querySelector("textarea")?.focus();
  };
  return html`<atlas-model-loader
    .sae=${sae}
    @atlas-model-open=${({ detail }: CustomEvent<OpenModel>) => use(detail)}
    @atlas-model-close=${() => use(null)}
  ></atlas-model-loader>`;
}
