/** What kept the model from running: decides what a page offers the reader to do about it. */
export type ModelErrorKind =
  /** It cuts text into other tokens here than in the build; its activations would belong to another text. */
  | "tokenizer"
  /** The browser does not run WebAssembly, or starts no worker. */
  | "wasm"
  /** The graphics processor computes wrong numbers or none, or was lost. */
  | "gpu"
  /** The browser gives it too little memory. */
  | "memory"
  /** A data file did not come, or is damaged. */
  | "shard"
  /** The reader stopped it. */
  | "cancelled"
  /** It cannot run on what was asked: an empty prompt, for example. */
  | "input";

/** The model could not do what was asked; `message` is fit for people. */
export class ModelError extends Error {
  readonly kind: ModelErrorKind;

  constructor(kind: ModelErrorKind, message: string) {
    super(message);
    this.kind = kind;
  }
}
