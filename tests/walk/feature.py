"""Journeys on the page of one feature: its header, its margin, and the ways on from it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.walk.walk import Walk, journey

if TYPE_CHECKING:
    from playwright.sync_api import Page

FEATURE = "atlas-feature"


def open_rich(walk: Walk, state: str = "") -> Page:
    """Open the feature with most on its page."""
    return walk.open(walk.facts.rich.page + state, FEATURE)


def fitted(walk: Walk) -> bool:
    """Whether the page says that the site holds fewer and shorter examples than the dataset."""
    return walk.page.get_by_text("To stay below").count() > 0


def arrived(walk: Walk, path: str) -> None:
    """Wait for the page at `path`, drawn."""
    walk.leads(re.escape(path) + r"(\?.*)?(#.*)?")
    walk.page.wait_for_selector(f"{FEATURE}[data-ready]", state="attached")


@journey("feature: header and ways on")
def header(walk: Walk) -> None:
    page = open_rich(walk)
    feature, hand = walk.facts.rich, walk.hand
    slug, number = feature.sae.slug, feature.feature_idx
    with walk.step("headline is the explanation"):
        expected = feature.explanation or f"Feature {number}"
        assert page.locator("h1").inner_text().split() == expected.split()
    with walk.step("id is copied"):
        hand.press(walk.button(f"{slug}/{number}", FEATURE))
        page.get_by_text("copied").first.wait_for()
        assert walk.copied() == f"{slug}/{number}"
    if page.locator(".chip[data-tip]").count():
        with walk.step("density tells its interval"):
            hand.look(walk.find(".chip[data-tip]"))
            assert page.locator(".value-card").inner_text() == walk.find(".chip[data-tip]").get_attribute(
                "data-tip"
            )
    with walk.step("next, previous"):
        forward = page.locator("a[rel=next]").count() > 0
        there, back = ("next", "prev") if forward else ("prev", "next")
        hand.press(walk.find(f"a[rel={there}]"))
        arrived(walk, f"/{number + (1 if forward else -1)}.html")
        walk.hand.press(walk.find(f"a[rel={back}]"))
        arrived(walk, feature.page)
    with walk.step("random"):
        hand.press(walk.find("[data-action=random]"))
        page.wait_for_url(lambda url: not url.endswith(feature.page))
        arrived(walk, ".html")
    with walk.step("keys: j, k, r"):
        walk.open(feature.page, FEATURE)
        page.keyboard.press("j" if forward else "k")
        arrived(walk, f"/{number + (1 if forward else -1)}.html")
        page.keyboard.press("k" if forward else "j")
        arrived(walk, feature.page)
        page.keyboard.press("r")
        page.wait_for_url(lambda url: not url.endswith(feature.page))
    with walk.step("crumbs lead to the lists above"):
        walk.open(feature.page, FEATURE)
        hand.press(page.locator(".crumbs a").nth(1))
        walk.leads(rf"{slug}/{number // 1000}/index\.html")
        hand.press(page.locator("table.features a").first)
        page.wait_for_selector(f"{FEATURE}[data-ready]", state="attached")
        hand.press(page.locator(".crumbs a").first)
        walk.leads(rf"{slug}/index\.html")


@journey("feature: badges", lambda facts: facts.dead is not None or facts.twin is not None)
def badges(walk: Walk) -> None:
    facts = walk.facts
    pages = {"dead": facts.dead, "duplicate of": facts.twin and facts.twin[0]}
    for label, number in pages.items():
        if number is None:
            continue
        page = walk.open(f"{facts.sae}/{number // 1000}/{number}.html", FEATURE)
        badge = page.locator(".chip.warn", has_text=label)
        with walk.step(f"badge {label} tells what it means"):
            walk.hand.look(badge)
            assert page.locator(".value-card").inner_text() == badge.get_attribute("data-tip") != ""
    if facts.twin is not None:
        with walk.step("a duplicate leads to its twin"):
            walk.hand.press(badge)
            arrived(walk, f"/{facts.twin[1]}.html")


@journey("feature: numbers in the margin")
def margin(walk: Walk) -> None:
    page = open_rich(walk)
    hand, feature = walk.hand, walk.facts.rich
    with walk.step("every number is the dataset's"):
        rows: list[list[str]] = page.locator("dl.scalars > div").evaluate_all(
            """(all) => all.map((one) => [one.querySelector("dt a").getAttribute("href").split("#c-")[1],
              one.querySelector("dd span").title])"""
        )
        assert len(rows) > 5
        for name, shown in rows:
            value = feature[name]
            exact = None if value is None or np.isnan(value) else float(value)
            assert (float(shown) if shown else None) == pytest.approx(exact, rel=1e-6), name
    with walk.step("a number tells its meaning"):
        hand.look(walk.find("dl.scalars a"))
        assert page.locator(".value-card").inner_text() != ""
    if page.locator("button", has_text=re.compile(r"^\s*raw\s*$")).count():
        with walk.step("logits raw and folded"):
            first = page.locator(".effects.positive b").first.inner_text()
            hand.press(walk.button("raw", exact=True))
            walk.says("logits", "other")
            hand.press(walk.button("final norm folded in"))
            assert page.locator(".effects.positive b").first.inner_text() == first
    for label, state, name in (
        ("just before", "before", "tokens_before"),
        ("just after", "after", "tokens_after"),
    ):
        if page.get_by_role("button", name=label).count() == 0:
            continue
        with walk.step(f"tokens {label}"):
            hand.press(walk.button(label))
            walk.says("tokens", state)
            counts = page.locator(".card:has(button:text-is('just after')) .effects b").all_inner_texts()
            wanted = [f"{token.count:,}" for token in feature.tokens[name]]
            assert counts == wanted[: len(counts)]
    if page.get_by_role("button", name="fires on").count():
        hand.press(walk.button("fires on"))
    with walk.step("neighbours with their cosines"):
        neighbours = feature["neighbours"]
        shown = page.locator("table.related").first.locator("tbody tr")
        assert shown.count() == len(neighbours)
        for row, one in list(zip(shown.all(), neighbours, strict=True))[:3]:
            assert (
                row.locator("a").get_attribute("href", timeout=1000).endswith(f"/{one['feature_idx']}.html")
            )
            assert float(row.locator("td.number").first.get_attribute("title")) == pytest.approx(one["value"])
    _ways_out(walk)


def _ways_out(walk: Walk) -> None:
    page, hand, feature = walk.page, walk.hand, walk.facts.rich
    with walk.step("a neighbour opens"):
        hand.press(walk.find("table.related tbody a"))
        arrived(walk, f"/{feature['neighbours'][0]['feature_idx']}.html")
        walk.returns(FEATURE)
    with walk.step("a number's definition opens"):
        target = walk.find("dl.scalars a").get_attribute("href").rpartition("#")[2]
        hand.press(walk.find("dl.scalars a"))
        walk.leads(rf"about\.html#{target}")
        assert page.locator(f"#{target}").count() == 1
        walk.returns(FEATURE)
    if page.locator("atlas-minimap").count():
        with walk.step("small map leads to the map"):
            page.locator("atlas-minimap").scroll_into_view_if_needed()
            page.wait_for_selector("atlas-minimap[data-ready]", state="attached")
            hand.press(walk.find("a.minimap"))
            walk.leads(rf"map\.html\?sae={feature.sae.slug}&f={feature.feature_idx}.*")
            walk.returns(FEATURE)
        with walk.step("Open the map"):
            hand.press(page.get_by_role("link", name="Open the map"))
            walk.leads(rf"map\.html\?sae={feature.sae.slug}&f={feature.feature_idx}.*")
