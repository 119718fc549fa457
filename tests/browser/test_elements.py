"""The elements of the pages in a real Chromium, from file:// and over http below a base path."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.support.opened import Open

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.browser import Visitor

BOTH = pytest.mark.parametrize("address", ["file", "http"], indirect=True)
"""For the ways through the site that matter most; elements do not know how they were loaded."""


def settled(page: Page, expression: str, value: object) -> None:
    page.wait_for_function(f"(wanted) => JSON.stringify({expression}) === JSON.stringify(wanted)", arg=value)


class TestExamples:
    @BOTH
    def test_every_kind_of_example_can_be_seen_and_linked(self, show: Open):
        page = show("alpha/0/5.html")
        top = page.locator(".strip").all_inner_texts()
        for label, state in (
            ("By strength", "interval"),
            ("Random firings", "random"),
            ("Counter-examples", "counter"),
        ):
            page.get_by_role("tab", name=label).click()
            assert f"examples={state}" in page.url
            assert page.locator(".strip .peak").count() > 0
        page.get_by_role("tab", name="Top examples").click()
        assert "examples=" not in page.url
        assert page.locator(".strip").all_inner_texts() == top

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

    def test_a_dead_feature_has_a_page_without_examples(self, show: Open):
        page = show("alpha/0/3.html")
        assert page.locator(".example").count() == 0
        assert page.locator(".nothing").is_visible()
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
        page.wait_for_selector("atlas-feature[data-ready]")
        page.locator("atlas-theme-toggle button").click()
        assert page.evaluate("document.documentElement.dataset.theme") == "light"
        assert visitor.record.problems(address) == []

    def test_the_keys_are_listed(self, show: Open):
        page = show("alpha/0/5.html")
        dialog = page.get_by_role("dialog", name="Keys")
        page.keyboard.press("?")
        # The script of the dialogs is loaded the first time one is asked for.
        dialog.wait_for()
        assert dialog.locator("dt", has_text="?").is_visible()
        page.keyboard.press("Escape")
        assert dialog.is_hidden()
        page.get_by_role("button", name="Keys").click()
        dialog.wait_for()
        dialog.get_by_role("button", name="Close").click()
        assert dialog.is_hidden()

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
        page.get_by_role("button", name="alpha/5").focus()
        page.keyboard.press("Enter")
        page.locator(".copied").get_by_text("copied").wait_for()
        assert page.evaluate("navigator.clipboard.readText()") == "alpha/5"
