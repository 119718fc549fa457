import type { ExampleGroup, FeaturePayload, FeatureShard } from "../payloads.ts";
import { loadFeature } from "../core/data.ts";
import { define, LightElement } from "../core/element.ts";
import { html, nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { decimal } from "../core/numbers.ts";
import { readState, writeState } from "../core/state.ts";
import { showExample } from "../examples/show-strip.ts";
import type { StripView } from "../examples/show-strip.ts";
import { groupsOf, TABS, tabsOf, turnTab } from "../examples/tabs.ts";
import type { Tab } from "../examples/tabs.ts";
import { ValueCard } from "../examples/value-card.ts";

/** A feature's examples; the static list of the page stands in until the data has arrived. */
class Examples extends LightElement {
  private data: { shard: FeatureShard; payload: FeaturePayload } | null = null;
  private problem = "";
  private tab = "top";
  private view: StripView = { context: "full", spaces: false };
  private stand: Element | null = null;
  private card: ValueCard | null = null;

  override connectedCallback(): void {
    this.stand = this.querySelector("ol.examples");
    const heading = this.querySelector("h2");
    heading?.classList.add("visually-hidden");
    this.replaceChildren(...(heading === null ? [] : [heading]));
    const { examples, context, spaces } = readState();
    this.tab = TABS.find(({ id }) => id === examples)?.id ?? "top";
    this.view = { context: context === "short" ? "short" : "full", spaces: spaces === "1" };
    super.connectedCallback();
    this.card = new ValueCard(this);
    void this.load();
  }

  private async load(): Promise<void> {
    const { sae = "", feature = "" } = this.dataset;
    try {
      this.data = await loadFeature(sae, Number(feature));
      if (this.card !== null) this.card.max = this.data.payload.max_activation;
      this.dataset["ready"] = "";
    } catch (error) {
      this.problem = `More examples cannot be shown: ${error instanceof Error ? error.message : String(error)}`;
    }
    this.requestUpdate();
  }

  private change(tab: string, view: StripView): void {
    this.tab = tab;
    this.view = view;
    writeState({
      examples: tab === "top" ? "" : tab,
      context: view.context === "full" ? "" : view.context,
      spaces: view.spaces ? "1" : "",
    });
    this.requestUpdate();
  }

  private turn(event: KeyboardEvent, tabs: Tab[]): void {
    const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (by === 0) return;
    event.preventDefault();
    this.change(turnTab(tabs, this.tab, by), this.view);
    void this.updateComplete.then(() =>
      this.querySelector<HTMLElement>("[role=tab][aria-selected=true]")?.focus(),
    );
  }

  private showTabs(tabs: Tab[]): TemplateResult {
    const tab = ({ id, label, doc }: Tab) =>
      html`<button
        type="button"
        role="tab"
        id="examples-tab-${id}"
        aria-selected=${id === this.tab ? "true" : "false"}
        aria-controls="examples-panel"
        tabindex=${id === this.tab ? "0" : "-1"}
        title=${doc}
        @click=${() => this.change(id, this.view)}
      >
        ${label}
      </button>`;
    return html`<div
      class="tabs"
      role="tablist"
      aria-label="Which examples"
      @keydown=${(event: KeyboardEvent) => this.turn(event, tabs)}
    >
      ${tabs.map(tab)}
    </div>`;
  }

  private showLegend(): TemplateResult {
    const max = this.data?.payload.max_activation ?? Number(this.dataset["max"]);
    const { context, spaces } = this.view;
    const other = context === "full" ? "short" : "full";
    const toggle = (label: string, pressed: boolean, view: StripView) =>
      html`<button type="button" aria-pressed=${pressed ? "true" : "false"} @click=${() => this.change(this.tab, view)}>
        ${label}
      </button>`;
    return html`<div class="legend-line">
      <p class="legend">
        0 <span class="ramp" aria-hidden="true"></span> <span title=${max}>${decimal(max)}</span> activation ·
        <span class="peak">underlined</span> = the example’s own token
      </p>
      <p class="switches">
        ${toggle("short", context === "short", { context: other, spaces })}
        ${toggle("show spaces", spaces, { context, spaces: !spaces })}
      </p>
    </div>`;
  }

  private showGroup({ group, lower, upper, examples }: ExampleGroup): TemplateResult {
    const { shard, payload } = this.data as { shard: FeatureShard; payload: FeaturePayload };
    const heading = group === "interval" ? html`<h3>${decimal(lower)} – ${decimal(upper)}</h3>` : nothing;
    return html`${heading}
      <ol class="examples">
        ${examples.map((example) => showExample(example, shard, payload.max_activation, this.view))}
      </ol>`;
  }

  protected override render(): TemplateResult {
    const groups = this.data?.payload.groups ?? [];
    const tabs = this.data === null ? TABS.slice(0, 1) : tabsOf(groups);
    const shown =
      this.data === null ? this.stand : groupsOf(groups, this.tab).map((group) => this.showGroup(group));
    return html`${this.showTabs(tabs)} ${this.showLegend()}
      ${this.problem === "" ? nothing : html`<p class="problem" role="alert">${this.problem}</p>`}
      <div role="tabpanel" id="examples-panel" aria-labelledby="examples-tab-${this.tab}">${shown}</div>`;
  }
}

define("atlas-examples", Examples);
