import { messageOf } from "../core/message.ts";
import { ModelError } from "../model/client.ts";
import type { OpenModel, TextActivations } from "../model/client.ts";
import { fitText } from "./limit.ts";

/** Long enough that typing does not run the model at every key. */
const PAUSE_MS = 220;

/** A text being typed, and its activations as soon as the model has them. */
export class LiveText {
  /** Of the last text that was run; null before the first, and for an empty one. */
  activations: TextActivations | null = null;
  /** Characters at the end of that text that were left out. */
  cut = 0;
  /** Whether a newer text is on its way. */
  busy = false;
  /** Why there are no activations; "" where nothing is wrong. */
  problem = "";
  /** What runs the text; null while none is open. */
  model: OpenModel | null = null;
  private text = "";
  private running: AbortController | null = null;
  private timer = 0;
  private readonly changed: () => void;

  /** `changed` is called whenever something else is to be shown. */
  constructor(changed: () => void) {
    this.changed = changed;
  }

  /** Runs `model` from now on; null forgets the last one and what it said. */
  use(model: OpenModel | null): void {
    this.stop();
    this.model = model;
    this.activations = null;
    this.problem = "";
    void this.run();
  }

  /** The text is now `text`; it is run when typing pauses. */
  type(text: string): void {
    this.text = text;
    if (this.model === null) return;
    this.busy = text !== "";
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.run(), PAUSE_MS);
  }

  /** Gives up what is under way. */
  stop(): void {
    window.clearTimeout(this.timer);
    this.running?.abort();
    this.running = null;
    this.busy = false;
  }

  private async run(): Promise<void> {
    const { model, text } = this;
    this.stop();
    if (model === null) return;
    const running = new AbortController();
    this.running = running;
    this.busy = text !== "";
    this.changed();
    try {
      const { text: fitted, cut } = await fitText(model, text);
      const found = fitted === "" ? null : await model.activations(fitted, running.signal);
      if (running.signal.aborted) return;
      Object.assign(this, { activations: found, cut, problem: "" });
    } catch (error) {
      if (running.signal.aborted || (error instanceof ModelError && error.kind === "cancelled")) return;
      Object.assign(this, { activations: null, problem: messageOf(error) });
    }
    this.running = null;
    this.busy = false;
    this.changed();
  }
}
