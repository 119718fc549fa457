"""The map in a real Chromium: every control by mouse and by key, from file:// and over http."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from bench.map_frames import measure_map
from tests.support import axe
from tests.support.opened import FEATURES, POINTS_PER_PART, Open
from tests.support.web import serve_folder

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page, Route

    from tests.support.browser import Visitor

pytestmark = pytest.mark.slow

BOTH = pytest.mark.parametrize("address", ["file", "http"], indirect=True)
"""For the ways that matter most; the map does not know how it was loaded."""

Point = tuple[float, float]


def said(page: Page, name: str) -> str:
    """What the address says of `name`; empty if nothing."""
    return parse_qs(urlsplit(page.url).query).get(name, [""])[0]


def says(page: Page, name: str, value: str = "") -> None:
    """Wait until the address has `name`; with `value`, until it says that."""
    page.wait_for_function(
        """([name, value]) => {
          const found = new URLSearchParams(location.search).get(name);
          return value === "" ? found !== null : found === value;
        }""",
        arg=[name, value],
    )


def ready(page: Page) -> None:
    page.wait_for_selector("atlas-map[data-ready]", state="attached")


def title(page: Page, pattern: str) -> None:
    """Wait until the heading of the table matches."""
    page.locator("#map-list-title", has_text=re.compile(pattern)).wait_for()


def number(page: Page) -> int:
    """The number in the heading of the table."""
    text = page.locator("#map-list-title").inner_text()
    return int("".join(re.findall(r"\d", text)) or 0)


def said_without(page: Page, address: str, part: int) -> str:
    """What the map of the site at `address` says where a part of its points does not come."""
    page.route(f"**/data/alpha/map/{part}.js*", lambda route: route.abort())
    page.goto(f"{address}map.html?sae=alpha")
    alert = page.get_by_role("alert")
    alert.wait_for()
    return alert.inner_text()


def frame_at(page: Page, *shares: Point) -> list[Point]:
    """Pixels of the page at these shares of the map's width and height."""
    box = page.locator(".map-frame").bounding_box()
    assert box is not None
    return [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in shares]


def draw(page: Page, corners: list[Point], *, shift: bool) -> None:
    """Drag along `corners`."""
    if shift:
        page.keyboard.down("Shift")
    page.mouse.move(*corners[0])
    page.mouse.down()
    for corner in corners[1:]:
        page.mouse.move(*corner, steps=5)
    page.mouse.up()
    if shift:
        page.keyboard.up("Shift")


ALL_AROUND: list[Point] = [(0.01, 0.01), (0.99, 0.01), (0.99, 0.99), (0.01, 0.99)]
LEFT_HALF: list[Point] = [(0.01, 0.01), (0.5, 0.01), (0.5, 0.99), (0.01, 0.99)]

PIXELS = """(canvas) => {
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d");
  copy.drawImage(canvas, 0, 0);
  const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
  let sum = 0;
  for (let at = 0; at < data.length; at += 4) {
    sum = (sum * 31 + data[at] + 3 * data[at + 1] + 7 * data[at + 2]) % 1000003;
  }
  return sum;
}"""
"""A number that tells two pictures apart."""


