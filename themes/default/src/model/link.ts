import { ModelError } from "../core/model-error.ts";
import type { Step } from "./client.ts";
import type { Answer, CallName, Calls, Request } from "./messages.ts";

/** How a call may be followed and ended. */
export interface Following {
  signal?: AbortSignal | undefined;
  onStep?: (step: Step) => void;
}

interface Pending {
  resolve: (value: unknown) => void;
  reject: (error: ModelError) => void;
  onStep?: ((step: Step) => void) | undefined;
}

const NO_WORKER = "This browser does not start the worker that runs the model.";

/** The page's end of the worker. */
export class WorkerLink {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  #calls = 0;
  #ended: ModelError | null = null;
  /** Resolves with the reason once the worker has ended. */
  readonly ended: Promise<ModelError>;
  #tellEnd: (reason: ModelError) => void = () => undefined;

  /** Starts a worker from its `source`; a blob is the only worker that a page from a disk may start. */
  constructor(source: string) {
    this.#worker = startWorker(source);
    this.ended = new Promise((resolve) => {
      this.#tellEnd = resolve;
    });
    this.#worker.addEventListener("message", ({ data }: MessageEvent<Answer>) => this.#receive(data));
    this.#worker.addEventListener("error", (event) => {
      event.preventDefault();
      this.end(new ModelError("wasm", NO_WORKER));
    });
  }

  /** Asks the worker; rejects with `ModelError`, of the kind "cancelled" as soon as the signal is aborted. */
  call<Name extends CallName>(name: Name, argument: Calls[Name][0], following: Following = {}): Promise<Calls[Name][1]> {
    const { signal, onStep } = following;
    if (this.#ended !== null) return Promise.reject(this.#ended);
    if (signal?.aborted === true) return Promise.reject(cancelled());
    const call = this.#calls++;
    const answer = new Promise<unknown>((resolve, reject) => this.#pending.set(call, { resolve, reject, onStep }));
    this.#send({ call, name, argument } as Request);
    const stop = () => {
      this.#settle(call)?.reject(cancelled());
      this.#send({ cancel: call });
    };
    signal?.addEventListener("abort", stop, { once: true });
    return answer.finally(() => signal?.removeEventListener("abort", stop)) as Promise<Calls[Name][1]>;
  }

  /** Ends the worker; all calls, also later ones, reject with `reason`. */
  end(reason: ModelError): void {
    if (this.#ended !== null) return;
    this.#ended = reason;
    this.#worker.terminate();
    this.#tellEnd(reason);
    for (const call of [...this.#pending.keys()]) this.#settle(call)?.reject(reason);
  }

  #send(request: Request): void {
    this.#worker.postMessage(request);
  }

  #receive(answer: Answer): void {
    if ("lost" in answer) {
      this.end(new ModelError("gpu", `The graphics processor was lost: ${answer.lost}.`));
      return;
    }
    if ("step" in answer) {
      this.#pending.get(answer.call)?.onStep?.(answer.step);
      return;
    }
    const pending = this.#settle(answer.call);
    if ("kind" in answer) pending?.reject(new ModelError(answer.kind, answer.message));
    else pending?.resolve(answer.value);
  }

  #settle(call: number): Pending | undefined {
    const pending = this.#pending.get(call);
    this.#pending.delete(call);
    return pending;
  }
}

/** What a stopped call rejects with. */
export function cancelled(): ModelError {
  return new ModelError("cancelled", "Stopped.");
}

function startWorker(source: string): Worker {
  const address = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  try {
    const worker = new Worker(address);
    // Some browsers read the source only after the worker was made; what it says first has been read.
    worker.addEventListener("message", () => URL.revokeObjectURL(address), { once: true });
    return worker;
  } catch {
    URL.revokeObjectURL(address);
    throw new ModelError("wasm", NO_WORKER);
  }
}
