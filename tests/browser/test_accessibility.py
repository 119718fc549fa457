"""Pages for everybody: no rule of axe-core is broken, text may grow, nothing moves for those who ask.

What axe cannot know (a strip that cuts its text, a page that is too wide, motion) is measured here;
`test_keyboard.py` has the keys.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import axe
from tests.support.kinds import KINDS, opened

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.browser import Visitor

pytestmark = pytest.mark.slow

EVERY_KIND = pytest.mark.parametrize("kind", KINDS)
VIEWS = [("light", 1280), ("dark", 1280), ("light", 390), ("dark", 390)]
"""Colour scheme and width of the views in which no rule may be broken."""

RULES = {"color-contrast", "document-title", "html-has-lang", "landmark-one-main", "page-has-heading-one"}
"""Rules that must have looked at something on every page, or the audit says nothing."""


@pytest.fixture
def look(element_site: Path, visit: Visitor) -> Callable[..., Page]:
    """`look("map", size=…)` opens the page of a kind."""

    def start(kind: str, **options: object) -> Page:
        return opened(visit(**options).page, element_site, kind)

    return start


def audit(page: Page, *views: tuple[str, int]) -> None:
    """No rule is broken in any of the views (all of them by default), the state of the page kept."""
    for scheme, width in views or VIEWS:
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 800})
        # The map and the table draw anew, a frame later.
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        assert axe.violations(page) == [], (scheme, width)


class TestRules:
    @EVERY_KIND
    def test_no_page_breaks_a_rule(self, look: Callable[..., Page], kind: str):
        audit(look(kind))

    def test_the_rules_were_tried(self, look: Callable[..., Page]):
        page = look("feature")
        assert set(axe.results(page)["passes"]) >= RULES

    def test_the_audit_finds_what_is_wrong(self, look: Callable[..., Page]):
        """The control: four faults of four kinds, each of them told."""
        page = look("feature")
        page.evaluate(
            """() => {
              document.querySelector("h1").style.color = "color-mix(in srgb, var(--atlas-paper), gray 20%)";
              document.querySelector("atlas-search-box input").removeAttribute("aria-label");
              document.querySelector("atlas-search-box input").removeAttribute("placeholder");
              document.documentElement.removeAttribute("lang");
              document.querySelector("main").append(document.createElement("button"));
            }"""
        )
        rules = {line.split(":")[0] for line in axe.violations(page)}
        assert rules >= {"color-contrast", "html-has-lang", "button-name"}
        assert rules & {"label", "aria-input-field-name"}

    @pytest.mark.parametrize("kind", ["feature", "map"])
    def test_the_chosen_theme_is_as_good_as_that_of_the_system(self, look: Callable[..., Page], kind: str):
        page = look(kind, scheme="light")
        page.evaluate("document.documentElement.dataset.theme = 'dark'")
        audit(page, ("light", 1280))
        page.evaluate("document.documentElement.dataset.theme = 'light'")
        audit(page, ("dark", 1280))


class TestUsed:
    """No rule is broken either after someone has used the page."""

    @pytest.mark.parametrize("label", ["By strength", "Random firings"])
    def test_another_tab(self, look: Callable[..., Page], label: str):
        page = look("feature")
        page.get_by_role("tab", name=label).click()
        page.get_by_role("button", name="short").click()
        page.locator(".strip .peak").first.focus()
        page.locator(".value-card").wait_for()
        audit(page, ("light", 1280), ("dark", 390))

    def test_numbers_unfolded(self, look: Callable[..., Page]):
        for kind in ("feature", "about", "home"):
            page = look(kind)
            page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
            assert page.locator("details[open]").count() > 0
            audit(page, ("light", 390), ("dark", 1280))

    def test_a_map_moved_coloured_searched_and_pointed_at(self, look: Callable[..., Page]):
        page = look("map")
        frame = page.locator(".map-frame")
        frame.focus()
        for key in ("+", "ArrowLeft", "ArrowUp"):
            page.keyboard.press(key)
        colours = page.locator("#map-colour option").evaluate_all("(all) => all.map(({ value }) => value)")
        page.locator("#map-colour").select_option(colours[-1])
        page.locator(".map-ramp").wait_for()
        page.locator("#map-query").fill("fires")
        page.get_by_role("heading", name="found").wait_for()
        page.locator(".map-list a").first.focus()
        page.locator(".map-card").wait_for()
        audit(page, ("light", 1280), ("dark", 390))

    @pytest.mark.parametrize("typed", ["fires on", "qqqq nothing"])
    def test_an_open_list_of_suggestions(self, look: Callable[..., Page], typed: str):
        page = look("home")
        page.locator("atlas-search-box input").fill(typed)
        page.get_by_role("option").first.wait_for()
        page.keyboard.press("ArrowDown")
        assert page.get_by_role("option", selected=True).count() == 1
        audit(page, ("light", 1280), ("dark", 390))

    def test_the_help(self, look: Callable[..., Page]):
        page = look("feature")
        page.keyboard.press("?")
        page.get_by_role("dialog").wait_for()
        audit(page)

    def test_a_search_without_results(self, look: Callable[..., Page], element_site: Path):
        page = look("search")
        page.goto(f"{element_site.as_uri()}/search.html?q=qqqqzzzz")
        page.wait_for_selector("atlas-search-page[data-ready]")
        audit(page, ("light", 1280), ("dark", 390))

    def test_a_problem_is_told_accessibly(self, element_site: Path, visit: Visitor):
        page = visit().page
        page.route("**/data/alpha/map.js*", lambda route: route.abort())
        page.goto(f"{element_site.as_uri()}/map.html")
        page.get_by_role("alert").wait_for()
        audit(page, ("light", 1280), ("dark", 390))


WIDER = "document.documentElement.scrollWidth - innerWidth"
"""By how many pixels the page is too wide."""

CUT = """() => [...document.querySelectorAll("main *, header *, footer *")].filter((element) => {
  const style = getComputedStyle(element);
  const scrolls = (value) => value === "auto" || value === "scroll";
  const hidden = (value) => value === "hidden" || value === "clip";
  const excerpt = ".find .strip, td .tokens, .visually-hidden, svg, canvas, [hidden]";
  if (element.closest(excerpt) || element.clientHeight === 0) return false;
  const tall = element.scrollHeight - element.clientHeight > 4;
  const wide = element.scrollWidth - element.clientWidth > 2;
  if (wide && hidden(style.overflowX) && style.textOverflow !== "ellipsis") return true;
  return tall && hidden(style.overflowY) && !scrolls(style.overflowX) && style.textOverflow !== "ellipsis";
}).map((element) => `${element.tagName}.${element.className} ${element.textContent.trim().slice(0, 40)}`)"""
"""Elements whose text does not fit and cannot be scrolled to; an ellipsis says that there is more.

