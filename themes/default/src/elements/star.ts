import { define, LightElement } from "../core/element.ts";
import {
  addToList,
  changeLists,
  listsWith,
  listStore,
  onListsChange,
  removeFromList,
  STARRED,
} from "../core/lists.ts";
import type { FeatureRef } from "../core/lists.ts";
import { html, nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { page } from "../core/page.ts";
import { showText } from "../core/show.ts";
import { sameFeature } from "../lists/check.ts";
import { writeNote } from "../lists/edit.ts";
import { MenuKeys } from "../lists/menu-keys.ts";
import "./list-picker.ts";

/** On a feature's page: a star, a note for the starred feature, and the way into other lists. */
class Star extends LightElement {
  private feature: FeatureRef = { sae: "", feature_idx: 0 };
  private noteOpen = false;
  private stop: (() => void) | null = null;
  private noteKeys: MenuKeys | null = null;

  override connectedCallback(): void {
    super.connectedCallback();
    const { sae, feature } = page();
    this.feature = { sae, feature_idx: feature ?? 0 };
    this.stop = onListsChange(() => this.requestUpdate());
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.stop?.();
    this.noteKeys?.stop();
  }

  private get note(): string {
    const list = listStore()
      .read()
      .find(({ name }) => name === STARRED);
    return list?.features.find((item) => sameFeature(item, this.feature))?.note ?? "";
  }

  private toggle(starred: boolean): void {
    if (!starred) addToList([this.feature]);
    // A note is work: it goes only with a word on the lists' page, where it can be brought back.
    else if (this.note === "") removeFromList([this.feature]);
    else this.openNote(true);
  }

  private openNote(open: boolean): void {
    this.noteOpen = open;
    this.requestUpdate();
    void this.updateComplete.then(() => {
      const host = this.querySelector<HTMLElement>(".note-menu");
      if (open && host !== null) {
        this.noteKeys = new MenuKeys(host, () => this.openNote(false));
        this.noteKeys.start();
      } else this.noteKeys?.stop();
    });
  }

  private write(event: Event): void {
    const { value } = event.target as HTMLTextAreaElement;
    changeLists((lists) => writeNote(lists, STARRED, this.feature, value));
  }

  private takeAway(): void {
    removeFromList([this.feature]);
    this.openNote(false);
    this.querySelector("button")?.focus();
  }

  private showNote(): TemplateResult {
    return html`<span class="note-menu"
      ><button type="button" class="tool" aria-expanded=${this.noteOpen ? "true" : "false"} @click=${() => this.openNote(!this.noteOpen)}>
        ${this.note === "" ? "Add a note" : "Your note"}</button
      >${
        this.noteOpen
          ? html`<span class="popover">
              <label
                >Your note on this feature
                <textarea rows="4" maxlength="4000" .value=${this.note} @input=${(event: Event) => this.write(event)}></textarea></label
              ><span class="popover-row"
                ><button type="button" @click=${() => this.openNote(false)}>Done</button
                ><button type="button" @click=${() => this.takeAway()}>Remove star and note</button></span
              ></span
            >`
          : nothing
      }</span>`;
  }

  protected override render(): TemplateResult {
    const names = listsWith(this.feature);
    const starred = names.includes(STARRED);
    const { problem } = listStore();
    return html`<button type="button" class="tool star" aria-pressed=${starred ? "true" : "false"} @click=${() => this.toggle(starred)}>
        <span aria-hidden="true">${starred ? "★" : "☆"}</span> ${starred ? "Starred" : "Star"}
      </button>
      ${starred ? this.showNote() : nothing}
      <atlas-list-picker id="star-lists" .features=${[this.feature]} .label=${`Lists${names.length === 0 ? "" : ` · ${names.length}`}`}></atlas-list-picker>
      ${problem === "" ? nothing : html`<span class="problem" role="alert">${showText(problem)}</span>`}`;
  }
}

define("atlas-star", Star);
