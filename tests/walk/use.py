"""Which controls a page shows, and which of them a walk has used: noted by the page itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

SCRIPT = """(() => {
  const CONTROLS = "a[href], button, input, select, textarea, summary, [tabindex], .brush, .map-frame";
  const ACTS = /^(a|button|input|select|textarea|summary)$/;
  const FIELD = /^(input|select|textarea)$/;
  const PAINT = / ?\\b(a\\d|u\\d|peak|silent|helps\\d|hurts\\d)\\b/g;
  const plain = (text) => text.replace(/\\s+/g, " ").replace(/ ?\\([^)]*\\)/g, "")
    .replace(/[-+]?[\\d.,]+(e[-+]?\\d+)?/g, "#").trim();
  const own = (element) => {
    const copy = element.cloneNode(true);
    for (const part of copy.querySelectorAll("bdi, code, .number, .soft, select, input")) part.remove();
    return plain(copy.textContent ?? "");
  };
  const words = (text, count) => plain(text).split(" ").slice(0, count).join(" ");
  const place = (element) => {
    for (let at = element.parentElement; at !== null; at = at.parentElement) {
      const { localName: name } = at;
      if (name.includes("-") || /^(header|footer|nav|dialog|details)$/.test(name)) return name;
    }
    return "main";
  };
  const nameOf = (element) => {
    if (element.closest(".panel-columns") !== null) return "column";
    if (element.matches("th .sort")) return "sort";
    if (element.localName === "a") {
      const url = new URL(element.href, location.href);
      const file = url.pathname.split("/").at(-1).replace(/\\d+/, "#");
      return file + (url.hash === "" ? "" : " #") + (element.rel === "" ? "" : ` ${element.rel}`);
    }
    if (/^(button|summary)$/.test(element.localName)) {
      const label = element.getAttribute("aria-label");
      return label === null ? own(element) || element.className : words(label, 2);
    }
    const label = element.labels?.[0];
    const told = element.getAttribute("aria-label") ?? (label === undefined ? "" : own(label));
    if (FIELD.test(element.localName)) return words(told || element.id || element.type, 2);
    return element.getAttribute("role") ?? element.className.replace?.(PAINT, "") ?? "";
  };
  const sign = (element) => `${place(element)}: ${element.localName} ${nameOf(element)}`.trim();
  const shown = (element) => element.tabIndex >= 0 || element.matches(".brush")
    ? !element.disabled && element.checkVisibility() && element.getBoundingClientRect().width > 0 : false;
  const told = new Set();
  const tell = (what, element) => {
    const line = `${what} ${sign(element)}`;
    if (told.has(line)) return;
    told.add(line);
    globalThis.walkTold?.(line);
  };
  const used = (event) => {
    const element = event.target instanceof Element ? event.target.closest(CONTROLS) : null;
    if (element === null) return;
    const looks = event.type === "focusin" || event.type === "pointerover";
    if (!looks || !ACTS.test(element.localName)) tell("used", element);
  };
  for (const type of ["click", "change", "input", "focusin", "pointerover", "pointerdown", "wheel"])
    addEventListener(type, used, { capture: true, passive: true });
  globalThis.walkLook = () => {
    for (const element of document.querySelectorAll(CONTROLS)) if (shown(element)) tell("seen", element);
  };
})();"""
"""Signs of controls leave out numbers and all text of the dataset, so that one row stands for its like."""


class Use:
    """The controls that pages of a walk have shown, and those that were used."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.used: set[str] = set()

    def watch(self, context: BrowserContext) -> None:
        """Note what happens in every page of `context` from now on."""
        context.expose_binding("walkTold", self._told)
        context.add_init_script(SCRIPT)

    def _told(self, _source: dict[str, Any], line: str) -> None:
        what, _, sign = line.partition(" ")
        (self.seen if what == "seen" else self.used).add(sign)

    @staticmethod
    def look(page: Page) -> None:
        """Note what `page` shows now."""
        page.evaluate("globalThis.walkLook?.()")

    @property
    def idle(self) -> list[str]:
        """Controls that were shown and never used."""
        return sorted(self.seen - self.used)
