"""What holds whoever looks: narrow screens, touch, other colours, missing files, writing of the world."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.opened import FEATURES, Open
from tests.support.synthetic import TEXTS
from tests.support.web import serve_folder

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.browser import Visit, Visitor

PAGES = [
    "index.html",
    "about.html",
    "alpha/index.html",
    "alpha/0/index.html",
    "alpha/0/5.html?examples=interval&spaces=1",
    "map.html?f=5",
    "search.html?q=fires",
    "search.html",
]


def broken(visit: Visitor, address: str, path: str, *missing: str) -> Visit:
    """A visit during which the data files `missing` cannot be loaded."""
    visited = visit()
    for name in missing:
        visited.page.route(f"**/data/{name}.js*", lambda route: route.abort())
    visited.open(address + path)
    return visited


class TestScreens:
    @pytest.mark.parametrize("path", PAGES)
    def test_nothing_sticks_out(self, show: Open, path: str):
        page = show(path)
        for width in (360, 768, 1280, 2560):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, width

    def test_the_search_list_fits_a_narrow_screen(self, show: Open):
        page = show("index.html", size=(360, 700))
        page.locator("atlas-search-box input").fill("fires on")
        page.get_by_role("option").first.wait_for()
        box = page.locator(".search-popup").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 360

    def test_the_card_of_a_token_stays_on_the_page(self, show: Open):
        page = show("alpha/0/5.html", size=(360, 700))
        for peak in page.locator(".strip .peak").all():
            peak.focus()
            box = page.locator(".value-card").bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 360

    def test_what_a_finger_must_hit_is_large_enough(self, show: Open):
        page = show("map.html", size=(390, 800))
        for control in page.locator(".map-controls button, .map-controls select, .theme-button").all():
            box = control.bounding_box()
            assert min(box["width"], box["height"]) >= 36


class TestKeyboard:
    @pytest.mark.parametrize(
        "path", ["alpha/0/5.html", "alpha/index.html", "map.html", "search.html?q=fires"]
    )
    def test_every_control_can_be_reached_and_seen(self, show: Open, path: str):
        page = show(path)
        choose_by_key(page)
        wanted = page.evaluate(WANTED)
        assert wanted > 0
        page.evaluate("document.activeElement.blur()")
        for _ in range(wanted + FEATURES + 120):
            page.keyboard.press("Tab")
            note(page)
        # One member of a group is a stop; arrow keys lead from it to the others.
        for group in page.locator("[role=tablist], [data-rove]:has(button)").all():
            group.locator("[tabindex='0']").focus()
            page.keyboard.press("Home")
            for _ in range(group.locator("[tabindex]").count()):
                note(page)
                page.keyboard.press("ArrowRight")
        assert page.evaluate("wanted.filter((one) => !reached.has(one)).map((one) => one.outerHTML)") == []


def choose_by_key(page: Page) -> None:
    """A grid is one stop whose keys do what the boxes in it do: they choose its first two rows."""
    grid = page.locator("[role=grid]")
    if grid.count() == 0:
        return
    grid.focus()
    page.keyboard.press("Home")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    boxes = grid.locator("tbody input[type=checkbox]")
    page.wait_for_function("() => document.querySelectorAll('tbody input:checked').length === 2")
    assert [boxes.nth(at).is_checked() for at in range(3)] == [True, True, False]


def note(page: Page) -> None:
    """Count what has the focus as reached; it must show that it has."""
    at = page.evaluate(FOCUS)
    if at["kind"] in {"BUTTON", "INPUT", "SELECT", "SUMMARY"}:
        assert at["outlined"], at


WANTED = """() => {
  window.reached = new Set();
  window.wanted = [...document.querySelectorAll("button, input, select, summary")].filter((one) => {
    const { width, height } = one.getBoundingClientRect();
    return width > 0 && height > 0 && !one.disabled && one.checkVisibility({ visibilityProperty: true })
      && !(one.tabIndex < 0 && one.matches("[role=grid] td input"));
  });
  return window.wanted.length;
}"""
"""Notes every control that can be used; the boxes in the rows of a grid are tried in `choose_by_key`."""

FOCUS = """() => {
  const element = document.activeElement;
  const style = getComputedStyle(element);
  const frame = element.closest("form") ?? element;
  window.reached.add(element);
  return {
    kind: element.tagName,
    where: element.outerHTML.slice(0, 200),
    outlined: style.outlineStyle !== "none" || getComputedStyle(frame).boxShadow !== "none",
  };
}"""
"""Notes what has the focus; and whether one can see that."""


class TestColours:
    def test_the_map_follows_the_theme(self, show: Open):
        page = show("map.html", scheme="light")
        page.wait_for_function(f"({GROUND})().join() !== '0,0,0'")
        light = page.evaluate(GROUND)
        for _ in range(2):
            page.locator("atlas-theme-toggle button").click()
        page.wait_for_function(f"(light) => ({GROUND})().join() !== light.join()", arg=light)
        assert sum(page.evaluate(GROUND)) < sum(light)

    def test_the_minimap_follows_the_system(self, show: Open):
        page = show("alpha/0/12.html", scheme="light")
        page.locator("atlas-minimap").scroll_into_view_if_needed()
        page.wait_for_selector("atlas-minimap[data-ready]", state="attached")
        light = page.evaluate(GROUND)
        page.emulate_media(color_scheme="dark")
        page.wait_for_function(f"(light) => ({GROUND})().join() !== light.join()", arg=light)

    def test_heat_is_not_told_by_colour_alone(self, show: Open):
        page = show("alpha/0/5.html")
        for peak in page.locator(".strip .peak").all():
            assert "underline" in peak.evaluate("(token) => getComputedStyle(token).textDecorationLine")


GROUND = """() => {
  const canvas = document.querySelector("atlas-map canvas, atlas-minimap canvas");
  const copy = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  copy.drawImage(canvas, -1, -1);
  return [...copy.getImageData(0, 0, 1, 1).data.slice(0, 3)];
}"""
"""Colour of the map where no point is."""


class TestTouch:
    def test_a_tap_shows_the_card_and_a_second_opens(self, show: Open):
        page = show("map.html?sae=alpha&f=12", size=(390, 800))
        tap(page)
        card = page.locator(".map-card")
        card.wait_for()
        assert card.locator("code").first.inner_text() == "12"
        assert card.evaluate("(element) => getComputedStyle(element).pointerEvents") == "auto"
        tap(page)
        page.wait_for_url("**/alpha/0/12.html")

    def test_the_link_on_the_card_opens_too(self, show: Open):
        page = show("map.html?sae=alpha&f=12", size=(390, 800))
        tap(page)
        page.locator(".map-card a").click()
        page.wait_for_url("**/alpha/0/12.html")


def tap(page: Page) -> None:
    """A finger on the middle of the map."""
    page.locator(".map-frame").evaluate(
        """(frame) => {
          const box = frame.getBoundingClientRect();
          frame.setPointerCapture = () => undefined;
          for (const type of ["pointerdown", "pointerup", "pointerleave"]) {
            frame.dispatchEvent(new PointerEvent(type, {
              pointerType: "touch", pointerId: 9, button: 0, bubbles: true,
              clientX: box.x + box.width / 2, clientY: box.y + box.height / 2,
            }));
          }
        }"""
    )


class TestMissingFiles:
    def test_examples_stay_as_they_are_in_the_page(self, address: str, visit: Visitor):
        page = broken(visit, address, "alpha/0/5.html", "alpha/features/0").page
        page.get_by_role("alert").wait_for()
        assert "data/alpha/features/0.js could not be loaded" in page.get_by_role("alert").inner_text()
        assert page.locator(".brief mark").count() > 0

    def test_search_says_that_it_does_not_work(self, address: str, visit: Visitor):
        page = broken(visit, address, "search.html?q=raise", "search/directory").page
        page.get_by_role("alert").wait_for()
        assert "data/search/directory.js could not be loaded" in page.get_by_role("alert").inner_text()
        page.keyboard.press("Escape")
        page.locator("atlas-search-box input").fill("raise")
        page.get_by_text("The search does not work").first.wait_for()

    def test_the_map_says_that_it_does_not_work(self, address: str, visit: Visitor):
        page = broken(visit, address, "map.html", "alpha/map").page
        page.get_by_role("alert").wait_for()
        assert "data/alpha/map.js could not be loaded" in page.get_by_role("alert").inner_text()
        page.locator("#map-sae").select_option("beta")
        page.wait_for_selector("atlas-map[data-ready]", state="attached")
        assert page.get_by_role("alert").count() == 0

    def test_a_feature_page_does_without_its_map(self, address: str, visit: Visitor):
        page = broken(visit, address, "alpha/0/12.html", "alpha/minimap").page
        page.wait_for_selector("atlas-feature[data-ready]", state="attached")
        page.locator("text=Open the map").scroll_into_view_if_needed()
        page.wait_for_function("() => document.querySelector('atlas-minimap').hidden")

    def test_a_damaged_file_is_told_from_a_missing_one(self, address: str, visit: Visitor):
        visited = visit()
        visited.page.route(
            "**/data/alpha/features/0.js*",
            lambda route: route.fulfill(
                body='atlasShard("alpha/features/0","H4sIAAAA");', content_type="text/javascript"
            ),
        )
        page = visited.open(f"{address}alpha/0/5.html")
        page.get_by_role("alert").wait_for()
        assert "data/alpha/features/0.js is damaged" in page.get_by_role("alert").inner_text()


class TestFiles:
    def test_a_feature_page_reads_few_files(self, element_site: Path, visit: Visitor):
        visited = visit()
        page = visited.open(f"{element_site.as_uri()}/alpha/0/5.html")
        page.wait_for_selector("atlas-feature[data-ready]")
        names = {url.split("/data/")[1].split(".js")[0] for url in visited.record.requests if "/data/" in url}
        assert names <= {"site", "pieces", "alpha/features/0", "alpha/map", "alpha/minimap"}

    @pytest.mark.parametrize("path", ["alpha/0/5.html", "alpha/index.html", "map.html", "test.html"])
    def test_the_first_data_file_is_asked_for_ahead_of_the_scripts_and_once(
        self, element_site: Path, visit: Visitor, path: str
    ):
        visited = visit()
        with serve_folder(element_site) as host:
            visited.page.goto(host.url(path), wait_until="networkidle")
            asked = [url for url in visited.record.requests if url.endswith("/data/site.js")]
            assert asked == [host.url("data/site.js")]
            initiator = (
                "performance.getEntriesByName(location.origin + new URL(document.documentElement.dataset"
            )
            initiator += ".root + 'data/site.js', location.href).pathname)[0].initiatorType"
            assert visited.page.evaluate(initiator) == "link"
            assert visited.record.problems(host.origin) == []

    def test_a_page_that_may_never_need_it_asks_for_none(self, element_site: Path, visit: Visitor):
        visited = visit()
        visited.page.goto(f"{element_site.as_uri()}/about.html", wait_until="networkidle")
        assert [url for url in visited.record.requests if "/data/" in url] == []


class TestScripts:
    """Writing of the world: the page's text is the corpus, and every piece keeps its direction."""

    def feature_with(self, element_site: Path, wanted: str) -> str:
        for number in range(FEATURES):
            text = (element_site / f"alpha/0/{number}.html").read_text(encoding="utf-8")
            if any(wanted in part for part in re.findall(r'<ol class="?brief"?>(.*?)</ol>', text, re.DOTALL)):
                return f"alpha/0/{number}.html"
        return pytest.fail(f"no page of the synthetic site shows {wanted}")

    def test_right_to_left_pieces_are_isolated(self, show: Open, element_site: Path):
        page = show(self.feature_with(element_site, "ש"))
        strip = page.locator(".strip").filter(has_text="ש").first
        assert strip.evaluate(BARE_TEXT) == []
        directions = strip.locator(".token").evaluate_all(
            "(all) => all.map((e) => getComputedStyle(e).unicodeBidi)"
        )
        assert len(directions) > 3
        assert set(directions) == {"isolate"}

    @pytest.mark.parametrize("wanted", ["日", "def", "ï"])
    def test_the_text_of_a_strip_is_text_of_the_corpus(self, show: Open, element_site: Path, wanted: str):
        page = show(self.feature_with(element_site, wanted))
        shown = page.locator(".strip").all_inner_texts()
        texts = [text.replace("↵\n", "\n").removeprefix("<|endoftext|>") for text in shown]
        whole = [text for text in texts if "<0x" not in text]
        assert whole
        for text in whole:
            assert any(text.strip("\n") in document for document in TEXTS), text

    def test_spaces_are_shown_only_on_demand(self, show: Open):
        page = show("alpha/0/5.html")
        before = page.locator(".strip").all_inner_texts()
        page.get_by_role("button", name="show spaces").click()
        shown = page.locator(".strip").all_inner_texts()
        assert [text.replace("·\u200b", " ").replace("→\t", "\t") for text in shown] == before
        page.get_by_role("button", name="show spaces").click()
        assert page.locator(".strip").all_inner_texts() == before

    def test_a_short_context_is_part_of_the_full_one(self, show: Open):
        page = show("alpha/0/5.html")
        full = page.locator(".strip").all_inner_texts()
        page.get_by_role("button", name="short", exact=True).click()
        short = page.locator(".strip").all_inner_texts()
        assert len(short) == len(full)
        assert all(part.strip("…") in whole for part, whole in zip(short, full, strict=True))


BARE_TEXT = """(pre) =>
  [...pre.childNodes].filter((node) => node.nodeType === 3 && node.data.trim()).map((node) => node.data)"""
"""Text of a strip that is in no element of its own."""


class TestLostAddresses:
    def test_an_address_without_its_thousand_leads_to_the_feature(
        self, serve: Any, element_site: Path, visit: Visitor
    ):
        host = serve(element_site)
        page = visit().open(host.url("alpha/12"))
        page.get_by_role("link", name="alpha/0/12.html").click()
        page.wait_for_selector("atlas-feature[data-ready]", state="attached")
        assert page.url == host.url("alpha/0/12.html")

    def test_an_address_that_means_nothing_suggests_nothing(
        self, serve: Any, element_site: Path, visit: Visitor
    ):
        page = visit().open(serve(element_site).url("alpha/999999"))
        assert page.get_by_text("Did you mean").count() == 0
        assert page.locator("h1").is_visible()
