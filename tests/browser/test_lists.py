"""Stars, notes and lists in a real Chromium: by mouse, by keyboard, from a disk and over http."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import axe
from tests.support.hostile import COUNTER, PROBE
from tests.support.listed import listed_site
from tests.support.web import published

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.browser import Visit, Visitor

pytestmark = pytest.mark.slow

BOTH = pytest.mark.parametrize("home", ["file", "http"], indirect=True)
FEATURE = "alpha/0/5.html"
OTHER = "alpha/0/6.html"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return listed_site(tmp_path_factory.mktemp("listed"))


@pytest.fixture
def home(request: pytest.FixtureRequest, site: Path) -> Iterator[str]:
    """Address of the site's root."""
    with published(site, getattr(request, "param", "file")) as url:
        yield url


Reader = Callable[..., "Page"]


@pytest.fixture
def reader(home: str, visit: Visitor) -> Iterator[Reader]:
    """`reader("starred.html")` opens pages in one browser context, which keeps lists from page to page."""
    visits: list[Visit] = []

    def start(path: str, *, fresh: bool = False, width: int = 1280, **options: Any) -> Page:
        if fresh or not visits:
            visits.append(visit(size=(width, 900), **options))
        page = visits[-1].page.context.new_page()
        page.goto(home + path)
        ready(page)
        return page

    yield start
    assert [line for one in visits for line in one.record.problems(home)] == []


def ready(page: Page) -> None:
    """Wait until the page's element has its data."""
    name = {"starred": "atlas-lists-page", "list": "atlas-curated-list", "feature": "atlas-feature"}
    element = name[page.locator("html").get_attribute("data-page") or ""]
    page.wait_for_selector(f"{element}[data-ready]", state="attached")


def stored(page: Page) -> dict[str, list[dict[str, Any]]]:
    """List → features, as the browser keeps them."""
    found: list[str] = page.evaluate(
        "Object.keys(localStorage).filter((name) => name.startsWith('feature-atlas:lists:'))"
        ".map((name) => localStorage.getItem(name))"
    )
    lists = [each for text in found for each in json.loads(text)["lists"]]
    return {each["name"]: each["features"] for each in lists}


def numbers(page: Page) -> list[str]:
    """The features of the open list, in order."""
    found: list[str] = page.locator(".reader-list .listed").evaluate_all(
        "(rows) => rows.map(({ dataset }) => dataset.feature)"
    )
    return found


def fill(page: Page, **lists: list[int]) -> None:
    """Put lists into the browser, and look at them."""
    value = {
        "lists": [
            {"name": name, "features": [{"sae": "alpha", "feature_idx": each} for each in features]}
            for name, features in lists.items()
        ]
    }
    page.locator("input[type=file]").set_input_files(
        {"name": "some.json", "mimeType": "application/json", "buffer": json.dumps(value).encode()}
    )
    page.locator(".list-names").get_by_role("button").nth(len(lists) - 1).wait_for()