def picture(page: Page, canvas: int = 0) -> int:
    """The points (0) or what lies above them (1), a frame from now, all of it drawn."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    page.wait_for_selector(".map-frame[data-drawn]")
    return page.locator(".map-frame canvas").nth(canvas).evaluate(PIXELS)


class TestMoving:
    @BOTH
    def test_a_point_opens_its_feature(self, show: Open):
        page = show("map.html?sae=alpha&f=12")
        (middle,) = frame_at(page, (0.5, 0.5))
        page.mouse.move(*middle)
        card = page.locator(".map-card")
        card.wait_for()
        assert card.locator("code").first.inner_text() == "12"
        card.locator(".tokens code").first.wait_for()
        page.mouse.click(*middle)
        page.wait_for_url("**/alpha/0/12.html")

    @BOTH
    def test_keys_move_zoom_and_open(self, show: Open):
        page = show("map.html?sae=alpha")
        page.locator(".map-frame").focus()
        for key in ("+", "ArrowRight", "ArrowDown"):
            page.keyboard.press(key)
        says(page, "z", "1.40")
        page.locator(".map-list code").first.wait_for()
        nearest = page.locator(".map-list a code").first.inner_text()
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/alpha/0/{nearest}.html")

    @pytest.mark.parametrize(
        ("key", "axis", "grows"),
        [("ArrowRight", "x", 1), ("ArrowLeft", "x", -1), ("ArrowDown", "y", 1), ("ArrowUp", "y", -1)],
    )
    def test_each_arrow_moves_its_way(self, show: Open, key: str, axis: str, grows: int):
        page = show("map.html?sae=alpha&x=30000&y=50000&z=4")
        page.locator(".map-frame").focus()
        page.keyboard.press(key)
        page.wait_for_function(
            """([axis, grows, start]) => {
              const now = Number(new URLSearchParams(location.search).get(axis));
              return now !== 0 && grows * (now - start) > 0;
            }""",
            arg=[axis, grows, {"x": 30000, "y": 50000}[axis]],
        )
        assert said(page, "z") == "4.00"

    def test_keys_and_buttons_zoom_alike(self, show: Open):
        page = show("map.html?sae=alpha")
        frame, buttons = page.locator(".map-frame"), page.locator(".map-zoom button")
        buttons.nth(0).click()
        says(page, "z", "1.60")
        buttons.nth(1).focus()
        page.keyboard.press("Enter")
        says(page, "z", "1.00")
        frame.focus()
        page.keyboard.press("=")
        page.keyboard.press("-")
        page.keyboard.press("-")
        says(page, "z", "0.71")
        page.keyboard.press("0")
        says(page, "z", "1.00")
        buttons.nth(0).click()
        says(page, "z", "1.60")
        buttons.nth(2).click()
        says(page, "z", "1.00")

    def test_the_wheel_zooms_and_a_drag_pans(self, show: Open):
        page = show("map.html?sae=alpha")
        ((x, y),) = frame_at(page, (0.4, 0.4))
        page.mouse.move(x, y)
        page.mouse.wheel(0, -400)
        page.wait_for_function("() => Number(new URLSearchParams(location.search).get('z')) > 1.5")
        before = float(said(page, "x"))
        page.mouse.down()
        page.mouse.move(x - 120, y, steps=4)
        page.mouse.up()
        page.wait_for_function(
            "(x) => Number(new URLSearchParams(location.search).get('x')) > Number(x)", arg=before
        )
        assert "map.html" in page.url

    def test_the_address_brings_the_view_back(self, show: Open):
        page = show("map.html?sae=alpha&x=20000&y=30000&z=5&colour=max_activation")
        listed = page.locator(".map-list a code").all_inner_texts()
        drawn = picture(page)
        again = show(f"map.html?{urlsplit(page.url).query}")
        assert again.locator(".map-list a code").all_inner_texts() == listed
        assert picture(again) == drawn

    def test_names_of_single_features_come_with_zoom(self, show: Open):
        page = show("map.html?sae=alpha&f=12")
        far = picture(page, 1)
        page.locator(".map-frame").focus()
        for _ in range(4):
            page.keyboard.press("+")
        labels = page.locator(".map-frame canvas").nth(1).element_handle()
        page.wait_for_function(f"([labels, far]) => ({PIXELS})(labels) !== far", arg=[labels, far])
        assert 0 < number(page) <= 60


class TestColours:
    def test_a_statistic_has_a_legend_with_values_and_a_column(self, show: Open):
        page = show("map.html?sae=alpha")
        plain = picture(page)
        page.locator("#map-colour").select_option("max_activation")
        page.locator(".map-ramp").wait_for()
        assert page.locator(".map-ticks .number").count() == 5
        assert picture(page) != plain
        assert page.locator(".map-table .number-head").count() == 1
        values = page.locator(".map-table td.number").all_inner_texts()
        assert len(values) == page.locator(".map-table tbody tr").count()
        assert all(re.match(r"[\d.]+$|\N{EN DASH}$", value) for value in values)
        assert said(page, "colour") == "max_activation"

    def test_every_statistic_can_be_chosen_by_key(self, show: Open):
        page = show("map.html?sae=alpha")
        choice = page.locator("#map-colour")
        names = choice.locator("option").evaluate_all("(all) => all.map(({ value }) => value)")
        assert names[0] == "cluster"
        assert {"activation_density", "firing_tokens"} <= set(names)
        for name in names[1:]:
            choice.focus()
            page.keyboard.press("ArrowDown")
            says(page, "colour", name)
            ready(page)
            assert page.locator(".problem").count() == 0

    def test_a_skewed_statistic_is_on_a_logarithm(self, show: Open):
        page = show("map.html?sae=alpha&colour=activation_density")
        ticks = [
            float(text.replace("\u202f%", ""))
            for text in page.locator(".map-ticks .number").all_inner_texts()
        ]
        assert ticks == sorted(ticks)
        even = ticks[1] - ticks[0] == pytest.approx(ticks[4] - ticks[3], rel=0.2)
        assert even == (page.get_by_text("equal ratios").count() == 0)

    def test_clusters_have_a_legend_with_sizes(self, show: Open):
        page = show("map.html?sae=alpha")
        sizes = [
            int(text) for text in page.locator(".map-legend li .soft").all_inner_texts() if text.isdigit()
        ]
        assert sum(sizes) == FEATURES
        assert page.locator(".map-legend .knone").count() <= 1

    def test_an_unknown_colour_is_clusters(self, show: Open):
        page = show("map.html?sae=alpha&colour=no_such_column")
        assert page.locator(".map-legend .dot").count() > 0
        assert page.locator(".map-ramp, .problem").count() == 0


class TestSeveralSaes:
    def test_another_sae_by_key(self, show: Open):
        page = show("map.html")
        assert page.locator("#map-sae").input_value() == "alpha"
        page.locator("#map-sae").focus()
        page.keyboard.press("ArrowDown")
        says(page, "sae", "beta")
        ready(page)
        page.locator(".map-list a[href^='beta/']").first.wait_for()

    @BOTH
    def test_two_side_by_side_then_over_one_another(self, show: Open):
        page = show("map.html?sae=alpha")
        alone = picture(page)
        page.locator(".map-compare summary").click()
        page.get_by_role("checkbox", name=re.compile("beta", re.IGNORECASE)).or_(
            page.locator(".map-compare input[value=beta]")
        ).first.check()
        says(page, "sae", "alpha,beta")
        title(page, rf"^{2 * FEATURES} in view")
        assert picture(page) != alone
        assert "not between SAEs" in page.locator(".map-caption").inner_text()
        page.get_by_role("radio", name="over one another").check()
        says(page, "lay", "over")
        ready(page)
        caption = page.locator(".map-caption").inner_text()
        assert "need not be alike" in caption
        assert page.locator(".map-legend .dot.disc.k0, .map-legend .dot.square.k1").count() == 2
        title(page, rf"^{2 * FEATURES} in view")

    def test_by_key_alone(self, show: Open):
        page = show("map.html?sae=alpha")
        page.locator(".map-compare summary").focus()
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        page.keyboard.press("Space")
        says(page, "sae", "alpha,beta")
        ready(page)
        page.locator(".map-compare input[value=side]").focus()
        page.keyboard.press("ArrowDown")
        says(page, "lay", "over")
        ready(page)
        page.locator(".map-compare input[value=beta]").focus()
        page.keyboard.press("Space")
        says(page, "sae", "alpha")

    def test_a_search_and_a_selection_are_about_all_of_them(self, show: Open):
        page = show("map.html?sae=alpha,beta&q=fires")
        title(page, r"^\d+ found")
        page.locator(".map-list a code").first.wait_for()
        page.locator(".map-frame").focus()
        page.keyboard.press("v")
        title(page, rf"^{2 * FEATURES} selected")
        page.locator("[data-tab=found]").click()
        while page.locator(".map-more").count():
            page.locator(".map-more").click()
        texts = page.locator(".map-list a code:first-child").all_inner_texts()
        names = {text.split("/")[0] for text in texts}
        assert names == {"alpha", "beta"}


class TestSelecting:
    @BOTH
    @pytest.mark.parametrize("way", ["shift", "button"])
    def test_a_lasso_selects_what_it_holds(self, show: Open, way: str):
        page = show("map.html?sae=alpha")
        if way == "button":
            page.get_by_role("button", name="Lasso").click()
            assert page.get_by_role("button", name="Lasso").get_attribute("aria-pressed") == "true"
        plain = picture(page)
        draw(page, frame_at(page, *LEFT_HALF), shift=way == "shift")
        title(page, r"^\d+ selected")
        half = number(page)
        assert 0 < half < FEATURES
        assert picture(page) != plain, "the others fade"
        assert page.locator(".map-table input:checked").count() == page.locator(".map-table tbody tr").count()
        draw(page, frame_at(page, *ALL_AROUND), shift=way == "shift")
        title(page, rf"^{FEATURES} selected")

    def test_a_selection_survives_its_address(self, show: Open):
        page = show("map.html?sae=alpha")
        draw(page, frame_at(page, *LEFT_HALF), shift=True)
        title(page, r"^\d+ selected")
        page.locator(".map-table input").first.click()
        says(page, "pick")
        count = number(page)
        names = page.locator(".map-list a code").all_inner_texts()
        again = show(f"map.html?{urlsplit(page.url).query}")
        assert number(again) == count
        assert again.locator(".map-list a code").all_inner_texts() == names

    def test_keys_select_in_every_way_that_the_mouse_can(self, show: Open):
        page = show("map.html?sae=alpha")
        frame = page.locator(".map-frame")
        frame.focus()
        page.keyboard.press("Space")
        title(page, "^1 selected")
        page.keyboard.press("Space")
        title(page, "^Nothing selected")
        page.keyboard.press("v")
        title(page, rf"^{FEATURES} selected")
        assert said(page, "lasso") != ""
        page.locator(".map-table input").first.focus()
        page.keyboard.press("Space")
        title(page, rf"^{FEATURES - 1} selected")
        frame.focus()
        page.keyboard.press("Escape")
        page.locator("[data-tab=selected]").focus()
        page.keyboard.press("Enter")
        title(page, "^Nothing selected")
        assert said(page, "lasso") == said(page, "pick") == ""

    def test_what_is_in_view_by_button_then_cleared_by_button(self, show: Open):
        page = show("map.html?sae=alpha&f=12")
        page.get_by_role("button", name="Select view").click()
        title(page, r"^\d+ selected")
        assert 0 < number(page) < FEATURES
        page.get_by_role("button", name="Clear selection").click()
        title(page, "in view")

    @BOTH
    def test_a_selection_goes_to_a_list(self, show: Open):
        page = show("map.html?sae=alpha")
        draw(page, frame_at(page, *LEFT_HALF), shift=True)
        title(page, r"^\d+ selected")
        count = number(page)
        page.get_by_role("button", name=f"Add {count} to a list").click()
        page.get_by_label("Name of a new list").fill("left half")
        page.keyboard.press("Enter")
        page.get_by_text(f"{count} added to left half").first.wait_for()
        kept = page.evaluate("Object.values(localStorage).join()")
        assert "left half" in kept
        assert kept.count("feature_idx") == count

    def test_a_click_in_lasso_mode_puts_one_in(self, show: Open):
        page = show("map.html?sae=alpha&f=12")
        page.get_by_role("button", name="Lasso").focus()
        page.keyboard.press("Enter")
        page.mouse.click(*frame_at(page, (0.5, 0.5))[0])
        title(page, "^1 selected")
        assert page.locator(".map-list a code").first.inner_text() == "12"
        assert said(page, "pick") == "12"


class TestTable:
    @BOTH
    def test_it_holds_what_the_search_found(self, show: Open):
        page = show("map.html?sae=beta&q=fires")
        title(page, r"^\d+ found")
        links = page.locator(".map-list a[href$='.html']")
        assert links.count() > 1
        links.nth(1).focus()
        assert page.locator(".map-card").is_visible()
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile(r"/beta/0/\d+\.html$"))

    def test_typing_highlights_and_clearing_ends_it(self, show: Open):
        page = show("map.html?sae=alpha")
        plain = picture(page)
        page.locator("#map-query").fill("density>0.001")
        title(page, r"^\d+ found")
        assert said(page, "q") == "density>0.001"
        assert picture(page) != plain
        page.locator("#map-query").fill("qqqqzzzz")
        title(page, "^0 found")
        page.locator("#map-query").fill("")
        title(page, "in view")
        assert picture(page) == plain

    def test_a_condition_finds_the_features_that_fulfil_it(self, show: Open):
        page = show("map.html?sae=alpha&q=firing_tokens%3D0")
        title(page, "^1 found")
        assert page.locator(".map-list a code").first.inner_text() == "3"

    def test_pointing_at_a_row_points_at_its_place(self, show: Open):
        page = show("map.html?sae=alpha")
        plain = picture(page, 1)
        row = page.locator(".map-table tbody tr").nth(2)
        row.hover()
        card = page.locator(".map-card")
        card.wait_for()
        assert card.locator("code").first.inner_text() == row.locator("a code").first.inner_text()
        assert picture(page, 1) != plain
        page.mouse.move(1, 1)
        card.wait_for(state="hidden")

    def test_more_rows_on_demand_and_tabs_by_key(self, show: Open):
        page = show("map.html?sae=alpha")
        assert page.locator(".map-table tbody tr").count() == 20
        page.locator(".map-more").focus()
        page.keyboard.press("Enter")
        page.locator(".map-table tbody tr").nth(39).wait_for()
        page.locator("[data-tab=selected]").focus()
        page.keyboard.press("Enter")
        title(page, "^Nothing selected")
        says(page, "list", "selected")
        page.locator("[data-tab=view]").click()
        title(page, "in view")

    def test_the_nearest_to_the_middle_come_first(self, show: Open):
        page = show("map.html?sae=alpha&f=12")
        assert page.locator(".map-list a code").first.inner_text() == "12"


class TestRenderers:
    @pytest.mark.parametrize("renderer", ["canvas", "webgl"])
    def test_both_draw_every_cluster(self, element_site: Path, visit: Visitor, renderer: str):
        page = visit(size=(1000, 700)).page
        page.add_init_script(KEEP_PIXELS)
        with serve_folder(element_site) as host:
            insist(page, element_site, renderer)
            page.goto(host.url("map.html"))
            ready(page)
            assert page.locator(".map-frame").get_attribute("data-renderer") == renderer
            page.wait_for_function(f"({COLOURS_ON_MAP})().length >= 4")

    @pytest.mark.parametrize("renderer", ["canvas", "webgl"])
    def test_both_move_select_and_lie_over_one_another(
        self, element_site: Path, visit: Visitor, renderer: str
    ):
        opened = visit(size=(1000, 700))
        page = opened.page
        page.add_init_script(COUNT_READS)
        with serve_folder(element_site) as host:
            insist(page, element_site, renderer)
            page.goto(host.url("map.html?sae=alpha,beta&lay=over&q=fires"))
            ready(page)
            page.locator(".map-frame").focus()
            for key in ("+", "ArrowLeft", "v"):
                page.keyboard.press(key)
            title(page, r"^\d+ selected")
            assert page.locator(".map-frame").get_attribute("data-renderer") == renderer
            assert page.evaluate("window.reads") == 0
            found = opened.record.problems(host.url())
            assert [problem for problem in found if not STALL.match(problem)] == []

    def test_a_lost_graphics_card_is_no_loss(self, element_site: Path, visit: Visitor):
        page = visit().page
        with serve_folder(element_site) as host:
            insist(page, element_site, "webgl")
            page.goto(host.url("map.html"))
            ready(page)
            page.evaluate(
                """() => document.querySelector(".map-frame canvas").getContext("webgl2")
                  .getExtension("WEBGL_lose_context").loseContext()"""
            )
            page.locator(".map-frame[data-renderer=canvas]").wait_for()
            assert page.locator(".map-frame canvas").count() == 2

    def test_drawing_in_software_is_left_to_the_canvas(self, show: Open):
        page = show("map.html")
        assert page.locator(".map-frame").get_attribute("data-renderer") == "canvas"


class Held:
    """A page on a map whose data files of places wait, some of them, until they are let go."""

    def __init__(self, page: Page, address: str, parts: str) -> None:
        self.page = page
        self.waiting: list[Route] | None = []
        page.route(re.compile(rf"/data/alpha/map/[{parts}]\.js"), self.take)
        # A page is not loaded before its scripts are.
        page.goto(address, wait_until="commit")

    def take(self, route: Route) -> None:
        """A request: it waits while others do."""
        if self.waiting is None:
            route.continue_()
        else:
            self.waiting.append(route)

    def let_go(self) -> None:
        """All of them come, the last one first, and the map is complete."""
        waiting, self.waiting = self.waiting or [], None
        for route in reversed(waiting):
            route.continue_()
        ready(self.page)

    def sample(self) -> None:
        """Wait until the first part is drawn; the others wait."""
        self.page.wait_for_selector(".map-frame[data-drawn]")
        title(self.page, f"^{POINTS_PER_PART} of {FEATURES} features are here$")
        assert self.page.locator("atlas-map[data-ready]").count() == 0


class TestArriving:
    @BOTH
    def test_until_there_are_points_the_page_shows_its_drawing(self, address: str, visit: Visitor):
        held = Held(visit().page, f"{address}map.html", "0")
        drawing = held.page.locator(".map-frame .mappicture")
        drawing.wait_for()
        frame, box = held.page.locator(".map-frame").bounding_box(), drawing.bounding_box()
        assert frame is not None
        assert box is not None
        assert box["x"] == pytest.approx(frame["x"] + 28, abs=1)
        assert box["height"] == pytest.approx(frame["height"] - 56, abs=1)
        held.let_go()
        held.page.wait_for_selector(".map-frame[data-drawn]")
        assert drawing.count() == 0

    def test_where_the_address_says_another_view_there_is_no_drawing_of_all(
        self, address: str, visit: Visitor
    ):
        held = Held(visit().page, f"{address}map.html?sae=alpha&x=20000&y=30000&z=5", "0")
        held.page.locator(".map-frame canvas").first.wait_for(state="attached")
        assert held.page.locator(".map-frame .mappicture").count() == 0

    @BOTH
    @pytest.mark.parametrize("way", ["mouse", "keys"])
    def test_what_is_selected_before_all_is_there_holds_for_all(self, address: str, visit: Visitor, way: str):
        page = visit().page
        held = Held(page, f"{address}map.html?sae=alpha", "12")
        held.sample()
        few = picture(page)
        if way == "mouse":
            draw(page, frame_at(page, *ALL_AROUND), shift=True)
        else:
            page.locator(".map-frame").focus()
            page.keyboard.press("v")
        title(page, f"^{POINTS_PER_PART} selected so far$")
        line = said(page, "lasso")
        assert line
        held.let_go()
        title(page, f"^{FEATURES} selected$")
        assert said(page, "lasso") == line
        page.get_by_role("button", name="Clear selection").click()
        title(page, f"^{FEATURES} in view")
        assert picture(page) != few

    def test_the_whole_picture_is_the_one_that_comes_without_waiting(self, show: Open, visit: Visitor):
        at_once = show("map.html?sae=alpha&colour=max_activation&q=fires")
        wanted, listed = picture(at_once), at_once.locator(".map-list a code").all_inner_texts()
        held = Held(visit().page, at_once.url, "12")
        held.page.wait_for_selector(".map-frame[data-drawn]")
        assert picture(held.page) != wanted
        held.let_go()
        assert picture(held.page) == wanted
        assert held.page.locator(".map-list a code").all_inner_texts() == listed

    def test_what_is_pointed_at_and_looked_at_stays(self, address: str, visit: Visitor):
        page = visit().page
        held = Held(page, f"{address}map.html?sae=alpha&f=12", "12")
        held.page.wait_for_selector(".map-frame[data-drawn]")
        page.mouse.move(*frame_at(page, (0.5, 0.5))[0])
        card = page.locator(".map-card code").first
        card.wait_for()
        assert card.inner_text() == "12"
        page.mouse.wheel(0, -400)
        says(page, "z")
        page.mouse.move(*frame_at(page, (0.51, 0.5))[0])
        page.mouse.move(*frame_at(page, (0.5, 0.5))[0])
        card.wait_for()
        camera = [said(page, name) for name in "xyz"]
        held.let_go()
        assert card.inner_text() == "12"
        assert [said(page, name) for name in "xyz"] == camera
        page.mouse.click(*frame_at(page, (0.5, 0.5))[0])
        page.wait_for_url("**/alpha/0/12.html")

    @BOTH
    def test_a_part_that_does_not_come_is_told_and_the_others_can_be_used(self, address: str, visit: Visitor):
        page = visit().page
        told = "Features are missing from the map: data/alpha/map/2.js could not be loaded"
        assert told in said_without(page, address, 2)
        title(page, f"^{POINTS_PER_PART} in view so far")
        page.locator(".map-list a").first.click()
        page.wait_for_url("**/alpha/0/*.html")


class TestMeasuring:
    def test_the_benchmark_moves_the_map_and_counts_its_points(self, element_site: Path, visit: Visitor):
        figures = measure_map(visit().page, f"{element_site.as_uri()}/map.html?sae=alpha")
        assert (figures.renderer, figures.n_points) == ("canvas", FEATURES)
        times = (figures.first_frame, figures.pan, figures.zoom, figures.full)
        assert all(0 < time < 60_000 for time in times)
        assert figures.pan <= figures.pan_slow
        assert figures.zoom <= figures.zoom_slow


class TestEveryone:
    @pytest.mark.parametrize(
        ("scheme", "width"), [("light", 1280), ("dark", 390), ("dark", 1280), ("light", 390)]
    )
    def test_no_rule_is_broken_while_it_is_used(self, show: Open, scheme: str, width: int):
        address = "map.html?sae=alpha,beta&colour=max_activation&q=fires"
        page = show(address, scheme=scheme, size=(width, 800))
        assert axe.violations(page) == []
        page.locator(".map-compare summary").click()
        page.locator(".map-list a").first.focus()
        page.locator(".map-card").wait_for()
        assert axe.violations(page) == []
        page.locator(".map-compare summary").click()
        page.locator(".map-frame").focus()
        page.keyboard.press("v")
        title(page, "selected")
        assert axe.violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0

    @pytest.mark.parametrize("width", [360, 768, 3840])
    def test_no_width_is_too_narrow_or_too_wide(self, show: Open, width: int):
        page = show("map.html?sae=alpha,beta&lay=over", size=(width, 900))
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        box = page.locator(".map-frame").bounding_box()
        assert box is not None
        assert box["width"] > 300 or width == 360

    def test_without_scripts_there_is_a_picture_and_a_list(self, address: str, visit: Visitor):
        page = visit(javascript=False).open(f"{address}map.html")
        assert page.locator(".mappicture path").count() > 2
        assert page.locator("figcaption").first.is_visible()
        assert page.locator(".clusters a").count() > 3

    def test_a_missing_part_is_told(self, element_site: Path, visit: Visitor):
        said = said_without(visit().page, f"{element_site.as_uri()}/", 0)
        assert "data/alpha/map/0.js could not be loaded" in said

    @BOTH
    def test_a_feature_page_has_its_place_without_the_whole_map(self, show: Open):
        page = show("alpha/0/12.html")
        minimap = page.locator("atlas-minimap")
        minimap.scroll_into_view_if_needed()
        page.wait_for_selector("atlas-minimap[data-ready]", state="attached")
        loaded = page.evaluate("performance.getEntriesByType('resource').map(({ name }) => name)")
        assert not [name for name in loaded if "/map/" in name or re.search("data/.*/map.js", name)]
        assert ringed(minimap), "the feature's own place is marked"
        page.get_by_role("link", name="Show this feature on the map").click()
        page.wait_for_url("**/map.html?sae=alpha&f=12")


def ringed(minimap: Locator) -> bool:
    """Whether the small map looks different without its feature."""
    page, canvas = minimap.page, minimap.locator("canvas")
    before = shown = canvas.evaluate(PIXELS)
    minimap.evaluate("(element) => { delete element.dataset.x; }")
    # The other theme and back: twice drawn anew.
    for theme in ("dark", "light"):
        page.evaluate("(theme) => { document.documentElement.dataset.theme = theme; }", theme)
        drawn = f"([canvas, shown]) => ({PIXELS})(canvas) !== shown"
        page.wait_for_function(drawn, arg=[canvas.element_handle(), shown])
        shown = canvas.evaluate(PIXELS)
    return shown != before


KEEP_PIXELS = """
const make = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, options) {
  return make.call(this, kind, { ...options, preserveDrawingBuffer: true });
};"""
"""So that what WebGL drew can be read back."""

COLOURS_ON_MAP = """() => {
  const canvas = document.querySelector(".map-frame canvas");
  const copy = document.createElement("canvas");
  copy.width = canvas.width; copy.height = canvas.height;
  const context = copy.getContext("2d");
  context.drawImage(canvas, 0, 0);
  const { data } = context.getImageData(0, 0, copy.width, copy.height);
  const counts = new Map();
  for (let at = 0; at < data.length; at += 4) {
    const [red, green, blue, alpha] = data.subarray(at, at + 4);
    if (alpha < 150 || (red > 240 && green > 240 && blue > 240)) continue;
    const key = [red, green, blue].map((value) => Math.round(value / 24)).join();
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts].filter(([, count]) => count > 30).map(([key]) => key);
}"""
"""Colours (in steps of 24) of at least 30 pixels of the map that are neither clear nor white."""


COUNT_READS = """
window.reads = 0;
for (const { prototype } of [WebGLRenderingContext, WebGL2RenderingContext]) {
  const read = prototype.readPixels;
  prototype.readPixels = function (...given) { window.reads += 1; return read.apply(this, given); };
}
"""
"""Counts how often the page waits for the graphics card."""

STALL = re.compile(r"console warning: \[\.WebGL-0x\w+\]GL Driver Message \(.*GPU stall due to ReadPixels")
"""What a browser without a graphics card says when it copies the picture to the screen; no page does that."""


def insist(page: Page, site: Path, renderer: str) -> None:
    """Serve the map page with one renderer insisted on."""
    text = (site / "map.html").read_text(encoding="utf-8")
    body = text.replace("<atlas-map ", f'<atlas-map data-renderer="{renderer}" ', 1)
    page.route(re.compile(r"/map\.html"), lambda route: route.fulfill(body=body, content_type="text/html"))
