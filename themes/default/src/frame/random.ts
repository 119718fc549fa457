import type { TitleShard } from "../payloads.ts";
import { chosenSae, loadSite, loadTitlesOf } from "../core/data.ts";
import { featurePath, open } from "../core/links.ts";
import { page } from "../core/page.ts";

/** A random number in [0, 1), as `Math.random` gives. */
export type Chance = () => number;

/** Lets every `[data-action=random]` button open a random feature of the page's SAE; feature pages get one. */
export function startRandom(): void {
  const steps = document.querySelector(".steps");
  if (steps !== null && steps.querySelector("[data-action=random]") === null) {
    steps.insertBefore(randomButton(), steps.querySelector("[rel=next]"));
  }
  for (const button of document.querySelectorAll<HTMLButtonElement>("[data-action=random]")) {
    button.hidden = false;
    button.addEventListener("click", (event) => void openRandom(event));
  }
}

function randomButton(): HTMLButtonElement {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "random";
  button.dataset["action"] = "random";
  button.textContent = "random";
  return button;
}

async function openRandom(event: MouseEvent): Promise<void> {
  const sae = chosenSae(await loadSite(), page().sae);
  if (sae === undefined) return;
  const drawn = Math.floor(Math.random() * sae.n_features);
  const shard = await loadTitlesOf(sae.slug, drawn);
  open(featurePath(sae.slug, pickLive(shard, drawn, Math.random)), event);
}

/** A random feature of `shard` that fires on something; `drawn` where none does. */
export function pickLive(shard: TitleShard, drawn: number, chance: Chance): number {
  const live = shard.tokens.flatMap((tokens, at) => (tokens.length > 0 ? [shard.start + at] : []));
  return live[Math.floor(chance() * live.length)] ?? drawn;
}
