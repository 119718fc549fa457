// Loaded when a reader first opens a dialog: keys, the guided first minute, citing and embedding.
import "../elements/cite-dialog.ts";
import "../elements/guide-dialog.ts";
import "../elements/help-dialog.ts";
import { theOnly } from "../elements/modal.ts";

/** What other bundles call after `loadBundle("dialogs")`. */
export interface Dialogs {
  help(): void;
  guide(): void;
  /** Opens the ways to cite at `choice`, an id of `FORMATS` or "embed". */
  cite(choice: string): void;
}

declare global {
  var atlasDialogs: Dialogs | undefined;
}

globalThis.atlasDialogs = {
  help: () => theOnly("atlas-help-dialog").open(),
  guide: () => theOnly("atlas-guide-dialog").open(),
  cite: (choice) => theOnly("atlas-cite-dialog").openAt(choice),
};
