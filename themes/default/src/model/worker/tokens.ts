import { Tokenizer } from "@huggingface/tokenizers";
import { messageOf } from "../../core/message.ts";
import { ModelError } from "../../core/model-error.ts";
import { groupPieces, type Spelt } from "../characters.ts";
import type { Tokens } from "../client.ts";
import { wellFormed } from "../windows.ts";
import { speller, type TokenizerSpec } from "./spelling.ts";

/** The model's tokenizer, and what its tokens stand for. */
export class TextTokens {
  readonly spelt: (id: number) => Spelt;
  readonly #tokenizer: Tokenizer;

  /** Takes the text of a `tokenizer.json`; throws `ModelError` where it holds what this tokenizer does not know. */
  constructor(json: string, bos: number | null) {
    try {
      const spec = JSON.parse(json) as TokenizerSpec;
      this.#tokenizer = new Tokenizer(spec, {});
      this.spelt = speller(spec, (id) => this.#tokenizer.id_to_token(id), bos);
    } catch (error) {
      throw refused(`it cannot be read here (${messageOf(error)})`);
    }
  }

  /** Throws `ModelError` unless every text becomes the ids that the build stored. */
  check(cases: readonly (readonly [string, readonly number[]])[]): void {
    const wrong = cases.filter(([text, ids]) => !isSame(this.encode(text), ids));
    if (wrong.length > 0) throw refused(`it cuts ${wrong.length} of ${cases.length} test strings into other tokens`);
  }

  /** Token ids of `text`, which must be valid Unicode; nothing is added in front or behind. */
  encode(text: string): number[] {
    return text === "" ? [] : this.#tokenizer.encode(text, { add_special_tokens: false }).ids;
  }

  /** The tokens of any text. */
  tokenise(text: string): Tokens {
    const valid = wellFormed(text);
    const ids = this.encode(valid.text);
    return { ids, pieces: groupPieces(ids.map(this.spelt)), replaced: valid.replaced };
  }
}

function refused(reason: string): ModelError {
  return new ModelError(
    "tokenizer",
    `The tokenizer does not work here as it did when this atlas was built: ${reason}.` +
      " What it would show belongs to another text, so nothing is shown.",
  );
}

function isSame(one: readonly number[], other: readonly number[]): boolean {
  return one.length === other.length && one.every((id, at) => id === other[at]);
}
