const KEY = "feature-atlas:guide-seen";

/** Whether the guide was opened in this browser before; true where the browser forbids to look, so that nobody is asked twice. */
export function isGuideSeen(): boolean {
  try {
    return window.localStorage.getItem(KEY) !== null;
  } catch {
    return true;
  }
}

/** Remembers that the guide was opened. */
export function rememberGuide(): void {
  try {
    window.localStorage.setItem(KEY, "1");
  } catch {
    // Storage is blocked or full: the guide is then offered as new again.
  }
}
