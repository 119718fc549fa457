import { inlineText } from "../core/text.ts";
import type { Chosen } from "./chosen.ts";
import { textOf } from "./run.ts";
import type { Continuation, Runs } from "./run.ts";

/** Where continuations are from. */
export interface Origin {
  /** Title of the atlas. */
  atlas: string;
  build: string;
  sae: string;
  /** How the model's weights are stored. */
  precision: string;
}

/** What was done to the features, in words. */
export function chosenText(chosen: readonly Chosen[]): string {
  const words = ({ feature, mode, strength }: Chosen) => {
    if (mode === "ablate") return `feature ${feature} ablated`;
    return mode === "add" ? `feature ${feature}: ${strength} × its maximum added` : `feature ${feature} held at ${strength} × its maximum`;
  };
  return chosen.length === 0 ? "no feature steered" : chosen.map(words).join("; ");
}

/** Both continuations as text that people can read. */
export function reportText({ plain, steered }: Runs, chosen: readonly Chosen[], origin: Origin): string {
  const { prompt, sampling } = (steered ?? plain)?.task ?? { prompt: "", sampling: { temperature: 0, seed: 0 } };
  const how = sampling.temperature === 0 ? "greedy" : `temperature ${sampling.temperature}, seed ${sampling.seed}`;
  const whole = (run: Continuation | null) => prompt + textOf(run?.steps ?? []);
  return [
    "# as it is",
    whole(plain),
    "",
    "# steered",
    whole(steered),
    "",
    `# ${chosenText(chosen)}; ${how}`,
    `# ${origin.sae}, ${inlineText(origin.atlas)}, build ${origin.build}, ${origin.precision}`,
    "",
  ].join("\n");
}

/** Both continuations for programs: exact text, ids and probabilities; strengths in both units. */
export function reportJson(
  { plain, steered }: Runs,
  chosen: readonly Chosen[],
  origin: Origin,
): string {
  const task = (steered ?? plain)?.task;
  const of = (run: Continuation | null) =>
    run === null ? null : { text: textOf(run.steps), tokens: run.steps };
  const content = {
    ...origin,
    prompt: task?.prompt ?? "",
    sampling: task?.sampling ?? null,
    features: chosen.map(({ feature, mode, strength }, at) => ({
      feature_idx: feature,
      mode,
      strength,
      activation: steered?.task.steered[at]?.strength ?? null,
    })),
    unsteered: of(plain),
    steered: of(steered),
  };
  return `${JSON.stringify(content, null, 1)}\n`;
}
