import "../panels/all.ts";
import { messageOf } from "../core/message.ts";
import type { CardPayload } from "../payloads.ts";
import { loadFeature, loadSae, loadSite } from "../core/data.ts";
import { define, LightElement } from "../core/element.ts";
import { link } from "../core/links.ts";
import { guard, html, nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { page } from "../core/page.ts";
import { readState, writeState } from "../core/state.ts";
import { showExamples } from "../examples/show-examples.ts";
import { TABS } from "../examples/tabs.ts";
import { showHeader } from "../feature/header.ts";
import { reachOf } from "../feature/model.ts";
import type { FeatureData, Scene } from "../feature/model.ts";
import { Tip } from "../feature/tip.ts";
import { changed, PLAIN, readView, viewState } from "../feature/view.ts";
import type { View } from "../feature/view.ts";
import { drawCard } from "../panels/registry.ts";

const EXAMPLES_PER_BIT = 2;
const CARDS_PER_BIT = 1;

/** The page of one feature, drawn from its data file; what the page holds without scripts stands in until then. */
export class Feature extends LightElement {
  /** All that is shown; null until it has arrived. */
  data: FeatureData | null = null;
  private view: View = PLAIN;
  private crumbs: Element | null = null;
  /** What a template drew, by id. */
  private readonly kept = new Map<string, Element>();
  private tip: Tip | null = null;
  /** Bits of the page that are drawn. */
  private bits = 0;

  override connectedCallback(): void {
    super.connectedCallback();
    const tabs = TABS.map(({ id }) => id);
    this.view = readView(readState(), tabs);
    this.tip ??= new Tip(this);
    if (this.data === null) void this.load();
  }

  private async load(): Promise<void> {
    const { sae: slug, feature } = page();
    try {
      const [site, sae, found] = await Promise.all([loadSite(), loadSae(slug), loadFeature(slug, feature ?? 0)]);
      this.data = { site, sae, ...found, reach: reachOf(found.shard) };
    } catch (error) {
      this.tellProblem(messageOf(error));
      return;
    }
    this.takeOver();
    await this.drawBits();
    this.dataset["ready"] = "";
    // The browser looked for this place before it was there.
    if (window.location.hash !== "") this.querySelector(`#${CSS.escape(window.location.hash.slice(1))}`)?.scrollIntoView();
    this.dispatchEvent(new Event("atlas-feature-ready", { bubbles: true }));
  }

  /** Draws the page from the top, in bits short enough for the browser to answer the reader in between. */
  private async drawBits(): Promise<void> {
    const { payload, sae } = this.data as FeatureData;
    const most = Math.max(0, ...payload.groups.map(({ examples }) => examples.length));
    const count = Math.max(Math.ceil(most / EXAMPLES_PER_BIT), Math.ceil(sae.cards.length / CARDS_PER_BIT), 1);
    for (this.bits = 1; this.bits < count; this.bits += 1) {
      this.requestUpdate();
      await this.updateComplete;
      await new Promise((resolve) => setTimeout(resolve));
    }
    this.bits = Infinity;
    this.requestUpdate();
    await this.updateComplete;
  }

  /** Clears the place of the static copy; what the drawn page also holds is set aside. */
  private takeOver(): void {
    this.crumbs = this.querySelector("nav.crumbs");
    for (const element of this.querySelectorAll("[data-keep]")) this.kept.set(element.id, element);
    this.replaceChildren();
  }

  private tellProblem(message: string): void {
    const problem = document.createElement("p");
    problem.className = "problem";
    problem.role = "alert";
    problem.append(`Only a part of this page can be shown: ${message}`);
    this.prepend(problem);
  }

  private change(changes: Partial<View>): void {
    const before = this.view;
    this.view = changed(before, changes);
    writeState(viewState(this.view));
    this.tip?.hide();
    this.requestUpdate();
    if (this.view.interval !== null && this.view.interval !== before.interval) void this.showInterval();
  }

  /** On narrow pages the examples are far from the histogram whose bar was chosen. */
  private async showInterval(): Promise<void> {
    await this.updateComplete;
    this.querySelector(".tabs")?.scrollIntoView({ block: "nearest" });
  }

  private showCard(card: CardPayload, scene: Scene): TemplateResult | typeof nothing {
    const drawn = drawCard(card, scene);
    const kept = this.kept.get(card.id);
    if (drawn.length === 0 && kept === undefined) return nothing;
    if (kept !== undefined) return html`${kept}${this.showBelow(drawn)}`;
    return html`<section class="card" id=${card.id}>
      <h2>${this.showTitle(card, scene)}</h2>
      ${drawn}
    </section>`;
  }

  /** What scripts draw for a card that a template drew. */
  private showBelow(drawn: readonly TemplateResult[]): TemplateResult | typeof nothing {
    return drawn.length === 0 ? nothing : html`<section class="card">${drawn}</section>`;
  }

  private showTitle({ title, columns }: CardPayload, { data }: Scene): TemplateResult {
    const about = data.sae.columns.find(({ name }) => name === columns[0]);
    if (about === undefined || TOGETHER.has(about.kind)) return html`${title}`;
    return html`<a href=${link(`about.html#c-${about.name}`)} data-tip=${about.doc}>${title}</a>`;
  }

  /** Widths that follow from data: the policy of the page forbids to write them as attributes. */
  protected override updated(): void {
    for (const part of this.querySelectorAll<HTMLElement>("[data-grow]"))
      part.style.flexGrow = part.dataset["grow"] ?? "";
    for (const tick of this.querySelectorAll<HTMLElement>("[data-at]"))
      tick.style.left = `${Number(tick.dataset["at"]) / 10}%`;
  }

  protected override shouldUpdate(): boolean {
    return this.data !== null;
  }

  protected override render(): TemplateResult {
    const scene: Scene = {
      data: this.data as FeatureData,
      view: this.view,
      most: this.bits * EXAMPLES_PER_BIT,
      change: (changes) => this.change(changes),
    };
    const listed = new Set(scene.data.sae.cards.map(({ id }) => id));
    const others = [...this.kept].flatMap(([id, element]) => (listed.has(id) ? [] : [element]));
    const cards = scene.data.sae.cards.slice(0, this.bits * CARDS_PER_BIT);
    return html`${this.crumbs} ${showHeader(scene.data)}
      <div class="columns">
        <section class="reading" aria-labelledby="examples">${showExamples(scene)}</section>
        <aside class="margin" aria-label="Numbers">
          ${cards.map((card) => guard([this.view, this.data], () => this.showCard(card, scene)))} ${others}
        </aside>
      </div>`;
  }
}

/** Kinds that share a card because they are many, so that none of them explains its title. */
const TOGETHER = new Set(["scalar", "coords", "category"]);

define("atlas-feature", Feature);

declare global {
  interface HTMLElementTagNameMap {
    "atlas-feature": Feature;
  }
}
