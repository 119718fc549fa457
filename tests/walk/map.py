"""Journeys on the map."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.walk.walk import Walk, journey

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.walk.facts import Facts

MAP = "atlas-map"
LEFT_HALF = ((0.01, 0.01), (0.5, 0.01), (0.5, 0.99), (0.01, 0.99))


def has_map(facts: Facts) -> bool:
    return facts.has("map.html")


def open_map(walk: Walk, state: str = "") -> Page:
    """Open the map of the walked SAE."""
    return walk.open(f"map.html?sae={walk.facts.sae}{state}", MAP)


def heading(walk: Walk, pattern: str) -> int:
    """Wait until the heading of the table matches, and return its number."""
    title = walk.page.locator("#map-list-title", has_text=re.compile(pattern))
    title.wait_for()
    return int("".join(re.findall(r"\d", title.inner_text())) or 0)


def places(walk: Walk, *shares: tuple[float, float]) -> list[tuple[float, float]]:
    """Pixels of the page at these shares of the map."""
    walk.find(".map-frame").scroll_into_view_if_needed()
    box: Any = walk.find(".map-frame").bounding_box()
    return [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in shares]


def drag(walk: Walk, corners: list[tuple[float, float]]) -> None:
    """Press at the first place and move along the others."""
    walk.page.mouse.move(*corners[0])
    walk.page.mouse.down()
    for corner in corners[1:]:
        walk.page.mouse.move(*corner, steps=5)
    walk.page.mouse.up()


def larger(walk: Walk, name: str, than: float) -> None:
    """Wait until the number `name` of the address is larger."""
    walk.page.wait_for_function(
        "([name, than]) => Number(new URLSearchParams(location.search).get(name)) > than", arg=[name, than]
    )


@journey("map: move, zoom, point, open", has_map)
def moving(walk: Walk) -> None:
    feature = walk.facts.rich.feature_idx
    page = open_map(walk)
    hand = walk.hand
    with walk.step("all features are on it"):
        assert heading(walk, "in view") == walk.facts.placed
    with walk.step("zoom and pan"):
        if walk.by == "mouse":
            ((x, y),) = places(walk, (0.4, 0.4))
            page.mouse.move(x, y)
            page.mouse.wheel(0, -400)
            larger(walk, "z", 1.5)
            before = float(walk.said("x"))
            drag(walk, [(x, y), (x - 120, y)])
        else:
            hand.look(walk.find(".map-frame"))
            for key in ("+", "+"):
                page.keyboard.press(key)
            larger(walk, "z", 1.5)
            before = float(walk.said("x"))
            page.keyboard.press("ArrowRight")
        larger(walk, "x", before)
        assert heading(walk, "in view") < walk.facts.placed
    with walk.step("buttons zoom in, out, show everything"):
        for name, more in (("Zoom in", True), ("Zoom out", False)):
            before = float(walk.said("z"))
            hand.press(walk.button(name, ".map-zoom"))
            page.wait_for_function(
                "([z, more]) => more === (Number(new URLSearchParams(location.search).get('z')) > z)"
                " && Number(new URLSearchParams(location.search).get('z')) !== z",
                arg=[before, more],
            )
        hand.press(walk.button("Show everything"))
        walk.says("z", "1.00")
    with walk.step("card of a point, then its page"):
        open_map(walk, f"&f={feature}")
        if walk.by == "mouse":
            ((x, y),) = places(walk, (0.5, 0.5))
            page.mouse.move(x, y)
        else:
            page.locator(".map-list a code").first.wait_for()
            hand.look(walk.find(".map-list a"))
        card = walk.find(".map-card")
        card.wait_for()
        shown = int(card.locator("code").first.inner_text())
        card.locator(".tokens code, code ~ code").first.wait_for()
        expected = walk.facts.atlas.feature(shown, walk.facts.sae).explanation or f"Feature {shown}"
        assert page.locator(".map-card-title").inner_text().split() == expected.split()
        if walk.by == "mouse":
            page.mouse.click(x, y)
            walk.leads(rf"{walk.facts.sae}/\d+/{shown}\.html")
        else:
            hand.look(walk.find(".map-frame"))
            page.keyboard.press("Enter")
            walk.leads(rf"{walk.facts.sae}/\d+/\d+\.html")


@journey("map: rows and groups", has_map)
def rows(walk: Walk) -> None:
    page = open_map(walk)
    with walk.step("more rows of the view"):
        before = page.locator(".map-table tbody tr").count()
        if before < walk.facts.placed:
            walk.hand.press(walk.find(".map-more"))
            page.locator(".map-table tbody tr").nth(before).wait_for()
    with walk.step("a feature of a group opens"):
        link = page.locator("ul.clusters a")
        if link.count():
            target = link.first.evaluate("({ href }) => href")
            walk.hand.press(link.first)
            page.wait_for_url(target)
            page.wait_for_selector("atlas-feature[data-ready]", state="attached")


@journey("map: colours and search", has_map)
def colours(walk: Walk) -> None:
    page = open_map(walk)
    hand, size = walk.hand, walk.facts.placed
    with walk.step("legend of clusters counts every feature"):
        rest = page.get_by_text(re.compile(r"^and [\d,]+ more")).count()
        sizes = page.locator(".map-legend li .soft").all_inner_texts()
        total = sum(int(text.replace(",", "")) for text in sizes if text.replace(",", "").isdigit())
        assert total == size or (rest and total < size)
    names = page.locator("#map-colour option").evaluate_all("(all) => all.map(({ value }) => value)")
    with walk.step(f"colour by each of {len(names)} statistics"):
        for name in names[1:]:
            hand.pick(walk.find("#map-colour"), name)
            walk.says("colour", name)
            page.wait_for_selector(f"{MAP}[data-ready]", state="attached")
            page.locator(".map-ramp").wait_for()
            assert page.locator(".problem").count() == 0
        assert page.locator(".map-ticks .number").count() == 5
        hand.pick(walk.find("#map-colour"), "cluster")
    bound = float(f"{np.nanquantile(walk.facts.strongest, 0.9):.3g}")
    placed = ~np.isnan(walk.facts.column("x", "coords"))
    with walk.step("what a search finds stands out and is listed"):
        hand.write(walk.find("#map-query"), f"max_activation>{bound}")
        expected = int((placed & (walk.facts.strongest > bound)).sum())
        heading(walk, f"^{expected:,} found$")
        assert walk.said("q") == f"max_activation>{bound}"
        hand.press(walk.find("[data-tab=view]"))
        heading(walk, "in view")
        hand.press(walk.find("[data-tab=found]"))
        heading(walk, f"^{expected:,} found$")
    with walk.step("more rows"):
        before = page.locator(".map-table tbody tr").count()
        if expected > before:
            hand.press(walk.find(".map-more"))
            page.locator(".map-table tbody tr").nth(before).wait_for()
    with walk.step("a row points at its place, and opens"):
        link = page.locator(".map-list td a").nth(1)
        hand.look(link)
        page.locator(".map-card").wait_for()
        number = int(link.locator("code").inner_text())
        assert int(page.locator(".map-card code").first.inner_text()) == number
        hand.press(link)
        walk.leads(rf"{walk.facts.sae}/\d+/{number}\.html")


@journey("map: lasso, selection, lists", has_map)
def selecting(walk: Walk) -> None:
    page = open_map(walk)
    hand, size = walk.hand, walk.facts.placed
    with walk.step("select a part, by lasso or by view"):
        if walk.by == "mouse":
            hand.press(walk.button("Lasso"))
            drag(walk, places(walk, *LEFT_HALF))
            assert 0 < heading(walk, r"^[\d,]+ selected") < size
            hand.press(walk.button("Lasso"))
            page.keyboard.down("Shift")
            drag(walk, places(walk, *LEFT_HALF))
            page.keyboard.up("Shift")
        else:
            hand.press(walk.button("Lasso"))
            hand.press(walk.button("Lasso"))
            hand.look(walk.find(".map-frame"))
            for key in ("+", "+", "v"):
                page.keyboard.press(key)
        count = heading(walk, r"^[\d,]+ selected")
        assert 0 < count < size
    with walk.step("rows are ticked off and on"):
        hand.press(walk.find(".map-table input"))
        assert heading(walk, "selected") == count - 1
    with walk.step("Select view, tabs, Clear selection"):
        hand.press(walk.button("Show everything"))
        hand.press(walk.button("Select view"))
        assert heading(walk, "selected") == size
        hand.press(walk.find("[data-tab=view]"))
        assert heading(walk, "in view") == size
        hand.press(walk.find("[data-tab=selected]"))
        hand.press(walk.button("Clear selection"))
        hand.press(walk.find("[data-tab=selected]"))
        heading(walk, "^Nothing selected")
    with walk.step("one feature: Space, or a click in lasso mode"):
        open_map(walk, f"&f={walk.facts.rich.feature_idx}")
        if walk.by == "mouse":
            hand.press(walk.button("Lasso"))
            page.mouse.click(*places(walk, (0.5, 0.5))[0])
        else:
            hand.look(walk.find(".map-frame"))
            page.keyboard.press("Space")
        assert heading(walk, "^1 selected") == 1
        if walk.by == "keyboard":
            hand.look(walk.find(".map-frame"))
            page.keyboard.press("Escape")
            heading(walk, "in view")
            page.keyboard.press("Space")
            heading(walk, "^1 selected")
    _to_list(walk)


def _to_list(walk: Walk) -> None:
    page, hand = walk.page, walk.hand
    with walk.step("the selection goes to a list"):
        hand.press(walk.button("Add 1 to a list"))
        hand.write(page.get_by_label("Name of a new list"), "from the map")
        page.keyboard.press("Enter")
        page.get_by_text("1 added to from the map").first.wait_for()
        page.keyboard.press("Escape")


@journey("map: several SAEs", lambda facts: has_map(facts) and len(facts.slugs) > 1)
def several(walk: Walk) -> None:
    page = open_map(walk)
    hand = walk.hand
    other = walk.facts.slugs[1]
    with walk.step("another SAE"):
        hand.pick(walk.find("#map-sae"), other)
        walk.says("sae", other)
        page.locator(f".map-list a[href^='{other}/']").first.wait_for()
        hand.pick(walk.find("#map-sae"), walk.facts.sae)
        walk.says("sae", walk.facts.sae)
    both = walk.facts.placed + walk.facts.atlas.table("coords", other, ["feature_idx"]).num_rows
    with walk.step("two side by side"):
        hand.press(walk.find(".map-compare summary"))
        hand.press(page.locator(f".map-compare input[value={other}]"))
        walk.says("sae", f"{walk.facts.sae},{other}")
        page.wait_for_selector(f"{MAP}[data-ready]", state="attached")
        page.locator("#map-list-title", has_text=re.compile(f"^{both:,} in view")).wait_for()
        assert "not between SAEs" in page.locator(".map-caption").inner_text()
    with walk.step("over one another, with the warning"):
        hand.press(page.locator(".map-compare input[value=over]"))
        walk.says("lay", "over")
        page.wait_for_selector(f"{MAP}[data-ready]", state="attached")
        assert "need not be alike" in page.locator(".map-caption").inner_text()
    with walk.step("side by side again"):
        hand.press(page.locator(".map-compare input[value=side]"))
        walk.says("lay", None)
        page.wait_for_selector(f"{MAP}[data-ready]", state="attached")
        assert "not between SAEs" in page.locator(".map-caption").inner_text()
    with walk.step("back to one"):
        hand.press(page.locator(f".map-compare input[value={other}]"))
        walk.says("sae", walk.facts.sae)
