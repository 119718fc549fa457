import "../elements/minimap.ts";
import { link } from "../core/links.ts";
import { html, nothing } from "../core/lit.ts";
import { numberOf } from "../feature/model.ts";
import { registerPanel } from "./registry.ts";

registerPanel("coords", {
  takes: ({ kind }) => kind === "coords" || kind === "category",
  draw: (_, { data }) => {
    const { sae, payload } = data;
    const [x, y] = [numberOf(data, "x"), numberOf(data, "y")];
    if (x === null || y === null) return nothing;
    const address = `map.html?${new URLSearchParams({ sae: sae.slug, f: String(payload.feature_idx) }).toString()}`;
    return html`<atlas-minimap
        data-sae=${sae.slug}
        data-feature=${payload.feature_idx}
        data-x=${x}
        data-y=${y}
      ></atlas-minimap>
      <p class="note"><a href=${link(address)}>Open the map</a></p>`;
  },
});
