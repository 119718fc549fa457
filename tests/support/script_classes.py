"""The CSS classes that the scripts of a kind of page give to what they make, read from the sources."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from tests.support.requirements import ROOT

SOURCES = ROOT / "themes" / "default" / "src"
ASKED_FOR = {"feature": ("figures", "probe")}
"""Bundles that a reader of such a page may ask for; every page has the dialogs."""

IMPORT = re.compile(r"(?:from|import) \"(\.[^\"]+)\"")
IN_MARKUP = re.compile(r"class=\"([^\"]*)\"")
BY_SCRIPT = re.compile(r"(?:className \??=|classList\.\w+\()\s*([^;\n]*)")
TEXT = re.compile(r"[\"`]([^\"`]*)[\"`]")


def modules(entry: Path) -> set[Path]:
    """`entry` and all that it imports; nothing where it does not exist."""
    found: set[Path] = set()
    waiting = [entry] if entry.is_file() else []
    while waiting:
        path = waiting.pop()
        found.add(path)
        imported = {(path.parent / name).resolve() for name in IMPORT.findall(path.read_text("utf-8"))}
        waiting += [other for other in imported - found if other.is_file()]
    return found


@cache
def classes_of(path: Path) -> frozenset[str]:
    """The classes that a module names as a whole: not those it puts together from parts."""
    text = path.read_text("utf-8")
    parts = IN_MARKUP.findall(text)
    parts += [part for line in BY_SCRIPT.findall(text) for part in TEXT.findall(line)]
    return frozenset(
        word for part in parts for word in re.findall(r"(?<![\w-])[a-z][a-z0-9-]*(?![\w-]|\$)", part)
    )


def named_classes(kind: str) -> set[str]:
    """The classes that scripts name on pages of `kind`, after every click."""
    bundles = ("site", "dialogs", kind, *ASKED_FOR.get(kind, ()))
    paths = {path for bundle in bundles for path in modules(SOURCES / "entries" / f"{bundle}.ts")}
    return {name for path in paths for name in classes_of(path)}
