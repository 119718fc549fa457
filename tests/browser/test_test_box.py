"""The box for a text of the reader's own on a feature's page, beside how the feature fires in the corpus."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from atlas.store import AtlasStore
from tests.support import axe
from tests.support.browser import Visitor
from tests.support.opened import Open
from tests.support.toy_texts import TEXT, run, toy_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from tests.support.toy_model import ToyModel

FEATURE = 5
PAGE = f"alpha/0/{FEATURE}.html"
EVERY_PLACE = pytest.mark.parametrize("address", ["file", "http"], indirect=True)
CLOSE = 1e-5
HALF_A_CHARACTER = """
field => { field.value = "a\\udc00"; field.dispatchEvent(new Event("input", { bubbles: true })); }
"""
PIECES = """
pieces => pieces.map((piece) => [
  piece.textContent, piece.dataset?.tip ?? "", /\\ba(\\d)\\b/.exec(piece.className ?? "")?.[1] ?? "0"])
"""


@pytest.fixture(scope="module")
def toy(element_site: Path) -> ToyModel:
    return toy_of(element_site)


@pytest.fixture(scope="module")
def store(element_site: Path) -> AtlasStore:
    return AtlasStore.open(element_site.parent / "data")


def take(page: Page) -> Page:
    """Ask for the box, load the model, and wait for it."""
    page.locator("atlas-test-offer button").click()
    page.locator("atlas-model-loader button").click()
    page.wait_for_selector("atlas-model-loader[data-state=open]")
    return page


@pytest.fixture(scope="module")
def loaded(element_site: Path, chromium: Browser) -> Iterator[Page]:
    """The page of `FEATURE` with the model open in its box."""
    visitor = Visitor(chromium)
    visited = visitor()
    root = f"{element_site.as_uri()}/"
    page = visited.open(root + PAGE)
    page.wait_for_selector("atlas-feature[data-ready]")
    yield take(page)
    assert visited.record.problems(root) == []
    visitor.close()


def type_text(page: Page, text: str) -> None:
    """Put `text` into the field, and wait until it has been run."""
    page.locator("#own-text").fill(text)
    page.wait_for_selector("atlas-test-box[data-answered]")


def bins_of(store: AtlasStore, feature: int) -> list[dict[str, Any]]:
    """The histogram of a feature's activations in the corpus."""
    found = store.read("features", "alpha", ["activation_histogram"])["activation_histogram"][feature].as_py()
    return [one for one in found if one["count"]]


class TestLoading:
    @EVERY_PLACE
    def test_nothing_of_it_is_fetched_before_a_click(self, address: str, visit: Visitor):
        visited = visit()
        page = visited.open(address + PAGE)
        page.wait_for_selector("atlas-feature[data-ready]")
        card = page.locator(".margin .card").first
        assert card.locator("h2").inner_text().lower() == "test your own text"
        of_the_box = re.compile(r"assets/(probe|model)|data/model/")
        assert [url for url in visited.record.requests if of_the_box.search(url)] == []
        steer = page.locator("atlas-test-offer").get_by_role("link", name="Steer with this feature")
        assert steer.get_attribute("href") == f"../../steer.html?sae=alpha&f={FEATURE}"
        page.locator("atlas-test-offer button").click()
        offer = page.locator("atlas-model-loader button")
        assert re.fullmatch(r"Load the model \(\d+\.\d MB\)", offer.inner_text())
        assert page.evaluate("document.activeElement.id") == "own-text"
        asked = [url for url in visited.record.requests if of_the_box.search(url)]
        assert all("probe.js" in url or "model/index.js" in url for url in asked)
        offer.click()
        type_text(page, TEXT)
        assert visited.record.problems(address) == []

    @pytest.mark.parametrize("address", ["http"], indirect=True)
    def test_a_script_that_does_not_come_is_told_and_asked_for_again(self, address: str, visit: Visitor):
        page = visit().open(address + PAGE)
        page.wait_for_selector("atlas-feature[data-ready]")
        page.route("**/assets/probe.js*", lambda route: route.abort())
        page.locator("atlas-test-offer button").click()
        page.locator("atlas-test-offer [role=alert]").wait_for()
        assert "probe.js" in page.locator("atlas-test-offer [role=alert]").inner_text()
        page.unroute("**/assets/probe.js*")
        page.locator("atlas-test-offer button").click()
        page.locator("atlas-test-box").wait_for()

    def test_the_whole_way_by_keyboard(self, show: Open):
        page = show(PAGE)
        page.locator("atlas-test-offer button").focus()
        page.keyboard.press("Enter")
        page.locator("#own-text").wait_for()
        page.keyboard.type("s/jk? raise")
        for _ in range(3):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.closest('atlas-model-loader') !== null"):
                break
        page.keyboard.press(" ")
        page.wait_for_selector("atlas-test-box[data-answered]")
        # Keys of the page (star, next feature, search) did not take what was typed.
        assert page.url.endswith(PAGE)
        assert page.locator("#own-text").input_value() == "s/jk? raise"
        assert page.locator("atlas-star .star").get_attribute("aria-pressed") == "false"


