"""Reading a rendered site back: pages as text, elements and links; data files as JSON."""

from __future__ import annotations

import gzip
import json
import posixpath
import re
from dataclasses import dataclass, field
from functools import cached_property
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np

from atlas.store.letters import from_letters
from tests.support.feature_shards import common_pieces, read_features

VOID = {"meta", "link", "input", "br", "img", "hr", "path", "wbr"}
ENDED_BY = {"li": {"li"}, "dt": {"dt", "dd"}, "dd": {"dt", "dd"}}
"""Element whose end tag may be left out → the elements that end it; so does the end of what it is in."""
LEFT_OPEN = ["html", "body"]
"""Elements that the end of a page ends."""
SHARD = re.compile('\ufeffatlasShard\\("([a-z0-9/_-]+)","([\u3030-\uafaf]+)"\\);\n')


@dataclass
class Element:
    """One element with its attributes and all text inside it."""

    tag: str
    attributes: dict[str, str]
    inside: tuple[str, ...]
    text: str = ""

    @property
    def classes(self) -> set[str]:
        return set(self.attributes.get("class", "").split())


@dataclass
class PageReader(HTMLParser):
    """All elements of a page in document order."""

    source: str
    elements: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[Element] = []
        self.unbalanced: list[str] = []
        self.feed(self.source)
        self.close()
        rest = [element.tag for element in self._open]
        self.unbalanced += [] if rest == LEFT_OPEN else rest

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._open and tag in ENDED_BY.get(self._open[-1].tag, ()):
            self._open.pop()
        element = Element(tag, {name: value or "" for name, value in attrs}, tuple(e.tag for e in self._open))
        if len(element.attributes) != len(attrs):
            self.unbalanced.append(f"{tag} has an attribute twice")
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if self._open and self._open[-1].tag in ENDED_BY and self._open[-1].tag != tag:
            self._open.pop()
        if not self._open or self._open[-1].tag != tag:
            self.unbalanced.append(f"</{tag}>")
        else:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data

    def all(self, tag: str = "", css: str = "") -> list[Element]:
        """Elements of a tag and a class, each empty for any."""
        return [e for e in self.elements if (not tag or e.tag == tag) and (not css or css in e.classes)]

    def one(self, tag: str = "", css: str = "") -> Element:
        """The only such element."""
        found = self.all(tag, css)
        assert len(found) == 1, (tag, css, len(found))
        return found[0]


@dataclass(frozen=True)
class Site:
    """A site folder."""

    folder: Path

    @cached_property
    def files(self) -> dict[str, bytes]:
        paths = (path for path in self.folder.rglob("*") if path.is_file())
        return {path.relative_to(self.folder).as_posix(): path.read_bytes() for path in sorted(paths)}

    @cached_property
    def pages(self) -> dict[str, PageReader]:
        return {
            path: PageReader(data.decode()) for path, data in self.files.items() if path.endswith(".html")
        }

    def page(self, path: str) -> PageReader:
        return self.pages[path]

    def shard(self, key: str) -> Any:
        """The JSON of a data file, which must name its own key."""
        return read_shard(key, self.files[f"data/{key}.js"])

    def features(self, sae: str, number: int) -> dict[str, Any]:
        """The feature shard `number`, decoded as its description says."""
        key = f"{sae}/features/{number}"
        common = common_pieces(self.shard("pieces"))
        return read_features(read_bytes(key, self.files[f"data/{key}.js"]), common)

    def column(self, sae: str, name: str) -> list[float | None]:
        """Values of a column of the feature table, None where there is none."""
        columns = self.shard(f"{sae}/table")["columns"]
        number, info = next((at, info) for at, info in enumerate(columns) if info["name"] == name)
        keys = sorted(
            (path.removeprefix("data/").removesuffix(".js") for path in self.files
             if path.startswith(f"data/{sae}/columns/{number}/")),
            key=lambda key: int(key.rpartition("/")[2]),
        )  # fmt: skip
        stored = b"".join(read_bytes(key, self.files[f"data/{key}.js"]) for key in keys)
        values = np.frombuffer(stored, np.dtype(info["type"]).newbyteorder("<"))
        if values.dtype.kind == "f":
            return [None if np.isnan(value) else float(value) for value in values]
        limits = np.iinfo(values.dtype)
        missing = limits.max if values.dtype.kind == "u" else limits.min
        return [None if value == missing else int(value) for value in values]

    def broken_links(self) -> list[str]:
        """Links and loads of all pages that lead to no file or fragment of the site."""
        ids = {
            path: {e.attributes["id"] for e in page.elements if "id" in e.attributes}
            for path, page in self.pages.items()
        }
        broken: list[str] = []
        for path, page in self.pages.items():
            for element in page.elements:
                for name in ("href", "src", "action"):
                    target = element.attributes.get(name)
                    if target is not None and not self._leads(path, target, ids):
                        broken.append(f"{path}: {target}")
        return broken

    def _leads(self, path: str, target: str, ids: dict[str, set[str]]) -> bool:
        parts = urlsplit(target)
        if parts.scheme or parts.netloc:
            return False
        found = path
        if parts.path:
            found = posixpath.normpath(posixpath.join(posixpath.dirname(path), unquote(parts.path)))
        if found not in self.files:
            return False
        return not parts.fragment or unquote(parts.fragment) in ids.get(found, set())


def read_shard(key: str, data: bytes) -> Any:
    """The JSON in a data file, which must have exactly the one agreed form."""
    return json.loads(read_bytes(key, data), parse_constant=_refuse)


def read_bytes(key: str, data: bytes) -> bytes:
    """What is packed in a data file, which must have exactly the one agreed form."""
    match = SHARD.fullmatch(data.decode("utf-16-le"))
    assert match is not None, data[:80]
    assert match[1] == key
    return gzip.decompress(from_letters(match[2]))


def _refuse(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")