Excerpts are left out: the page of their feature, a link beside them, has the whole."""

GROW = """(factor) => {
  const sizes = [...document.querySelectorAll("body, body *")].map(
    (element) => [element, Number.parseFloat(getComputedStyle(element).fontSize)]);
  for (const [element, size] of sizes) element.style.fontSize = `${size * factor}px`;
}"""
"""What browsers do that enlarge only the text: every size times `factor`."""

SPACING = """() => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`* { line-height: 1.5 !important; letter-spacing: .12em !important;
    word-spacing: .16em !important; } p { margin-bottom: 2em !important; }`);
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
}"""
"""The spacing of text that readers may ask for (WCAG 2.2, 1.4.12)."""


class TestReflow:
    @EVERY_KIND
    def test_no_page_is_wider_than_its_window(self, look: Callable[..., Page], kind: str):
        page = look(kind)
        for width in (320, 360, 390, 640, 1280, 2560):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate(WIDER) <= 0, width

    def test_lines_stay_short_on_a_wide_screen(self, look: Callable[..., Page]):
        page = look("about", size=(2560, 1000))
        widths = page.locator("main p").evaluate_all("(all) => all.map(({ clientWidth }) => clientWidth)")
        assert max(widths) <= 1164

    @EVERY_KIND
    def test_at_two_hundred_percent_everything_is_there(self, look: Callable[..., Page], kind: str):
        """A page at 200 % has half the window's pixels."""
        page = look(kind, size=(640, 400))
        assert page.evaluate(CUT) == []
        assert page.evaluate(WIDER) <= 0

    @EVERY_KIND
    def test_text_alone_may_be_twice_as_large(self, look: Callable[..., Page], kind: str):
        page = look(kind)
        before = page.evaluate("document.querySelector('h1').getBoundingClientRect().height")
        page.evaluate(GROW, 2)
        assert page.evaluate("document.querySelector('h1').getBoundingClientRect().height") >= 1.9 * before
        assert page.evaluate(WIDER) <= 0
        assert page.evaluate(CUT) == []

    @EVERY_KIND
    def test_text_may_be_spaced(self, look: Callable[..., Page], kind: str):
        page = look(kind, size=(390, 800))
        page.evaluate(SPACING)
        assert page.evaluate(WIDER) <= 0
        assert page.evaluate(CUT) == []

    def test_the_measure_finds_cut_text(self, look: Callable[..., Page]):
        page = look("about")
        page.evaluate(
            "Object.assign(document.querySelector('main p').style, { height: '8px', overflow: 'hidden' })"
        )
        assert len(page.evaluate(CUT)) == 1


MOVING = """() => [...document.querySelectorAll("*")].filter((element) => {
  const { transitionDuration, animationName, scrollBehavior, transitionProperty } = getComputedStyle(element);
  const slow = transitionDuration.split(",").some((time) => Number.parseFloat(time) > 0);
  return (slow && transitionProperty !== "none") || animationName !== "none" || scrollBehavior === "smooth";
}).length + document.getAnimations().length"""
"""How much on the page moves or would."""


class TestMotion:
    @EVERY_KIND
    def test_nothing_moves_for_those_who_ask(self, look: Callable[..., Page], kind: str):
        page = look(kind, reduced_motion="reduce")
        if kind == "embedded feature":
            # Without the site's frame: what comes up here is the card of a token.
            assert page.locator("atlas-search-box").is_hidden()
            page.locator(".strip .peak").first.focus()
            page.locator(".value-card").wait_for()
        else:
            page.locator("atlas-search-box input").fill("fires")
        assert page.evaluate(MOVING) == 0

    def test_the_map_jumps_for_those_who_ask(self, look: Callable[..., Page]):
        page = look("map", reduced_motion="reduce")
        page.locator(".map-zoom button").first.click()
        page.locator(".map-list a").first.focus()
        assert page.evaluate(MOVING) == 0

    def test_the_measure_finds_motion(self, look: Callable[..., Page]):
        page = look("home", reduced_motion="no-preference")
        assert page.evaluate(MOVING) > 0
