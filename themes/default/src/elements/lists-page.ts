import { define, LightElement } from "../core/element.ts";
import { fileText, listStore, onListsChange, strayLists } from "../core/lists.ts";
import type { FeatureList } from "../core/lists.ts";
import { html, nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { counted, integer } from "../core/numbers.ts";
import { page } from "../core/page.ts";
import { showText } from "../core/show.ts";
import { readState, writeState } from "../core/state.ts";
import { download } from "../feature/download.ts";
import { parseLists } from "../lists/check.ts";
import type { Checked } from "../lists/check.ts";
import { Desk } from "../lists/desk.ts";
import { addList, freeName, mergeLists } from "../lists/edit.ts";
import { Rows } from "../lists/rows.ts";
import { unpackList } from "../lists/share.ts";
import { showRow } from "../lists/show-row.ts";
import "./reader-list.ts";

const LARGEST_FILE = 20_000_000;
/** Rows shown of a list that came in the address; kept, it shows them all. */
const MOST_SENT = 200;

/** The reader's own lists, and a list that came in the address. */
class ListsPage extends LightElement {
  private readonly desk = new Desk();
  private readonly rows = new Rows();
  private sent: Checked | null = null;
  private problems: string[] = [];
  private stop: (() => void) | null = null;
  private readonly moved = () => void this.readSent();
  private readonly pressed = (event: KeyboardEvent) => this.undoByKey(event);

  override connectedCallback(): void {
    this.replaceChildren();
    super.connectedCallback();
    this.stop = onListsChange(() => this.requestUpdate());
    this.rows.onArrival(() => this.requestUpdate());
    window.addEventListener("hashchange", this.moved);
    document.addEventListener("keydown", this.pressed);
    void this.readSent().then(() => (this.dataset["ready"] = ""));
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.stop?.();
    window.removeEventListener("hashchange", this.moved);
    document.removeEventListener("keydown", this.pressed);
  }

  private async readSent(): Promise<void> {
    const packed = new URLSearchParams(window.location.hash.slice(1)).get("list");
    this.sent = packed === null ? null : await unpackList(packed);
    this.requestUpdate();
    await this.updateComplete;
  }

  private undoByKey(event: KeyboardEvent): void {
    const typing = event.target instanceof Element && event.target.matches("input, textarea");
    if (typing || event.key !== "z" || !(event.ctrlKey || event.metaKey) || event.shiftKey) return;
    event.preventDefault();
    this.back();
  }

  private back(): void {
    this.desk.back();
    this.requestUpdate();
  }

  /** The list the address names, else the first. */
  private get open(): FeatureList | undefined {
    const lists = listStore().read();
    return lists.find(({ name }) => name === readState()["list"]) ?? lists[0];
  }

  private choose(name: string): void {
    writeState({ list: name });
    this.requestUpdate();
  }

  private keepSent(): void {
    const list = this.sent?.lists[0];
    if (list === undefined) return;
    const name = freeName(listStore().read(), list.name);
    this.desk.change(`“${name}” is among your lists now.`, (lists) => [...lists, { ...list, name }]);
    this.dismissSent();
    this.choose(name);
  }

  private dismissSent(): void {
    const { pathname, search } = window.location;
    window.history.replaceState(null, "", pathname + search);
    this.sent = null;
    this.requestUpdate();
  }

  private make(event: SubmitEvent): void {
    event.preventDefault();
    const input = (event.target as HTMLFormElement).querySelector("input");
    const before = listStore().read();
    if (input === null || input.value.trim() === "") return;
    this.desk.change(`“${freeName(before, input.value)}” was made.`, (lists) => addList(lists, input.value));
    input.value = "";
    this.choose(listStore().read().at(-1)?.name ?? "");
  }

  private async importFile(event: Event): Promise<void> {
    const input = event.target as HTMLInputElement;
    const file = input.files?.[0];
    if (file === undefined) return;
    const tooLarge = { lists: [], problems: ["The file is larger than 20 MB."] };
    const { lists, problems } = file.size > LARGEST_FILE ? tooLarge : parseLists(await file.text());
    input.value = "";
    this.problems = problems;
    this.take(lists, file.name);
  }

  private take(lists: readonly FeatureList[], source: string): void {
    const count = lists.reduce((sum, { features }) => sum + features.length, 0);
    const what = `${counted(lists.length, "list")} with ${counted(count, "feature")} came from ${source}.`;
    if (lists.length > 0) this.desk.change(what, (ours) => mergeLists(ours, lists));
    else this.desk.said = `Nothing could be taken from ${source}.`;
    this.requestUpdate();
  }

  private exportAll(): void {
    const text = fileText(listStore().read(), { build_id: page().build });
    download("feature-atlas-lists.json", "application/json", text);
  }

  private showSent(): TemplateResult | typeof nothing {
    if (this.sent === null) return nothing;
    const { lists, problems } = this.sent;
    const [list] = lists;
    return html`<section class="card sent" aria-label="A list that was sent to you">
      <p class="eyebrow">A list that was sent to you</p>
      ${
        list === undefined
          ? nothing
          : html`<h2><bdi>${showText(list.name)}</bdi></h2>
              ${list.description === "" ? nothing : html`<p class="listed-note">${showText(list.description, { newlines: true })}</p>`}
              <ol class="listing">
                ${list.features.slice(0, MOST_SENT).map((item) => showRow(item, this.rows.of(item), null))}
              </ol>
              ${list.features.length > MOST_SENT ? html`<p class="note">… and ${integer(list.features.length - MOST_SENT)} more.</p>` : nothing}`
      }
      ${showProblems(problems)}
      <p class="modal-actions">
        ${list === undefined ? nothing : html`<button type="button" class="primary" @click=${() => this.keepSent()}>Keep it among your lists</button>`}
        <button type="button" @click=${() => this.dismissSent()}>Dismiss</button>
      </p>
    </section>`;
  }

  private showStray(): TemplateResult[] {
    return strayLists().map(
      ({ path, lists }) =>
        html`<p class="note">
          This browser also keeps ${counted(lists.length, "list")} of the copy of this atlas at <code>${path}</code>.
          <button type="button" @click=${() => this.take(lists, path)}>Bring them here</button>
        </p>`,
    );
  }

  private showTools(): TemplateResult {
    const { undoable } = this.desk;
    return html`<div class="lists-tools">
      <form @submit=${(event: SubmitEvent) => this.make(event)}>
        <input type="text" aria-label="Name of a new list" placeholder="New list" autocomplete="off" /><button type="submit">Make</button>
      </form>
      <button type="button" @click=${() => this.exportAll()}>Export all</button>
      <label class="file-button"
        >Import<input type="file" accept=".json,application/json" @change=${(event: Event) => void this.importFile(event)}
      /></label>
      <button type="button" ?disabled=${undoable === ""} title=${undoable} @click=${() => this.back()}>Undo</button>
      <span class="said" role="status">${showText(this.desk.said)}</span>
    </div>`;
  }

  private showNames(open: FeatureList | undefined): TemplateResult {
    return html`<nav class="list-names" aria-label="Your lists">
      ${listStore()
        .read()
        .map(
          (list) =>
            html`<button
              type="button"
              aria-current=${list === open ? "true" : "false"}
              @click=${() => this.choose(list.name)}
            >
              <bdi>${showText(list.name)}</bdi> <span class="soft">${integer(list.features.length)}</span>
            </button>`,
        )}
    </nav>`;
  }

  protected override render(): TemplateResult {
    const { open } = this;
    const { problem } = listStore();
    return html`${this.showSent()} ${problem === "" ? nothing : html`<p class="problem" role="alert">${showText(problem)}</p>`}
      ${this.showTools()} ${showProblems(this.problems)} ${this.showStray()} ${this.showNames(open)}
      ${
        open === undefined
          ? html`<div class="nothing">
              <p>No lists yet.</p>
              <p>The star on a feature’s page puts it here; so do selections in the table and on the map.</p>
            </div>`
          : html`<atlas-reader-list .list=${open} .desk=${this.desk} .rows=${this.rows}></atlas-reader-list>`
      }`;
  }
}

function showProblems(problems: readonly string[]): TemplateResult | typeof nothing {
  if (problems.length === 0) return nothing;
  return html`<div class="problem" role="alert">
    <p>Left out:</p>
    <ul>
      ${problems.map((problem) => html`<li>${showText(problem)}</li>`)}
    </ul>
  </div>`;
}

define("atlas-lists-page", ListsPage);
