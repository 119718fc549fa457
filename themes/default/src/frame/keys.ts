import { openDialog } from "./dialogs.ts";

/** What a key does anywhere on a page. */
export type Action = "search" | "help" | "next" | "previous" | "random" | "star" | "cite" | "blur";

/** The part of a keyboard event that decides. */
export type Key = Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "altKey" | "shiftKey">;

const PLAIN: Record<string, Action> = {
  "/": "search",
  "?": "help",
  ArrowRight: "next",
  j: "next",
  ArrowLeft: "previous",
  k: "previous",
  r: "random",
  s: "star",
  c: "cite",
};

/** The action of `key`; while someone is typing only the ones that cannot be text count. */
export function keyAction(key: Key, typing: boolean): Action | null {
  if ((key.ctrlKey || key.metaKey) && !key.altKey && !key.shiftKey && key.key.toLowerCase() === "k")
    return "search";
  if (key.ctrlKey || key.metaKey || key.altKey) return null;
  if (typing) return key.key === "Escape" ? "blur" : null;
  // Some keyboards need Shift for "/" and "?", none for an arrow or a letter.
  if (key.shiftKey && key.key !== "/" && key.key !== "?") return null;
  return PLAIN[key.key] ?? null;
}

/** Listens for keys that no element has used, and shows how to learn them. */
export function startKeys(): void {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing) return;
    const action = keyAction(event, isTyping(event.target));
    if (action !== null && perform(action)) event.preventDefault();
  });
  const button = document.createElement("button");
  const sign = document.createElement("kbd");
  sign.append("?");
  button.type = "button";
  button.className = "keys-button";
  button.append("Keys ", sign);
  button.addEventListener("click", () => perform("help"));
  document.querySelector(".foot")?.append(button);
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target.matches("textarea, select")) return true;
  return (
    target instanceof HTMLInputElement && !["checkbox", "radio", "button", "range"].includes(target.type)
  );
}

function perform(action: Action): boolean {
  switch (action) {
    case "search":
      return focusSearch();
    case "help":
      void openDialog((dialogs) => dialogs.help());
      return true;
    case "next":
      return click("a[rel=next]");
    case "previous":
      return click("a[rel=prev]");
    case "random":
      return click("[data-action=random]:not([hidden])");
    case "star":
      return click("atlas-star .star");
    case "cite":
      return click("atlas-cite button");
    case "blur":
      (document.activeElement as HTMLElement | null)?.blur();
      return true;
  }
}

function focusSearch(): boolean {
  const own = document.querySelector<HTMLInputElement>("atlas-search-page input");
  const input = own ?? document.querySelector<HTMLInputElement>("atlas-search-box input");
  input?.focus();
  input?.select();
  return input !== null;
}

function click(selector: string): boolean {
  const target = document.querySelector<HTMLElement>(selector);
  target?.click();
  return target !== null;
}
