"""The table of all features: every control by mouse and by keyboard, over http and by double click."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from atlas.store import AtlasStore
from tests.support import axe
from tests.support.opened import FEATURES, ROWS_PER_SHARD, Open

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.browser import Visitor

pytestmark = pytest.mark.slow

BOTH = pytest.mark.parametrize("address", ["file", "http"], indirect=True)
"""For the ways through the table that matter most; elements do not know how they were loaded."""

BROWSE = "alpha/index.html"
VIEWS = [("light", 1280), ("dark", 1280), ("light", 390), ("dark", 390)]
PARTS = -(-FEATURES // ROWS_PER_SHARD)


@pytest.fixture(scope="session")
def values(element_site: Path) -> dict[str, list[Any]]:
    """Every column of the dataset behind the site, by feature."""
    store = AtlasStore.open(element_site.parent / "data")
    found: dict[str, list[Any]] = {}
    for table in ("features", "logits", "weights", "coords", "explanations"):
        rows = store.read(table, "alpha")
        features = rows["feature_idx"].to_pylist()
        for name in rows.schema.names:
            column: list[Any] = [None] * FEATURES
            for feature, value in zip(features, rows[name].to_pylist(), strict=True):
                column[feature] = value
            found.setdefault(name, column)
    return found


def settle(page: Page) -> None:
    """Wait until the table waits for nothing and is drawn."""
    page.wait_for_function(
        """() => {
          const table = document.querySelector("atlas-feature-table");
          const waits = table.isUpdatePending || table.querySelector("[aria-busy=true]") !== null;
          return !waits && table.dataset.ready !== undefined;
        }"""
    )


def wait(page: Page, expression: str, value: object) -> None:
    page.wait_for_function(f"(wanted) => JSON.stringify({expression}) === JSON.stringify(wanted)", arg=value)


def features(page: Page) -> list[int]:
    """Numbers of the rows that are drawn, in order."""
    settle(page)
    return [
        int(text) for text in page.locator("tr[aria-rowindex] th.column-id").all_inner_texts() if text != "#"
    ]


def address_of(page: Page) -> dict[str, str]:
    """The parameters of the page's address."""
    return page.evaluate("Object.fromEntries(new URLSearchParams(location.search))")


def filtered(page: Page, typed: str) -> list[int]:
    """Type into the filter; the features that are drawn then."""
    page.locator("#table-filter").fill(typed)
    wait(page, "new URLSearchParams(location.search).get('f') ?? ''", typed)
    return features(page)


def count(page: Page) -> str:
    settle(page)
    return page.locator(".table-count").inner_text()


def chosen(page: Page) -> list[int]:
    """Features of the drawn rows that are chosen."""
    found = page.locator("tr[aria-selected=true] th.column-id").all_inner_texts()
    return [int(text) for text in found]


def headings(page: Page) -> list[str]:
    """Names of the columns, in order."""
    return page.locator("th[data-column]").evaluate_all("(all) => all.map((one) => one.dataset.column)")


def matching(values: dict[str, list[Any]], name: str, test: Any) -> list[int]:
    return [at for at, value in enumerate(values[name]) if value is not None and test(value)]