class TestStar:
    @BOTH
    def test_a_star_is_kept_from_page_to_page_and_leads_to_the_list(self, reader: Reader):
        page = reader(FEATURE)
        page.get_by_role("button", name="Star").click()
        assert page.locator(".star").get_attribute("aria-pressed") == "true"
        page.reload()
        ready(page)
        assert page.get_by_role("button", name="Starred").get_attribute("aria-pressed") == "true"
        lists = reader("starred.html")
        assert numbers(lists) == ["alpha/5"]
        lists.locator(".listed-title").click()
        assert lists.url.endswith(FEATURE)

    def test_the_star_by_keyboard_and_its_note(self, reader: Reader):
        page = reader(FEATURE)
        page.keyboard.press("s")
        page.get_by_role("button", name="Add a note").press("Enter")
        page.keyboard.type("two  words \n and a line ")
        page.keyboard.press("Escape")
        assert page.evaluate("document.activeElement.textContent.trim()") == "Your note"
        assert stored(page)["Starred"][0]["note"] == "two  words \n and a line "
        page.reload()
        ready(page)
        page.keyboard.press("s")
        assert page.locator("atlas-star textarea").input_value() == "two  words \n and a line"

    def test_a_starred_feature_with_a_note_is_not_dropped_by_one_click(self, reader: Reader):
        page = reader(FEATURE)
        page.locator(".star").click()
        page.get_by_role("button", name="Add a note").click()
        page.keyboard.type("work")
        page.get_by_role("button", name="Done").click()
        page.locator(".star").click()
        assert stored(page)["Starred"][0]["note"] == "work"
        page.get_by_role("button", name="Remove star and note").click()
        assert stored(page) == {"Starred": []}
        assert page.locator(".star").get_attribute("aria-pressed") == "false"

    def test_other_lists_by_mouse_and_by_keyboard(self, reader: Reader):
        page = reader(FEATURE)
        page.get_by_role("button", name="Lists", exact=True).click()
        page.get_by_label("Name of a new list").fill("  Brackets  ")
        page.keyboard.press("Enter")
        assert [each["feature_idx"] for each in stored(page)["Brackets"]] == [5]
        page.keyboard.press("Escape")
        assert page.locator(".popover").count() == 0
        assert page.evaluate("document.activeElement.textContent.trim()") == "Lists · 1"
        page.keyboard.press("Enter")
        entry = page.locator(".popover").get_by_role("button", name="Brackets")
        entry.press("Space")
        assert stored(page)["Brackets"] == []
        assert page.locator(".said").inner_text() == "Taken out of Brackets."
        page.mouse.click(5, 5)
        page.locator(".popover").wait_for(state="detached")

    def test_two_tabs_see_each_other(self, reader: Reader):
        one, two = reader(FEATURE), reader(FEATURE)
        one.locator(".star").click()
        two.wait_for_selector(".star[aria-pressed=true]")
        lists = reader("starred.html")
        two.get_by_role("button", name="Add a note").click()
        two.keyboard.type("from another tab")
        lists.wait_for_function(
            "document.querySelector('.note-field[aria-label$=\"alpha/5\"]')?.value.endsWith('tab')"
        )

    def test_storage_that_is_full_is_told(self, reader: Reader):
        page = reader(FEATURE)
        page.evaluate(
            "() => { Storage.prototype.setItem = () => {"
            " throw new DOMException('full', 'QuotaExceededError') } }"
        )
        page.locator(".star").click()
        assert "full" in page.get_by_role("alert").inner_text()
        assert page.locator(".star").get_attribute("aria-pressed") == "true"

    def test_storage_that_is_forbidden_is_told(self, reader: Reader):
        page = reader(FEATURE)
        page.add_init_script(
            "Object.defineProperty(window, 'localStorage',"
            " { get() { throw new DOMException('no', 'SecurityError') } })"
        )
        page.reload()
        ready(page)
        assert "keeps nothing" in page.get_by_role("alert").inner_text()
        page.locator(".star").click()
        assert page.locator(".star").get_attribute("aria-pressed") == "true"

    def test_damaged_lists_are_told_and_kept(self, reader: Reader):
        page = reader(FEATURE)
        page.locator(".star").click()
        key = page.evaluate(
            "Object.keys(localStorage).find((name) => name.startsWith('feature-atlas:lists:'))"
        )
        page.evaluate("(key) => localStorage.setItem(key, '{damaged')", key)
        lists = reader("starred.html")
        assert "damaged" in lists.get_by_role("alert").inner_text()
        assert lists.evaluate("(key) => localStorage.getItem(`${key}:damaged`)", key) == "{damaged"