class TestNumbers:
    @pytest.mark.parametrize("text", [TEXT, "x", "a longer text of several windows\nand two lines"])
    def test_every_token_has_the_activation_of_the_model(
        self, loaded: Page, toy: ToyModel, store: AtlasStore, text: str
    ):
        type_text(loaded, text)
        expected = run(toy, "alpha", text)
        values = np.where(expected.bos, 0, expected.values[:, FEATURE])
        largest = store.read("features", "alpha", ["max_activation"])["max_activation"][FEATURE].as_py()
        told = dict(enumerate(loaded.locator("atlas-test-box .pieces span.token").evaluate_all(PIECES)))
        firing = [(tip, int(step)) for shown, tip, step in told.values() if tip and step != "0"]
        assert len(firing) == sum(value > 0 for value in piece_values(text, expected.bos, values))
        for (tip, step), value in zip(
            firing, [value for value in piece_values(text, expected.bos, values) if value > 0], strict=True
        ):
            assert float(tip.split(" ")[0]) == pytest.approx(value, rel=1e-3)
            assert step == min(9, int(np.ceil(9 * value / largest - CLOSE)))

    def test_the_strongest_is_placed_among_the_firings_of_the_corpus(
        self, loaded: Page, toy: ToyModel, store: AtlasStore
    ):
        bins = bins_of(store, FEATURE)
        total = sum(one["count"] for one in bins)
        for text in (TEXT, "an", "of", "for index, value in enumerate(values):", "Q"):
            type_text(loaded, text)
            expected = run(toy, "alpha", text)
            value = float(np.where(expected.bos, 0, expected.values[:, FEATURE]).max())
            said = loaded.locator("atlas-test-box p[role=status]").inner_text()
            if value <= 0:
                assert "does not fire on this text" in said
                continue
            shown = loaded.locator("atlas-test-box p[role=status] b").get_attribute("title")
            assert float(shown or 0) == pytest.approx(value, rel=CLOSE)
            largest = store.read("features", "alpha", ["max_activation"])["max_activation"][FEATURE].as_py()
            if value >= largest:
                assert "at least as strong as every one" in said
                continue
            weaker = sum(
                one["count"] * min(1, max(0, (value - one["lower"]) / (one["upper"] - one["lower"])))
                for one in bins
            )
            percent = re.search(r"stronger than ([\d.]+)", said)
            if percent is None:
                assert weaker == 0
                assert "weaker than every one" in said
            else:
                assert float(percent[1]) == pytest.approx(100 * weaker / total, rel=6e-3)
            assert f"{total} firings in the corpus" in loaded.locator("atlas-test-box").inner_text()

    def test_a_text_on_which_it_is_silent_says_so(self, loaded: Page, toy: ToyModel):
        silent = next(
            text
            for text in "abcdefghijklmnopqrstuvwxyzABCDEFGH0123456789"
            if run(toy, "alpha", text).values[1, FEATURE] <= 0
        )
        type_text(loaded, silent)
        assert "does not fire on this text" in loaded.locator("atlas-test-box p[role=status]").inner_text()

    def test_an_empty_text_and_halves_of_characters_are_told(self, loaded: Page):
        type_text(loaded, "raise")
        loaded.locator("#own-text").fill("")
        loaded.get_by_text("The text is empty").wait_for()
        loaded.locator("#own-text").evaluate(HALF_A_CHARACTER)
        loaded.wait_for_selector("atlas-test-box[data-answered]")
        assert "replaced by U+FFFD" in loaded.locator("atlas-test-box .text-notice").inner_text()


def piece_values(text: str, bos: np.ndarray, values: np.ndarray) -> list[float]:
    """The largest of `values` per whole character, as far as a window does not cut it; of BOS its own."""
    found: list[float] = []
    waiting = [len(character.encode()) for character in text]
    at = 0
    while at < len(values):
        size = 1 if bos[at] else waiting.pop(0)
        assert not bos[at + 1 : at + size].any(), "a window ends in a character of this text"
        found.append(float(values[at : at + size].max()))
        at += size
    return found


class TestWay:
    def test_its_link_opens_the_same_text_with_all_features(
        self, loaded: Page, element_site: Path, visit: Visitor
    ):
        type_text(loaded, TEXT)
        link = loaded.locator("atlas-test-box .text-link")
        loaded.wait_for_function(
            "() => document.querySelector('atlas-test-box .text-link').href.includes('#text=')"
        )
        assert "#" not in loaded.url
        page = visit().open(str(link.evaluate("(anchor) => anchor.href")))
        page.wait_for_selector("atlas-test-page[data-ready]")
        assert page.locator("#own-text").input_value() == TEXT
        # Nobody asked to share it, so a copied address does not hold it.
        assert page.evaluate("location.hash") == ""
        page.locator("atlas-model-loader button").click()
        page.wait_for_selector("atlas-test-page[data-answered]")
        legend = page.locator(".text-strip .legend").inner_text()
        assert f"activation of feature {FEATURE}" in legend

    def test_it_is_accessible_and_fits(self, loaded: Page):
        type_text(loaded, TEXT)
        for scheme in ("dark", "light"):
            loaded.emulate_media(color_scheme=scheme)
            for width in (390, 1280):
                loaded.set_viewport_size({"width": width, "height": 900})
                assert axe.violations(loaded) == [], (scheme, width)
        loaded.set_viewport_size({"width": 360, "height": 800})
        assert loaded.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        loaded.set_viewport_size({"width": 1280, "height": 800})

    def test_tokens_tell_under_the_pointer_and_at_the_keys(self, loaded: Page):
        type_text(loaded, TEXT)
        peak = loaded.locator("atlas-test-box .pieces .peak")
        peak.hover()
        told = loaded.locator("#value-card")
        assert told.inner_text() == peak.get_attribute("data-tip")
        peak.focus()
        loaded.keyboard.press("ArrowLeft")
        assert told.inner_text() == loaded.evaluate("document.activeElement.dataset.tip")