class TestRows:
    def test_only_the_rows_in_view_are_drawn_and_all_are_counted(self, show: Open):
        page = show(BROWSE)
        table = page.get_by_role("grid", name="Features")
        assert table.get_attribute("aria-rowcount") == str(FEATURES + 1)
        assert 10 < len(features(page)) < 60
        page.locator(".table-frame").evaluate("(frame) => { frame.scrollTop = frame.scrollHeight }")
        page.locator(f'tr[aria-rowindex="{FEATURES + 1}"]').wait_for()
        found = features(page)
        assert found[-1] == FEATURES - 1
        assert len(found) < 60
        indices = page.locator("tbody tr[aria-rowindex]").evaluate_all(
            "(all) => all.map((one) => +one.ariaRowIndex)"
        )
        assert indices == [feature + 2 for feature in found]

    @BOTH
    def test_cells_show_the_numbers_and_texts_of_the_dataset(self, show: Open, values: dict[str, list[Any]]):
        page = show(f"{BROWSE}?cols=explanation,tokens,firing_tokens,encoder_norm,cluster")
        for feature in (0, 3, 7):
            row = page.locator(f"#table-row-{feature}")
            text = values["text"][feature] or "no explanation"
            assert row.locator(".column-explanation").inner_text() == text
            cells = row.locator("td.number")
            assert cells.nth(0).inner_text() == f"{values['firing_tokens'][feature]:,}"
            exact = cells.nth(1).get_attribute("title")
            assert np.float32(exact) == np.float32(values["encoder_norm"][feature])
        assert page.locator("#table-row-3").get_attribute("class") == " dead"

    def test_headings_and_numbers_stay_while_the_rest_scrolls(self, show: Open):
        page = show(
            f"{BROWSE}?cols=explanation,tokens,max_activation,encoder_norm,logit_skew", size=(390, 800)
        )
        before = (
            page.locator("#table-row-0 th").bounding_box(),
            page.locator("thead th").nth(1).bounding_box(),
        )
        page.locator(".table-frame").evaluate("(frame) => { frame.scrollLeft = 200; frame.scrollTop = 20 }")
        after = page.locator("#table-row-0 th").bounding_box(), page.locator("thead th").nth(1).bounding_box()
        assert after[0]["x"] == before[0]["x"]
        assert after[1] == before[1]
        assert page.evaluate("document.documentElement.scrollWidth") <= 390

    def test_a_row_opens_its_feature(self, show: Open):
        page = show(BROWSE)
        page.locator("#table-row-5 .column-explanation a").click()
        page.wait_for_url("**/alpha/0/5.html")


class TestKeys:
    @BOTH
    def test_keys_go_through_the_rows_and_open_one(self, show: Open):
        page = show(BROWSE)
        grid = page.get_by_role("grid")
        grid.focus()
        steps = [("ArrowDown", 1), ("ArrowDown", 2), ("ArrowUp", 1), ("End", FEATURES - 1), ("Home", 0)]
        for key, feature in steps:
            page.keyboard.press(key)
            wait(page, "document.activeElement.getAttribute('aria-activedescendant')", f"table-row-{feature}")
            box = page.locator(f"#table-row-{feature}").bounding_box()
            frame = page.locator(".table-frame").bounding_box()
            assert frame["y"] < box["y"] + 1
            assert box["y"] + box["height"] <= frame["y"] + frame["height"] + 1
        page.keyboard.press("PageDown")
        page.wait_for_function("document.querySelector('tr.current').ariaRowIndex > 10")
        page.keyboard.press("PageUp")
        wait(page, "document.querySelector('tr.current').id", "table-row-0")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        page.wait_for_url("**/alpha/0/1.html")

    def test_the_focus_survives_a_scroll_that_takes_its_row_away(self, show: Open):
        page = show(BROWSE)
        page.get_by_role("grid").focus()
        page.keyboard.press("ArrowDown")
        page.locator(".table-frame").evaluate("(frame) => { frame.scrollTop = frame.scrollHeight }")
        page.locator(f"#table-row-{FEATURES - 1}").wait_for()
        page.wait_for_function("!document.activeElement.hasAttribute('aria-activedescendant')")
        page.keyboard.press("ArrowDown")
        wait(page, "document.activeElement.getAttribute('aria-activedescendant')", "table-row-2")

    def test_arrows_scroll_sideways(self, show: Open):
        page = show(BROWSE, size=(390, 800))
        page.get_by_role("grid").focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_function("document.querySelector('.table-frame').scrollLeft > 0")
        page.keyboard.press("ArrowLeft")
        page.wait_for_function("document.querySelector('.table-frame').scrollLeft === 0")

    def test_the_table_is_one_stop_and_its_headings_are_their_own(self, show: Open):
        page = show(f"{BROWSE}?cols=explanation,max_activation")
        page.get_by_role("grid").focus()
        named = []
        for _ in range(6):
            page.keyboard.press("Tab")
            named.append(
                page.evaluate("document.activeElement.ariaLabel || document.activeElement.innerText")
            )
        assert named == [
            "Choose all rows that pass the filter",
            "#",
            "explanation",
            "Filter and arrange explanation",
            "max activation",
            "Filter and arrange max activation",
        ]


