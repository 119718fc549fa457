import { define, LightElement } from "../core/element.ts";
import { fileText } from "../core/lists.ts";
import type { FeatureList } from "../core/lists.ts";
import { html, nothing, repeat } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { integer } from "../core/numbers.ts";
import { page } from "../core/page.ts";
import { showText } from "../core/show.ts";
import { writeState } from "../core/state.ts";
import { download } from "../feature/download.ts";
import { SAFE_ADDRESS } from "../frame/address.ts";
import { copyText } from "../frame/copy.ts";
import { LONGEST_NAME, LONGEST_NOTE } from "../lists/check.ts";
import type { Desk } from "../lists/desk.ts";
import {
  describeList,
  dropFeature,
  moveFeature,
  moveList,
  removeList,
  renameList,
  writeNote,
} from "../lists/edit.ts";
import type { Rows } from "../lists/rows.ts";
import { packList } from "../lists/share.ts";
import { moveByKey, showRow } from "../lists/show-row.ts";
import type { RowActions } from "../lists/show-row.ts";

const ROWS = 200;

/** One of the reader's lists, to be read, annotated, put in order and passed on. */
class ReaderList extends LightElement {
  private shown: FeatureList = { name: "", description: "", features: [] };
  private most = ROWS;
  private renaming = false;
  private address = "";
  private said = "";
  private known: Rows | null = null;
  private stop: (() => void) | null = null;
  /** Changes the kept lists. */
  desk: Desk | null = null;

  /** What is known of the features. */
  set rows(rows: Rows) {
    this.stop?.();
    this.known = rows;
    this.stop = rows.onArrival(() => this.requestUpdate());
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.stop?.();
  }

  /** The list. */
  set list(list: FeatureList) {
    if (list.name !== this.shown.name) {
      this.most = ROWS;
      this.renaming = false;
    }
    if (list !== this.shown) this.address = this.said = "";
    this.shown = list;
    this.requestUpdate();
  }

  private rename(event: SubmitEvent): void {
    event.preventDefault();
    const { name } = this.shown;
    const typed = this.querySelector<HTMLInputElement>(".rename input")?.value ?? "";
    this.renaming = false;
    this.desk?.change(`“${name}” was renamed.`, (lists) => {
      const at = lists.findIndex((list) => list.name === name);
      const renamed = renameList(lists, name, typed);
      writeState({ list: renamed[at]?.name ?? "" });
      return renamed;
    });
    this.requestUpdate();
  }

  private startRenaming(): void {
    this.renaming = true;
    this.requestUpdate();
    void this.updateComplete.then(() => this.querySelector<HTMLInputElement>(".rename input")?.select());
  }

  private actions(): RowActions {
    const { name } = this.shown;
    const change = (what: string, ...rest: [Parameters<Desk["change"]>[1], string?]) => {
      this.desk?.change(what, ...rest);
      this.requestUpdate();
    };
    return {
      move: (feature, by) => {
        change(`${feature.sae}/${feature.feature_idx} was moved.`, (lists) => moveFeature(lists, name, feature, by));
        this.keepFocus(`${feature.sae}/${feature.feature_idx}`);
      },
      drop: (feature) =>
        change(`${feature.sae}/${feature.feature_idx} was removed.`, (lists) => dropFeature(lists, name, feature)),
      write: (feature, note) =>
        change(
          `The note on ${feature.sae}/${feature.feature_idx} was changed.`,
          (lists) => writeNote(lists, name, feature, note),
          `${name}/${feature.sae}/${feature.feature_idx}`,
        ),
    };
  }

  /** A moved row is another element's neighbour now: the browser may have dropped the focus. */
  private keepFocus(name: string): void {
    const focused = document.activeElement?.getAttribute("aria-label");
    void this.updateComplete.then(() => {
      const row = [...this.querySelectorAll<HTMLElement>(".listed")].find(({ dataset }) => dataset["feature"] === name);
      const again = [...(row?.querySelectorAll<HTMLElement>("button, textarea") ?? [])];
      again.find((element) => element.getAttribute("aria-label") === focused)?.focus();
    });
  }

  private throwAway(): void {
    const { name } = this.shown;
    this.desk?.change(`“${name}” was deleted.`, (lists) => removeList(lists, name));
    writeState({ list: "" });
  }

