import { messageOf } from "../core/message.ts";
import type { FeatureRow } from "../core/rows.ts";
import type { Hit } from "../core/search-rank.ts";
import { step } from "../frame/combobox.ts";

/** Options shown at once. */
const SHOWN = 8;
const PAUSE_MS = 60;

/** A feature that is offered; its row comes later. */
export interface Option extends Hit {
  row?: FeatureRow;
}

/** What differs between the fields that offer features while one types. */
export interface SuggestingField {
  /** Where the reader types; null until it is drawn. */
  input(): HTMLInputElement | null;
  /** The features that `query` means, best first. */
  find(query: string): Promise<readonly Hit[]>;
  /** What the list says of `hit`, which `find` gave. */
  row(hit: Hit): Promise<FeatureRow>;
  /** What is said where `find` found nothing for `query`. */
  nothing(query: string): string;
  /** Options that stand below the features. */
  more: number;
  /** Called when anything below has changed. */
  changed(): void;
}

/** The state of a combobox that offers features (ARIA: combobox with a list, the focus stays in the field). */
export class Suggestions {
  /** The features offered for `query`. */
  options: Option[] = [];
  /** What the options answer; what is typed may be ahead of it. */
  query = "";
  /** The option that the arrow keys chose; -1 is none. */
  active = -1;
  /** Whether the options are shown. */
  expanded = false;
  /** What is said above the options, or instead of them. */
  message = "";
  private asked = "";
  private dismissed = false;
  private timer = 0;
  private readonly field: SuggestingField;

  constructor(field: SuggestingField) {
    this.field = field;
  }

  /** What stands in the field. */
  get typed(): string {
    return this.field.input()?.value.trim() ?? "";
  }

  /** To be called when the reader types or enters the field: looks for features once the typing pauses. */
  follow(): void {
    const query = this.typed;
    window.clearTimeout(this.timer);
    this.dismissed = false;
    this.active = -1;
    if (query === "") this.take(query, [], "");
    else if (query === this.query) this.settle(query);
    else this.timer = window.setTimeout(() => void this.find(query), PAUSE_MS);
  }

  /** Looks for what is typed at once; afterwards `options` answer it, unless more was typed meanwhile. */
  async now(): Promise<void> {
    window.clearTimeout(this.timer);
    if (this.typed !== this.query) await this.find(this.typed);
  }

  /** Empties the field and forgets its options. */
  clear(): void {
    const input = this.field.input();
    if (input !== null) input.value = "";
    this.follow();
  }

  /** Hides the options until the reader types or asks for them; what is still being looked for stays hidden too. */
  dismiss(): void {
    this.dismissed = true;
    this.show(false);
  }

  /** Escape closes, then empties; arrows choose an option. Whether `event` was one of those and is dealt with. */
  pressed(event: KeyboardEvent): boolean {
    const { key } = event;
    if (key === "Escape" && this.expanded) this.dismiss();
    else if (key === "Escape") {
      // Not the end of it: the page's keys leave the field then.
      this.clear();
      return false;
    } else if (key === "ArrowDown" || key === "ArrowUp") {
      const count = this.options.length + this.field.more;
      this.active = this.expanded ? step(this.active, key === "ArrowDown" ? 1 : -1, count) : -1;
      this.dismissed = false;
      this.show(this.query !== "");
    } else return false;
    event.preventDefault();
    return true;
  }

  private async find(query: string): Promise<void> {
    this.asked = query;
    try {
      const hits = await this.field.find(query);
      if (query === this.asked) this.take(query, hits.slice(0, SHOWN), hits.length > 0 ? "" : this.field.nothing(query));
    } catch (error) {
      if (query === this.asked) this.take(query, [], `The search does not work: ${messageOf(error)}`);
    }
  }

  private take(query: string, hits: readonly Hit[], message: string): void {
    this.options = hits.map((hit) => ({ ...hit }));
    this.message = message;
    this.active = -1;
    this.settle(query);
    for (const option of this.options) void this.describe(option);
  }

  /** The options answer `query` now, and nothing else is looked for. */
  private settle(query: string): void {
    this.asked = this.query = query;
    this.show(query !== "" && !this.dismissed && document.activeElement === this.field.input());
  }

  private async describe(option: Option): Promise<void> {
    try {
      option.row = await this.field.row(option);
    } catch (error) {
      this.message = `Titles cannot be loaded: ${messageOf(error)}`;
    }
    this.field.changed();
  }

  private show(expanded: boolean): void {
    this.expanded = expanded;
    this.field.changed();
  }
}
