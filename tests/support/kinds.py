"""One page of every kind, and how to open it ready for use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

KINDS = {
    "home": ("index.html", "h1"),
    "about": ("about.html", "h1"),
    "browse": ("alpha/index.html", "atlas-feature-table[data-ready]"),
    "thousand": ("alpha/0/index.html", "table.features"),
    "feature": ("alpha/0/5.html", "atlas-feature[data-ready]"),
    "dead feature": ("alpha/0/3.html", "atlas-feature[data-ready]"),
    "embedded feature": ("alpha/0/5.html?embed=true", "atlas-feature[data-ready]"),
    "map": ("map.html", "atlas-map[data-ready]"),
    "search": ("search.html?q=fires", "atlas-search-page[data-ready]"),
    "empty search": ("search.html", "atlas-search-page[data-ready]"),
    "starred": ("starred.html", "atlas-lists-page[data-ready]"),
    "curated": ("lists/first-look.html", "atlas-curated-list[data-ready]"),
    "test": ("test.html", "atlas-test-page[data-ready]"),
    "contrast": ("contrast.html", "atlas-contrast-page[data-ready]"),
    "steer": ("steer.html", "atlas-steer-page[data-ready]"),
    "missing": ("404.html", "h1"),
}
"""Kind → its address, and the selector of what is there once its scripts have done their work."""


def opened(page: Page, site: Path, kind: str) -> Page:
    """Go to the page of `kind` in the folder `site`, and wait until it is ready."""
    return at(page, f"{site.as_uri()}/", kind)


def ask_for_keys(page: Page) -> None:
    """Open the dialog of the keys and put it away again."""
    page.keyboard.press("?")
    page.get_by_role("dialog").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="hidden")


def at(page: Page, root: str, kind: str) -> Page:
    """Go to the page of `kind` of the site at the address `root`, and wait until it is ready."""
    path, ready = KINDS[kind]
    page.goto(root + path, wait_until="load")
    page.wait_for_selector(ready, state="attached")
    if kind == "feature":
        # The picture at the end of the page is drawn when it comes into view.
        page.locator("atlas-minimap").scroll_into_view_if_needed()
        page.wait_for_selector("atlas-minimap[data-ready]", state="attached")
        page.evaluate("scrollTo(0, 0)")
    return page
