"""The elements of the pages in a real Chromium, from file:// and over http below a base path."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.opened import FEATURES, ROWS_PER_TABLE_SHARD, Open
from tests.support.web import serve_folder

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.browser import Visitor

BOTH = pytest.mark.parametrize("address", ["file", "http"], indirect=True)
"""For the ways through the site that matter most; elements do not know how they were loaded."""


def row_numbers(page: Page) -> list[int]:
    return [int(text) for text in page.locator("tr[aria-rowindex] td.column-id").all_inner_texts()]


def settled(page: Page, expression: str, value: object) -> None:
    page.wait_for_function(f"(wanted) => JSON.stringify({expression}) === JSON.stringify(wanted)", arg=value)


def filtered(page: Page, typed: str) -> None:
    """Type into the table's filter, and wait until its rows are drawn."""
    page.locator("#table-filter").fill(typed)
    settled(page, "new URLSearchParams(location.search).get('f')", typed)
    page.evaluate("document.querySelector('atlas-feature-table').updateComplete")


class TestExamples:
    @BOTH
    def test_every_kind_of_example_can_be_seen_and_linked(self, show: Open):
        page = show("alpha/0/5.html")
        static_texts = page.locator(".strip").all_inner_texts()
        for label, state in (("By strength", "interval"), ("Random firings", "random")):
            page.get_by_role("tab", name=label).click()
            assert f"examples={state}" in page.url
            assert page.locator(".strip .peak").count() > 0
        page.get_by_role("tab", name="Top examples").click()
        assert "examples=" not in page.url
        assert page.locator(".strip").all_inner_texts() == static_texts

    def test_the_list_of_scripts_is_the_list_without_scripts(self, address: str, visit: Visitor):
        plain = visit(javascript=False).open(f"{address}alpha/0/5.html")
        expected = plain.locator(".strip").all_inner_texts()
        heat = [span.get_attribute("class") for span in plain.locator(".strip .token").all()]
        page = visit().open(f"{address}alpha/0/5.html")
        page.wait_for_selector("atlas-examples[data-ready]")
        assert page.locator(".strip").all_inner_texts() == expected
        assert [span.get_attribute("class") for span in page.locator(".strip .token").all()] == heat

    def test_the_address_restores_the_view(self, show: Open):
        page = show("alpha/0/5.html?examples=interval&context=short&spaces=1")
        assert page.get_by_role("tab", selected=True).inner_text() == "By strength"
        assert page.get_by_role("button", name="short").get_attribute("aria-pressed") == "true"
        assert "·" in "".join(page.locator(".strip").all_inner_texts())

    def test_values_show_on_hover_and_on_focus(self, show: Open):
        page = show("alpha/0/5.html")
        card = page.locator(".value-card")
        peak = page.locator(".strip .peak").first
        strongest = page.locator(".activation").first.inner_text()
        peak.hover()
        assert card.inner_text() == f"{strongest} · 100\u202f% of the maximum"
        page.mouse.move(5, 5)
        assert card.is_hidden()
        peak.focus()
        assert card.inner_text().startswith(strongest)
        assert peak.get_attribute("aria-describedby") == card.get_attribute("id")

    def test_arrow_keys_visit_tokens_inside_a_strip_and_walk_features_outside(self, show: Open):
        page = show("alpha/0/7.html")
        page.locator(".strip .peak").first.focus()
        page.keyboard.press("ArrowRight")
        assert page.url.endswith("7.html")
        page.locator("h1").click()
        page.keyboard.press("ArrowRight")
        page.wait_for_url("**/alpha/0/8.html")
        page.keyboard.press("k")
        page.wait_for_url("**/alpha/0/7.html")

    def test_arrow_keys_turn_the_tabs(self, show: Open):
        page = show("alpha/0/5.html")
        page.get_by_role("tab", name="Top examples").focus()
        page.keyboard.press("ArrowRight")
        settled(page, "document.activeElement.id", "examples-tab-interval")
        assert page.url.endswith("?examples=interval")

    def test_a_dead_feature_has_a_page_without_examples(self, show: Open, address: str, visit: Visitor):
        page = visit().open(f"{address}alpha/0/3.html")
        assert page.locator("atlas-examples").count() == 0
        assert page.locator("h1").is_visible()


