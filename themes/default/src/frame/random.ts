import type { TableShard } from "../payloads.ts";
import { loadSite, loadTable } from "../core/data.ts";
import { featurePath, open } from "../core/links.ts";
import { page } from "../core/page.ts";

/** A random number in [0, 1), as `Math.random` gives. */
export type Chance = () => number;

/** Shows every `[data-action=random]` button and lets it open a random feature of the page's SAE. */
export function startRandom(): void {
  for (const button of document.querySelectorAll<HTMLButtonElement>("[data-action=random]")) {
    button.hidden = false;
    button.addEventListener("click", (event) => void openRandom(event));
  }
}

async function openRandom(event: MouseEvent): Promise<void> {
  const { saes, rows_per_table_shard: size } = await loadSite();
  const sae = saes.find(({ slug }) => slug === page().sae) ?? saes[0];
  if (sae === undefined) return;
  const drawn = Math.floor(Math.random() * sae.n_features);
  const shard = await loadTable(sae.slug, Math.floor(drawn / size));
  open(featurePath(sae.slug, pickLive(shard, drawn, Math.random)), event);
}

/** A random feature of `shard` that fires on something; `drawn` where none does. */
export function pickLive(shard: TableShard, drawn: number, chance: Chance): number {
  const live = shard.tokens.flatMap((tokens, at) => (tokens.length > 0 ? [shard.start + at] : []));
  return live[Math.floor(chance() * live.length)] ?? drawn;
}
