import type { ExampleGroup } from "../payloads.ts";
import { html, nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { counted, decimal, integer } from "../core/numbers.ts";
import { choice } from "../feature/choice.ts";
import { numberOf } from "../feature/model.ts";
import type { Scene } from "../feature/model.ts";
import { showHeatLegend, showLossLegend } from "./legend.ts";
import type { Context } from "./range.ts";
import { effectOf, lossScale, showExample } from "./show-example.ts";
import { groupsOf, intervalsOf, SILENT, tabsOf, turnTab } from "./tabs.ts";
import type { Tab } from "./tabs.ts";

const CONTEXTS: readonly Context[] = ["short", "sentence", "full"];

/** The examples of a feature with their tabs, switches and legend; a few sentences where there are none. */
export function showExamples(scene: Scene): TemplateResult {
  const tabs = tabsOf(scene.data.payload.groups);
  if (tabs.length === 0) return showNothing(scene);
  const current = tabs.find(({ id }) => id === scene.view.tab) ?? (tabs[0] as Tab);
  return html`<h2 class="visually-hidden" id="examples">Examples</h2>
    ${showTabs(tabs, current, scene)} ${showLegendLine(current, scene)}
    <p class="visually-hidden" role="status">${tellShown(current, scene)}</p>
    <div role="tabpanel" id="examples-panel" aria-labelledby="examples-tab-${current.id}">
      <p class="note tab-doc">${showsLoss(scene) ? lossDoc(scene) : current.doc}</p>
      ${current.id === "interval" ? showIntervals(scene) : nothing}
      ${chosenGroups(current, scene).map((group) => showGroup(group, current, scene))}
    </div>
    ${showChoice(scene)}`;
}

/** What is shown, for those who do not see it change: a bar of the histogram is far from it. */
export function tellShown(tab: Tab, scene: Scene): string {
  const groups = chosenGroups(tab, scene);
  const [alone] = groups;
  const range = tab.id === "interval" && groups.length === 1 && alone !== undefined ? rangeText(alone) : "";
  const count = groups.reduce((sum, { examples }) => sum + examples.length, 0);
  const place = range === "" ? "" : `, activation ${range}`;
  return `${tab.label}${place}: ${counted(count, "example")}`;
}

function rangeText({ lower, upper }: ExampleGroup): string {
  return `${decimal(lower)} – ${decimal(upper)}`;
}

/** The groups that are shown: of the intervals perhaps one alone. */
export function chosenGroups({ id }: Tab, { data, view }: Scene): ExampleGroup[] {
  const { groups } = data.payload;
  const alone = id === "interval" && view.interval !== null ? intervalsOf(groups)[view.interval] : undefined;
  return alone === undefined ? groupsOf(groups, id) : [alone];
}

/** Whether strips are coloured by loss effect: only top examples have one, and not all of them. */
export function showsLoss({ data, view }: Scene): boolean {
  return view.tab === "top" && view.colouring === "loss" && data.payload.effects.length > 0;
}

function lossDoc({ data }: Scene): string {
  const count = groupsOf(data.payload.groups, "top")[0]?.examples.length ?? 0;
  const measured = data.payload.effects.length;
  const where = `measured on the strongest ${measured} of ${count} top examples`;
  return `How much worse the model predicts each token when the feature is ablated, ${where}.`;
}

function showTabs(tabs: readonly Tab[], current: Tab, { change }: Scene): TemplateResult {
  const tab = ({ id, label, doc }: Tab) =>
    html`<button
      type="button"
      role="tab"
      id="examples-tab-${id}"
      aria-selected=${id === current.id ? "true" : "false"}
      aria-controls="examples-panel"
      tabindex=${id === current.id ? "0" : "-1"}
      title=${doc}
      @click=${() => change({ tab: id })}
    >
      ${label}
    </button>`;
  const turn = (event: KeyboardEvent) => {
    const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (by === 0) return;
    event.preventDefault();
    const next = turnTab(tabs, current.id, by);
    change({ tab: next });
    const list = event.currentTarget as HTMLElement;
    list.querySelector<HTMLElement>(`#examples-tab-${next}`)?.focus();
  };
  return html`<div class="tabs" role="tablist" aria-label="Which examples" @keydown=${turn}>${tabs.map(tab)}</div>`;
}

function showLegendLine({ id }: Tab, scene: Scene): TemplateResult {
  const { data, view, change } = scene;
  const { payload } = data;
  const hasLoss = id === "top" && payload.effects.length > 0;
  const loss = showsLoss(scene);
  return html`<div class="legend-line">
    ${loss ? showLossLegend(lossScale(data)) : showHeatLegend(payload.max_activation, id === "counter")}
    <div class="settings">
      ${
        hasLoss
          ? choice(
              "colour",
              [
                { label: "activation", pressed: !loss, act: () => change({ colouring: "activation" }) },
                { label: "loss effect", pressed: loss, act: () => change({ colouring: "loss" }) },
              ],
            )
          : nothing
      }
      ${choice(
        "context",
        CONTEXTS.map((context) => ({
          label: context,
          pressed: view.context === context,
          act: () => change({ context }),
        })),
      )}
      ${choice("", [{ label: "show spaces", pressed: view.spaces, act: () => change({ spaces: !view.spaces }) }])}
    </div>
  </div>`;
}

function showIntervals({ data, view, change }: Scene): TemplateResult {
  const intervals = intervalsOf(data.payload.groups);
  const chosen = intervals[view.interval ?? -1];
  const settings = intervals.map(({ lower, upper }, number) => ({
    label: `${decimal(lower, 3)} – ${decimal(upper, 3)}`,
    pressed: number === view.interval,
    act: () => change({ interval: number }),
  }));
  const all = { label: "all", pressed: chosen === undefined, act: () => change({ interval: null }) };
  return html`<div class="intervals">${choice("activation", [all, ...settings.reverse()])}</div>`;
}

function showGroup(shownGroup: ExampleGroup, { id }: Tab, scene: Scene): TemplateResult {
  const { group, examples } = shownGroup;
  const silent = SILENT[group];
  const shown = examples.slice(0, scene.most).flatMap((example, rank) => {
    const place = { group, rank };
    return showsLoss(scene) && effectOf(scene.data, place) === undefined ? [] : [showExample(example, place, scene)];
  });
  return html`${id === "interval" ? html`<h3>${rangeText(shownGroup)}</h3>` : nothing}
    ${silent === undefined ? nothing : html`<h3>${silent.label}</h3><p class="note">${silent.doc}</p>`}
    <ol class=${silent === undefined ? "examples" : "examples silent"}>
      ${shown}
    </ol>`;
}

/** Says so where the site holds fewer or shorter examples than the dataset. */
function showChoice({ data }: Scene): TemplateResult | typeof nothing {
  const { fitted, top, others, before, after, budget } = data.site.choice;
  if (!fitted) return nothing;
  const gigabytes = decimal(budget / 1e9, 2);
  return html`<p class="note">
    To stay below ${gigabytes} GB, this site holds at most ${top} top examples and ${others} of each other kind, of
    ${before} + 1 + ${after} tokens each; the dataset has more.
  </p>`;
}

function showNothing({ data }: Scene): TemplateResult {
  const tokens = integer(data.site.n_tokens);
  const dead = numberOf(data, "firing_tokens") === 0;
  const sentences = dead
    ? [
        `This feature never fired on the ${tokens} counted tokens of this corpus.`,
        "It may need text that the corpus lacks, or be dead altogether.",
        "What its weights alone tell (its effect on the next token, its neighbours) is still shown.",
      ]
    : [data.site.n_tokens > 0 ? "No examples of this feature were kept." : "No tokens were counted."];
  return html`<h2 id="examples">Examples</h2>
    <div class="nothing">${sentences.map((sentence) => html`<p>${sentence}</p>`)}</div>`;
}
