// Loaded when a reader first asks for a figure.
import { figureOf } from "../figures/save.ts";
import { download } from "../feature/download.ts";

declare global {
  /** Saves the figure that a `[data-figure]` button stands beside; there after `loadBundle("figures")`. */
  var atlasFigure: ((button: HTMLElement) => Promise<void>) | undefined;
}

globalThis.atlasFigure = async (button) => {
  const figure = await figureOf(button);
  if (figure !== null) download(figure.name, "image/svg+xml", figure.svg);
};
