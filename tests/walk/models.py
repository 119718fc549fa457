"""Journeys of the pages that run the model in the browser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.walk.held import held
from tests.walk.walk import Walk, journey, sorted_by

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from playwright.sync_api import Locator, Page

    from tests.walk.facts import Facts

TEXT = "def walk(self, name):\n    return name"
CLOSE = {"rel": 2e-3, "abs": 2e-3}
"""Between onnxruntime in a browser and in Python."""


def has_model(facts: Facts) -> bool:
    return facts.has("test.html")


def opened(walk: Walk) -> None:
    """Press the button that loads the model, and wait for it."""
    walk.hand.press(walk.find("atlas-model-loader button"))
    walk.page.wait_for_selector("atlas-model-loader[data-state=open]", timeout=120_000)


def stopped(walk: Walk, start: Callable[[], None], within: str) -> None:
    """Start slow work, hold it, and press Cancel in `within` while it stands; keys go on at a button then."""
    with held(walk.page):
        start()
        cancel = walk.button("Cancel", within, exact=True)
        walk.hand.press(cancel)
    cancel.wait_for(state="detached")
    if walk.by == "keyboard":
        walk.page.wait_for_function("() => document.activeElement.matches('button')")


def figures(walk: Walk) -> None:
    """Follow the link of an open model to all figures of its agreement."""
    link = walk.find("atlas-model-loader a")
    walk.hand.press(link)
    walk.leads(r"test\.html.*#exact")
    assert walk.page.locator("#exact").is_visible()


def joined(walk: Walk, text: str, how: str = "max", *, bos: bool = False) -> NDArray[np.float64]:
    """What counts of each feature on `text`, by the model in Python; BOS left out unless `bos`."""
    found = walk.facts.atlas.activations(text, sae=walk.facts.sae)
    values = found.values[np.full(len(found.bos), fill_value=True) if bos else ~np.asarray(found.bos)]
    values = values.astype(np.float64)
    return {"max": values.max, "mean": values.mean, "sum": values.sum}[how](axis=0)


def ranked(page: Page) -> list[tuple[int, float]]:
    """(feature, exact value) of the listed features, in order."""
    found = page.locator(".ranked tr[data-feature]").evaluate_all(
        "(rows) => rows.map((row) => [row.dataset.feature, row.querySelector('.ranked-value').title])"
    )
    return [(int(feature), float(value)) for feature, value in found]


def same(found: list[tuple[int, float]], values: NDArray[np.float64]) -> None:
    """The listed features are the strongest, each with its value."""
    strongest = np.sort(values[values > 0])[::-1][: len(found)]
    assert [value for _, value in found] == pytest.approx(strongest.tolist(), **CLOSE)
    assert [value for _, value in found] == pytest.approx([values[at] for at, _ in found], **CLOSE)


def setting(page: Page, name: str) -> Locator:
    """A switch of the list of features."""
    return page.locator(".text-controls").get_by_role("button", name=name, exact=True)


@journey("model: features of a text", has_model)
def own_text(walk: Walk) -> None:
    page = walk.open("test.html", "atlas-test-page")
    hand = walk.hand
    with walk.step("the size is said, then the model is loaded"):
        assert re.search(r"\(\d+\.?\d* [kM]B\)", walk.find("atlas-model-loader button").inner_text())
        stopped(walk, lambda: hand.press(walk.find("atlas-model-loader button")), "atlas-model-loader")
        page.wait_for_selector("atlas-model-loader[data-state=offered]")
        opened(walk)
        figures(walk)
    with walk.step("features of a text are the model's"):
        hand.write(walk.find("#own-text"), TEXT)
        page.wait_for_selector("atlas-test-page[data-answered]")
        hand.press(setting(page, "all"))
        same(ranked(page), joined(walk, TEXT))
    for how in ("sum", "mean"):
        with walk.step(f"by {how}"):
            hand.press(setting(page, how))
            same(ranked(page), joined(walk, TEXT, how))
    hand.press(setting(page, "max"))
    with walk.step("density, BOS and groups"):
        for button in page.locator(".text-controls button").all():
            before = button.get_attribute("aria-pressed")
            hand.press(button)
            is_switch = button.inner_text() == "BOS"
            pressed = "false" if is_switch and before == "true" else "true"
            assert button.get_attribute("aria-pressed") == pressed
            bound = re.fullmatch(r"≤ ([\d.]+)\s%", button.inner_text())
            if bound is not None:
                assert all(walk.facts.density[at] <= float(bound[1]) / 100 for at, _ in ranked(page))
        for name in ("max", "all", "none"):
            hand.press(setting(page, name))
        if setting(page, "BOS").count() and setting(page, "BOS").get_attribute("aria-pressed") == "true":
            hand.press(setting(page, "BOS"))
    _tokens(walk)
    _ranking(walk)
    with walk.step("text and view are shared by a link"):
        follow_shared(walk, "Share this text and view", "atlas-test-page")
        assert page.locator("#own-text").input_value() == TEXT
        opened(walk)
        page.wait_for_selector("atlas-test-page[data-answered]")
    with walk.step("a row opens its feature"):
        hand.press(walk.find(".ranked a"))
        page.wait_for_selector("atlas-feature[data-ready]", state="attached")
        walk.returns("atlas-test-page")
        assert page.locator("#own-text").input_value() == TEXT
    _other_sae_and_runs(walk)


def _ranking(walk: Walk) -> None:
    page, hand = walk.page, walk.hand
    with walk.step("sorting, more, colour by a feature"):
        for by in ("feature", "density", "of its maximum", "largest activation"):
            heading = page.locator(".ranked thead th", has_text=by)
            hand.press(heading.get_by_role("button"))
            found, facts = ranked(page), walk.facts
            sorted_by(
                heading,
                {
                    "feature": [at for at, _ in found],
                    "density": [facts.density[at] for at, _ in found],
                    "of its maximum": [facts.share(at, value) for at, value in found],
                    "largest activation": [value for _, value in found],
                }[by],
            )
        if page.locator(".text-features .search-more").count():
            hand.press(walk.find(".text-features .search-more"))
            assert len(ranked(page)) > 20
        _groups(walk)
        hand.press(walk.button("Colour the text by feature"))
        assert "activation of feature" in page.locator(".text-strip .legend").inner_text()
        hand.press(walk.button("all features"))
        assert "strongest feature" in page.locator(".text-strip .legend").inner_text()


def _groups(walk: Walk) -> None:
    page, hand = walk.page, walk.hand
    hand.press(setting(page, "token"))
    assert page.locator("tr.ranked-group").count() > 1
    more = walk.button("Show more of each group")
    if more.count():
        before = len(ranked(page))
        hand.press(more)
        assert len(ranked(page)) > before
    hand.press(setting(page, "none"))


def follow_shared(walk: Walk, button: str, element: str) -> None:
    """Use the button that makes a link to share, and come back by that link."""
    page = walk.page
    walk.hand.press(walk.button(button))
    page.wait_for_function("() => location.hash.startsWith('#share=')")
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    page.wait_for_selector(f"{element}[data-ready]")


def _tokens(walk: Walk) -> None:
    page, hand = walk.page, walk.hand
    pieces = page.locator(".pieces [role=option]")
    with walk.step("a token is looked at, locked and freed"):
        if walk.by == "mouse":
            pieces.nth(3).hover()
            page.get_by_text("at this token").wait_for()
            pieces.nth(3).click()
        else:
            hand.look(pieces.nth(3))
            page.get_by_text("at this token").wait_for()
            page.keyboard.press("Enter")
        assert "at the locked token" in page.locator(".text-features [role=status]").inner_text()
        found = walk.facts.atlas.activations(TEXT, sae=walk.facts.sae)
        if len(found.tokens) == len(found.pieces) == pieces.count():
            same(ranked(page), found.values[3].astype(np.float64))
        hand.press(walk.button("Unlock"))
        # The button is gone: keys go on at the tokens, and a pointer elsewhere looks at none.
        there = "on the text" if walk.by == "mouse" else "at this token"
        page.locator(".text-features [role=status]", has_text=there).wait_for()


def _other_sae_and_runs(walk: Walk) -> None:
    page, hand = walk.page, walk.hand
    if len(walk.facts.slugs) > 1:
        with walk.step("another SAE"):
            hand.pick(page.get_by_label("Features of"), walk.facts.slugs[1])
            opened(walk)
            page.wait_for_selector("atlas-test-page[data-answered]")
            assert walk.find(".ranked a").get_attribute("href").startswith(walk.facts.slugs[1])
    with walk.step("the browser computes what the build did"):
        hand.press(walk.find(".text-check summary"))
        run = walk.button("Check the reference runs")
        stopped(walk, lambda: hand.press(run), "atlas-run-check")
        assert page.locator(".run-checks li").count() == 0
        hand.press(run)
        page.locator(".run-checks li").first.wait_for(timeout=120_000)
        assert set(page.locator(".run-checks b").all_inner_texts()) == {"match"}
    with walk.step("figures unfold"):
        if page.locator("main details.definitions summary").count():
            hand.press(walk.find("main details.definitions summary"))
            assert page.locator("main details.definitions[open] dt").count() > 0


@journey("model: ways between its pages", has_model)
def tabs(walk: Walk) -> None:
    names = ("contrast", "steer", "test")
    for name in names:
        page = walk.open(f"{name}.html", f"atlas-{name}-page")
        for other in (name, *(one for one in names if one != name)):
            with walk.step(f"from {name} to {other}"):
                walk.hand.press(page.locator(f".model-tabs a[href='{other}.html']"))
                walk.leads(rf"{other}\.html")
                page.wait_for_selector(f"atlas-{other}-page[data-ready]")
                assert page.locator(".model-tabs [aria-current]").get_attribute("href") == f"{other}.html"
            walk.open(f"{name}.html", f"atlas-{name}-page")


@journey("model: test box of a feature", has_model)
def test_box(walk: Walk) -> None:
    feature = walk.facts.rich
    page = walk.open(feature.page, "atlas-feature")
    hand = walk.hand
    with walk.step("nothing is loaded before it is asked for"):
        assert not [url for url in walk.record.requests if "/data/model/" in url]
        hand.press(walk.button("Type a text"))
        page.locator("#own-text").wait_for()
        opened(walk)
    with walk.step("figures of the model, and the page for texts without one"):
        figures(walk)
        walk.returns("atlas-feature")
        hand.press(walk.button("Type a text"))
        hand.press(page.get_by_role("link", name="All features on this text"))
        page.wait_for_selector("atlas-test-page[data-ready]")
        assert page.locator("#own-text").input_value() == ""
        walk.returns("atlas-feature")
        hand.press(walk.button("Type a text"))
        opened(walk)
    with walk.step("activation of the feature on a text"):
        hand.write(walk.find("#own-text"), TEXT)
        page.wait_for_selector("atlas-test-box[data-answered]")
        largest = float(joined(walk, TEXT)[feature.feature_idx])
        shown = page.locator("atlas-test-box p[role=status] b")
        assert (float(shown.get_attribute("title")) if shown.count() else 0) == pytest.approx(
            largest, **CLOSE
        )
    if page.locator("atlas-test-box .peak").count():
        with walk.step("value of a token"):
            hand.look(walk.find("atlas-test-box .peak"))
            assert page.locator(".value-card").inner_text().endswith("of the maximum")
    with walk.step("the same text with all features"):
        page.wait_for_function(
            "() => document.querySelector('atlas-test-box .text-link').href.includes('#text=')"
        )
        hand.press(page.get_by_role("link", name="All features on this text"))
        page.wait_for_selector("atlas-test-page[data-ready]")
        assert page.locator("#own-text").input_value() == TEXT
    with walk.step("from the feature to steering"):
        walk.open(feature.page, "atlas-feature")
        hand.press(page.get_by_role("link", name="Steer with this feature"))
        page.wait_for_selector("atlas-steer-page[data-ready]")
        assert page.locator(".steered li").get_attribute("data-feature") == str(feature.feature_idx)
