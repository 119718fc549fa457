"""Everything a mouse can do, keys can: each control is reached in order, seen, and works."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.kinds import KINDS, ask_for_keys, opened
from tests.support.opened import FEATURES

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.browser import Visitor

pytestmark = pytest.mark.slow

MARK = """() => {
  const stops = "a[href], button, input, select, textarea, summary, [tabindex]";
  const seen = ({ width, height }) => width > 0 && height > 0;
  window.wanted = [...document.querySelectorAll(stops)].filter((element) => element.tabIndex >= 0
    && !element.disabled && seen(element.getBoundingClientRect()) && element.checkVisibility());
  return window.wanted.length;
}"""
"""Notes every control that is shown; a stop that other stops stand for has tabindex -1 and is none."""

FOCUS = """() => {
  const element = document.activeElement;
  if (element === document.body || element === null) return null;
  const style = getComputedStyle(element);
  const frame = getComputedStyle(element.closest("form") ?? element);
  const box = element.getBoundingClientRect();
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  const inside = x >= 0 && x <= innerWidth && box.bottom > 0 && box.y < innerHeight;
  const rects = [...element.getClientRects()];
  const free = rects.some((rect) => {
    const hit = document.elementFromPoint(rect.x + rect.width / 2,
      Math.min(Math.max(rect.y + rect.height / 2, 1), innerHeight - 1));
    return hit !== null && (element.contains(hit) || hit.contains(element));
  });
  return {
    index: window.wanted.indexOf(element),
    name: `${element.tagName}.${element.className} ${element.textContent.trim().slice(0, 30)}`,
    marked: (style.outlineStyle !== "none" && Number.parseFloat(style.outlineWidth) >= 2
      && style.outlineColor !== style.backgroundColor) || frame.boxShadow !== "none",
    inside, free,
  };
}"""
"""What has the focus, whether a mark shows it, and whether it is in the window with nothing over it."""


@pytest.fixture
def look(element_site: Path, visit: Visitor) -> Callable[..., Page]:
    """`look("map", size=…)` opens the page of a kind."""

    def start(kind: str, **options: object) -> Page:
        return opened(visit(**options).page, element_site, kind)

    return start


def to_the_start(page: Page) -> None:
    """Take the focus to where a page begins: a search page gives it to its field."""
    page.evaluate(
        """() => {
          document.body.tabIndex = -1;
          document.body.focus();
          document.body.removeAttribute("tabindex");
        }"""
    )


def focus(page: Page) -> dict[str, Any] | None:
    """What has the focus, once the page has drawn what it scrolled to."""
    for _ in range(100):
        at = page.evaluate(FOCUS)
        if at is None or (at["inside"] and at["free"]):
            break
        page.wait_for_timeout(50)
    return at


def walked(page: Page, key: str = "Tab") -> list[dict[str, Any]]:
    """Every stop from the first to the last, in order; fails where the keys are caught in a part."""
    to_the_start(page)
    stops: list[dict[str, Any]] = []
    for _ in range(page.evaluate(MARK) + FEATURES):
        page.keyboard.press(key)
        at = focus(page)
        # Backwards a browser without a frame of its own goes on at the end.
        if at is None or (stops and at["index"] == stops[0]["index"] >= 0):
            return stops
        stops.append(at)
    raise AssertionError(f"the keys do not leave {stops[-1]['name']}")


class TestReach:
    @pytest.mark.parametrize(
        ("kind", "width"),
        [(kind, 1280) for kind in KINDS if kind != "thousand"]
        + [(kind, 390) for kind in ("feature", "map", "search")],
    )
    def test_every_control_is_reached_in_order_and_seen(
        self, look: Callable[..., Page], kind: str, width: int
    ):
        page = look(kind, size=(width, 800))
        page.evaluate(MARK)
        wanted = set(range(page.evaluate("wanted.length")))
        stops = walked(page)
        assert [at["name"] for at in stops if not at["marked"]] == []
        assert [at["name"] for at in stops if not (at["inside"] and at["free"])] == []
        missed = wanted - {at["index"] for at in stops}
        assert [page.evaluate("(at) => wanted[at].outerHTML", at) for at in missed] == []

    def test_a_list_of_many_links_is_walked_too(self, look: Callable[..., Page]):
        page = look("thousand")
        for _ in range(14):
            page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.closest('table') !== null")

    def test_backwards_is_the_same_way(self, look: Callable[..., Page]):
        page = look("feature")
        forward = [at["index"] for at in walked(page)]
        backward = [at["index"] for at in walked(page, "Shift+Tab")]
        assert backward == forward[::-1]

    @pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "embedded feature"])
    def test_the_first_stop_skips_to_the_content(self, look: Callable[..., Page], kind: str):
        page = look(kind, size=(390, 800))
        to_the_start(page)
        page.keyboard.press("Tab")
        skip = page.locator(".skip")
        assert skip.bounding_box()["y"] >= 0
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.closest('header, nav[aria-label=Site]')") is None

    def test_the_first_stop_of_an_embedded_page_is_in_its_content(self, look: Callable[..., Page]):
        """It has no frame of the site that one would have to skip."""
        page = look("embedded feature", size=(390, 800))
        to_the_start(page)
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.closest('main') !== null")
        page.keyboard.press("Shift+Tab")
        assert page.evaluate("document.activeElement.closest('header, footer, .skip, nav')") is None


class TestWork:
    def test_tabs_and_switches(self, look: Callable[..., Page]):
        page = look("feature")
        page.get_by_role("tab", selected=True).focus()
        page.keyboard.press("ArrowRight")
        assert page.get_by_role("tab", selected=True).inner_text() == "By strength"
        page.keyboard.press("ArrowRight")
        assert page.get_by_role("tab", selected=True).inner_text() == "Random firings"
        page.keyboard.press("ArrowLeft")
        assert page.evaluate("document.activeElement.ariaSelected") == "true"
        page.get_by_role("button", name="short").focus()
        page.keyboard.press("Space")
        assert page.get_by_role("button", name="short").get_attribute("aria-pressed") == "true"

    def test_a_strip_is_one_stop(self, look: Callable[..., Page]):
        page = look("feature")
        strips = page.locator(".examples .strip")
        assert strips.count() > 0
        assert [strip.locator("[tabindex='0']").count() for strip in strips.all()] == [1] * strips.count()

    def test_an_unfolding_part_unfolds(self, look: Callable[..., Page]):
        for kind in ("home", "about", "feature"):
            page = look(kind)
            page.locator("main summary").first.focus()
            page.keyboard.press("Enter")
            assert page.locator("main details").first.get_attribute("open") is not None
            page.keyboard.press("Space")
            assert page.locator("main details").first.get_attribute("open") is None

    def test_a_wide_table_is_scrolled(self, look: Callable[..., Page]):
        page = look("thousand", size=(320, 700))
        region = page.get_by_role("region", name="Table of features")
        region.focus()
        for _ in range(3):
            page.keyboard.press("ArrowRight")
        page.wait_for_function("() => document.activeElement.scrollLeft > 0")

    def test_choices_of_the_map(self, look: Callable[..., Page]):
        page = look("map")
        page.locator("#map-sae").focus()
        page.keyboard.press("ArrowDown")
        page.wait_for_function("() => new URLSearchParams(location.search).get('sae') === 'beta'")
        page.locator(".map-zoom button").first.focus()
        page.keyboard.press("Enter")
        page.locator(".map-list a").first.focus()
        page.keyboard.press("Enter")
        page.wait_for_url("**/beta/0/*.html")

    def test_a_suggestion_is_chosen_and_announced(self, look: Callable[..., Page]):
        page = look("home")
        page.keyboard.press("/")
        page.keyboard.type("fires")
        page.get_by_role("option").nth(1).wait_for()
        field = page.locator("atlas-search-box input")
        assert field.get_attribute("aria-expanded") == "true"
        page.keyboard.press("ArrowDown")
        named = field.get_attribute("aria-activedescendant")
        assert page.locator(f"#{named}").get_attribute("aria-selected") == "true"
        assert page.locator("atlas-search-box [aria-live]").inner_text() != ""
        page.keyboard.press("Enter")
        page.wait_for_url("**/0/*.html")


class TestHelp:
    def test_the_dialog_holds_the_focus_and_gives_it_back(self, look: Callable[..., Page]):
        page = look("home")
        page.locator(".keys-button").focus()
        page.keyboard.press("Enter")
        page.get_by_role("dialog").wait_for()
        for _ in range(4):
            assert page.evaluate("document.activeElement.closest('dialog, body') !== null")
            page.keyboard.press("Tab")
            assert not page.evaluate("document.activeElement.closest('main, header, footer') !== null")
        page.keyboard.press("Escape")
        page.get_by_role("dialog").wait_for(state="hidden")
        assert page.evaluate("document.activeElement.className") == "keys-button"

    def test_the_keys_are_the_page_s_as_soon_as_it_is_closed(self, look: Callable[..., Page]):
        """Typed after "/", letters are never taken for keys of the page, of which r leaves it."""
        page = look("home")
        typed = page.locator("atlas-search-box input")
        for _ in range(20):
            ask_for_keys(page)
            page.keyboard.press("/")
            page.keyboard.type("r")
            assert typed.input_value() == "r"
            page.keyboard.press("Backspace")
            page.keyboard.press("Escape")

    def test_the_button_closes_it(self, look: Callable[..., Page]):
        page = look("home")
        page.keyboard.press("?")
        page.get_by_role("dialog", name="Keys").get_by_role("button", name="Close").focus()
        page.keyboard.press("Enter")
        page.get_by_role("dialog").wait_for(state="hidden")