class TestSorting:
    @BOTH
    def test_a_heading_sorts_both_ways(self, show: Open, values: dict[str, list[Any]]):
        page = show(BROWSE)
        heading = page.get_by_role("columnheader", name="max activation")
        present = matching(values, "max_activation", lambda value: True)
        for state, sign in (("descending", -1), ("ascending", 1)):
            heading.locator(".sort").click()
            wait(page, "document.querySelector('[data-column=max_activation]').ariaSort", state)
            expected = sorted(
                present, key=lambda feature: (sign * values["max_activation"][feature], feature)
            )
            found = features(page)
            assert found == expected[: len(found)]
            assert address_of(page) == {"sort": "-max_activation" if sign < 0 else "max_activation"}

    def test_by_keyboard(self, show: Open):
        page = show(BROWSE)
        page.locator("[data-column=explanation] .sort").focus()
        page.keyboard.press("Enter")
        wait(page, "document.querySelector('[data-column=explanation]').ariaSort", "ascending")
        page.keyboard.press("Space")
        wait(page, "document.querySelector('[data-column=explanation]').ariaSort", "descending")
        assert address_of(page) == {"sort": "-explanation"}

    def test_features_without_a_value_come_last(self, show: Open, values: dict[str, list[Any]]):
        page = show(f"{BROWSE}?sort=mean_activation&cols=mean_activation")
        missing = [feature for feature in range(FEATURES) if values["mean_activation"][feature] is None]
        assert missing
        page.get_by_role("grid").focus()
        page.keyboard.press("End")
        page.locator(f'tr[aria-rowindex="{FEATURES + 1}"]').wait_for()
        assert features(page)[-len(missing) :] == missing

    def test_the_panel_of_a_column_sorts_too(self, show: Open):
        page = show(BROWSE)
        page.get_by_role("button", name="Filter and arrange max activation").focus()
        page.keyboard.press("Enter")
        button = page.get_by_role("button", name="Smallest first")
        button.focus()
        page.keyboard.press("Enter")
        wait(page, "new URLSearchParams(location.search).get('sort')", "max_activation")
        assert button.get_attribute("aria-pressed") == "true"


