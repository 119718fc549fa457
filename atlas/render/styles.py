"""Stylesheets: which styles of a theme each kind of page loads, packed small.

A page loads one stylesheet that holds what its kind needs of every theme of the chain, ancestors first, so
that a child's rules come after those they replace.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from atlas.errors import InputError, suggest
from atlas.render.contexts import TEMPLATES
from atlas.render.themes import THEME_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from atlas.render.themes import Theme

STYLESHEET = "atlas.css"
"""The stylesheet that most kinds of pages share."""

KINDS = tuple(name.removesuffix(".html") for name in TEMPLATES)
"""Every kind of page."""

_PANEL_KINDS = ("feature",)

_KEPT = r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|url\([^)]*\)|\\."
_GAPS = re.compile(rf"({_KEPT})|((?:\s|/\*[^*]*\*+(?:[^/*][^*]*\*+)*/)+)", re.DOTALL)
_SPACES = re.compile(rf"({_KEPT})| ?;? ?(\}}) ?| ?([{{;,>]) ?|(:) ", re.DOTALL)


def stylesheets(theme: Theme) -> dict[str, tuple[str, bytes]]:
    """Kind of page → name and content of its stylesheet; kinds that need the same styles share one.

    `InputError` where a theme.yaml names styles or kinds of pages that there are not.
    """
    sharing: dict[tuple[Path, ...], list[str]] = {}
    for kind in KINDS:
        sharing.setdefault(tuple(_styles(theme, kind)), []).append(kind)
    common = max(sharing.values(), key=len)
    found: dict[str, tuple[str, bytes]] = {}
    for paths, kinds in sharing.items():
        name = STYLESHEET if kinds is common else f"{'-'.join(kinds)}.css"
        content = minified("\n".join(path.read_text(encoding="utf-8") for path in paths)).encode()
        found |= dict.fromkeys(kinds, (name, content))
    return found


def minified(css: str) -> str:
    """`css` without comments and the white space that means nothing; strings and addresses stay."""
    return _SPACES.sub(_tight, _GAPS.sub(_gap, css)).strip()


def _gap(match: re.Match[str]) -> str:
    kept, gap = match.groups()
    if kept is not None:
        return kept
    # A comment alone still ends a word; white space would join two selectors.
    return " " if re.search(r"\s", re.sub(r"/\*.*?\*/", "", gap, flags=re.DOTALL)) else "/**/"


def _tight(match: re.Match[str]) -> str:
    kept, *signs = match.groups()
    return kept if kept is not None else next(sign for sign in signs if sign is not None)


def _styles(theme: Theme, kind: str) -> Iterator[Path]:
    """Files that `kind` needs: of each theme css/base.css, the other css/ files, the panels'."""
    for each in reversed(theme.chain):
        css = sorted(
            (each.folder / "css").glob("*.css"), key=lambda path: (path.name != "base.css", path.name)
        )
        limits = each.file.styles
        where = str(each.folder / THEME_FILE)
        for name in set(limits) - {path.name for path in css}:
            raise InputError(
                f"styles: there is no css/{name}", where=where, fix=suggest(name, [path.name for path in css])
            )
        for wrong in {wanted for kinds in limits.values() for wanted in kinds} - set(KINDS):
            raise InputError(f"styles: {wrong!r} is no kind of page", where=where, fix=suggest(wrong, KINDS))
        yield from (path for path in css if kind in limits.get(path.name, KINDS))
        if kind in _PANEL_KINDS:
            yield from sorted(each.folder.glob("panels/*/panel.css"))
