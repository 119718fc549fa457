"""Journeys on the table of all features."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.walk.walk import Walk, journey

if TYPE_CHECKING:
    from playwright.sync_api import Page

TABLE = "atlas-feature-table"
COLUMN = "max activation"

SETTLED = """() => {
  const table = document.querySelector("atlas-feature-table");
  const waits = table.isUpdatePending || table.querySelector("[aria-busy=true]") !== null;
  return !waits && table.dataset.ready !== undefined;
}"""


IN_ORDER = """(texts) => {
  const { compare } = new Intl.Collator("en");
  return texts.every((text, at) => at === 0 || compare(texts[at - 1], text) <= 0);
}"""


def open_table(walk: Walk, state: str = "") -> Page:
    """Open the table of the walked SAE."""
    return walk.open(f"{walk.facts.sae}/index.html{state}", TABLE)


def rows(page: Page) -> list[int]:
    """Numbers of the rows that are drawn, in order."""
    page.wait_for_function(SETTLED)
    found = page.locator("tr[aria-rowindex] th.column-id").all_inner_texts()
    return [int(text) for text in found if text != "#"]


def counted(walk: Walk, expected: int) -> None:
    """Wait until the table says that so many rows pass."""
    size = walk.facts.size
    words = f"{size:,} features" if expected == size else f"{expected:,} of {size:,} features"
    walk.page.locator(".table-count", has_text=re.compile(f"^{words}")).wait_for()


def middle(walk: Walk) -> float:
    """A bound that about half of the features pass."""
    strongest = walk.facts.strongest
    return float(f"{np.nanmedian(strongest):.3g}")


@journey("browse: rows, keys, scrolling")
def scrolling(walk: Walk) -> None:
    page = open_table(walk)
    size, hand = walk.facts.size, walk.hand
    with walk.step("only rows in view are drawn, all are counted"):
        counted(walk, size)
        assert page.get_by_role("grid").get_attribute("aria-rowcount") == str(size + 1)
        assert len(rows(page)) < 80
    with walk.step("scroll to the last row and back"):
        if walk.by == "mouse":
            page.locator(".table-frame").hover()
            page.mouse.wheel(0, 40 * size)
        else:
            walk.hand.look(page.get_by_role("grid"))
            page.keyboard.press("End")
        page.locator(f'tr[aria-rowindex="{size + 1}"]').wait_for()
        assert rows(page)[-1] == size - 1
        if walk.by == "mouse":
            page.mouse.wheel(0, -40 * size)
        else:
            page.keyboard.press("Home")
        page.locator('tr[aria-rowindex="2"]').wait_for()
    with walk.step("rows are chosen: one, a stretch, all, none"):
        _choose(walk)
    with walk.step("a row opens its feature"):
        if walk.by == "mouse":
            hand.press(page.locator("#table-row-3 .column-id a"))
            walk.leads(rf"{walk.facts.sae}/0/3\.html")
        else:
            hand.look(page.get_by_role("grid"))
            for key in ("Home", "ArrowDown", "ArrowDown", "PageDown", "PageUp", "ArrowUp", "Enter"):
                page.keyboard.press(key)
            walk.leads(rf"{walk.facts.sae}/0/\d+\.html")


def _choose(walk: Walk) -> None:
    page, size = walk.page, walk.facts.size

    def chosen(count: int) -> None:
        words = re.compile(rf"· {count:,} chosen$" if count else "features$")
        page.locator(".table-count", has_text=words).wait_for()

    if walk.by == "mouse":
        page.locator("#table-row-1 input").click()
        chosen(1)
        page.locator("#table-row-4 input").click(modifiers=["Shift"])
        chosen(4)
    else:
        walk.hand.look(page.get_by_role("grid"))
        for key in ("Home", "ArrowDown", "Space"):
            page.keyboard.press(key)
        chosen(1)
        for _ in range(3):
            page.keyboard.press("Shift+ArrowDown")
        chosen(4)
    assert page.locator("tr[aria-selected=true] th.column-id").all_inner_texts() == ["1", "2", "3", "4"]
    every = page.get_by_role("checkbox", name="Choose all rows")
    walk.hand.press(every)
    chosen(size)
    walk.hand.press(walk.button("Choose none"))
    chosen(0)


@journey("browse: sort, filter, histogram")
def sorting(walk: Walk) -> None:
    page = open_table(walk)
    hand, strongest = walk.hand, walk.facts.strongest
    present = np.flatnonzero(~np.isnan(strongest))
    for state, sign in (("descending", -1), ("ascending", 1)):
        with walk.step(f"sort {state}"):
            hand.press(walk.find("[data-column=max_activation] .sort"))
            page.locator(f"[data-column=max_activation][aria-sort={state}]").wait_for()
            order = present[np.lexsort((present, sign * strongest[present]))]
            page.locator(f'tr[aria-rowindex="2"]#table-row-{order[0]}').wait_for()
            found = rows(page)
            assert found == order[: len(found)].tolist()
    with walk.step("sort by number and by explanation"):
        hand.press(walk.find("th.column-id .sort"))
        walk.says("sort", None)
        page.locator('tr[aria-rowindex="2"]#table-row-0').wait_for()
        hand.press(walk.find("[data-column=explanation] .sort"))
        page.locator("[data-column=explanation][aria-sort=ascending]").wait_for()
        page.wait_for_function(SETTLED, timeout=60_000)
        shown = page.locator("td.column-explanation bdi").all_text_contents()
        assert len(shown) > 5
        assert page.evaluate(IN_ORDER, shown)
    bound = middle(walk)
    expected = int((strongest > bound).sum())
    with walk.step("typed filter"):
        open_table(walk)
        hand.write(walk.find("#table-filter"), f"max_activation>{bound} is:dead")
        counted(walk, 0)
        hand.write(walk.find("#table-filter"), f"max_activation>{bound}")
        counted(walk, expected)
        assert walk.said("f") == f"max_activation>{bound}"
    with walk.step("a condition is taken away"):
        hand.press(walk.button("Take away"))
        counted(walk, walk.facts.size)
    with walk.step("what means nothing is said"):
        hand.write(walk.find("#table-filter"), "nonsense<1")
        page.get_by_text("Nothing is called nonsense.").wait_for()
        hand.write(walk.find("#table-filter"), "")
        page.get_by_text("Nothing is called nonsense.").wait_for(state="detached")
        counted(walk, walk.facts.size)
    _histogram_steps(walk)


def _histogram_steps(walk: Walk) -> None:
    page, hand, strongest = walk.page, walk.hand, walk.facts.strongest
    arrange = walk.button(f"Filter and arrange {COLUMN}")
    if walk.by == "mouse":
        for place, selector in (
            ("heading", "[data-column=max_activation] .brush"),
            ("panel", ".table-panel .brush"),
        ):
            with walk.step(f"histogram in the {place} is drawn over"):
                if place == "panel":
                    hand.press(arrange)
                brush(walk, selector)
                low, high = map(float, re.findall(r"[<>]=?([-\d.e+]+)", walk.said("f")))
                counted(walk, int(((strongest >= low) & (strongest < high)).sum()))
                if place == "panel":
                    hand.press(walk.button("Clear the filter"))
                else:
                    hand.press(walk.button("Take away"))
                    hand.press(walk.button("Take away"))
                counted(walk, walk.facts.size)
    else:
        hand.press(arrange)
    bound = middle(walk)
    with walk.step("bounds are typed in the panel"):
        hand.write(page.get_by_label("From"), str(bound / 2))
        page.keyboard.press("Enter")
        hand.write(page.get_by_label("To", exact=True), str(bound))
        page.keyboard.press("Enter")
        counted(walk, int(((strongest >= bound / 2) & (strongest <= bound)).sum()))
        hand.press(walk.button("Clear the filter"))
        counted(walk, walk.facts.size)
    with walk.step("panel sorts"):
        hand.press(walk.button("Smallest first"))
        walk.says("sort", "max_activation")
        hand.press(walk.button("Largest first"))
        walk.says("sort", "-max_activation")
        page.keyboard.press("Escape")
        page.locator(".table-panel h3").wait_for(state="detached")
    clusters = walk.facts.column("cluster", "coords")
    with walk.step("a group of the map alone"):
        group = int(np.bincount(clusters[clusters >= 0].astype(int)).argmax())
        hand.press(walk.button("Filter and arrange cluster"))
        hand.pick(page.get_by_label("Only"), str(group))
        walk.says("f", f"cluster={group}")
        counted(walk, int((clusters == group).sum()))


def brush(walk: Walk, selector: str) -> None:
    """Draw over the middle of a histogram."""
    box: Any = walk.find(selector).bounding_box()
    y = box["y"] + box["height"] / 2
    walk.page.mouse.move(box["x"] + 0.2 * box["width"], y)
    walk.page.mouse.down()
    walk.page.mouse.move(box["x"] + 0.7 * box["width"], y, steps=4)
    walk.page.mouse.up()
    walk.page.wait_for_function("() => new URLSearchParams(location.search).get('f') !== null")


@journey("browse: columns, list, CSV")
def columns(walk: Walk) -> None:
    page = open_table(walk)
    hand = walk.hand

    def shown() -> list[str]:
        return page.locator("th[data-column]").evaluate_all("(all) => all.map((e) => e.dataset.column)")

    first = shown()
    with walk.step("a column is shown"):
        hand.press(walk.button("Columns"))
        hand.press(page.get_by_role("checkbox", name="firing tokens"))
        page.locator("th[data-column=firing_tokens]").wait_for()
        assert walk.said("cols") == ",".join(shown())
    with walk.step("all columns, and as at first"):
        hand.press(walk.button("Show all"))
        page.wait_for_function(
            "(few) => document.querySelectorAll('th[data-column]').length > few + 8", arg=len(first)
        )
        hand.press(walk.button("As at first"))
        walk.says("cols", None)
        assert shown() == first
        page.keyboard.press("Escape")
        page.locator(".table-panel h3").wait_for(state="detached")
    with walk.step("a column is moved and hidden from its panel"):
        hand.press(walk.button(f"Filter and arrange {COLUMN}"))
        hand.press(walk.button("Move left"))
        page.wait_for_function("() => location.search.includes('cols=')")
        assert shown().index("max_activation") == first.index("max_activation") - 1
        hand.press(walk.button("Move right"))
        assert shown() == first
        hand.press(walk.button("Hide", ".table-panel"))
        page.locator("th[data-column=max_activation]").wait_for(state="detached")
        page.keyboard.press("Escape")
    with walk.step("chosen rows go to a list"):
        _to_list(walk)
    with walk.step("CSV holds the rows of the view"):
        walk.open(f"{walk.facts.sae}/index.html?f=max_activation>{middle(walk)}&cols=max_activation", TABLE)
        name, text = walk.saved(walk.button("Save as CSV"))
        assert name == f"{walk.facts.sae}.csv"
        found = list(csv.DictReader(io.StringIO(text, newline="")))
        strongest = walk.facts.strongest
        assert [int(row["feature_idx"]) for row in found] == np.flatnonzero(strongest > middle(walk)).tolist()
        assert np.float32(found[0]["max_activation"]) == np.float32(strongest[int(found[0]["feature_idx"])])
    with walk.step("plain list of a thousand, and its neighbours"):
        walk.open(f"{walk.facts.sae}/0/index.html")
        assert page.locator("table.features tbody tr").count() == min(1000, walk.facts.size)
        links = page.locator(".thousands a")
        if links.count():
            target = links.first.evaluate("({ href }) => href")
            hand.press(links.first)
            page.wait_for_url(target)


def _to_list(walk: Walk) -> None:
    page, hand = walk.page, walk.hand
    if walk.by == "mouse":
        page.locator("#table-row-2 input").click()
    else:
        hand.look(page.get_by_role("grid"))
        for key in ("Home", "ArrowDown", "ArrowDown", "Space"):
            page.keyboard.press(key)
    hand.press(walk.button("Add 1 to a list"))
    hand.write(page.get_by_label("Name of a new list"), "from the table")
    hand.press(page.locator(".popover").get_by_role("button", name="Add", exact=True))
    page.get_by_text("1 added to from the table").first.wait_for()
    hand.press(page.locator(".popover").get_by_role("button", name="Starred"))
    page.get_by_text("1 added to Starred").first.wait_for()
    page.keyboard.press("Escape")
    page.locator(".popover").wait_for(state="detached")