class TestEverywhere:
    @BOTH
    def test_the_theme_goes_round_and_is_remembered(self, show: Open, address: str):
        page = show("alpha/0/5.html", scheme="light")
        paper = "getComputedStyle(document.body).backgroundColor"
        light = page.evaluate(paper)
        button = page.locator("atlas-theme-toggle button")
        button.click()
        assert page.evaluate("document.documentElement.dataset.theme") == "light"
        button.click()
        dark = page.evaluate(paper)
        assert dark != light
        page.goto(f"{address}alpha/0/6.html")
        assert page.evaluate(paper) == dark
        page.locator("atlas-theme-toggle button").click()
        assert page.evaluate("document.documentElement.dataset.theme ?? 'none'") == "none"

    def test_a_browser_that_forbids_storage_loses_only_the_memory(self, address: str, visit: Visitor):
        visitor = visit()
        visitor.page.add_init_script(
            "Object.defineProperty(window, 'localStorage',"
            " { get() { throw new DOMException('no', 'SecurityError') } })"
        )
        page = visitor.open(f"{address}alpha/0/5.html")
        page.wait_for_selector("atlas-examples[data-ready]")
        page.locator("atlas-theme-toggle button").click()
        assert page.evaluate("document.documentElement.dataset.theme") == "light"
        assert visitor.record.problems(address) == []

    def test_the_keys_are_listed(self, show: Open):
        page = show("alpha/0/5.html")
        page.keyboard.press("?")
        assert page.get_by_role("dialog").is_visible()
        page.keyboard.press("Escape")
        assert page.get_by_role("dialog").is_hidden()
        page.get_by_role("button", name="Keys").click()
        assert page.get_by_role("dialog").is_visible()
        page.get_by_role("button", name="Close").click()
        assert page.get_by_role("dialog").is_hidden()

    @BOTH
    def test_random_opens_a_feature_that_fires(self, show: Open):
        page = show("alpha/0/5.html")
        with page.expect_navigation():
            page.get_by_role("button", name="random").click()
        assert re.search(r"/alpha/0/\d+\.html$", page.url)
        page.locator(".activation").first.wait_for()

    def test_the_name_of_a_feature_can_be_copied(self, show: Open):
        page = show("alpha/0/5.html")
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.locator("[data-copy]").focus()
        page.keyboard.press("Enter")
        page.locator(".copied").get_by_text("copied").wait_for()
        assert page.evaluate("navigator.clipboard.readText()") == "alpha/5"


class TestSearchBox:
    @BOTH
    def test_a_feature_is_found_by_its_token(self, show: Open):
        page = show("index.html")
        page.keyboard.press("/")
        page.keyboard.type('"␣raise"')
        option = page.get_by_role("option").filter(has_text="token")
        option.first.wait_for()
        assert "␣raise" in option.first.inner_text()
        box = page.get_by_role("combobox", name="Search")
        assert box.get_attribute("aria-expanded") == "true"
        page.keyboard.press("ArrowDown")
        assert box.get_attribute("aria-activedescendant") == "search-option-0"
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile(r"/(alpha|beta)/0/\d+\.html$"))
        assert "raise" in "".join(page.locator(".strip").all_inner_texts())

    def test_a_number_opens_the_feature_of_the_same_sae(self, show: Open):
        page = show("beta/0/5.html")
        page.keyboard.press("Control+k")
        page.keyboard.type("17")
        page.get_by_role("option").filter(has_text="number").first.wait_for()
        page.keyboard.press("Enter")
        page.wait_for_url("**/beta/0/17.html")

    @BOTH
    def test_words_lead_to_the_search_page(self, show: Open):
        page = show("alpha/0/5.html")
        page.keyboard.press("/")
        page.keyboard.type("fires raise")
        page.keyboard.press("Enter")
        page.wait_for_url("**/search.html?q=fires+raise")

    def test_escape_closes_then_leaves(self, show: Open):
        page = show("index.html")
        page.keyboard.press("/")
        page.keyboard.type("fires")
        page.get_by_role("option").first.wait_for()
        page.keyboard.press("Escape")
        assert page.get_by_role("option").count() == 0
        page.keyboard.press("Escape")
        assert page.evaluate("document.activeElement === document.body")

    def test_what_is_typed_is_shown_as_text(self, show: Open):
        page = show("index.html")
        page.keyboard.press("/")
        page.keyboard.insert_text("<img src=x onerror=alert(1)>\u202e")
        page.locator(".search-message").wait_for()
        assert page.locator(".search-popup img").count() == 0
        assert "<img src=x onerror=alert(1)>" in page.locator(".option-all").inner_text()