class TestLists:
    def test_lists_are_made_renamed_ordered_and_deleted_and_all_of_it_undone(self, reader: Reader):
        page = reader("starred.html")
        fill(page, One=[1, 2], Two=[4])
        page.get_by_label("Name of a new list").fill("Three")
        page.get_by_role("button", name="Make").click()
        names = page.locator(".list-names button bdi")
        assert names.all_inner_texts() == ["One", "Two", "Three"]
        assert "list=Three" in page.url
        page.get_by_role("button", name="Move the list up").click()
        assert names.all_inner_texts() == ["One", "Three", "Two"]
        page.get_by_role("button", name="Rename").click()
        page.keyboard.type("Drei")
        page.keyboard.press("Enter")
        assert names.all_inner_texts() == ["One", "Drei", "Two"]
        assert page.get_by_role("heading", level=2).first.inner_text().startswith("Drei")
        page.get_by_role("button", name="Delete").click()
        assert names.all_inner_texts() == ["One", "Two"]
        page.locator("h1").click()
        page.keyboard.press("Control+z")
        assert names.all_inner_texts() == ["One", "Drei", "Two"]
        for _ in range(3):
            page.get_by_role("button", name="Undo").click()
        assert names.all_inner_texts() == ["One", "Two"]
        assert page.locator(".lists-tools .said").inner_text().startswith("Undone")

    def test_features_are_ordered_annotated_and_removed(self, reader: Reader):
        page = reader("starred.html")
        fill(page, One=[1, 2, 4])
        page.get_by_label("Move down alpha/1").click()
        assert numbers(page) == ["alpha/2", "alpha/1", "alpha/4"]
        page.get_by_label("Move down alpha/1").focus()
        page.keyboard.press("Alt+ArrowDown")
        assert numbers(page) == ["alpha/2", "alpha/4", "alpha/1"]
        assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Move down alpha/1"
        page.get_by_label("Note on alpha/4").fill("a note\nof two lines")
        assert stored(page)["One"][1]["note"] == "a note\nof two lines"
        page.get_by_label("What the list is about").fill("words")
        page.get_by_label("Remove alpha/2").press("Enter")
        assert numbers(page) == ["alpha/4", "alpha/1"]
        page.get_by_role("button", name="Undo").click()
        assert numbers(page) == ["alpha/2", "alpha/4", "alpha/1"]
        page.reload()
        ready(page)
        assert page.get_by_label("Note on alpha/4").input_value() == "a note\nof two lines"
        assert page.get_by_label("What the list is about").input_value() == "words"

    @BOTH
    def test_an_address_carries_the_whole_list_to_another_browser(self, reader: Reader):
        page = reader("starred.html")
        fill(page, Sent=[5, 6])
        page.get_by_label("Note on alpha/5").fill("é 🤗 <b> \u202e")
        page.get_by_role("button", name="Share as a link").click()
        url = page.locator(".shared input").input_value()
        assert "#list=" in url
        other = reader("starred.html", fresh=True)
        other.goto(url)
        sent = other.get_by_label("A list that was sent to you")
        sent.locator(".listed").nth(1).wait_for()
        assert "<b>" in sent.inner_text()
        assert "U+202E" in sent.inner_text()
        assert stored(other) == {}
        sent.get_by_role("button", name="Keep it").click()
        assert [each["note"] for each in stored(other)["Sent"]] == ["é 🤗 <b> \u202e", ""]
        assert "#list=" not in other.url

    def test_a_broken_address_says_so_and_can_be_dismissed(self, reader: Reader):
        page = reader("starred.html#list=AAAA")
        assert "cannot be read" in page.get_by_role("alert").inner_text()
        page.get_by_role("button", name="Dismiss").press("Enter")
        assert page.locator(".sent").count() == 0

    @BOTH
    def test_what_is_exported_is_imported(self, reader: Reader, tmp_path: Path):
        page = reader("starred.html")
        fill(page, One=[1, 2], Two=[5])
        page.get_by_label("Note on alpha/1").fill("kept")
        with page.expect_download() as caught:
            page.get_by_role("button", name="Export all").click()
        file = tmp_path / caught.value.suggested_filename
        caught.value.save_as(file)
        exported = json.loads(file.read_text("utf-8"))
        assert exported["format"] == "feature-atlas-lists"
        other = reader("starred.html", fresh=True)
        other.locator("input[type=file]").set_input_files(file)
        other.locator(".list-names button").nth(1).wait_for()
        assert stored(other) == {each["name"]: each["features"] for each in exported["lists"]}
        assert stored(other) == stored(page)
        # A second time adds nothing.
        other.locator("input[type=file]").set_input_files(file)
        assert stored(other) == stored(page)

    def test_a_hostile_file_is_text_and_its_faults_are_told(self, reader: Reader):
        page = reader("starred.html")
        page.add_init_script(COUNTER)
        page.reload()
        ready(page)
        evil = f"<img src=x onerror={PROBE}>"
        value = {
            "lists": [
                {
                    "name": evil,
                    "description": evil,
                    "features": [{"sae": "alpha", "feature_idx": 1, "note": evil}],
                },
                {"name": "x", "features": [{"sae": "javascript:probe()//", "feature_idx": 1}, {"sae": evil}]},
            ]
        }
        page.locator("input[type=file]").set_input_files(
            {"name": "evil.json", "mimeType": "application/json", "buffer": json.dumps(value).encode()}
        )
        page.get_by_role("alert").wait_for()
        assert "lists[1].features[0].sae" in page.get_by_role("alert").inner_text()
        assert page.locator(".list-names bdi").first.inner_text() == evil
        assert page.locator("main img").count() == 0
        assert page.evaluate("window.probed") == 0

    def test_an_unknown_feature_stays_listed_as_unknown(self, reader: Reader):
        page = reader("starred.html")
        fill(page, One=[1, 4000])
        page.get_by_text("not in this atlas").wait_for()
        assert page.locator(".listed a").count() == 1

    def test_lists_of_a_moved_copy_can_be_brought_here(self, reader: Reader):
        page = reader("starred.html")
        text = json.dumps({"lists": [{"name": "Old", "features": [{"sae": "alpha", "feature_idx": 2}]}]})
        page.evaluate("(text) => localStorage.setItem('feature-atlas:lists:/old/place/', text)", text)
        page.reload()
        ready(page)
        page.get_by_role("button", name="Bring them here").click()
        assert numbers(page) == ["alpha/2"]


