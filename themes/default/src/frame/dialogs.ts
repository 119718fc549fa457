import { messageOf } from "../core/message.ts";
import type { Dialogs } from "../entries/dialogs.ts";
import { loadBundle } from "../core/lazy.ts";

/** Loads the dialogs on first use and shows one; a failure is told at the foot of the page. */
export async function openDialog(show: (dialogs: Dialogs) => void): Promise<void> {
  try {
    await loadBundle("dialogs");
    if (globalThis.atlasDialogs !== undefined) show(globalThis.atlasDialogs);
  } catch (error) {
    const problem = document.createElement("span");
    problem.className = "problem";
    problem.role = "alert";
    problem.append(messageOf(error));
    document.querySelector(".foot")?.append(problem);
  }
}
