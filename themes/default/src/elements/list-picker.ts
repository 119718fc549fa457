import { define, LightElement } from "../core/element.ts";
import { link } from "../core/links.ts";
import { addToList, listStore, onListsChange, removeFromList, STARRED } from "../core/lists.ts";
import type { FeatureList, FeatureRef } from "../core/lists.ts";
import { html, nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { integer } from "../core/numbers.ts";
import { showText } from "../core/show.ts";
import { cleanName, sameFeature } from "../lists/check.ts";
import { MenuKeys } from "../lists/menu-keys.ts";

/**
 * A button that puts features into the reader's lists. One feature can also be taken out again; of several, those that
 * are missing are added. Set `features`; `label` replaces the words on the button.
 */
export class ListPicker extends LightElement {
  private chosen: readonly FeatureRef[] = [];
  private words = "";
  private isOpen = false;
  private said = "";
  private stop: (() => void) | null = null;
  private readonly keys = new MenuKeys(this, () => this.show(false));

  /** The features that the button is about. */
  set features(features: readonly FeatureRef[]) {
    const known = this.chosen;
    const isNew = features.length !== known.length || features.some((one, at) => !isSame(one, known[at]));
    if (isNew) this.said = "";
    this.chosen = features;
    this.requestUpdate();
  }

  /** The words on the button; by default they tell the number of features. */
  set label(words: string) {
    this.words = words;
    this.requestUpdate();
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.stop = onListsChange(() => this.requestUpdate());
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.stop?.();
    this.keys.stop();
  }

  private show(open: boolean): void {
    if (open === this.isOpen) return;
    this.isOpen = open;
    this.requestUpdate();
    void this.updateComplete.then(() => {
      if (open) this.keys.start();
      else this.keys.stop();
    });
  }

  private holdsAll({ features }: FeatureList): boolean {
    return this.chosen.every((one) => features.some((item) => sameFeature(one, item)));
  }

  private pick(list: FeatureList): void {
    if (this.chosen.length === 1 && this.holdsAll(list)) {
      removeFromList(this.chosen, list.name);
      this.said = `Taken out of ${list.name}.`;
    } else this.add(list.name);
    this.requestUpdate();
  }

  private add(name: string): void {
    const added = addToList(this.chosen, name);
    this.said = `${integer(added)} added to ${name}${added < this.chosen.length ? ", the others were there" : ""}.`;
    if (listStore().problem !== "") this.said += ` ${listStore().problem}`;
  }

  private make(event: SubmitEvent): void {
    event.preventDefault();
    const input = this.querySelector("input");
    const name = cleanName(input?.value ?? "");
    if (input === null || name === "") return;
    this.add(name);
    input.value = "";
    this.requestUpdate();
  }

  private showMenu(): TemplateResult {
    const lists = listStore().read();
    const shown = lists.some(({ name }) => name === STARRED)
      ? lists
      : [{ name: STARRED, description: "", features: [] }, ...lists];
    return html`<div class="popover" id=${this.menuId()} role="group" aria-label="Lists">
      <ul>
        ${shown.map(
          (list) =>
            html`<li>
              <button
                type="button"
                aria-pressed=${this.chosen.length > 0 && this.holdsAll(list) ? "true" : "false"}
                @click=${() => this.pick(list)}
              >
                <bdi>${showText(list.name)}</bdi> <span class="soft">${integer(list.features.length)}</span>
              </button>
            </li>`,
        )}
      </ul>
      <form @submit=${(event: SubmitEvent) => this.make(event)}>
        <input type="text" aria-label="Name of a new list" placeholder="New list" autocomplete="off" />
        <button type="submit">Add</button>
      </form>
      <p class="note"><a href=${link("starred.html")}>Your lists</a></p>
    </div>`;
  }

  private menuId(): string {
    return `${this.id === "" ? "list-picker" : this.id}-menu`;
  }

  protected override render(): TemplateResult {
    const count = this.chosen.length;
    const label = this.words === "" ? `Add ${integer(count)} to a list` : this.words;
    return html`<button
        type="button"
        class="tool"
        ?disabled=${count === 0}
        aria-expanded=${this.isOpen ? "true" : "false"}
        aria-controls=${this.isOpen ? this.menuId() : nothing}
        @click=${() => this.show(!this.isOpen)}
      >
        ${label}
      </button>
      ${this.isOpen ? this.showMenu() : nothing}
      <span class="visually-hidden" role="status">${this.said}</span>
      ${this.said === "" ? nothing : html`<span class="said" aria-hidden="true">${showText(this.said)}</span>`}`;
  }
}

function isSame(one: FeatureRef, other: FeatureRef | undefined): boolean {
  return other !== undefined && sameFeature(one, other);
}

define("atlas-list-picker", ListPicker);

declare global {
  interface HTMLElementTagNameMap {
    "atlas-list-picker": ListPicker;
  }
}