class TestFilter:
    @BOTH
    def test_words_tokens_and_conditions(self, show: Open, values: dict[str, list[Any]]):
        page = show(BROWSE)
        expected = [
            feature
            for feature in range(FEATURES)
            if values["max_activation"][feature] > 10 and values["activation_density"][feature] < 0.05
        ]
        found = filtered(page, "max_activation>10 density<5%")
        assert expected
        assert found == expected[: len(found)]
        assert count(page) == f"{len(expected)} of {FEATURES} features"
        filtered(page, '"␣raise"')
        tokens = page.locator("td.column-tokens").all_inner_texts()
        assert tokens
        assert all("␣raise" in text for text in tokens)
        filtered(page, "7")
        assert 7 in features(page)

    def test_what_means_nothing_is_said(self, show: Open):
        page = show(BROWSE)
        filtered(page, "nonsense<1 is:odd")
        assert page.locator(".problem").all_inner_texts() == [
            "Nothing is called is:odd.",
            "Nothing is called nonsense.",
        ]
        filtered(page, "nothing is called this")
        assert count(page) == f"0 of {FEATURES} features"
        assert page.locator("tbody tr[aria-rowindex]").count() == 0

    @pytest.mark.parametrize("by", ["mouse", "keyboard"])
    def test_a_condition_can_be_taken_away(self, show: Open, by: str):
        page = show(f"{BROWSE}?f=max_activation>1+fires+is:dense")
        button = page.get_by_role("button", name="Take away max_activation>1")
        if by == "mouse":
            button.click()
        else:
            button.focus()
            page.keyboard.press("Enter")
        wait(page, "new URLSearchParams(location.search).get('f')", "fires is:dense")
        assert page.locator("#table-filter").input_value() == "fires is:dense"

    def test_number_fields_set_bounds_by_keyboard(self, show: Open, values: dict[str, list[Any]]):
        page = show(BROWSE)
        button = page.get_by_role("button", name="Filter and arrange max activation")
        button.focus()
        page.keyboard.press("Enter")
        wait(page, "document.activeElement.type", "number")
        page.keyboard.type("5.5")
        page.keyboard.press("Tab")
        page.keyboard.type("10")
        page.keyboard.press("Enter")
        wait(page, "new URLSearchParams(location.search).get('f')", "max_activation>=5.5 max_activation<=10")
        expected = matching(values, "max_activation", lambda value: 5.5 <= value <= 10)
        assert count(page) == f"{len(expected)} of {FEATURES} features"
        page.get_by_role("button", name="Clear the filter").focus()
        page.keyboard.press("Enter")
        wait(page, "location.search", "")
        page.keyboard.press("Escape")
        wait(page, "document.activeElement.ariaLabel", "Filter and arrange max activation")

    @pytest.mark.parametrize("place", ["heading", "panel"])
    def test_a_histogram_is_drawn_over_with_the_mouse(
        self, show: Open, values: dict[str, list[Any]], place: str
    ):
        page = show(BROWSE)
        picture = page.locator("[data-column=max_activation] .brush")
        if place == "panel":
            page.get_by_role("button", name="Filter and arrange max activation").click()
            picture = page.locator(".table-panel .brush")
        box = picture.bounding_box()
        middle = box["y"] + box["height"] / 2
        page.mouse.move(box["x"] + box["width"] * 0.3, middle)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.6, middle, steps=4)
        assert picture.locator(".brushed").count() == 1
        page.mouse.up()
        typed = address_of(page)["f"]
        low, high = (
            float(bound)
            for bound in re.fullmatch(r"max_activation>=(\S+) max_activation<(\S+)", typed).groups()
        )
        expected = matching(values, "max_activation", lambda value: low <= value < high)
        assert count(page) == f"{len(expected)} of {FEATURES} features"
        assert page.locator("[data-column=max_activation] .bars.faint").count() == 1
        # A click chooses one bin, another on the same bin none.
        for bound in (True, False):
            page.mouse.click(box["x"] + box["width"] * 0.2, middle)
            page.wait_for_function(
                f"() => (new URLSearchParams(location.search).get('f') !== null) === {json.dumps(bound)}"
            )

    def test_a_group_is_chosen_by_its_name(self, show: Open, values: dict[str, list[Any]]):
        page = show(f"{BROWSE}?cols=explanation,cluster")
        page.get_by_role("button", name="Filter and arrange cluster").focus()
        page.keyboard.press("Enter")
        select = page.get_by_role("combobox", name="Only")
        group = max(values["cluster"])
        select.select_option(str(group))
        wait(page, "new URLSearchParams(location.search).get('f')", f"cluster={group}")
        assert count(page) == f"{values['cluster'].count(group)} of {FEATURES} features"
        select.select_option("")
        wait(page, "location.search.includes('f=')", False)