class TestSearchPage:
    @BOTH
    def test_results_say_why(self, show: Open):
        page = show("search.html?q=raise")
        first = page.locator(".result").first
        assert "raise" in first.locator("mark").all_inner_texts()
        assert "token ␣raise" in first.locator(".result-why").inner_text()
        first.get_by_role("link").click()
        page.wait_for_url(re.compile(r"/(alpha|beta)/0/\d+\.html$"))

    def test_conditions_narrow_and_the_address_follows(self, show: Open):
        page = show("search.html?q=fires")
        everything = page.locator(".search-count").inner_text()
        page.locator("#search-query").fill("fires max_activation>10")
        settled(
            page, "document.querySelector('.search-count').textContent.includes('conditions')", value=True
        )
        assert "q=fires+max_activation%3E10" in page.url
        maxima = page.locator(".result-meta").all_inner_texts()
        found = [float(re.search(r"max activation ([\d.]+)", text)[1]) for text in maxima]
        assert found
        assert min(found) >= 10
        page.locator("#search-query").fill("fires")
        settled(page, "document.querySelector('.search-count').textContent", everything)

    def test_one_sae_can_be_chosen(self, show: Open):
        page = show("search.html?q=fires")
        page.locator("#search-sae").select_option("beta")
        names = "[...document.querySelectorAll('.result-meta code')].map((c) => c.textContent.split('/')[0])"
        page.wait_for_function(f"() => {names}.length > 0 && {names}.every((name) => name === 'beta')")
        assert "sae=beta" in page.url

    def test_more_can_be_shown(self, show: Open):
        page = show("search.html?q=fires")
        assert page.locator(".result").count() == 20
        page.get_by_role("button", name="Show more").click()
        settled(page, "document.querySelectorAll('.result').length", 40)

    def test_nothing_found_says_what_can_be_typed(self, show: Open):
        page = show("search.html?q=zzzzzzzz")
        assert page.locator(".search-count").inner_text() == "0 features"
        assert page.locator(".syntax dt").count() > 2


class TestTable:
    def test_only_the_rows_in_view_are_drawn(self, show: Open):
        page = show("alpha/index.html")
        table = page.locator("table.windowed")
        assert table.get_attribute("aria-rowcount") == str(FEATURES + 1)
        assert 10 < len(row_numbers(page)) < 60
        page.locator(".table-frame").evaluate("(frame) => { frame.scrollTop = frame.scrollHeight }")
        page.locator(f'tr[aria-rowindex="{FEATURES + 1}"]').wait_for()
        assert row_numbers(page)[-1] == FEATURES - 1
        assert len(row_numbers(page)) < 60

    @BOTH
    def test_a_heading_sorts_both_ways(self, show: Open):
        page = show("alpha/index.html")
        heading = page.get_by_role("columnheader", name="max activation")
        shown = page.locator("tr[aria-rowindex] td.number:nth-of-type(5)")
        for state, descending in (("descending", True), ("ascending", False)):
            heading.get_by_role("button").click()
            settled(page, "document.querySelector('th[aria-sort$=ending]')?.ariaSort", state)
            values = [float(text.replace(",", "")) for text in shown.all_inner_texts()]
            assert values == sorted(values, reverse=descending)
            assert ("sort=-max_activation" in page.url) == descending

    def test_words_tokens_and_conditions_filter(self, show: Open):
        page = show("alpha/index.html")
        filtered(page, "max_activation>10 density<5%")
        values = page.locator("tr[aria-rowindex] td.number:nth-of-type(5)").all_inner_texts()
        assert values
        assert min(float(text) for text in values) >= 10
        filtered(page, '"␣raise"')
        tokens = page.locator("td.column-tokens").all_inner_texts()
        assert tokens
        assert all("␣raise" in text for text in tokens)
        filtered(page, "nonsense<1")
        page.get_by_text("No column is called nonsense").wait_for()

    def test_the_address_restores_the_view(self, show: Open):
        page = show("alpha/index.html?f=fires&sort=-firing_tokens&cols=firing_tokens")
        assert page.locator("#table-filter").input_value() == "fires"
        assert (
            page.get_by_role("columnheader", name="firing tokens").get_attribute("aria-sort") == "descending"
        )
        assert page.locator("th.column-number").count() == 1
        assert page.locator(".table-count").inner_text() == f"{FEATURES - 1} features"

    def test_columns_can_be_chosen(self, show: Open):
        page = show("alpha/index.html")
        before = page.locator("th.column-number").count()
        page.get_by_text("Columns").click()
        page.get_by_role("checkbox", name="max activation").uncheck()
        settled(page, "document.querySelectorAll('th.column-number').length", before - 1)
        assert "cols=" in page.url

    def test_keys_go_through_the_rows_and_open_one(self, show: Open):
        page = show("alpha/index.html")
        page.locator(".table-frame").focus()
        for _ in range(3):
            page.keyboard.press("ArrowDown")
        settled(page, "document.activeElement.textContent", "2")
        page.keyboard.press("End")
        settled(page, "document.activeElement.textContent", str(FEATURES - 1))
        page.keyboard.press("Home")
        settled(page, "document.activeElement.textContent", "0")
        page.keyboard.press("Enter")
        page.wait_for_url("**/alpha/0/0.html")

    def test_without_any_data_the_static_list_stays(self, address: str, visit: Visitor):
        visitor = visit()
        visitor.page.route("**/data/alpha/table/*.js*", lambda route: route.abort())
        page = visitor.open(f"{address}alpha/index.html")
        page.get_by_role("alert").wait_for()
        assert re.search(
            r"data/alpha/table/\d\.js could not be loaded", page.get_by_role("alert").inner_text()
        )
        assert page.locator("atlas-feature-table a").count() > 0

    def test_without_some_data_the_other_rows_are_there(self, address: str, visit: Visitor):
        visitor = visit()
        visitor.page.route("**/data/alpha/table/0.js*", lambda route: route.abort())
        page = visitor.open(f"{address}alpha/index.html")
        page.get_by_role("alert").wait_for()
        page.locator("tr[aria-rowindex='2']").wait_for()
        assert row_numbers(page)[0] == ROWS_PER_TABLE_SHARD


