/** Closes what opened below a button: on Escape, which gives the focus back to it, and when reader or pointer go elsewhere. */
export class MenuKeys {
  private readonly host: HTMLElement;
  private readonly close: () => void;
  private readonly pressed = (event: KeyboardEvent) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    this.host.querySelector("button")?.focus();
    this.close();
  };
  private readonly left = (event: Event) => {
    if (event.target instanceof Node && !this.host.contains(event.target)) this.close();
  };

  /** `host` holds the button first, then the menu; `close` takes the menu away. */
  constructor(host: HTMLElement, close: () => void) {
    this.host = host;
    this.close = close;
  }

  /** Puts the focus on the first thing in the menu, and listens. */
  start(): void {
    this.host.addEventListener("keydown", this.pressed);
    document.addEventListener("pointerdown", this.left);
    document.addEventListener("focusin", this.left);
    this.host.querySelector<HTMLElement>(".popover :is(button, input, textarea)")?.focus();
  }

  /** Stops listening. */
  stop(): void {
    this.host.removeEventListener("keydown", this.pressed);
    document.removeEventListener("pointerdown", this.left);
    document.removeEventListener("focusin", this.left);
  }
}