class TestColumns:
    @pytest.mark.parametrize("by", ["mouse", "keyboard"])
    def test_columns_are_shown_and_hidden(self, show: Open, by: str):
        page = show(BROWSE)
        before = headings(page)
        button = page.get_by_role("button", name="Columns")
        box = page.get_by_role("checkbox", name="encoder norm")
        if by == "mouse":
            button.click()
            box.click()
        else:
            button.focus()
            page.keyboard.press("Enter")
            box.focus()
            page.keyboard.press("Space")
        wait(page, "document.querySelectorAll('th[data-column]').length", len(before) + 1)
        assert headings(page) == [*before, "encoder_norm"]
        assert address_of(page)["cols"] == ",".join(headings(page))
        page.get_by_role("checkbox", name="fires most on").click()
        wait(page, "document.querySelectorAll('th[data-column]').length", len(before))
        assert "tokens" not in headings(page)
        page.get_by_role("button", name="As at first").click()
        wait(page, "location.search", "")
        assert headings(page) == before

    @pytest.mark.parametrize("by", ["mouse", "keyboard"])
    def test_a_column_is_moved_and_hidden_from_its_panel(self, show: Open, by: str):
        page = show(f"{BROWSE}?cols=explanation,max_activation,tokens")

        def press(name: str) -> None:
            target = page.get_by_role("button", name=name)
            if by == "mouse":
                target.click()
            else:
                target.focus()
                page.keyboard.press("Enter")

        press("Filter and arrange max activation")
        press("Move right")
        wait(page, "new URLSearchParams(location.search).get('cols')", "explanation,tokens,max_activation")
        press("Move left")
        press("Move left")
        wait(page, "new URLSearchParams(location.search).get('cols')", "max_activation,explanation,tokens")
        assert page.get_by_role("button", name="Move left").is_disabled()
        press("Hide")
        wait(page, "new URLSearchParams(location.search).get('cols')", "explanation,tokens")
        assert headings(page) == ["explanation", "tokens"]

    def test_every_column_can_be_shown_at_once(self, show: Open):
        page = show(BROWSE)
        page.get_by_role("button", name="Columns").click()
        page.get_by_role("button", name="Show all").click()
        names = page.locator(".panel-columns input").count()
        assert names > 15
        wait(page, "document.querySelectorAll('th[data-column]').length", names)
        settle(page)
        assert page.locator("#table-row-0 td").count() == names + 1

    def test_the_address_restores_the_view(self, show: Open):
        page = show(f"{BROWSE}?f=fires&sort=-firing_tokens&cols=tokens,firing_tokens")
        assert page.locator("#table-filter").input_value() == "fires"
        assert page.locator("[data-column=firing_tokens]").get_attribute("aria-sort") == "descending"
        assert headings(page) == ["tokens", "firing_tokens"]
        assert count(page) == f"{FEATURES - 1} of {FEATURES} features"
        rows = features(page)
        page.reload()
        assert features(page) == rows


