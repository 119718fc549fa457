"""Journeys of the pages that run the model in the browser."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.walk.walk import Walk, journey

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from playwright.sync_api import Locator, Page

    from tests.walk.facts import Facts

TEXT = "def walk(self, name):\n    return name"
A, B = "raise ValueError(name)", "return self.value + 1"
LINES_A = "raise x\nraise KeyError\nraise y"
LINES_B = "return 1\nprint(2)\nx = y\nfor z in w"
CLOSE = {"rel": 2e-3, "abs": 2e-3}
"""Between onnxruntime in a browser and in Python."""


def has_model(facts: Facts) -> bool:
    return facts.has("test.html")


def opened(walk: Walk) -> None:
    """Press the button that loads the model, and wait for it."""
    walk.hand.press(walk.find("atlas-model-loader button"))
    walk.page.wait_for_selector("atlas-model-loader[data-state=open]", timeout=120_000)


def joined(walk: Walk, text: str, how: str = "max") -> NDArray[np.float64]:
    """What counts of each feature on `text`, by the model in Python; BOS left out."""
    found = walk.facts.atlas.activations(text, sae=walk.facts.sae)
    values = found.values[~np.asarray(found.bos)].astype(np.float64)
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
        opened(walk)
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
            hand.press(button)
            assert page.locator(".text-features [role=status]").inner_text() != ""
        for name in ("max", "all", "none"):
            hand.press(setting(page, name))
        if setting(page, "BOS").count() and setting(page, "BOS").get_attribute("aria-pressed") == "true":
            hand.press(setting(page, "BOS"))
    _tokens(walk)
    with walk.step("sorting, more, colour by a feature"):
        for by in ("feature", "density", "of its maximum", "largest activation"):
            hand.press(page.locator(".ranked thead").get_by_role("button", name=by))
        if page.locator(".text-features .search-more").count():
            hand.press(walk.find(".text-features .search-more"))
            assert len(ranked(page)) > 20
        hand.press(walk.button("Colour the text by feature"))
        assert "activation of feature" in page.locator(".text-strip .legend").inner_text()
        hand.press(walk.button("all features"))
        assert "strongest feature" in page.locator(".text-strip .legend").inner_text()
    with walk.step("text and view are shared by a link"):
        follow_shared(walk, "Share this text and view", "atlas-test-page")
        assert page.locator("#own-text").input_value() == TEXT
    _other_sae_and_runs(walk)


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
        hand.press(walk.button("Check the reference runs"))
        page.locator(".run-checks li").first.wait_for(timeout=120_000)
        assert set(page.locator(".run-checks b").all_inner_texts()) == {"match"}
    with walk.step("figures unfold, and the ways to the other pages"):
        if page.locator("main details.definitions summary").count():
            hand.press(walk.find("main details.definitions summary"))
        for name in ("contrast", "steer", "test"):
            hand.press(page.locator(f".model-tabs a[href='{name}.html']"))
            page.wait_for_selector(f"atlas-{name}-page[data-ready]")


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
    with walk.step("activation of the feature on a text"):
        hand.write(walk.find("#own-text"), TEXT)
        page.wait_for_selector("atlas-test-box[data-answered]")
        largest = float(joined(walk, TEXT)[feature.feature_idx])
        shown = page.locator("atlas-test-box p[role=status] b")
        assert (float(shown.get_attribute("title")) if shown.count() else 0) == pytest.approx(
            largest, **CLOSE
        )
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


def idle(page: Page) -> None:
    page.locator("table.contrast").wait_for(timeout=120_000)
    page.wait_for_function(
        "() => document.querySelector('atlas-contrast-page progress') === null", timeout=120_000
    )


def differences(page: Page) -> dict[int, tuple[float, float, float]]:
    """Feature → difference, A and B, exactly."""
    rows: list[list[str]] = page.locator("table.contrast tbody tr").evaluate_all(
        """(rows) => rows.map(({ children }) =>
          [0, 2, 3, 4].map((at) => children[at].title || children[at].innerText))"""
    )
    return {int(row[0]): (float(row[1]), float(row[2]), float(row[3])) for row in rows}


@journey("model: contrast", has_model)
def contrast(walk: Walk) -> None:
    page = walk.open("contrast.html", "atlas-contrast-page")
    hand = walk.hand
    with walk.step("two texts, feature by feature"):
        hand.write(walk.find("#contrast-a"), A)
        hand.write(walk.find("#contrast-b"), B)
        if walk.by == "mouse":
            hand.press(walk.button("Compare", exact=True))
        else:
            page.keyboard.press("Control+Enter")
        idle(page)
        a, b = joined(walk, A), joined(walk, B)
        for feature, (gap, own, other) in differences(page).items():
            assert (gap, own, other) == pytest.approx(
                (a[feature] - b[feature], a[feature], b[feature]), **CLOSE
            )
    with walk.step("what is listed"):
        only = {"only in A": (a > 0) & (b <= 0), "only in B": (b > 0) & (a <= 0)}
        for words, keep in {"stronger in A": a > b, "stronger in B": b > a, **only}.items():
            hand.press(walk.button(words))
            assert all(keep[feature] for feature in differences(page))
        hand.press(page.locator(".choice").get_by_role("button", name=re.compile(r"^all \d")))
    with walk.step("measure, unit, density"):
        hand.pick(page.get_by_role("combobox", name="by", exact=True), "mean")
        first, (gap, _, _) = next(iter(differences(page).items()))
        assert gap == pytest.approx(joined(walk, A, "mean")[first] - joined(walk, B, "mean")[first], **CLOSE)
        hand.pick(page.get_by_role("combobox", name="in", exact=True), "share")
        hand.pick(page.get_by_role("combobox", name="density", exact=True), "0.1")
        walk.says("in", "share")
        hand.pick(page.get_by_role("combobox", name="in", exact=True), "activation")
    with walk.step("headings sort"):
        for name in ("#", "A \N{MINUS SIGN} B", "A", "B", "density"):
            hand.press(page.locator("table.contrast thead").get_by_role("button", name=name, exact=True))
        assert walk.said("sort") in ("density", "-density")
    with walk.step("CSV"):
        name, text = walk.saved(walk.button("Save as CSV"))
        assert name == f"contrast-{walk.facts.sae}.csv"
        listed = [int(row["feature_idx"]) for row in csv.DictReader(io.StringIO(text, newline=""))]
        assert listed[: len(differences(page))] == list(differences(page))
    _lines(walk)


def _lines(walk: Walk) -> None:
    page, hand = walk.page, walk.hand
    with walk.step("two sets of lines, with p and q"):
        hand.press(walk.button("two sets of lines"))
        hand.write(walk.find("#contrast-a"), LINES_A)
        hand.write(walk.find("#contrast-b"), LINES_B)
        hand.press(walk.button("Compare", exact=True))
        page.locator(".contrast-test").wait_for(timeout=120_000)
        idle(page)
        hand.press(walk.find(".contrast-test summary"))
        assert "all 35 relabellings" in page.locator(".contrast-test").inner_text()
        hand.press(page.locator("table.contrast thead").get_by_role("button", name="p", exact=True))
        hand.pick(page.get_by_role("combobox", name="relabellings", exact=True), "99999")
        walk.says("relabellings", "99999")
        idle(page)
    with walk.step("more rows, and a link with the texts"):
        if page.get_by_role("button", name="Show more").count():
            before = page.locator("table.contrast tbody tr").count()
            hand.press(walk.button("Show more"))
            assert page.locator("table.contrast tbody tr").count() > before
        hand.press(walk.button("Copy a link with the texts"))
        page.locator(".copied").get_by_text("copied").first.wait_for()
        assert walk.copied() == page.url
        assert "#share=" in page.url
    with walk.step("a row leads to steering"):
        feature = next(iter(differences(page)))
        hand.press(page.get_by_role("link", name=f"Steer with feature {feature}", exact=True))
        page.wait_for_selector("atlas-steer-page[data-ready]")
        assert page.locator(".steered li").get_attribute("data-feature") == str(feature)


@journey("model: steer", has_model)
def steer(walk: Walk) -> None:
    page = walk.open("steer.html", "atlas-steer-page")
    hand, feature = walk.hand, walk.facts.rich.feature_idx
    with walk.step("a feature is picked"):
        field = page.get_by_role("combobox", name="Add a feature")
        hand.write(field, str(feature))
        option = page.locator("atlas-feature-picker [role=option]").first
        option.wait_for()
        if walk.by == "mouse":
            option.click()
        else:
            page.keyboard.press("ArrowDown")
            page.keyboard.press("Enter")
        page.locator(f".steered li[data-feature='{feature}']").wait_for()
        assert walk.said("f").startswith(str(feature))
    with walk.step("mode and strength"):
        mode = page.get_by_label(f"What is done to feature {feature}")
        for name in ("ablate", "clamp", "add"):
            hand.pick(mode, name)
        hand.write(page.get_by_label("in figures"), "3")
        page.keyboard.press("Tab")
        slider = page.get_by_label(f"Strength of feature {feature}, times its maximum", exact=True)
        page.wait_for_function("() => document.querySelector('.steered input[type=range]').value === '3'")
        if walk.by == "mouse":
            slider.click()
        else:
            hand.look(slider)
            page.keyboard.press("ArrowLeft")
        page.wait_for_function("() => document.querySelector('.steered input[type=number]').value !== '3'")
    with walk.step("prompt, length, chance"):
        hand.write(page.get_by_label("Prompt", exact=True), "def walk")
        hand.write(page.get_by_label("tokens", exact=True), "6")
        hand.pick(page.get_by_role("combobox", name="each", exact=True), "drawn")
        hand.write(page.get_by_label("seed", exact=True), "7")
        hand.write(page.get_by_label("temperature", exact=True), "0.8")
        page.keyboard.press("Tab")
        page.wait_for_function("() => ['7', '0.8'].every((value) => location.search.includes(value))")
    _runs(walk)


def _runs(walk: Walk) -> None:
    page, hand = walk.page, walk.hand

    def run() -> dict[str, object]:
        hand.press(walk.button("Run both"))
        page.wait_for_selector("atlas-model-loader[data-state=open]", timeout=120_000)
        page.wait_for_function(
            "() => document.querySelectorAll('[data-run=steered] .token').length === 6"
            " && !document.querySelector('.steer-prompt .primary').disabled",
            timeout=120_000,
        )
        hand.press(walk.button("Copy as JSON"))
        page.locator(".copied").get_by_text("copied").first.wait_for()
        return json.loads(walk.copied())

    with walk.step("both continuations, the same again"):
        first = run()
        assert run() == first
        assert page.locator("[data-run=plain] .token").count() == 6
    with walk.step("probability of a token, and numbers of all"):
        token = page.locator("[data-run=steered] .token").first
        hand.look(token)
        assert page.locator(".value-card").inner_text().startswith("token 1: probability")
        hand.press(walk.find(".run-numbers summary"))
        assert page.locator(".run-numbers tbody tr").count() == 6
        hand.press(walk.button("Copy as text"))
    with walk.step("a link with the prompt"):
        follow_shared(walk, "Copy a link with the prompt", "atlas-steer-page")
        assert page.get_by_label("Prompt", exact=True).input_value() == "def walk"
    with walk.step("the stored runs match here"):
        hand.press(walk.button("Check the reference runs"))
        page.locator(".run-checks li").first.wait_for(timeout=120_000)
        assert set(page.locator(".run-checks b").all_inner_texts()) == {"match"}
    with walk.step("no more of a feature; another SAE"):
        hand.press(walk.button("Steer feature"))
        page.locator(".steered li").wait_for(state="detached")
        if len(walk.facts.slugs) > 1:
            hand.pick(page.get_by_role("combobox", name="SAE", exact=True), walk.facts.slugs[1])
            walk.says("sae", walk.facts.slugs[1])