  private async share(): Promise<void> {
    const canonical = document.querySelector<HTMLLinkElement>("link[rel=canonical]")?.href;
    const base = canonical ?? window.location.origin + window.location.pathname;
    const home = window.location.protocol === "file:" && canonical === undefined ? window.location.href.replace(/[?#].*$/, "") : base;
    this.address = `${home}#list=${await packList(this.shown)}`;
    const size = this.address.length;
    const copied = (await copyText(this.address)) ? "Copied. " : "";
    this.said =
      size <= SAFE_ADDRESS
        ? `${copied}${integer(size)} characters: the whole list is in the address.`
        : `${copied}${integer(size)} characters: some programs cut addresses beyond ${integer(SAFE_ADDRESS)}. Send the exported file instead.`;
    this.requestUpdate();
  }

  private export(): void {
    const name = this.shown.name.replace(/[^\p{L}\p{N}-]+/gu, "-").replace(/^-|-$/g, "");
    download(`${name || "list"}.json`, "application/json", fileText([this.shown], { build_id: page().build }));
  }

  private showHeading(): TemplateResult {
    const { name, features } = this.shown;
    if (this.renaming) {
      return html`<form
        class="rename"
        @submit=${(event: SubmitEvent) => this.rename(event)}
        @keydown=${(event: KeyboardEvent) => {
          if (event.key !== "Escape") return;
          this.renaming = false;
          this.requestUpdate();
        }}
      >
        <input type="text" aria-label="Name of the list" maxlength=${LONGEST_NAME} .value=${name} />
        <button type="submit">Rename</button>
      </form>`;
    }
    return html`<h2><bdi>${showText(name)}</bdi> <span class="soft">${integer(features.length)}</span></h2>`;
  }

  private showTools(): TemplateResult {
    const { name } = this.shown;
    const move = (by: number) => this.desk?.change(`“${name}” was moved.`, (lists) => moveList(lists, name, by));
    return html`<div class="list-tools" @keydown=${(event: KeyboardEvent) => moveByKey(event, move)}>
      <button type="button" @click=${() => void this.share()}>Share as a link</button>
      <button type="button" @click=${() => this.export()}>Export</button>
      <button type="button" @click=${() => this.startRenaming()}>Rename</button>
      <button type="button" class="sign" aria-label="Move the list up" title="Move the list up" @click=${() => move(-1)}>↑</button>
      <button type="button" class="sign" aria-label="Move the list down" title="Move the list down" @click=${() => move(1)}>↓</button>
      <button type="button" @click=${() => this.throwAway()}>Delete</button>
    </div>`;
  }

  private describe(event: Event): void {
    const { name } = this.shown;
    const { value } = event.target as HTMLTextAreaElement;
    this.desk?.change(`What “${name}” is about was changed.`, (lists) => describeList(lists, name, value), `${name}/`);
  }

  protected override render(): TemplateResult {
    const { features, description, name } = this.shown;
    const actions = this.actions();
    const { known } = this;
    const visible = features.slice(0, this.most);
    return html`<section class="reader-list" aria-label=${name}>
      <header>${this.showHeading()} ${this.showTools()}</header>
      ${
        this.address === ""
          ? nothing
          : html`<p class="shared">
              <input type="text" readonly aria-label="Address of the list" .value=${this.address} @focus=${(event: Event) => (event.target as HTMLInputElement).select()} />
            </p>`
      }
      <p class="said" role="status">${this.said}</p>
      <textarea
        class="note-field"
        rows=${Math.max(1, Math.min(8, description.split("\n").length))}
        maxlength=${LONGEST_NOTE}
        placeholder="What the list is about"
        aria-label="What the list is about"
        .value=${description}
        @input=${(event: Event) => this.describe(event)}
      ></textarea>
      <ol class="listing">
        ${known === null ? nothing : repeat(visible, ({ sae, feature_idx }) => `${sae}/${feature_idx}`, (item) => showRow(item, known.of(item), actions))}
      </ol>
      ${
        features.length > this.most
          ? html`<button
              type="button"
              @click=${() => {
                this.most += ROWS;
                this.requestUpdate();
              }}
            >
              Show ${integer(Math.min(ROWS, features.length - this.most))} more
            </button>`
          : nothing
      }
    </section>`;
  }
}

define("atlas-reader-list", ReaderList);
