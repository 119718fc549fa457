import type { CardPayload, ColumnPayload } from "../payloads.ts";
import { nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { entryOf } from "../feature/model.ts";
import type { Entry, Scene } from "../feature/model.ts";

/** How columns are drawn. */
export interface Panel {
  /** The picture of `entries`; the panel was chosen for the first. `nothing` where there is nothing to see. */
  draw: (entries: readonly Entry[], scene: Scene) => TemplateResult | typeof nothing;
  /** Whether one picture also holds this other column of the same card. */
  takes?: (column: ColumnPayload) => boolean;
}

const panels = new Map<string, Panel>();

/** Lets `panel` draw what `name` says: the name of a column, else a kind, or the `panel` of a card. */
export function registerPanel(name: string, panel: Panel): void {
  panels.set(name, panel);
}

/** The panel of a column: by its name, as the card says, or by its kind; undefined for what is drawn by none. */
export function panelOf({ name, kind, hidden }: ColumnPayload, card: CardPayload): Panel | undefined {
  const own = panels.get(name) ?? panels.get(card.panel);
  return own ?? (hidden ? undefined : panels.get(kind));
}

/** What stands on a card, top to bottom; empty for a card that has nothing to show of this feature. */
export function drawCard(card: CardPayload, scene: Scene): TemplateResult[] {
  if (card.columns.length === 0) return drawAlone(card, scene);
  const left = card.columns.map((name) => entryOf(scene.data, name)).filter((entry) => entry !== undefined);
  const drawn: (TemplateResult | typeof nothing)[] = [];
  while (left.length > 0) {
    const [first] = left.splice(0, 1) as [Entry];
    const panel = panelOf(first.column, card);
    if (panel === undefined) continue;
    const together = left.filter(({ column }) => panel.takes?.(column) === true);
    for (const entry of together) left.splice(left.indexOf(entry), 1);
    drawn.push(panel.draw([first, ...together], scene));
  }
  return drawn.filter(isDrawn);
}

/** The panel of a card that needs no column. */
function drawAlone(card: CardPayload, scene: Scene): TemplateResult[] {
  const drawn = panels.get(card.panel)?.draw([], scene) ?? nothing;
  return isDrawn(drawn) ? [drawn] : [];
}

function isDrawn(drawn: TemplateResult | typeof nothing): drawn is TemplateResult {
  return drawn !== nothing;
}