class TestChoosing:
    @BOTH
    def test_by_mouse(self, show: Open):
        page = show(BROWSE)
        page.get_by_role("checkbox", name="Choose feature 2", exact=True).click()
        page.get_by_role("checkbox", name="Choose feature 6", exact=True).click(modifiers=["Shift"])
        assert chosen(page) == [2, 3, 4, 5, 6]
        page.get_by_role("checkbox", name="Choose feature 4", exact=True).click()
        assert chosen(page) == [2, 3, 5, 6]
        assert count(page) == f"{FEATURES} features · 4 chosen"
        every = page.get_by_role("checkbox", name="Choose all rows that pass the filter")
        assert every.evaluate("(box) => box.indeterminate")
        every.click()
        assert count(page) == f"{FEATURES} features · {FEATURES} chosen"
        page.get_by_role("button", name="Choose none").click()
        assert count(page) == f"{FEATURES} features"

    def test_by_keyboard(self, show: Open):
        page = show(BROWSE)
        page.get_by_role("grid").focus()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Space")
        page.keyboard.press("Shift+ArrowDown")
        page.keyboard.press("Shift+ArrowDown")
        wait(page, "document.querySelectorAll('tr[aria-selected=true]').length", 3)
        assert chosen(page) == [1, 2, 3]
        for _ in range(2):
            page.keyboard.press("ArrowDown")
        page.keyboard.press("Shift+Space")
        wait(page, "document.querySelectorAll('tr[aria-selected=true]').length", 5)
        page.keyboard.press("Escape")
        wait(page, "document.querySelectorAll('tr[aria-selected=true]').length", 0)
        page.keyboard.press("Control+a")
        assert count(page) == f"{FEATURES} features · {FEATURES} chosen"

    def test_all_that_pass_the_filter_and_no_others(self, show: Open, values: dict[str, list[Any]]):
        page = show(BROWSE)
        filtered(page, "max_activation>10")
        expected = len(matching(values, "max_activation", lambda value: value > 10))
        page.get_by_role("checkbox", name="Choose all rows that pass the filter").focus()
        page.keyboard.press("Space")
        assert count(page) == f"{expected} of {FEATURES} features · {expected} chosen"
        filtered(page, "")
        assert count(page) == f"{FEATURES} features · {expected} chosen"

    @pytest.mark.parametrize("by", ["mouse", "keyboard"])
    def test_the_chosen_go_to_a_list(self, show: Open, by: str):
        page = show(BROWSE)
        for feature in (1, 4, 9):
            page.get_by_role("checkbox", name=f"Choose feature {feature}", exact=True).click()
        button = page.get_by_role("button", name="Add 3 to a list")
        if by == "mouse":
            button.click()
            page.get_by_role("textbox", name="Name of a new list").fill("negations")
            page.locator("atlas-list-picker form button").click()
        else:
            button.focus()
            page.keyboard.press("Enter")
            page.get_by_role("textbox", name="Name of a new list").focus()
            page.keyboard.type("negations")
            page.keyboard.press("Enter")
        page.locator("atlas-list-picker .said").wait_for()
        assert "3 added to negations" in page.locator("atlas-list-picker .said").inner_text()
        stored = page.evaluate("JSON.stringify(Object.entries(localStorage))")
        assert "negations" in stored


class TestFile:
    @BOTH
    @pytest.mark.parametrize("by", ["mouse", "keyboard"])
    def test_the_view_is_saved_as_it_is(self, show: Open, values: dict[str, list[Any]], by: str):
        page = show(
            f"{BROWSE}?f=max_activation>2&sort=-encoder_norm&cols=encoder_norm,explanation,tokens,logit_skew"
        )
        button = page.get_by_role("button", name="Save as CSV")
        with page.expect_download() as download:
            if by == "mouse":
                button.click()
            else:
                button.focus()
                page.keyboard.press("Enter")
        assert download.value.suggested_filename == "alpha.csv"
        text = Path(download.value.path()).read_bytes().decode()
        head, *lines = csv.reader(io.StringIO(text, newline=""), strict=True)
        assert head == ["feature_idx", "encoder_norm", "explanation", "tokens", "logit_skew"]
        wanted = matching(values, "max_activation", lambda value: value > 2)
        wanted.sort(key=lambda feature: (-values["encoder_norm"][feature], feature))
        assert [int(line[0]) for line in lines] == wanted
        for feature, line in zip(wanted, lines, strict=True):
            assert np.float32(line[1]) == np.float32(values["encoder_norm"][feature])
            assert line[2] == (values["text"][feature] or "")
            assert isinstance(json.loads(line[3]), list)
            skew = values["logit_skew"][feature]
            assert line[4] == "" if skew is None else float(line[4]) == skew
        assert text.endswith("\r\n")
        assert text.count("\n") == text.count("\r\n")


