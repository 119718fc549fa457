"""Journeys on the page of one feature: its examples and its histograms."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest

from tests.walk.feature import fitted, open_rich
from tests.walk.walk import Walk, journey

if TYPE_CHECKING:
    from playwright.sync_api import Page

TABS = {
    "interval": ("By strength", ("interval",)),
    "random": ("Random firings", ("random",)),
    "counter": ("Counter-examples", ("same_token", "near_miss")),
}
"""Name in the address → label and groups of a tab."""


def texts(page: Page) -> list[str]:
    """The texts of all strips."""
    return page.locator(".examples .strip").all_inner_texts()


@journey("feature: examples")
def examples(walk: Walk) -> None:
    page = open_rich(walk)
    hand, groups = walk.hand, walk.facts.groups
    with walk.step("top examples are the strongest"):
        shown = page.locator(".examples .activation").evaluate_all("(all) => all.map((e) => +e.title)")
        top = [e.activation for e in walk.facts.rich.examples if e.group == "top"]
        assert shown == pytest.approx(top[: len(shown)], rel=1e-6)
    for state, (label, members) in TABS.items():
        if not any(groups[name] for name in members):
            continue
        with walk.step(f"tab {label}"):
            hand.press(page.get_by_role("tab", name=label))
            walk.says("examples", state)
            assert page.get_by_role("tab", selected=True).inner_text() == label
            shown, stored = page.locator("li.example").count(), sum(groups[name] for name in members)
            assert shown == stored or (fitted(walk) and 0 < shown < stored)
            if state == "counter":
                assert set(page.locator("li.example .activation").all_inner_texts()) == {"silent"}
    if groups["interval"]:
        with walk.step("one interval alone"):
            hand.press(page.get_by_role("tab", name="By strength"))
            every = page.locator("#examples-panel h3").all_inner_texts()
            hand.press(page.locator(".intervals button").nth(1))
            assert page.locator("#examples-panel h3").all_inner_texts() == every[:1]
            hand.press(page.locator(".intervals button").first)
            assert page.locator("#examples-panel h3").all_inner_texts() == every
    hand.press(page.get_by_role("tab", name="Top examples"))
    with walk.step("context short, sentence, full"):
        whole = texts(page)
        for name in ("short", "sentence"):
            hand.press(walk.button(name, exact=True))
            walk.says("context", name)
            assert all(part.strip("…") in text for part, text in zip(texts(page), whole, strict=True))
        hand.press(walk.button("full", exact=True))
        assert texts(page) == whole
    with walk.step("spaces on demand"):
        hand.press(walk.button("show spaces"))
        walk.says("spaces", "1")
        assert [t.replace("·\u200b", " ").replace("→\t", "\t") for t in texts(page)] == whole
        hand.press(walk.button("show spaces"))
        assert texts(page) == whole
    _strip_steps(walk)


def _strip_steps(walk: Walk) -> None:
    page, hand, feature = walk.page, walk.hand, walk.facts.rich
    with walk.step("value of a token"):
        hand.look(walk.find(".examples .strip .peak"))
        told = page.locator(".value-card").inner_text()
        assert told.startswith(page.locator(".activation").first.inner_text())
        assert "of the maximum" in told
    if walk.by == "keyboard":
        with walk.step("arrow keys walk the tokens"):
            stops = page.locator(".examples .strip").first.locator("[tabindex]")
            if stops.count() > 1:
                page.keyboard.press("Home")
                first = page.evaluate("document.activeElement.dataset.tip")
                page.keyboard.press("End")
                last = page.evaluate("document.activeElement.dataset.tip")
                assert [first, last] == [
                    stops.first.get_attribute("data-tip"),
                    stops.last.get_attribute("data-tip"),
                ]
            page.keyboard.press("Escape")
            assert page.locator(".value-card").is_hidden()
    with walk.step("copy the text"):
        if walk.by == "mouse":
            page.locator("li.example").first.hover()
        hand.press(walk.find(".example-tools button[title='Copy this text']"))
        page.locator(".copied").get_by_text("copied").first.wait_for()
        top = next(e for e in feature.examples if (e.group, e.rank) == ("top", 0))
        copied, whole = (text.replace("\r\n", "\n") for text in (walk.copied(), top.text))
        assert copied == whole or (fitted(walk) and copied in whole)
    with walk.step("strip as SVG"):
        name, text = walk.saved(walk.find("[data-figure=strip]"))
        assert name == f"{feature.sae.slug}-{feature.feature_idx}-top-1.svg"
        assert ET.fromstring(text).tag.endswith("svg")  # noqa: S314 - this page wrote it
    if feature.rows.get("effects"):
        with walk.step("colour by loss effect"):
            hand.press(walk.button("loss effect"))
            walk.says("colour", "loss")
            assert page.locator("li.example").count() == len(feature.rows["effects"])
            hand.look(walk.find(".examples .strip [data-tip]"))
            assert "nats" in page.locator(".value-card").inner_text()
            summary = page.locator(".changes summary")
            if summary.count():
                hand.press(summary.first)
                assert not page.locator(".changes table").first.is_visible()
            hand.press(walk.button("activation", ".legend-line", exact=True))


@journey("feature: histograms")
def histograms(walk: Walk) -> None:
    page = open_rich(walk)
    hand, feature = walk.hand, walk.facts.rich
    card = "#activations"
    bars = page.locator(f"{card} .stops [data-tip]")
    counted = sum(one["count"] for one in feature["activation_histogram"])
    with walk.step("a bar tells its range and count"):
        hand.look(bars.first)
        told = page.locator(".value-card").inner_text()
        assert re.fullmatch(r"\S+ to \S+: [\d,]+ firings?", told)
    with walk.step("as numbers: all firings"):
        hand.press(walk.find(f"{card} summary"))
        cells = page.locator(f"{card} details tbody tr td:last-child").all_inner_texts()
        assert sum(int(cell.replace(",", "")) for cell in cells) == counted
        assert f"{counted:,} firings" in page.locator(card).inner_text()
    for axis, state in (("activation", "x"), ("count", "y")):
        group = page.locator(card).get_by_role("group", name=axis)
        if group.count() == 0:
            continue
        with walk.step(f"{axis}: logarithmic and back"):
            before = page.locator(f"{card} svg").first.inner_html()
            hand.press(group.get_by_role("button", name="log"))
            walk.says(state, "log")
            assert page.locator(f"{card} svg").first.inner_html() != before
            hand.press(group.get_by_role("button", name="linear"))
            assert page.locator(f"{card} svg").first.inner_html() == before
    if walk.facts.groups["interval"]:
        with walk.step("a bar leads to examples of its strength"):
            hand.press(page.locator(f"{card} .stops button").last)
            walk.says("examples", "interval")
            assert page.locator("#examples-panel h3").count() == 1
            shown = page.locator(".examples .activation").evaluate_all("(all) => all.map((e) => +e.title)")
            found = [one for one in feature.examples if one.group == "interval"]
            sets = [
                [e.activation for e in found if e.interval == number]
                for number in {e.interval for e in found}
            ]
            assert shown
            assert any(
                all(
                    value == pytest.approx(min(one, key=lambda e: abs(e - value)), rel=1e-6)
                    for value in shown
                )
                for one in sets
            )
            assert fitted(walk) or len(shown) in {len(one) for one in sets}
    with walk.step("histogram as SVG"):
        name, text = walk.saved(walk.find(f"{card} [data-figure=histogram]"))
        assert name == f"{feature.sae.slug}-{feature.feature_idx}-activations.svg"
        rects = [node for node in ET.fromstring(text).iter() if node.tag.endswith("rect")]  # noqa: S314
        assert len(rects) == page.locator(f"{card} .histogram svg rect").count() + 1
    other = page.locator(".card:not(#activations) figure.histogram")
    if other.count():
        with walk.step("the other histograms tell their bars"):
            for figure in other.all():
                stop = figure.locator(".stops [tabindex='0']")
                hand.look(stop)
                assert page.locator(".value-card").inner_text() == stop.get_attribute("data-tip")
