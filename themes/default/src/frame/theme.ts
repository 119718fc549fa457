/** What a reader may ask for; auto follows the system. */
export const THEMES = ["auto", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

const KEY = "feature-atlas:theme";

/** The theme the address asks for (`?theme=dark`), else the remembered one; auto where the browser forbids to look. */
export function readTheme(): Theme {
  const asked = new URLSearchParams(globalThis.location?.search ?? "").get("theme");
  if (asked !== null) return asTheme(asked);
  try {
    return asTheme(window.localStorage.getItem(KEY));
  } catch {
    return "auto";
  }
}

/** `text` as a theme; anything unknown is auto. */
export function asTheme(text: string | null): Theme {
  return THEMES.find((theme) => theme === text) ?? "auto";
}

/** The theme after `theme` on the button. */
export function nextTheme(theme: Theme): Theme {
  return THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? "auto";
}

/** Shows the page in `theme`. */
export function applyTheme(theme: Theme): void {
  const { dataset } = document.documentElement;
  if (theme === "auto") delete dataset["theme"];
  else dataset["theme"] = theme;
}

/** Remembers `theme` where the browser allows it. */
export function keepTheme(theme: Theme): void {
  try {
    window.localStorage.setItem(KEY, theme);
  } catch {
    // Storage is blocked or full: the choice then lasts for this page.
  }
}
