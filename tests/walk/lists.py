"""Journeys of stars, notes and lists."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from tests.walk.walk import Walk, journey

if TYPE_CHECKING:
    from playwright.sync_api import Page

LISTS = "atlas-lists-page"

STORED = """() => Object.keys(localStorage).filter((name) => name.startsWith("feature-atlas:lists:"))
  .flatMap((name) => JSON.parse(localStorage.getItem(name)).lists)"""


def stored(page: Page) -> dict[str, list[dict[str, Any]]]:
    """List → features, as the browser keeps them."""
    return {each["name"]: each["features"] for each in page.evaluate(STORED)}


def listed(page: Page) -> list[str]:
    """The features of the open list, in order."""
    return page.locator(".reader-list .listed").evaluate_all("(all) => all.map((e) => e.dataset.feature)")


def bring(walk: Walk, *features: int) -> Page:
    """Open the lists with one called One in them, from a file."""
    page = walk.open("starred.html", LISTS)
    items = [{"sae": walk.facts.sae, "feature_idx": number} for number in features]
    import_file(page, {"lists": [{"name": "One", "features": items}]})
    page.locator(".list-names button", has_text="One").wait_for()
    return page


def import_file(page: Page, value: object) -> None:
    """Give a file to the page, as the window of the system for choosing one does."""
    page.locator("input[type=file]").set_input_files(
        {"name": "some.json", "mimeType": "application/json", "buffer": json.dumps(value).encode()}
    )


@journey("lists: star and note")
def star(walk: Walk) -> None:
    feature = walk.facts.rich
    page = walk.open(feature.page, "atlas-feature")
    hand = walk.hand
    name = f"{feature.sae.slug}/{feature.feature_idx}"
    with walk.step("into a list without a star first"):
        entry = page.locator(".popover").get_by_role("button", name="Starred")
        for pressed in ("true", "false"):
            hand.press(walk.find("atlas-list-picker > button"))
            hand.press(entry)
            page.locator(f".star[aria-pressed={pressed}]").wait_for()
            hand.press(walk.find("atlas-list-picker > button"))
            entry.wait_for(state="detached")
    with walk.step("star"):
        if walk.by == "mouse":
            hand.press(walk.find("atlas-star .star"))
        else:
            hand.press(walk.find("atlas-star .star"))
            hand.press(walk.find("atlas-star .star"))
            assert stored(page) == {"Starred": []}
            page.keyboard.press("s")
        page.locator(".star[aria-pressed=true]").wait_for()
        assert [one["feature_idx"] for one in stored(page)["Starred"]] == [feature.feature_idx]
    _note(walk)
    with walk.step("another list, in and out"):
        hand.press(walk.button("Lists ·"))
        hand.write(page.get_by_label("Name of a new list"), "Second")
        hand.press(page.locator(".popover").get_by_role("button", name="Add", exact=True))
        entry = page.locator(".popover").get_by_role("button", name="Second")
        entry.wait_for()
        assert len(stored(page)["Second"]) == 1
        hand.press(entry)
        assert stored(page)["Second"] == []
        hand.press(page.locator(".popover a"))
        page.wait_for_selector(f"{LISTS}[data-ready]", state="attached")
        if walk.facts.curated:
            hand.press(page.locator("main a[href^='lists/']").first)
            page.wait_for_selector("atlas-curated-list[data-ready]")
            walk.returns(LISTS)
    with walk.step("kept from page to page, and leads back"):
        hand.press(page.locator(".list-names button", has_text="Starred"))
        assert listed(page) == [name]
        assert page.get_by_label(f"Note on {name}").input_value() == "worth a look"
        hand.press(walk.find(".listed-title"))
        page.wait_for_selector("atlas-feature[data-ready]", state="attached")
        assert page.url.endswith(feature.page)
    with walk.step("star and note are removed with a word"):
        hand.press(walk.find("atlas-star .star"))
        hand.press(walk.button("Remove star and note"))
        assert stored(page)["Starred"] == []


def _note(walk: Walk) -> None:
    page, hand = walk.page, walk.hand
    with walk.step("note"):
        hand.press(walk.button("Add a note"))
        hand.write(walk.find("atlas-star textarea"), "worth a look")
        hand.press(walk.button("Done"))
        assert stored(page)["Starred"][0]["note"] == "worth a look"
        hand.press(walk.button("Your note"))
        assert walk.find("atlas-star textarea").input_value() == "worth a look"
        hand.press(walk.button("Your note"))
        walk.find("atlas-star textarea").wait_for(state="detached")


@journey("lists: make, order, annotate, undo")
def editing(walk: Walk) -> None:
    page = bring(walk, 1, 2, 4)
    hand, sae = walk.hand, walk.facts.sae
    tabs = page.locator(".list-names button bdi")
    with walk.step("a list is made"):
        hand.write(page.get_by_label("Name of a new list"), "Two")
        hand.press(walk.button("Make", exact=True))
        assert tabs.all_inner_texts() == ["One", "Two"]
        walk.says("list", "Two")
    with walk.step("lists are moved and renamed"):
        hand.press(walk.button("Move the list up"))
        assert tabs.all_inner_texts() == ["Two", "One"]
        hand.press(walk.button("Move the list down"))
        hand.press(walk.button("Rename"))
        hand.write(page.get_by_label("Name of the list"), "Zwei")
        hand.press(walk.button("Rename", ".rename"))
        assert tabs.all_inner_texts() == ["One", "Zwei"]
    with walk.step("a list is deleted, and that undone"):
        hand.press(walk.button("Delete"))
        assert tabs.all_inner_texts() == ["One"]
        hand.press(walk.button("Undo"))
        assert tabs.all_inner_texts() == ["One", "Zwei"]
        hand.press(page.locator(".list-names button", has_text="One"))
    with walk.step("features are moved and removed"):
        hand.press(page.get_by_label(f"Move down {sae}/1"))
        assert listed(page) == [f"{sae}/2", f"{sae}/1", f"{sae}/4"]
        hand.press(page.get_by_label(f"Move up {sae}/1"))
        if walk.by == "keyboard":
            page.keyboard.press("Alt+ArrowDown")
            page.keyboard.press("Alt+ArrowUp")
        hand.press(page.get_by_label(f"Remove {sae}/2"))
        assert listed(page) == [f"{sae}/1", f"{sae}/4"]
        page.locator("h1").focus() if walk.by == "keyboard" else page.locator("h1").click()
        page.keyboard.press("Control+z")
        assert listed(page) == [f"{sae}/1", f"{sae}/2", f"{sae}/4"]
    with walk.step("notes and description"):
        hand.write(page.get_by_label(f"Note on {sae}/4"), "a note")
        hand.write(page.get_by_label("What the list is about"), "words")
        page.reload()
        page.wait_for_selector(f"{LISTS}[data-ready]", state="attached")
        assert page.get_by_label(f"Note on {sae}/4").input_value() == "a note"
        assert page.get_by_label("What the list is about").input_value() == "words"


@journey("lists: export, import, share")
def sharing(walk: Walk) -> None:
    page = bring(walk, 1, 2)
    hand, sae = walk.hand, walk.facts.sae
    hand.write(page.get_by_label(f"Note on {sae}/1"), "é 🤗")
    with walk.step("export of one, and of all"):
        name, one = walk.saved(walk.button("Export", exact=True))
        assert name == "One.json"
        name, every = walk.saved(walk.button("Export all"))
        assert json.loads(one)["lists"] == json.loads(every)["lists"]
        assert json.loads(every)["lists"][0]["features"][0]["note"] == "é 🤗"
    with walk.step("what was exported is imported, and adds nothing twice"):
        before = stored(page)
        hand.press(walk.button("Delete"))
        # The file field is a control that keys reach; the window behind it belongs to the system.
        with page.expect_file_chooser() as chooser:
            hand.press(
                page.locator("input[type=file]") if walk.by == "keyboard" else page.get_by_text("Import")
            )
        chooser.value.set_files({"name": "a.json", "mimeType": "application/json", "buffer": every.encode()})
        page.locator(".list-names button", has_text="One").wait_for()
        assert stored(page) == before
        import_file(page, json.loads(every))
        assert stored(page) == before
    with walk.step("a link carries the whole list to another reader"):
        hand.press(walk.button("Share as a link"))
        page.locator(".shared input").wait_for()
        address = walk.copied()
        assert address == page.locator(".shared input").input_value()
        field = page.get_by_label("Address of the list")
        field.click() if walk.by == "mouse" else hand.look(field)
        assert field.evaluate("(field) => field.selectionEnd - field.selectionStart") == len(address)
        hand.press(walk.button("Delete"))
        walk.open("about.html")
        page.goto(address)
        page.wait_for_selector(f"{LISTS}[data-ready]", state="attached")
        sent = page.get_by_label("A list that was sent to you")
        sent.locator(".listed").nth(1).wait_for()
        hand.press(walk.button("Keep it"))
        assert stored(page)["One"][0]["note"] == "é 🤗"
        page.goto("about:blank")
        page.goto(address)
        page.wait_for_selector(f"{LISTS}[data-ready]", state="attached")
        hand.press(sent.locator(".listed-title").first)
        page.wait_for_selector("atlas-feature[data-ready]", state="attached")
        walk.returns(LISTS)
        hand.press(walk.button("Dismiss"))
        sent.wait_for(state="detached")


@journey("lists: curated", lambda facts: bool(facts.curated))
def curated(walk: Walk) -> None:
    path = walk.facts.curated[0]
    page = walk.open(path, "atlas-curated-list")
    hand = walk.hand
    rows = page.locator(".listed")
    with walk.step("copied to the reader's lists, and updated"):
        hand.press(walk.button("Copy to my lists"))
        page.get_by_text("It is among your lists now.").wait_for()
        (name,) = stored(page)
        assert name == page.locator("h1").inner_text()
        rows_shown = rows.count()
        assert len(stored(page)[name]) == rows_shown
        walk.open("starred.html", LISTS)
        hand.press(page.get_by_label(re.compile("^Remove ")).first)
        assert len(stored(page)[name]) == rows_shown - 1
        walk.open(path, "atlas-curated-list")
        hand.press(walk.button("Update my copy"))
        assert len(stored(page)[name]) == rows_shown
    with walk.step("its address is copied"):
        hand.press(walk.button("Copy its address"))
        page.get_by_text("Address copied.").wait_for()
        assert walk.copied().endswith(path)
    with walk.step("pictures are there, and lead on"):
        picture = rows.first.locator("img")
        picture.scroll_into_view_if_needed()
        page.wait_for_function("() => document.querySelector('.listed img').naturalWidth > 0")
        hand.press(rows.first.locator(".listed-title"))
        page.wait_for_selector("atlas-feature[data-ready]", state="attached")
        page.go_back()
        hand.press(page.get_by_role("link", name="Your lists"))
        page.wait_for_selector(f"{LISTS}[data-ready]", state="attached")
