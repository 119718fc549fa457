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
    .replace(/[-+]?[\\d.,]+(e[-+]?\\d+)?/g, "#").replace(/[\\w-]+\\/#/g, "#").trim();
  const own = (element) => {
    const copy = element.cloneNode(true);
    for (const part of copy.querySelectorAll("bdi, code, .number, .soft, select, input")) part.remove();
    return plain(copy.textContent ?? "");
  };
  const words = (text, count) => plain(text).split(" ").slice(0, count).join(" ");
  const place = (element) => {
    if (element.matches("a.skip")) return "skip";
    const frame = element.closest("body > header, body > footer");
    if (frame !== null) return frame.localName;
    const kind = document.documentElement.dataset.page;
    for (let at = element.parentElement; at !== null; at = at.parentElement) {
      const { localName: name } = at;
      if (name.includes("-") || name === "dialog") return name;
      if (/^(header|footer|nav|details)$/.test(name)) return `${kind} ${name}`;
    }
    return `${kind} main`;
  };
  const nameOf = (element) => {
    if (element.closest(".panel-columns") !== null) return "column";
    if (element.matches("th .sort")) return "sort";
    if (element.localName === "a") {
      const url = new URL(element.href, location.href);
      if (url.hash !== "" && url.href.split("#")[0] === location.href.split("#")[0]) return "# of this page";
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
    return element.getAttribute("role") ?? element.getAttribute("class")?.replace(PAINT, "") ?? "";
  };
  const sign = (element) => `${place(element)}: ${element.localName} ${nameOf(element)}`.trim();
  // What a page says without scripts goes as soon as its element begins: it is no control of the page.
  const STATIC = "atlas-feature-table:not([data-ready])";
  const isOne = (element) => element.matches(".brush")
    || (element.tabIndex >= 0 && element.closest(STATIC) === null);
  const shown = (element) => isOne(element) && !element.disabled && element.checkVisibility()
    && element.getBoundingClientRect().width > 0;
  const told = new Set();
  const tell = (what, element) => {
    const line = `${what} ${sign(element)}`;
    if (told.has(line)) return;
    told.add(line);
    globalThis.walkTold?.(line, `${location.pathname.split("/").at(-1)} ${element.outerHTML.slice(0, 160)}`);
  };
  const look = () => {
    for (const element of document.querySelectorAll(CONTROLS)) if (shown(element)) tell("seen", element);
  };
  const used = (event) => {
    if (event.type === "pointerdown") look();
    const element = event.target instanceof Element ? event.target.closest(CONTROLS) : null;
    if (element === null) return;
    const acts = /^(click|change|input)$/.test(event.type);
    if (acts || element.readOnly || !ACTS.test(element.localName)) tell("used", element);
  };
  for (const type of ["click", "change", "input", "focusin", "pointerover", "pointerdown", "wheel"])
    addEventListener(type, used, { capture: true, passive: true });
  addEventListener("keydown", ({ key }) => key === "Tab" || key === "Shift" || look(), { capture: true });
  globalThis.walkLook = look;
})();"""
"""Signs of controls leave out numbers and all text of the dataset, so that one row stands for its like."""


NOT_FOR = {
    "mouse": {"skip: a # of this page": "it is there only while Tab has led to it"},
    "keyboard": {"atlas-feature-table: svg brush": "its panel has the same bounds as fields, From and To"},
}
"""Hand → controls that are not for it, with the reason."""


class Use:
    """The controls that pages of a walk have shown, and those that one hand has used."""

    def __init__(self, by: str) -> None:
        self.by = by
        self.seen: dict[str, str] = {}
        self.used: set[str] = set()

    def watch(self, context: BrowserContext) -> None:
        """Note what happens in every page of `context` from now on."""
        context.expose_binding("walkTold", self._told)
        context.add_init_script(SCRIPT)

    def _told(self, _source: dict[str, Any], line: str, where: str) -> None:
        what, _, sign = line.partition(" ")
        if what == "used":
            self.used.add(sign)
        else:
            self.seen.setdefault(sign, where)

    @staticmethod
    def look(page: Page) -> None:
        """Note what `page` shows now."""
        page.evaluate("globalThis.walkLook?.()")

    @property
    def idle(self) -> list[str]:
        """Controls that were shown and never used, but for those that are not for this hand."""
        return sorted(self.seen.keys() - self.used - NOT_FOR[self.by].keys())
