import { loadBundle } from "../core/lazy.ts";
import { messageOf } from "../core/message.ts";

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
    button.title = messageOf(error);
    button.textContent = "not available";
  }
}
