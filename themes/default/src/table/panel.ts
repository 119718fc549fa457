/** What owns a panel. */
interface Host {
  requestUpdate: () => void;
  querySelector: (selector: string) => Element | null;
  updateComplete: Promise<boolean>;
}

const GAP = 6;

/** The one panel of a table, shown beside the button that opened it; the browser closes it (Escape, a click elsewhere). */
export class Panel {
  /** The column it is about; "" is the choice of columns. */
  name = "";
  isOpen = false;
  private button: HTMLElement | null = null;
  private readonly host: Host;

  constructor(host: Host) {
    this.host = host;
  }

  private get element(): HTMLElement | null {
    return this.host.querySelector("#table-panel") as HTMLElement | null;
  }

  /** Shows the panel of the column called `name`. */
  open(name: string, button: HTMLElement): void {
    this.name = name;
    this.button = button;
    this.isOpen = true;
    this.host.requestUpdate();
    void this.host.updateComplete.then(() => {
      this.element?.showPopover();
      this.place();
      this.element?.querySelector<HTMLElement>("input, select, button:not([disabled])")?.focus();
    });
  }

  /** The browser has shown or closed it. */
  toggled({ newState }: ToggleEvent): void {
    if (newState === "open" || !this.isOpen) return;
    const inside = this.element?.contains(document.activeElement) ?? false;
    this.isOpen = false;
    if (inside || document.activeElement === document.body) this.button?.focus();
    this.host.requestUpdate();
  }

  /** Puts it under its button, within the window. */
  place(): void {
    const { button, element } = this;
    if (!this.isOpen || button === null || element === null || !button.isConnected) return;
    const { left, bottom, top } = button.getBoundingClientRect();
    const { innerWidth, innerHeight } = window;
    const width = element.offsetWidth;
    const height = element.offsetHeight;
    const below = bottom + GAP + height <= innerHeight || bottom < innerHeight / 2;
    element.style.left = `${Math.max(GAP, Math.min(left, innerWidth - width - GAP))}px`;
    element.style.top = `${Math.max(GAP, below ? Math.min(bottom + GAP, innerHeight - height - GAP) : top - GAP - height)}px`;
  }
}
