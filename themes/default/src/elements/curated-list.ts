import { define, LightElement } from "../core/element.ts";
import { changeLists, listStore, onListsChange } from "../core/lists.ts";
import type { FeatureList } from "../core/lists.ts";
import { html, nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { link } from "../core/links.ts";
import { showText } from "../core/show.ts";
import { copyText } from "../frame/copy.ts";
import { mergeLists } from "../lists/edit.ts";

/** On the page of a curated list: takes it among the reader's own. */
class CuratedList extends LightElement {
  private said = "";
  private stop: (() => void) | null = null;

  override connectedCallback(): void {
    super.connectedCallback();
    this.stop = onListsChange(() => this.requestUpdate());
    this.dataset["ready"] = "";
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.stop?.();
  }

  /** The list as the page has it. */
  private get list(): FeatureList {
    const { name = "", description = "" } = this.dataset;
    const rows = [...document.querySelectorAll<HTMLElement>(".listed[data-sae]")];
    const features = rows.map(({ dataset: { sae = "", feature = "", note = "" } }) => ({
      sae,
      feature_idx: Number(feature),
      note,
    }));
    return { name, description, features };
  }

  private take(): void {
    changeLists((lists) => mergeLists(lists, [this.list]));
    const { problem } = listStore();
    this.said = problem === "" ? "It is among your lists now." : problem;
    this.requestUpdate();
  }

  private async copyAddress(): Promise<void> {
    const canonical = document.querySelector<HTMLLinkElement>("link[rel=canonical]")?.href;
    const done = await copyText(canonical ?? window.location.href);
    this.said = done ? "Address copied." : "The browser refused; copy the address by hand.";
    this.requestUpdate();
  }

  protected override render(): TemplateResult {
    const isKept = listStore()
      .read()
      .some(({ name }) => name === this.dataset["name"]);
    return html`<div class="lists-tools">
      <button type="button" @click=${() => this.take()}>${isKept ? "Update my copy" : "Copy to my lists"}</button>
      <button type="button" @click=${() => void this.copyAddress()}>Copy its address</button>
      ${isKept ? html`<a href=${link("starred.html")}>Your lists</a>` : nothing}
      <span class="said" role="status">${showText(this.said)}</span>
    </div>`;
  }
}

define("atlas-curated-list", CuratedList);