class TestMap:
    @BOTH
    def test_a_point_opens_its_feature(self, show: Open):
        page = show("map.html?sae=alpha&f=12")
        frame = page.locator(".map-frame")
        box = frame.bounding_box()
        middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.mouse.move(*middle)
        card = page.locator(".map-card")
        card.wait_for()
        assert card.locator("code").first.inner_text() == "12"
        assert card.locator(".tokens code").count() > 0
        page.mouse.click(*middle)
        page.wait_for_url("**/alpha/0/12.html")

    def test_keys_move_zoom_and_open(self, show: Open):
        page = show("map.html?sae=alpha")
        page.locator(".map-frame").focus()
        for key in ("+", "ArrowRight", "ArrowDown"):
            page.keyboard.press(key)
        page.wait_for_function("() => new URLSearchParams(location.search).get('z') === '1.40'")
        nearest = page.locator(".map-list code").first.inner_text()
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/alpha/0/{nearest}.html")

    def test_the_wheel_zooms_and_a_drag_pans(self, show: Open):
        page = show("map.html?sae=alpha")
        box = page.locator(".map-frame").bounding_box()
        x, y = box["x"] + 300, box["y"] + 200
        page.mouse.move(x, y)
        page.mouse.wheel(0, -400)
        page.wait_for_function("() => Number(new URLSearchParams(location.search).get('z')) > 1.5")
        before = page.evaluate("new URLSearchParams(location.search).get('x')")
        page.mouse.down()
        page.mouse.move(x - 120, y, steps=4)
        page.mouse.up()
        page.wait_for_function(
            "(x) => Number(new URLSearchParams(location.search).get('x')) > Number(x)", arg=before
        )
        assert "map.html" in page.url

    def test_colours_search_and_sae_are_in_the_address(self, show: Open):
        page = show("map.html")
        page.locator("#map-colour").select_option("max_activation")
        page.locator(".map-ramp").wait_for()
        page.locator("#map-query").fill("raise")
        page.locator("#map-list-title", has_text=re.compile(r"\d+ found")).wait_for()
        page.locator("#map-sae").select_option("beta")
        page.wait_for_selector("atlas-map[data-ready]", state="attached")
        for part in ("colour=max_activation", "q=raise", "sae=beta"):
            assert part in page.url

    def test_the_list_holds_what_the_map_shows(self, show: Open):
        page = show("map.html?sae=beta&q=raise")
        links = page.locator(".map-list a")
        assert links.count() > 0
        links.first.focus()
        assert page.locator(".map-card").is_visible()
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile(r"/beta/0/\d+\.html$"))

    @pytest.mark.parametrize("renderer", ["canvas", "webgl"])
    def test_both_renderers_draw_every_cluster(self, element_site: Path, visit: Visitor, renderer: str):
        page = visit(size=(1000, 700)).page
        page.add_init_script(KEEP_PIXELS)
        page.route(
            "**/map.html",
            lambda route: route.fulfill(body=with_renderer(element_site, renderer), content_type="text/html"),
        )
        with serve_folder(element_site) as host:
            page.goto(host.url("map.html"))
            page.wait_for_selector("atlas-map[data-ready]")
            page.wait_for_timeout(200)
            colours = page.evaluate(COLOURS_ON_MAP)
        assert len(colours) >= 4

    @BOTH
    def test_a_feature_page_has_its_place(self, show: Open):
        page = show("alpha/0/12.html")
        page.locator("atlas-minimap").scroll_into_view_if_needed()
        page.wait_for_selector("atlas-minimap[data-ready]", state="attached")
        page.get_by_role("link", name="Show this feature on the map").click()
        page.wait_for_url("**/map.html?sae=alpha&f=12")


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


def with_renderer(site: Path, renderer: str) -> str:
    """The map page with one renderer insisted on."""
    text = (site / "map.html").read_text(encoding="utf-8")
    return text.replace("<atlas-map ", f'<atlas-map data-renderer="{renderer}" ', 1)
