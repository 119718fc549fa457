import { html, nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { percent } from "../core/numbers.ts";
import { choice } from "../feature/choice.ts";
import type { Joining } from "./aggregate.ts";
import type { Grouping } from "./groups.ts";
import { DENSITIES, GROUPINGS, JOININGS } from "./view.ts";
import type { TextView } from "./view.ts";

const JOINING_DOCS: Readonly<Record<Joining, string>> = {
  max: "The largest activation on the tokens looked at.",
  sum: "The sum of the activations on the tokens looked at.",
  mean: "The mean over all tokens looked at, those where it is silent included.",
};

const GROUPING_LABELS: Readonly<Record<Grouping, string>> = { "": "none", token: "token", cluster: "cluster" };

const GROUPING_DOCS: Readonly<Record<Grouping, string>> = {
  "": "One list.",
  token: "By the token where each feature fires most.",
  cluster: "By the groups of the map.",
};

/** How the features of a text are counted, filtered and put together; `hasBos` where the SAE's windows begin with BOS. */
export function showTextControls(
  view: TextView,
  hasBos: boolean,
  change: (changes: Partial<TextView>) => void,
): TemplateResult {
  const densities = DENSITIES.map((densest) => ({
    label: densest === 1 ? "all" : `≤ ${percent(densest, 1)}`,
    doc:
      densest === 1
        ? "Features of any density."
        : `Only features that fire on at most ${percent(densest, 1)} of the corpus’s tokens.`,
    pressed: densest === view.densest,
    act: () => change({ densest }),
  }));
  const bos = {
    label: "BOS",
    doc: "Counts the token that begins every window too; what fires there says little about the text.",
    pressed: view.bos,
    act: () => change({ bos: !view.bos }),
  };
  return html`<div class="settings text-controls">
    ${choice(
      "by",
      JOININGS.map((joining) => ({
        label: joining,
        doc: JOINING_DOCS[joining],
        pressed: joining === view.joining,
        act: () => change({ joining }),
      })),
    )}
    ${choice("density", densities)} ${hasBos ? choice("counts", [bos]) : nothing}
    ${choice(
      "group",
      GROUPINGS.map((grouping) => ({
        label: GROUPING_LABELS[grouping],
        doc: GROUPING_DOCS[grouping],
        pressed: grouping === view.grouping,
        act: () => change({ grouping }),
      })),
    )}
  </div>`;
}
