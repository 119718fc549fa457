"""Where the links of a page lead, as the browser has it: after the scripts have drawn theirs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from tests.support.sites import PageReader

if TYPE_CHECKING:
    from playwright.sync_api import Page

ADDRESSES = """() => [...document.querySelectorAll("[href], [src], [action], [data-href]")].map((element) =>
  [element.outerHTML.slice(0, 120),
    String(element.href?.baseVal ?? element.href ?? element.src ?? element.action)])"""
"""Every element that names an address, and the address as the browser resolves it."""

OUTSIDE = ("https:", "http:", "mailto:", "doi:", "data:", "blob:")


def dead_ends(page: Page, site: Path, root: str, *, loads: bool = True) -> list[str]:
    """The addresses of `page` that lead to no file or fragment of `site`, which is published at `root`.

    Links to other hosts are left out: they are for people to follow. So is, where `loads` is False, what
    the page loads: the page for missing addresses tries several places. `[]` when all is well.
    """
    own = page.url.partition("#")[0].partition("?")[0]
    present = set(page.evaluate("() => [...document.querySelectorAll('[id]')].map(({ id }) => id)"))
    found: list[str] = []
    for element, address in page.evaluate(ADDRESSES):
        if not loads and not element.startswith("<a "):
            continue
        if not address.startswith(root):
            if not address.startswith(OUTSIDE) or _same_host(address, root):
                found.append(f"{element} leads out of the site: {address}")
            continue
        parts = urlsplit(address.removeprefix(root))
        target = site / unquote(parts.path)
        if not target.is_file():
            found.append(f"{element} leads nowhere: {address}")
        elif parts.fragment and target.suffix == ".html":
            fragment = unquote(parts.fragment)
            known = present if root + parts.path == own else _ids(target)
            if fragment not in known:
                found.append(f"{element} leads to no place of {parts.path}: {fragment}")
    return found


def _same_host(address: str, root: str) -> bool:
    return bool(urlsplit(root).netloc) and urlsplit(address).netloc == urlsplit(root).netloc


def _ids(path: Path) -> set[str]:
    page = PageReader(path.read_text(encoding="utf-8"))
    return {element.attributes["id"] for element in page.elements if "id" in element.attributes}
