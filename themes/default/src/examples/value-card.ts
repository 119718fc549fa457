import { decimal, percent } from "../core/numbers.ts";

const TOKENS = ".token[data-value]";

/** A small card with a token's activation that follows the pointer and the keyboard focus inside `host`. */
export class ValueCard {
  private readonly card = document.createElement("div");
  private readonly host: HTMLElement;
  /** Activation that counts as 100 %. */
  max = 0;

  constructor(host: HTMLElement) {
    this.host = host;
    this.card.className = "value-card";
    this.card.id = "value-card";
    this.card.role = "tooltip";
    this.card.hidden = true;
    for (const type of ["pointerover", "focusin"]) host.addEventListener(type, (event) => this.over(event));
    for (const type of ["pointerout", "focusout"]) host.addEventListener(type, () => this.hide());
    host.addEventListener("keydown", (event) => this.pressed(event));
  }

  private over(event: Event): void {
    const token = (event.target as Element).closest<HTMLElement>(TOKENS);
    if (token === null) return;
    const value = Number(token.dataset["value"]);
    const share = this.max > 0 ? ` · ${percent(value / this.max, 2)} of the maximum` : "";
    this.card.replaceChildren(`${decimal(value)}${share}`);
    this.host.append(this.card);
    this.card.hidden = false;
    token.setAttribute("aria-describedby", this.card.id);
    this.place(token);
  }

  private place(token: HTMLElement): void {
    const frame = this.host.getBoundingClientRect();
    const [box = token.getBoundingClientRect()] = token.getClientRects();
    const furthest = frame.width - this.card.offsetWidth;
    const left = Math.max(0, Math.min(box.left - frame.left, furthest));
    const top = box.top - frame.top - this.card.offsetHeight - 4;
    this.card.style.transform = `translate(${left}px, ${top}px)`;
  }

  private hide(): void {
    this.card.hidden = true;
    for (const token of this.host.querySelectorAll("[aria-describedby=value-card]")) {
      token.removeAttribute("aria-describedby");
    }
  }

  private pressed(event: KeyboardEvent): void {
    const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    const token = (event.target as Element).closest<HTMLElement>(TOKENS);
    if (by === 0 || token === null) return;
    event.preventDefault();
    const tokens = [...(token.closest(".strip")?.querySelectorAll<HTMLElement>(TOKENS) ?? [])];
    tokens[tokens.indexOf(token) + by]?.focus();
  }
}