class TestFiles:
    def test_only_what_is_shown_is_read(self, element_site: Path, visit: Visitor):
        visited = visit()
        page = visited.open(f"{element_site.as_uri()}/{BROWSE}?cols=explanation,max_activation")
        settle(page)

        def names() -> list[str]:
            urls = [url for url in visited.record.requests if "/data/" in url]
            return sorted(url.split("/data/")[1].split(".js")[0] for url in urls)

        kinds = {re.sub(r"\d+", "N", name) for name in names()}
        assert kinds == {"site", "alpha/table", "alpha/titles/N", "alpha/columns/N/N"}
        assert sum("columns" in name for name in names()) == 1
        assert sum("titles" in name for name in names()) <= 4
        page.locator("[data-column=max_activation] .sort").click()
        settle(page)
        assert sum("columns" in name for name in names()) == PARTS
        filtered(page, "fires")
        # Of some parts all titles were there already, in small files.
        assert 1 <= sum("texts" in name for name in names()) <= PARTS
        assert len(names()) == len(set(names()))

    def test_rows_show_before_the_last_file_is_there(self, address: str, visit: Visitor):
        visited = visit()
        held: list[Any] = []
        # A bare list.append cannot carry the mark that Playwright puts on handlers.
        visited.page.route("**/data/alpha/texts/1.js*", lambda route: held.append(route))  # noqa: PLW0108
        page = visited.open(f"{address}{BROWSE}?f=fires")
        page.locator(".table-count", has_text="Reading").wait_for()
        assert page.locator("tr[aria-rowindex='2']").count() == 1
        held[0].continue_()
        assert count(page) == f"{FEATURES - 1} of {FEATURES} features"
        assert visited.record.problems(address) == []

    def test_without_any_data_the_static_list_stays(self, address: str, visit: Visitor):
        visited = visit()
        visited.page.route("**/data/alpha/table.js*", lambda route: route.abort())
        page = visited.open(f"{address}{BROWSE}")
        page.get_by_role("alert").wait_for()
        assert "data/alpha/table.js could not be loaded" in page.get_by_role("alert").inner_text()
        assert page.locator("atlas-feature-table a").count() > 0

    def test_without_some_data_the_other_rows_are_there(self, address: str, visit: Visitor):
        visited = visit()
        visited.page.route("**/data/alpha/texts/0.js*", lambda route: route.abort())
        page = visited.open(f"{address}{BROWSE}?f=fires")
        page.get_by_role("alert").wait_for()
        assert "data/alpha/texts/0.js could not be loaded" in page.get_by_role("alert").inner_text()
        assert features(page)[0] == ROWS_PER_SHARD

    def test_a_file_cannot_be_saved_without_its_data(self, address: str, visit: Visitor):
        visited = visit()
        visited.page.route("**/data/alpha/texts/1.js*", lambda route: route.abort())
        page = visited.open(f"{address}{BROWSE}")
        settle(page)
        page.get_by_role("button", name="Save as CSV").click()
        page.get_by_role("alert").wait_for()
        assert page.get_by_role("button", name="Save as CSV").is_enabled()


class TestRules:
    """axe-core in every view, the table used."""

    def audit(self, page: Page) -> None:
        for scheme, width in VIEWS:
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": 800})
            page.evaluate(
                "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
            )
            assert axe.violations(page) == [], (scheme, width)
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0

    def test_sorted_filtered_and_chosen(self, show: Open):
        page = show(f"{BROWSE}?f=max_activation>2&sort=-activation_density")
        page.get_by_role("grid").focus()
        page.keyboard.press("Space")
        page.keyboard.press("Shift+ArrowDown")
        settle(page)
        self.audit(page)

    @pytest.mark.parametrize("name", ["max activation", "cluster", "explanation"])
    def test_the_panel_of_a_column(self, show: Open, name: str):
        page = show(f"{BROWSE}?cols=explanation,max_activation,cluster")
        page.get_by_role("button", name=f"Filter and arrange {name}").click()
        page.get_by_role("dialog", name=name).wait_for()
        self.audit(page)

    def test_the_choice_of_columns(self, show: Open):
        page = show(BROWSE)
        page.get_by_role("button", name="Columns").click()
        page.get_by_role("dialog", name="Columns").wait_for()
        self.audit(page)

    def test_without_rows(self, show: Open):
        page = show(f"{BROWSE}?f=nothing+is+called+this")
        settle(page)
        self.audit(page)
