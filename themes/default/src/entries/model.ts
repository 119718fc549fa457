// Loaded when a reader first asks for the model; what it runs is in the bundle model-worker.
import { fetched, open } from "../model/open.ts";

/** What `model/client.ts` calls after `loadBundle("model")`. */
export interface ModelBundle {
  open: typeof open;
  /** Names of the files that this page has fetched. */
  fetched: ReadonlySet<string>;
}

declare global {
  var atlasModel: ModelBundle | undefined;
  /** Source of the worker that runs the model; there after `loadBundle("model-worker")`. */
  var atlasModelWorker: string | undefined;
}

globalThis.atlasModel = { open, fetched };
