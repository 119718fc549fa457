import { changeLists, listStore } from "../core/lists.ts";
import type { FeatureList } from "../core/lists.ts";
import { Undo } from "./edit.ts";
import type { Lists } from "./edit.ts";

/** Changes to the kept lists that can be undone, each told in a sentence. */
export class Desk {
  /** What was done last. */
  said = "";
  private readonly undo = new Undo();

  /** Replaces the lists by `change` of them; `subject` joins changes of one thing into one step. */
  change(what: string, change: (lists: Lists) => FeatureList[], subject = ""): void {
    const before = listStore().read();
    let after: readonly FeatureList[] = before;
    changeLists((lists) => {
      const made = change(lists);
      after = made;
      return made;
    });
    this.undo.note(before, after, what, subject);
    this.said = what;
  }

  /** What `back` undoes; "" where there is nothing to undo. */
  get undoable(): string {
    return this.undo.what(listStore().read());
  }

  /** Takes the last change back. */
  back(): void {
    const what = this.undoable;
    if (what === "") return;
    changeLists((lists) => this.undo.back(lists));
    this.said = `Undone: ${what}`;
  }
}
