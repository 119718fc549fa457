import { loadBundle } from "../core/lazy.ts";

/** Makes every `[data-figure]` button, also those drawn later, save its figure. */
export function startFigures(): void {
  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest<HTMLElement>("[data-figure]") : null;
    if (button !== null) void save(button);
  });
}

async function save(button: HTMLElement): Promise<void> {
  try {
    await loadBundle("figures");
    await globalThis.atlasFigure?.(button);
  } catch (error) {
    button.title = error instanceof Error ? error.message : String(error);
    button.textContent = "not available";
  }
}