class TestCurated:
    @BOTH
    def test_a_curated_list_can_be_taken_among_ones_own(self, reader: Reader):
        page = reader("lists/brackets.html")
        assert page.locator(".listed-title").count() == 2
        page.get_by_role("button", name="Copy to my lists").click()
        lists = reader("starred.html")
        assert numbers(lists) == ["alpha/5", "beta/7"]
        assert (
            stored(lists)["Brackets & <quotes>"][0]["note"] == "Look at the <b>chance</b> samples \u202e too."
        )

    def test_its_pictures_load(self, reader: Reader):
        page = reader("lists/brackets.html")
        page.wait_for_function("[...document.images].every(({ naturalWidth }) => naturalWidth === 1200)")

    def test_without_scripts_it_is_complete(self, home: str, visit: Visitor):
        page = visit(javascript=False).open(home + "lists/brackets.html")
        assert page.locator("h1").inner_text() == "Brackets & <quotes>"
        assert "<b>chance</b>" in page.locator(".listed-note").inner_text()


class TestForEverybody:
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    @pytest.mark.parametrize("width", [1280, 390])
    def test_no_rule_is_broken_after_use(self, reader: Reader, scheme: str, width: int):
        page = reader("starred.html", width=width, scheme=scheme)
        fill(page, One=[1, 2, 4000], Two=[5])
        page.get_by_label("Note on alpha/1").fill("words")
        page.get_by_role("button", name="Share as a link").click()
        page.locator(".shared input").wait_for()
        assert axe.violations(page) == []
        page.get_by_role("button", name="Rename").click()
        assert axe.violations(page) == []
        for path in ("lists/brackets.html", FEATURE):
            page = reader(path)
            if path == FEATURE:
                page.locator(".star").click()
                page.get_by_role("button", name="Add a note").click()
                assert axe.violations(page) == []
                page.get_by_role("button", name="Lists").click()
            assert axe.violations(page) == []

    @pytest.mark.parametrize("width", [320, 360, 390, 3840])
    def test_no_page_is_wider_than_its_window(self, reader: Reader, width: int):
        page = reader("starred.html", width=width)
        fill(page, **{"A list with a long name " + "x" * 60: [1, 2]})
        page.get_by_role("button", name="Share as a link").click()
        page.locator(".shared input").wait_for()
        wider = "document.documentElement.scrollWidth - innerWidth"
        assert page.evaluate(wider) <= 0
        assert reader("lists/brackets.html").evaluate(wider) <= 0
        page = reader(FEATURE)
        page.locator(".star").click()
        page.get_by_role("button", name="Add a note").click()
        assert page.evaluate(wider) <= 0
        box = page.locator(".popover").bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width


def test_a_long_list_is_shown_in_parts_and_kept_whole(reader: Reader):
    page = reader("starred.html")
    fill(page, Long=list(range(450)))
    assert page.locator(".reader-list .listed").count() == 200
    page.get_by_role("button", name="Show 200 more").press("Enter")
    assert page.locator(".reader-list .listed").count() == 400
    page.get_by_role("button", name="Show 50 more").click()
    assert page.locator(".reader-list .listed").count() == 450
    page.get_by_role("button", name="Share as a link").click()
    url = page.locator(".shared input").input_value()
    other = reader("starred.html", fresh=True)
    other.goto(url)
    other.get_by_text("… and 250 more.").wait_for()
    other.get_by_role("button", name="Keep it").click()
    assert len(stored(other)["Long"]) == 450
