// The worker that runs the model; its source is the bundle model-worker.
import { ModelError } from "../../core/model-error.ts";
import type { Answer, Request } from "../messages.ts";
import { failureOf } from "../failure.ts";
import type { Runtime } from "../files.ts";
import { Files } from "./files.ts";
import { type Checkpoint, Model } from "./model.ts";
import { whenLost } from "./runtime.ts";

/** The few parts of a worker that are used here; TypeScript keeps them in a library of their own. */
interface Scope {
  addEventListener(type: "message", listener: (event: { data: Request }) => void): void;
  postMessage(message: Answer, transfer: Transferable[]): void;
}
type Call = Extract<Request, { call: number }>;

const scope = globalThis as unknown as Scope;
const files = new Files();
const cancelled = new Set<number>();
let model: Model | null = null;
let runtime: Runtime = "wasm";
/** Calls run one after the other; parts of files come while nothing runs yet. */
let running: Promise<unknown> = Promise.resolve();

scope.addEventListener("message", ({ data }) => {
  if ("cancel" in data) {
    cancelled.add(data.cancel);
    return;
  }
  running = running.then(() => answer(data));
});

async function answer(request: Call): Promise<void> {
  const { call } = request;
  try {
    await checkpointOf(call)();
    const value = await perform(request);
    scope.postMessage({ call, value }, buffersOf(value));
  } catch (error) {
    scope.postMessage({ call, ...failureOf(error, runtime) }, []);
  } finally {
    cancelled.delete(call);
  }
}

async function perform({ call, name, argument }: Call): Promise<unknown> {
  if (name === "part") return files.add(argument.file, argument.place, argument.payload).then(() => null);
  if (name === "open") {
    ({ runtime } = argument);
    model = await Model.open(files, argument);
    if (runtime === "webgpu") void whenLost().then((lost) => scope.postMessage({ lost }, []));
    return null;
  }
  if (model === null) throw new ModelError("input", "The model is not open.");
  switch (name) {
    case "tokenise":
      return model.tokens.tokenise(argument.text);
    case "activations":
      return model.activations(argument.text, checkpointOf(call));
    case "generate":
      return model.generate(argument, (step) => scope.postMessage({ call, step }, []), checkpointOf(call));
    case "check":
      return model.check();
    case "runs":
      return model.runs();
    case "replay":
      return model.replay(argument, checkpointOf(call));
  }
}

/** Lets messages arrive, then throws where one of them ended `call`. */
function checkpointOf(call: number): Checkpoint {
  return async () => {
    await new Promise<void>((resolve) => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => {
        port1.close();
        resolve();
      };
      port2.postMessage(null);
    });
    if (cancelled.has(call)) throw new ModelError("cancelled", "Stopped.");
  };
}

/** What of an answer is handed over instead of copied. */
function buffersOf(value: unknown): Transferable[] {
  const { values } = (value ?? {}) as { values?: unknown };
  return values instanceof Float32Array ? [values.buffer as ArrayBuffer] : [];
}
