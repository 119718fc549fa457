const SHOWN_MS = 1500;

/** Makes every `[data-copy]` a button that copies its own text. */
export function startCopying(): void {
  for (const element of document.querySelectorAll<HTMLElement>("[data-copy]")) {
    element.role = "button";
    element.tabIndex = 0;
    element.title = "Copy";
    const copy = () => copyFrom(element, element.textContent ?? "");
    element.addEventListener("click", copy);
    element.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      copy();
    });
  }
}

/** Copies `text`, and says beside `element` whether that worked. */
export function copyFrom(element: HTMLElement, text: string): void {
  void copyText(text).then((done) => confirm(element, done));
}

/** Puts `text` into the clipboard; false where the browser does not allow it. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

function confirm(element: HTMLElement, done: boolean): void {
  const note = document.createElement("span");
  note.className = "copied";
  note.role = "status";
  element.after(note);
  // A live region is read out only when its text changes after it is in the page.
  window.setTimeout(() => note.append(done ? "copied" : "select it and copy by hand"), 20);
  window.setTimeout(() => note.remove(), SHOWN_MS);
}
