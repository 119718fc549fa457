import { html, nothing } from "../core/lit.ts";
import type { TemplateResult } from "../core/lit.ts";
import { integer } from "../core/numbers.ts";
import { SAFE_ADDRESS } from "../frame/address.ts";
import { copyText } from "../frame/copy.ts";
import { packText, unpackText } from "./share.ts";
import type { SharedText } from "./share.ts";

/** Names in the fragment: what was shared stays in the address, what another page handed over does not. */
const SHARED = "share";
const HANDED = "text";

/** Path of the test page that shows `text`, from the site's root. */
export async function testPath(text: SharedText): Promise<string> {
  return `test.html#${HANDED}=${await packText(text)}`;
}

/** The text and view that the address holds; null where it holds none. Rejects with `AddressError`. */
export async function readShared(): Promise<SharedText | null> {
  const fragment = new URLSearchParams(window.location.hash.slice(1));
  const handed = fragment.get(HANDED);
  // Nobody asked to share this one: a copied address must not hold it.
  if (handed !== null) setFragment("");
  const packed = handed ?? fragment.get(SHARED);
  return packed === null ? null : unpackText(packed);
}

function setFragment(fragment: string): void {
  const { pathname, search } = window.location;
  window.history.replaceState(null, "", `${pathname}${search}${fragment}`);
}

/** The way to share a text: its link goes into the address and the clipboard, until something else is shown. */
export class Sharing {
  private address = "";
  private copied = false;
  private readonly changed: () => void;

  /** `changed` is called whenever something else is to be shown. */
  constructor(changed: () => void) {
    this.changed = changed;
  }

  /** Puts `shared` into the address, and copies that. */
  async share(shared: SharedText): Promise<void> {
    setFragment(`#${SHARED}=${await packText(shared)}`);
    this.address = window.location.href;
    this.copied = await copyText(this.address);
    this.changed();
  }

  /** Something else is shown now: the address no longer says what. */
  stale(): void {
    this.address = "";
    if (new URLSearchParams(window.location.hash.slice(1)).has(SHARED)) setFragment("");
  }

  /** The link, once there is one. */
  show(): TemplateResult | typeof nothing {
    const { address } = this;
    if (address === "") return nothing;
    const long =
      address.length <= SAFE_ADDRESS
        ? ""
        : ` ${integer(address.length)} characters: some programs cut addresses beyond ${integer(SAFE_ADDRESS)}.`;
    return html`<p class="text-shared shared" role="status">
      <label for="text-link">${this.copied ? "The link is copied" : "The link"}; it holds the text itself.${long}</label>
      <input id="text-link" type="text" readonly .value=${address} @focus=${({ target }: Event) => (target as HTMLInputElement).select()} />
    </p>`;
  }
}
