const TOLD = "[data-tip]";

/**
 * A small card that says what `data-tip` of an element inside `host` says, under the pointer and at the keyboard focus.
 * It can be pointed at itself, and Escape closes it. Arrow keys go from stop to stop inside `[data-rove]`.
 */
export class Tip {
  private readonly card = document.createElement("div");
  private readonly host: HTMLElement;
  private told: HTMLElement | null = null;

  constructor(host: HTMLElement) {
    this.host = host;
    this.card.className = "value-card";
    this.card.id = "value-card";
    this.card.role = "tooltip";
    this.card.hidden = true;
    for (const type of ["pointerover", "focusin"]) host.addEventListener(type, (event) => this.over(event));
    host.addEventListener("pointerout", (event) => this.left(event as PointerEvent));
    host.addEventListener("focusout", () => this.hide());
    host.addEventListener("keydown", (event) => this.pressed(event));
    // The focus may be anywhere while the pointer is here.
    document.addEventListener("keydown", ({ key }) => {
      if (key === "Escape") this.hide();
    });
  }

  /** Takes the card away: what it told of may be gone. */
  hide(): void {
    this.card.hidden = true;
    this.told?.removeAttribute("aria-describedby");
    this.told = null;
  }

  private over(event: Event): void {
    const target = event.target as Element;
    if (target === this.card) return;
    const told = target.closest<HTMLElement>(TOLD);
    if (told === null || told === this.told) return;
    this.hide();
    this.told = told;
    this.card.replaceChildren(told.dataset["tip"] ?? "");
    this.host.append(this.card);
    this.card.hidden = false;
    told.setAttribute("aria-describedby", this.card.id);
    this.place(told);
  }

  /** A card over the neighbouring line stays while the pointer is on it. */
  private left({ relatedTarget }: PointerEvent): void {
    const next = relatedTarget instanceof Node ? relatedTarget : null;
    if (this.card.contains(next) || (next !== null && this.told?.contains(next) === true)) return;
    if (this.told?.matches(":focus-visible") !== true) this.hide();
  }

  private place(told: HTMLElement): void {
    const frame = this.host.getBoundingClientRect();
    const [box = told.getBoundingClientRect()] = told.getClientRects();
    const furthest = frame.width - this.card.offsetWidth;
    const left = Math.max(0, Math.min(box.left - frame.left, furthest));
    const above = box.top - this.card.offsetHeight;
    const top = above >= 0 ? above - frame.top : box.bottom - frame.top;
    this.card.style.transform = `translate(${left}px, ${top}px)`;
  }

  private pressed(event: KeyboardEvent): void {
    if (event.key === "Escape" && !this.card.hidden) {
      this.hide();
      event.preventDefault();
      return;
    }
    const target = event.target as Element;
    const stops = [...(target.closest("[data-rove]")?.querySelectorAll<HTMLElement>("[tabindex]") ?? [])];
    const next = nextStop(event.key, stops.indexOf(target as HTMLElement), stops.length);
    if (next === null) return;
    event.preventDefault();
    stops[next]?.focus();
  }
}

/** The stop that `key` leads to from stop number `from` of `count`; null where it leads nowhere. */
export function nextStop(key: string, from: number, count: number): number | null {
  if (from < 0 || count === 0) return null;
  switch (key) {
    case "ArrowRight":
      return Math.min(from + 1, count - 1);
    case "ArrowLeft":
      return Math.max(from - 1, 0);
    case "Home":
      return 0;
    case "End":
      return count - 1;
    default:
      return null;
  }
}
