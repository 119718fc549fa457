"""Every kind of page, wherever the site lies and however it is looked at: quiet, whole, inside its folder.

`test_accessibility.py` has axe-core and text sizes, `test_keyboard.py` the keys; here every page is used a
little, and everything it does is written down.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import axe
from tests.support.kinds import KINDS, ask_for_keys, at
from tests.support.links import dead_ends
from tests.support.web import published

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.browser import Visitor

PLACES = [("file", "light", 1280), ("/", "dark", 390), ("/repo/", "light", 390), ("/repo/", "dark", 1280)]
"""Where the site lies (a folder, or the base path of a host), colour scheme, width of the window."""

NARROW = 360


def use(page: Page, kind: str) -> None:
    """What readers do on any page: look through it, unfold, ask for the keys, search, change colours."""
    page.evaluate("() => document.querySelectorAll('main details').forEach((one) => { one.open = true; })")
    page.evaluate("() => scrollTo(0, document.body.scrollHeight)")
    if kind == "embedded feature":
        return
    page.evaluate("() => document.activeElement.blur()")
    ask_for_keys(page)
    page.keyboard.press("/")
    page.keyboard.type("fires")
    if "search" not in kind:
        page.locator("atlas-search-box [role=option]").first.wait_for()
    page.keyboard.press("Escape")
    page.locator("atlas-search-box .search-popup").wait_for(state="hidden")
    page.locator("atlas-theme-toggle button").click()
    page.evaluate("() => scrollTo(0, 0)")
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


@pytest.mark.parametrize(("place", "scheme", "width"), PLACES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_page_is_quiet_whole_and_fits(
    element_site: Path, visit: Visitor, kind: str, place: str, scheme: str, width: int
) -> None:
    with published(element_site, place) as root:
        visited = visit(scheme=scheme, size=(width, 800))
        page = at(visited.page, root, kind)
        lost = lambda: dead_ends(page, element_site, root, loads=kind != "missing")  # noqa: E731
        assert lost() == []
        use(page, kind)
        assert lost() == []
        page.set_viewport_size({"width": NARROW, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        # Console, exceptions, dialogs, failed requests, other hosts, and the policy's violations.
        told = visited.record.problems(root)
        if kind == "missing":
            # It looks for its files in several places, and browsers say where they are not.
            told = [line for line in told if re.match("exception|dialog|popup|console .*CSP", line)]
        assert told == []
        if (place, scheme) == ("/repo/", "dark"):
            assert axe.violations(page) == []


def test_the_record_would_tell(element_site: Path, visit: Visitor) -> None:
    """The control: a page that breaks the policy, asks others, logs and links to nothing is found out."""
    visited = visit()
    root = f"{element_site.as_uri()}/"
    page = at(visited.page, root, "home")
    page.evaluate(
        """() => {
          console.log("noise");
          const script = document.createElement("script");
          script.textContent = "void 0";
          const image = new Image();
          image.src = "https://example.invalid/x.png";
          const link = Object.assign(document.createElement("a"), { href: "nowhere.html", textContent: "x" });
          const place = Object.assign(document.createElement("a"), { href: "#nowhere", textContent: "y" });
          const out = Object.assign(document.createElement("a"), { href: "../../x", textContent: "z" });
          document.querySelector("main").append(script, image, link, place, out);
        }"""
    )
    missing = {"noise", "CSP script-src", "CSP img-src"}
    for _ in range(600):
        missing -= {part for part in missing if part in "\n".join(visited.record.problems(root))}
        if not missing:
            break
        page.wait_for_timeout(50)
    assert missing == set()
    dead = "\n".join(dead_ends(page, element_site, root))
    for part in ("leads nowhere", "leads to no place", "leads out of the site"):
        assert part in dead


def test_no_page_is_forgotten(element_site: Path) -> None:
    """Every template of the site has its kind here."""
    shown = {path.partition("?")[0] for path, _ in KINDS.values()}
    pages = {path.relative_to(element_site).as_posix() for path in element_site.rglob("*.html")}
    kinds = {re.sub(r"\d+|alpha|beta|first-look", "*", path) for path in pages}
    assert kinds == {re.sub(r"\d+|alpha|beta|first-look", "*", path) for path in shown}
