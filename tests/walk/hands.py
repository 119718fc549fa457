"""Two ways to use a page: with a mouse, and with keys alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

MOST_STOPS = 600
"""Stops that keys may need from one control of a page to another."""

STOP = """(control) => {
  if (control.type === "radio") {
    const group = [...control.getRootNode().querySelectorAll(`input[type=radio][name="${control.name}"]`)];
    return group.find(({ checked }) => checked) ?? group[0];
  }
  if (control.tabIndex >= 0 && !control.disabled) return control;
  return control.closest("[data-rove], [role=tablist], [role=grid]")?.querySelector("[tabindex='0']")
    ?? control.closest("[role=grid]") ?? control;
}"""
"""The stop of the Tab key from which a control is reached: itself, or the one of its group."""

WHERE = """(stop) => {
  const active = document.activeElement;
  if (active === stop) return "here";
  if (active === null || active === document.body) return "after";
  return active.compareDocumentPosition(stop) & Node.DOCUMENT_POSITION_FOLLOWING ? "after" : "before";
}"""
"""Where a stop lies, seen from what has the focus."""

KIND = "({ tagName, type }) => tagName === 'INPUT' ? type : tagName.toLowerCase()"
CHOICE = """(select) => [select.selectedIndex, [...select.options].map(({ value, text }) => value || text)]"""


class Hand(Protocol):
    """Does one thing with one control."""

    by: str

    def press(self, control: Locator) -> None:
        """Use a button, link, tick or heading that unfolds."""
        ...

    def write(self, field: Locator, text: str) -> None:
        """Replace what a field holds by typing `text`."""
        ...

    def pick(self, choice: Locator, value: str) -> None:
        """Choose an option."""
        ...

    def look(self, spot: Locator) -> None:
        """Ask what a spot has to tell."""
        ...


class Mouse:
    """Points and clicks; only texts are typed."""

    by = "mouse"

    def __init__(self, page: Page) -> None:
        self.page = page

    def press(self, control: Locator) -> None:
        control.click()

    def write(self, field: Locator, text: str) -> None:
        field.click()
        replace_text(self.page, text)

    def pick(self, choice: Locator, value: str) -> None:
        # The list of a select belongs to the window system, which a headless browser lacks.
        choice.select_option(value)

    def look(self, spot: Locator) -> None:
        spot.hover()


class Keys:
    """Goes to every control as a reader does who has no pointer: Tab, arrows, Enter, Space."""

    by = "keyboard"

    def __init__(self, page: Page) -> None:
        self.page = page

    def reach(self, control: Locator) -> None:
        """Take the focus to a control; fails where Tab and arrow keys do not lead there."""
        control.wait_for(state="attached")
        handle = control.element_handle()
        assert handle is not None
        stop = handle.evaluate_handle(STOP).as_element()
        assert stop is not None
        where = stop.evaluate(WHERE)
        key = "Tab" if where == "after" else "Shift+Tab"
        for _ in range(MOST_STOPS):
            if where == "here":
                break
            self.page.keyboard.press(key)
            now = stop.evaluate(WHERE)
            # A dialog or a menu may lie elsewhere in the page than in the way of the keys.
            if now not in (where, "here") and stop.evaluate("(stop) => stop.closest('dialog, [popover]')"):
                key = "Tab"
            where = now
        assert where == "here", (
            f"Tab does not lead to {handle.evaluate('({ outerHTML }) => outerHTML')[:200]}"
        )
        self._rove(handle)

    def _rove(self, target: object) -> None:
        """Go by arrow keys from the stop of a group to the one meant."""
        focused = "(target) => target === document.activeElement"
        evaluate = target.evaluate  # type: ignore[attr-defined]
        if evaluate(focused):
            return
        forward = evaluate("(target) => (document.activeElement.compareDocumentPosition(target) & 4) !== 0")
        radio = evaluate(KIND) == "radio"
        keys = ("ArrowDown", "ArrowUp") if radio else ("ArrowRight", "ArrowLeft")
        for _ in range(MOST_STOPS):
            self.page.keyboard.press(keys[0] if forward else keys[1])
            if evaluate(focused):
                return
        raise AssertionError("arrow keys do not lead to it")

    def press(self, control: Locator) -> None:
        self.reach(control)
        kind = control.evaluate(KIND)
        if kind == "radio":
            if not control.is_checked():
                self.page.keyboard.press("Space")
        else:
            self.page.keyboard.press("Space" if kind == "checkbox" else "Enter")

    def write(self, field: Locator, text: str) -> None:
        self.reach(field)
        replace_text(self.page, text)

    def pick(self, choice: Locator, value: str) -> None:
        self.reach(choice)
        for _ in range(MOST_STOPS):
            at, values = choice.evaluate(CHOICE)
            if values[at] == value:
                return
            self.page.keyboard.press("ArrowDown" if values.index(value) > at else "ArrowUp")
        raise AssertionError(f"arrow keys do not lead to {value}")

    def look(self, spot: Locator) -> None:
        self.reach(spot)


def replace_text(page: Page, text: str) -> None:
    """Type over what the focused field holds; what no key has is put in as an input method does."""
    page.keyboard.press("Control+a")
    page.keyboard.press("Delete")
    if text.isascii() and "\n" not in text:
        page.keyboard.type(text)
    else:
        page.keyboard.insert_text(text)
