"""Journeys of the page that compares what features do on two texts, or two sets of them."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

import pytest

from tests.walk.models import CLOSE, has_model, joined, opened, stopped
from tests.walk.walk import Walk, journey, sorted_by

if TYPE_CHECKING:
    from playwright.sync_api import Page

A, B = "raise ValueError(name)", "return self.value + 1"
LINES_A = "raise x\nraise KeyError\nraise y"
LINES_B = "return 1\nprint(2)\nx = y\nfor z in w"


def idle(page: Page) -> None:
    page.locator("table.contrast").wait_for(timeout=120_000)
    page.wait_for_function(
        "() => document.querySelector('atlas-contrast-page progress') === null", timeout=120_000
    )


def number(exact: str) -> float:
    """A number as a table has it; NaN where it says that there is none."""
    return float("nan" if exact == "no value" else exact)


def differences(page: Page) -> dict[int, tuple[float, float, float]]:
    """Feature → difference, A and B, exactly."""
    rows: list[list[str]] = page.locator("table.contrast tbody tr").evaluate_all(
        """(rows) => rows.map(({ children }) =>
          [0, 2, 3, 4].map((at) => children[at].title || children[at].innerText))"""
    )
    return {int(row[0]): (number(row[1]), number(row[2]), number(row[3])) for row in rows}


@journey("model: contrast", has_model)
def contrast(walk: Walk) -> None:
    page = walk.open("contrast.html", "atlas-contrast-page")
    hand = walk.hand
    with walk.step("two texts, feature by feature"):
        hand.write(walk.find("#contrast-a"), A)
        hand.write(walk.find("#contrast-b"), B)
        opened(walk)
        stopped(walk, lambda: hand.press(walk.button("Compare", exact=True)), ".contrast-form")
        assert page.locator("table.contrast").count() == 0
        if walk.by == "mouse":
            hand.press(walk.button("Compare", exact=True))
        else:
            hand.look(walk.find("#contrast-b"))
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
        walk.says("in", "share")
        means = joined(walk, A, "mean")
        for feature, (_, own, _) in differences(page).items():
            share = walk.facts.share(feature, float(means[feature]))
            assert own == pytest.approx(share, nan_ok=True, **CLOSE)
        hand.pick(page.get_by_role("combobox", name="in", exact=True), "activation")
        hand.pick(page.get_by_role("combobox", name="density", exact=True), "0.1")
        walk.says("densest", "0.1")
        assert all(walk.facts.density[feature] <= 0.1 for feature in differences(page))
        bos = page.get_by_role("combobox", name="BOS", exact=True)
        if bos.count():
            hand.pick(page.get_by_role("combobox", name="by", exact=True), "sum")
            for state, counts in (("1", True), ("", False)):
                hand.pick(bos, state if walk.by == "mouse" else state or "left out")
                walk.says("bos", state or None)
                idle(page)
                first, (_, own, other) = next(iter(differences(page).items()))
                assert own == pytest.approx(joined(walk, A, "sum", bos=counts)[first], **CLOSE)
                assert other == pytest.approx(joined(walk, B, "sum", bos=counts)[first], **CLOSE)
    _in_order(walk)
    _lines(walk)


def _in_order(walk: Walk) -> None:
    page, hand = walk.page, walk.hand
    with walk.step("headings sort"):
        for name in ("#", "A \N{MINUS SIGN} B", "A", "B", "density"):
            words = re.compile(rf"^\s*{re.escape(name)}\s*$")
            heading = page.locator("table.contrast thead th", has_text=words)
            hand.press(heading.get_by_role("button"))
            sorted_by(
                heading,
                [
                    {"#": at, "A": a, "B": b, "density": walk.facts.density[at]}.get(name, abs(gap))
                    for at, (gap, a, b) in differences(page).items()
                ],
            )
        assert walk.said("sort") in ("density", "-density")
    with walk.step("CSV"):
        name, text = walk.saved(walk.button("Save as CSV"))
        assert name == f"contrast-{walk.facts.sae}.csv"
        listed = [int(row["feature_idx"]) for row in csv.DictReader(io.StringIO(text, newline=""))]
        assert listed[: len(differences(page))] == list(differences(page))


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
    with walk.step("the test is cancelled, and made after all"):
        measure = page.get_by_role("combobox", name="by", exact=True)
        stopped(walk, lambda: hand.pick(measure, "max"), ".contrast-form")
        page.get_by_text("The permutation test was not made.").wait_for()
        hand.press(walk.button("Make it"))
        page.locator(".contrast-test").wait_for()
    with walk.step("more rows, and a link with the texts"):
        if page.get_by_role("button", name="Show more").count():
            before = page.locator("table.contrast tbody tr").count()
            hand.press(walk.button("Show more"))
            assert page.locator("table.contrast tbody tr").count() > before
        hand.press(walk.button("Copy a link with the texts"))
        page.locator(".copied").get_by_text("copied").first.wait_for()
        assert walk.copied() == page.url
        assert "#share=" in page.url
    _ways_on(walk)


def _ways_on(walk: Walk) -> None:
    page, hand = walk.page, walk.hand
    with walk.step("a row leads to steering"):
        feature = next(iter(differences(page)))
        hand.press(page.get_by_role("link", name=f"Steer with feature {feature}", exact=True))
        page.wait_for_selector("atlas-steer-page[data-ready]")
        assert page.locator(".steered li").get_attribute("data-feature") == str(feature)
        walk.returns("atlas-contrast-page")
    with walk.step("a row opens its feature"):
        hand.press(walk.button("Compare", exact=True))
        idle(page)
        feature = next(iter(differences(page)))
        hand.press(page.locator("table.contrast tbody th a").first)
        walk.leads(rf"/{feature}\.html")
        walk.returns("atlas-contrast-page")
    with walk.step("back to two texts, and another SAE"):
        hand.press(walk.button("two texts", exact=True))
        walk.says("kind", None)
        page.get_by_label("Text A", exact=True).wait_for()
        if len(walk.facts.slugs) > 1:
            hand.pick(page.get_by_role("combobox", name="SAE", exact=True), walk.facts.slugs[1])
            walk.says("sae", walk.facts.slugs[1])
            hand.press(walk.button("Compare", exact=True))
            idle(page)
            assert walk.find("table.contrast tbody a").get_attribute("href").startswith(walk.facts.slugs[1])
