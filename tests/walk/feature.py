"""Journeys on the page of one feature."""

from __future__ import annotations

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.walk.walk import Walk, journey

if TYPE_CHECKING:
    from playwright.sync_api import Page

TABS = {
    "interval": ("By strength", ("interval",)),
    "random": ("Random firings", ("random",)),
    "counter": ("Counter-examples", ("same_token", "near_miss")),
}
"""Name in the address → label and groups of a tab."""

FEATURE = "atlas-feature"


def open_rich(walk: Walk, state: str = "") -> Page:
    """Open the feature with most on its page."""
    return walk.open(walk.facts.rich.page + state, FEATURE)


def texts(page: Page) -> list[str]:
    """The texts of all strips."""
    return page.locator(".examples .strip").all_inner_texts()


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
        page.go_back()
        page.wait_for_selector(f"{FEATURE}[data-ready]", state="attached")
    with walk.step("a number's definition opens"):
        target = walk.find("dl.scalars a").get_attribute("href").rpartition("#")[2]
        hand.press(walk.find("dl.scalars a"))
        walk.leads(rf"about\.html#{target}")
        assert page.locator(f"#{target}").count() == 1
        page.go_back()
        page.wait_for_selector(f"{FEATURE}[data-ready]", state="attached")
    if page.locator("atlas-minimap").count():
        with walk.step("small map leads to the map"):
            page.locator("atlas-minimap").scroll_into_view_if_needed()
            page.wait_for_selector("atlas-minimap[data-ready]", state="attached")
            hand.press(walk.find("a.minimap"))
            walk.leads(rf"map\.html\?sae={feature.sae.slug}&f={feature.feature_idx}.*")
            page.go_back()
            page.wait_for_selector(f"{FEATURE}[data-ready]", state="attached")
        with walk.step("Open the map"):
            hand.press(page.get_by_role("link", name="Open the map"))
            walk.leads(rf"map\.html\?sae={feature.sae.slug}&f={feature.feature_idx}.*")


@journey("feature: data behind this")
def data(walk: Walk) -> None:
    page = open_rich(walk)
    feature = walk.facts.rich
    name = f"{feature.sae.slug}-{feature.feature_idx}"
    with walk.step("JSON"):
        saved, text = walk.saved(walk.button("JSON", ".downloads", exact=True))
        assert saved == f"{name}.json"
        assert json.loads(text)["feature_idx"] == feature.feature_idx
    with walk.step("numbers as CSV"):
        saved, text = walk.saved(walk.button("numbers as CSV"))
        assert saved == f"{name}.csv"
        assert str(feature["firing_tokens"]) in text
    with walk.step("examples as CSV"):
        saved, text = walk.saved(walk.button("examples as CSV"))
        assert saved == f"{name}-examples.csv"
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
        stored = sum(walk.facts.groups.values())
        assert len(rows) == stored or (fitted(walk) and 0 < len(rows) < stored)
    with walk.step("line of Python"):
        walk.hand.press(walk.button("copy", ".python"))
        page.locator(".copied").get_by_text("copied").first.wait_for()
        assert walk.copied() == f'atlas.open("data").feature({feature.feature_idx}, sae="{feature.sae.slug}")'
    with walk.step("data file of the page"):
        link = page.get_by_role("link", name="data file")
        path = link.evaluate("({ href }) => href").removeprefix(walk.root)
        assert walk.facts.has(path)
        walk.hand.look(link)
    with walk.step("the dataset is described"):
        walk.hand.press(page.get_by_role("link", name="The dataset"))
        walk.leads(r"about\.html#data")


@journey("feature: cite, embed, guide")
def cite(walk: Walk) -> None:
    page = open_rich(walk)
    hand, feature = walk.hand, walk.facts.rich
    dialog = page.get_by_role("dialog")
    found = ""
    with walk.step("every form of citation is copied"):
        hand.press(walk.button("Cite", "atlas-cite", exact=True))
        dialog.wait_for()
        for name in ("BibTeX", "LaTeX \\href", "Markdown", "Plain text"):
            hand.press(dialog.get_by_role("radio", name=name))
            hand.press(dialog.get_by_role("button", name=f"Copy {name}"))
            dialog.get_by_text("Copied.").wait_for()
            found = walk.copied()
            assert re.search(rf"{feature.feature_idx}\.html\?h=[0-9a-f]{{18}}", found.replace("\\", ""))
        hand.press(dialog.get_by_role("button", name="Close"))
        dialog.wait_for(state="hidden")
    with walk.step("key c opens it, Escape closes"):
        page.keyboard.press("c")
        dialog.wait_for()
        page.keyboard.press("Escape")
        dialog.wait_for(state="hidden")
    _embed_steps(walk)
    with walk.step("guided minute, to its end"):
        hand.press(walk.button("What am I looking at?"))
        for _ in range(4):
            hand.press(dialog.get_by_role("button", name="Next"))
        hand.press(dialog.get_by_role("button", name="Back"))
        assert dialog.locator(".number").inner_text() == "4 / 5"
        hand.press(dialog.get_by_role("button", name="Next"))
        assert dialog.get_by_role("definition").count() > 5
        hand.press(dialog.get_by_role("button", name="Done"))
        dialog.wait_for(state="hidden")
    with walk.step("a cited link tells whether anything changed"):
        own = re.findall(r"\?h=([0-9a-f]{18})", found)[0]
        open_rich(walk, f"?h={own}")
        assert "Unchanged" in page.locator(".cited").inner_text()
        open_rich(walk, f"?h={'0' * 18 if own[0] != '0' else '1' * 18}")
        assert "Changed since it was cited" in page.locator(".cited").inner_text()


def _embed_steps(walk: Walk) -> None:
    page, hand = walk.page, walk.hand
    dialog = page.get_by_role("dialog")
    with walk.step("iframe snippet follows its switches"):
        hand.press(walk.button("Embed", "atlas-cite", exact=True))
        dialog.wait_for()
        hand.press(dialog.get_by_label("numbers and plots"))
        hand.pick(dialog.locator("select").first, "1")
        hand.pick(dialog.locator("select").last, "dark")
        hand.press(dialog.get_by_role("button", name="Copy the iframe"))
        dialog.get_by_text("Copied.").wait_for()
        snippet = walk.copied().replace("&amp;", "&")
        assert all(part in snippet for part in ("embed=true", "embedplots=false", "examples=1", "theme=dark"))
        hand.press(dialog.get_by_text("Fit its height"))
        hand.press(dialog.get_by_role("button", name="Copy the script"))
        page.wait_for_function("navigator.clipboard.readText().then((text) => text.includes('<script>'))")
        page.keyboard.press("Escape")
        dialog.wait_for(state="hidden")
    with walk.step("the embedded page shows what was asked for"):
        query = re.findall(r"\?embed=true[^\"]*", snippet)[0]
        open_rich(walk, query)
        assert page.locator(".margin").is_hidden()
        assert page.locator(".examples > li:visible").count() == 1
        assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"
        assert page.locator(".embed-link a").get_attribute("href").endswith(walk.facts.rich.page)
        open_rich(walk)
