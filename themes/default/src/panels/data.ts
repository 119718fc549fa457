import { link } from "../core/links.ts";
import { html } from "../core/lit.ts";
import { download } from "../feature/download.ts";
import type { FeatureData } from "../feature/model.ts";
import { examplesTable, featureRecord, numbersTable } from "../feature/record.ts";
import { copyFrom } from "../frame/copy.ts";
import { registerPanel } from "./registry.ts";

/** The line of Python that gives everything here and more, exactly. */
export function pythonLine({ sae, payload }: FeatureData): string {
  return `atlas.open("data").feature(${payload.feature_idx}, sae="${sae.slug}")`;
}

registerPanel("data", {
  draw: (_, { data }) => {
    const { sae, payload, site } = data;
    const name = `${sae.slug}-${payload.feature_idx}`;
    const shard = `data/${sae.slug}/features/${Math.floor(payload.feature_idx / site.features_per_shard)}.js`;
    const json = () => `${JSON.stringify(featureRecord(data), null, 1)}\n`;
    return html`<p class="downloads">
        <button type="button" @click=${() => download(`${name}.json`, "application/json", json())}>JSON</button>
        <button type="button" @click=${() => download(`${name}.csv`, "text/csv", numbersTable(data))}>
          numbers as CSV
        </button>
        <button type="button" @click=${() => download(`${name}-examples.csv`, "text/csv", examplesTable(data))}>
          examples as CSV
        </button>
      </p>
      <p class="python">
        <code>${pythonLine(data)}</code>
        <button
          type="button"
          title="Copy this line"
          @click=${(event: Event) => copyFrom(event.currentTarget as HTMLElement, pythonLine(data))}
        >
          copy
        </button>
      </p>
      <p class="note">
        Exact values of all of this, in Python. <a href=${link("about.html#data")}>The dataset</a> ·
        <a href=${link(shard)}>this page’s data file</a> · content hash <code>${payload.hash}</code>
      </p>`;
  },
});
