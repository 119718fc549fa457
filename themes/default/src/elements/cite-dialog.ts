import { FORMATS } from "../cite/formats.ts";
import type { Citation } from "../cite/formats.ts";
import { loadFeature, loadSite } from "../core/data.ts";
import { define } from "../core/element.ts";
import { featurePath } from "../core/links.ts";
import { html, nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { messageOf } from "../core/message.ts";
import { page } from "../core/page.ts";
import { EMBED_PARTS, embedQuery } from "../embed/options.ts";
import type { EmbedOptions, EmbedPart } from "../embed/options.ts";
import { iframeSnippet, RESIZE_SNIPPET } from "../embed/snippet.ts";
import { copyText } from "../frame/copy.ts";
import { Modal } from "./modal.ts";

/** Parts of the page that exist to be turned off, with their names for people. */
const PARTS: Partial<Record<EmbedPart, string>> = {
  explanation: "explanation",
  activations: "examples",
  plots: "numbers and plots",
  link: "link to the page",
};
const EMBED = "embed";

/** Ways to cite and embed the page's feature, to copy. */
export class CiteDialog extends Modal {
  private citation: Citation | null = null;
  private hasAddress = true;
  private choice = "bibtex";
  private options: EmbedOptions = { hidden: [], examples: 3, theme: "auto" };
  private said = "";
  private problem = "";

  /** Opens the dialog at a format of `FORMATS` or at "embed". */
  openAt(choice: string): void {
    this.choice = choice;
    this.said = "";
    if (this.citation === null) void this.load();
    this.open();
  }

  private async load(): Promise<void> {
    const { sae, feature } = page();
    const feature_idx = feature ?? 0;
    try {
      const [site, { payload }] = await Promise.all([loadSite(), loadFeature(sae, feature_idx)]);
      const url = this.address(featurePath(sae, feature_idx));
      this.citation = {
        atlas: site.title,
        author: site.author,
        sae,
        feature_idx,
        title: payload.title,
        build: site.build_id,
        url: `${url}?h=${payload.hash}`,
      };
    } catch (error) {
      this.problem = messageOf(error);
    }
    this.requestUpdate();
  }

  /** The page's published address; on a disk without one, its path inside the site. */
  private address(path: string): string {
    const canonical = document.querySelector<HTMLLinkElement>("link[rel=canonical]")?.href;
    if (canonical !== undefined) return canonical;
    this.hasAddress = window.location.protocol !== "file:";
    return this.hasAddress ? window.location.origin + window.location.pathname : path;
  }

  protected override heading(): string {
    return this.choice === EMBED ? "Embed this feature" : "Cite this feature";
  }

  private choose(choice: string): void {
    this.choice = choice;
    this.said = "";
    this.requestUpdate();
  }

  private async copy(text: string, block: Element | null | undefined): Promise<void> {
    const done = await copyText(text);
    if (!done && block != null) window.getSelection()?.selectAllChildren(block);
    this.said = done ? "Copied." : "The browser refused; the text is selected, copy it by hand.";
    this.requestUpdate();
  }

  private showText(text: string, label: string): TemplateResult {
    return html`<div class="to-copy">
      <pre class="block" tabindex="0" aria-label=${label}>${text}</pre>
      <button
        type="button"
        @click=${(event: MouseEvent) =>
          void this.copy(text, (event.currentTarget as Element).previousElementSibling)}
      >
        Copy ${label}
      </button>
    </div>`;
  }

  private showEmbed(citation: Citation): TemplateResult {
    const { options } = this;
    const change = (changes: Partial<EmbedOptions>) => {
      this.options = { ...options, ...changes };
      this.choose(EMBED);
    };
    const turn = (part: EmbedPart) =>
      change({ hidden: EMBED_PARTS.filter((each) => options.hidden.includes(each) !== (each === part)) });
    const url = citation.url.replace(/\?.*$/, "") + embedQuery(options);
    return html`<div class="embed-options">
        ${EMBED_PARTS.filter((part) => part in PARTS).map(
          (part) =>
            html`<label
              ><input type="checkbox" .checked=${!options.hidden.includes(part)} @change=${() => turn(part)} />
              ${PARTS[part]}</label
            >`,
        )}
        <label
          >examples
          <select @change=${(event: Event) => change({ examples: Number((event.target as HTMLSelectElement).value) })}>
            ${[1, 3, 5, 10, 0].map(
              (count) =>
                html`<option value=${count} ?selected=${count === options.examples}>${count === 0 ? "all" : count}</option>`,
            )}
          </select></label
        >
        <label
          >colours
          <select
            @change=${(event: Event) =>
              change({ theme: (event.target as HTMLSelectElement).value as EmbedOptions["theme"] })}
          >
            ${(["auto", "light", "dark"] as const).map(
              (theme) => html`<option ?selected=${theme === options.theme}>${theme}</option>`,
            )}
          </select></label
        >
      </div>
      ${this.showText(iframeSnippet(url, `Feature ${citation.sae}/${citation.feature_idx}`), "the iframe")}
      <details>
        <summary>Fit its height to what it shows</summary>
        <p class="note">Once on the page that embeds it; without it the frame scrolls.</p>
        ${this.showText(RESIZE_SNIPPET, "the script")}
      </details>`;
  }

  private showCitation(citation: Citation): TemplateResult {
    const format = FORMATS.find(({ id }) => id === this.choice) ?? FORMATS[0];
    return html`${format === undefined ? nothing : this.showText(format.write(citation), format.label)}
      <p class="note">
        The address carries a hash of the feature as it is in build <code>${citation.build}</code>. Whoever follows it is told
        whether explanation, examples or numbers have changed since.
      </p>`;
  }

  private showChoices(): TemplateResult {
    const choices = [...FORMATS.map(({ id, label }) => ({ id, label })), { id: EMBED, label: "Embed" }];
    return html`<fieldset class="choices">
      <legend class="visually-hidden">Form</legend>
      ${choices.map(
        ({ id, label }) =>
          html`<label
            ><input type="radio" name="cite-form" ?autofocus=${id === this.choice} .checked=${id === this.choice} @change=${() => this.choose(id)} /><span
              >${label}</span
            ></label
          >`,
      )}
    </fieldset>`;
  }

  protected override content(): TemplateResult {
    const { citation, choice, problem } = this;
    return html`${this.showChoices()}
      ${problem === "" ? nothing : html`<p class="problem" role="alert">${problem}</p>`}
      ${citation === null ? nothing : choice === EMBED ? this.showEmbed(citation) : this.showCitation(citation)}
      ${
        this.hasAddress
          ? nothing
          : html`<p class="note">
              This copy lies on a disk, so the address is only the path inside the atlas. An atlas with
              <code>base_url</code> in its configuration cites its published address from everywhere.
            </p>`
      }
      <p class="said" role="status">${this.said}</p>`;
  }
}

define("atlas-cite-dialog", CiteDialog);

declare global {
  interface HTMLElementTagNameMap {
    "atlas-cite-dialog": CiteDialog;
  }
}
