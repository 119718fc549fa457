import type { OpenModel, Sampling, Steered, Step } from "../model/client.ts";

/** What a continuation is of. */
export interface Task {
  prompt: string;
  steered: Steered[];
  sampling: Sampling;
}

/** A continuation, whole or as far as it has come. */
export interface Continuation {
  task: Task;
  steps: Step[];
  done: boolean;
}

/** The model's own continuation and the steered one; null before they have begun. */
export interface Runs {
  plain: Continuation | null;
  steered: Continuation | null;
}

/** No continuation yet. */
export const NO_RUNS: Runs = { plain: null, steered: null };

/** Whether a finished continuation answers `task`: what is deterministic need not be run twice. */
function answers(known: Continuation | null, task: Task): known is Continuation {
  return known !== null && known.done && JSON.stringify(known.task) === JSON.stringify(task);
}

/**
 * Continues the prompt of `task` as the model does by itself, then steered; `changed` is told of every token. What
 * `before` holds already is kept.
 */
export async function runBoth(
  model: Pick<OpenModel, "generate">,
  task: Task,
  before: Runs,
  changed: (runs: Runs) => void,
  signal: AbortSignal,
): Promise<void> {
  let runs = NO_RUNS;
  const go = async (name: keyof Runs, own: Task) => {
    const known = before[name];
    if (answers(known, own)) {
      runs = { ...runs, [name]: known };
      changed(runs);
      return;
    }
    const tell = (steps: Step[], done: boolean) => {
      if (signal.aborted) return;
      runs = { ...runs, [name]: { task: own, steps, done } };
      changed(runs);
    };
    const steps: Step[] = [];
    tell([], false);
    const onStep = (step: Step) => {
      steps.push(step);
      tell([...steps], false);
    };
    tell(await model.generate(own.prompt, own.steered, own.sampling, onStep, signal), true);
  };
  await go("plain", { ...task, steered: [] });
  await go("steered", task);
}

/** First token in which two continuations differ; -1 where they do not, as far as both have come. */
export function firstDifference(one: readonly Step[], other: readonly Step[]): number {
  const common = Math.min(one.length, other.length);
  for (let at = 0; at < common; at++) if (one[at]?.id !== other[at]?.id) return at;
  return -1;
}

/** The text of a continuation. */
export function textOf(steps: readonly Step[]): string {
  return steps.map(({ text }) => text).join("");
}

/** Mean of -ln(probability) over the tokens, in nats; NaN without any. */
export function surprise(steps: readonly Step[]): number {
  return steps.reduce((sum, { probability }) => sum - Math.log(probability), 0) / steps.length;
}
