// A worker in memory: answers what the page asks as a test says.
import type { Answer, Request } from "../../src/model/messages.ts";

type Call = Extract<Request, { call: number }>;

/** Gives the value of a call, throws to fail it, or returns `SILENT` to leave it open. */
export type Behaviour = (request: Call, tell: (answer: Answer) => void) => unknown;
export const SILENT = Symbol("silent");

export class FakeWorker {
  /** Every worker that was started. */
  static started: FakeWorker[] = [];
  static behaviour: Behaviour = () => null;
  /** Set to make the browser refuse. */
  static refusal: Error | null = null;

  readonly received: Request[] = [];
  terminated = false;
  readonly #listeners = new Map<string, ((event: unknown) => void)[]>();

  constructor() {
    if (FakeWorker.refusal !== null) throw FakeWorker.refusal;
    FakeWorker.started.push(this);
  }

  /** Puts itself in the place of `Worker`, forgetting what was started before. */
  static install(behaviour: Behaviour): void {
    FakeWorker.started = [];
    FakeWorker.behaviour = behaviour;
    FakeWorker.refusal = null;
    URL.createObjectURL = () => "blob:worker";
    URL.revokeObjectURL = () => undefined;
    Object.assign(globalThis, { Worker: FakeWorker, atlasModelWorker: "source" });
  }

  /** The calls by name, in order. */
  get names(): string[] {
    return this.received.map((request) => ("cancel" in request ? `cancel ${request.cancel}` : request.name));
  }

  addEventListener(type: string, listener: (event: unknown) => void): void {
    this.#listeners.set(type, [...(this.#listeners.get(type) ?? []), listener]);
  }

  postMessage(request: Request): void {
    this.received.push(request);
    if ("cancel" in request) return;
    queueMicrotask(() => {
      try {
        const value = FakeWorker.behaviour(request, (answer) => this.tell(answer));
        if (value !== SILENT) this.tell({ call: request.call, value });
      } catch (error) {
        const { kind, message } = error as { kind: "shard"; message: string };
        this.tell({ call: request.call, kind, message });
      }
    });
  }

  tell(answer: Answer): void {
    if (!this.terminated) this.fire("message", { data: answer });
  }

  fire(type: string, event: object): void {
    for (const listener of this.#listeners.get(type) ?? []) listener({ preventDefault: () => undefined, ...event });
  }

  terminate(): void {
    this.terminated = true;
  }
}
