"""Every page of a site by the standard: strict HTML, sound heads, one outline, links that lead somewhere.

The reader here is html5lib, which implements the parsing algorithm of the HTML standard and reports every
parse error; `atlas.check` and the crawler below find links each in their own way.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import unquote, urldefrag, urljoin, urlsplit
from urllib.request import urlopen
from xml.etree.ElementTree import Element

import html5lib
import pytest

from atlas.check import check_site
from atlas.config import RenderConfig
from atlas.render.output import Output
from atlas.render.site import render_site
from tests.support.hostile import OWN
from tests.support.synthetic import make_atlas
from tests.support.web import serve_folder

BASE_URL = "https://example.org/some/base/"
POLICY = (
    "default-src 'none';script-src 'self' 'wasm-unsafe-eval';style-src 'self';img-src 'self' data:;"
    "worker-src 'self' blob:;manifest-src 'self';base-uri 'none';form-action 'none'"
)
FEATURE_PAGE = re.compile(r"[a-z]+/\d+/\d+\.html")

PAGE_BYTES = 9_000
"""Most bytes of one feature's page of these sites; hostile text is escaped, which makes it longer."""
FILE_BYTES = 25_000_000
"""Largest file that all usual static hosts take."""


@dataclass(frozen=True)
class Page:
    """One page as the HTML standard reads it."""

    path: str
    """Its place in the site."""
    data: bytes

    @cached_property
    def parser(self) -> html5lib.HTMLParser:
        parser = html5lib.HTMLParser(html5lib.getTreeBuilder("etree"), namespaceHTMLElements=False)
        parser.parse(self.data, transport_encoding="utf-8")
        return parser

    @cached_property
    def tree(self) -> Element:
        return self.parser.tree.getDocument()

    @cached_property
    def elements(self) -> list[Element]:
        return [element for element in self.tree.iter() if isinstance(element.tag, str)]

    @cached_property
    def ids(self) -> list[str]:
        return [element.attrib["id"] for element in self.elements if "id" in element.attrib]

    def meta(self, key: str, name: str) -> list[str]:
        """Contents of the `meta` elements whose attribute `key` is `name`."""
        metas = [element for element in self.elements if element.tag == "meta"]
        return [meta.attrib.get("content", "") for meta in metas if meta.attrib.get(key) == name]

    def links(self) -> list[str]:
        """Every address the page names, in order."""
        return [
            element.attrib[name]
            for element in self.elements
            for name in ("href", "src", "action", "data", "poster")
            if name in element.attrib
        ]


def words(element: Element) -> str:
    """All text inside an element, blanks as one."""
    return " ".join("".join(element.itertext()).split())


def rendered(folder: Path, **options: object) -> Path:
    """A site of the dataset that `options` describe, published at `BASE_URL`."""
    store = make_atlas(folder / "data", **options)
    store.update(base_url=BASE_URL)
    with Output(folder / "site") as out:
        render_site(store, RenderConfig(), out, scripts=False)
    return folder / "site"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two SAEs of 40 features; the third feature of each is dead."""
    return rendered(tmp_path_factory.mktemp("plain"), n_features=40)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One SAE, every text of it hostile."""
    return rendered(
        tmp_path_factory.mktemp("hostile"), n_features=len(OWN), saes=("alpha",), hostile=list(OWN)
    )


def read(folder: Path) -> list[Page]:
    return [
        Page(path.relative_to(folder).as_posix(), path.read_bytes())
        for path in sorted(folder.rglob("*.html"))
    ]


@pytest.fixture(scope="module", params=["plain", "hostile"])
def site(request: pytest.FixtureRequest) -> Path:
    """Each of the two sites."""
    folder: Path = request.getfixturevalue(request.param)
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> list[Page]:
    """Every page of the site, read once."""
    return read(site)


class TestParsing:
    def test_no_page_has_a_parse_error(self, pages: list[Page]):
        found = {page.path: page.parser.errors for page in pages if page.parser.errors}
        assert found == {}

    def test_the_reader_is_strict(self, pages: list[Page]):
        """The control: each of these is an error."""
        sound = pages[0].data
        for spoilt in (
            sound.replace(b"</h1>", b"</h1></h1>", 1),
            sound.replace(b"<main ", b"<main id=main ", 1),
            sound.replace(b"</footer>", b"", 1),
            sound.replace(b"<!doctype html>", b"", 1),
            sound.replace(b"</main>", b"&nosuchthing;</main>", 1),
            sound.replace(b"</main>", b"\x00</main>", 1),
        ):
            assert Page("spoilt", spoilt).parser.errors != []

    def test_nothing_comes_from_hostile_text(self, hostile: Path, plain: Path):
        allowed = {element.tag for page in read(plain) for element in page.elements}
        for page in read(hostile):
            assert {element.tag for element in page.elements} <= allowed, page.path
            assert "script" not in {element.tag for element in page.elements}

    def test_text_is_utf8_without_control_characters(self, pages: list[Page]):
        for page in pages:
            text = page.data.decode("utf-8")
            assert re.findall(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufeff\ufffe\uffff]", text) == [], page.path


class TestHead:
    def test_charset_then_policy_come_first(self, pages: list[Page]):
        for page in pages:
            head = page.tree.find("head")
            assert head is not None
            assert head[0].attrib == {"charset": "utf-8"}, page.path
            assert head[1].attrib == {"http-equiv": "Content-Security-Policy", "content": POLICY}, page.path
            assert page.data.index(b"charset") < 1024
            assert len(page.meta("http-equiv", "Content-Security-Policy")) == 1

    def test_language_title_and_viewport(self, pages: list[Page]):
        for page in pages:
            assert page.tree.attrib["lang"] == "en", page.path
            titles = [words(element) for element in page.elements if element.tag == "title"]
            assert len(titles) == 1, page.path
            assert titles[0]
            assert page.meta("name", "viewport") == ["width=device-width"]

    def test_titles_tell_pages_apart(self, pages: list[Page]):
        titles = Counter(words(e) for page in pages for e in page.elements if e.tag == "title")
        assert [title for title, count in titles.items() if count > 1] == []

    def test_descriptions_tell_pages_apart(self, pages: list[Page]):
        described: dict[str, str] = {}
        for page in pages:
            (description,) = page.meta("name", "description")
            assert description.strip(), page.path
            assert description not in described, (page.path, described.get(description))
            described[description] = page.path
            assert page.meta("property", "og:description") == [description]
            assert all(title.strip() for title in page.meta("property", "og:title"))

    def test_canonical_addresses(self, pages: list[Page]):
        for page in pages:
            links = [e.attrib for e in page.elements if e.tag == "link" and e.attrib["rel"] == "canonical"]
            assert page.meta("property", "og:url") == [], "the canonical link says it"
            if page.path == "404.html":
                continue
            place = page.path if FEATURE_PAGE.fullmatch(page.path) else page.path.removesuffix("index.html")
            (link,) = links
            assert link["href"] in {BASE_URL + page.path, BASE_URL + place}

    def test_without_an_address_nothing_claims_one(self, tmp_path: Path):
        store = make_atlas(tmp_path / "data", n_features=3, saes=("alpha",), dead=())
        with Output(tmp_path / "site") as out:
            render_site(store, RenderConfig(), out, scripts=False)
        for page in read(tmp_path / "site"):
            assert page.meta("property", "og:url") == []
            assert not any(element.attrib.get("rel") == "canonical" for element in page.elements)


class TestBody:
    def test_one_h1_and_no_level_left_out(self, pages: list[Page]):
        for page in pages:
            headings = [element for element in page.elements if re.fullmatch("h[1-6]", element.tag)]
            levels = [int(heading.tag[1]) for heading in headings]
            assert levels[0] == 1, page.path
            assert levels.count(1) == 1, page.path
            assert all(after <= before + 1 for before, after in itertools.pairwise(levels)), page.path
            assert all(words(heading) for heading in headings), page.path

    def test_nothing_is_inline(self, pages: list[Page]):
        for page in pages:
            assert not [e for e in page.elements if e.tag in {"style", "script"}], page.path
            for element in page.elements:
                assert not [n for n in element.attrib if n == "style" or n.startswith("on")], page.path

    def test_ids_are_unique(self, pages: list[Page]):
        for page in pages:
            assert [name for name, count in Counter(page.ids).items() if count > 1] == [], page.path
            assert all(re.fullmatch(r"\S+", name) for name in page.ids), page.path

    def test_references_name_elements_of_the_page(self, pages: list[Page]):
        names = (
            "aria-labelledby",
            "aria-describedby",
            "aria-controls",
            "aria-owns",
            "for",
            "headers",
            "list",
        )
        for page in pages:
            wanted = {
                name
                for element in page.elements
                for attribute in names
                for name in element.attrib.get(attribute, "").split()
            }
            assert wanted <= set(page.ids), page.path

    def test_what_is_named_has_a_name(self, pages: list[Page]):
        for page in pages:
            for element in page.elements:
                if element.tag in {"a", "button", "summary", "th"}:
                    assert words(element) or element.attrib.get("aria-label"), (page.path, element.attrib)
                if element.tag == "input":
                    assert element.attrib.get("aria-label") or element.attrib.get("id") in {
                        label.attrib.get("for") for label in page.elements if label.tag == "label"
                    }
                assert "aria-label" not in element.attrib or element.attrib["aria-label"].strip()

    def test_tables_have_headings_and_full_rows(self, pages: list[Page]):
        for page in pages:
            for table in (element for element in page.elements if element.tag == "table"):
                rows = [len(list(row)) for row in table.iter("tr")]
                assert len(set(rows)) <= 1, page.path
                assert all(heading.attrib["scope"] in {"col", "row"} for heading in table.iter("th"))
                assert next(table.iter("th"), None) is not None, page.path


class TestLinks:
    def test_the_check_finds_nothing(self, site: Path):
        # Scripts are bundled by another part; a site without them is whole in every other way.
        problems = [problem for problem in check_site(site) if "assets/" not in problem]
        assert problems == []

    def test_addresses_are_relative_and_stay_inside(self, pages: list[Page], site: Path):
        published = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
        ids = {page.path: set(page.ids) for page in pages}
        for page in pages:
            for link in page.links():
                parts = urlsplit(link)
                if page.path == "404.html" or link.startswith(BASE_URL):
                    continue
                absolute = parts.scheme or parts.netloc or link.startswith("/")
                assert not absolute, (page.path, link)
                # As a file: no server turns a folder into its index.
                target = urlsplit(urljoin(f"file:///root/{page.path}", link))
                place = unquote(target.path).removeprefix("/root/")
                assert place in published, (page.path, link)
                assert not target.fragment or unquote(target.fragment) in ids[place], (page.path, link)

    @pytest.mark.parametrize("base", ["/", "/some/base/"])
    def test_a_crawler_reaches_every_page_and_no_dead_end(self, plain: Path, base: str):
        published = {path.relative_to(plain).as_posix() for path in plain.rglob("*.html")}
        with serve_folder(plain, base) as host:
            answers = crawled(host.url("index.html"), host.url())
        assert {url: status for url, status in answers.items() if status != 200} == {}
        reached = {urlsplit(url).path.removeprefix(base) for url in answers}
        assert published - reached == {"404.html"}

    def test_the_crawler_finds_a_dead_end(self, plain: Path):
        with serve_folder(plain) as host:
            answers = crawled(host.url("alpha/0/0.html"), host.url(), extra=host.url("alpha/0/none.html"))
        assert [urlsplit(url).path for url, status in answers.items() if status == 404] == [
            "/some/base/alpha/0/none.html"
        ]


def crawled(start: str, inside: str, extra: str | None = None) -> dict[str, int]:
    """Address → status of everything that links lead to from `start` on; those outside fail the test."""
    answers: dict[str, int] = {}
    waiting = [start] if extra is None else [start, extra]
    while waiting:
        url = waiting.pop()
        if url in answers:
            continue
        try:
            with urlopen(url) as answer:  # noqa: S310 - only the loopback host of this test
                answers[url], kind, data = answer.status, answer.headers["Content-Type"], answer.read()
        except HTTPError as error:
            answers[url] = error.code
            error.close()
            continue
        if not kind.startswith("text/html"):
            continue
        for link in Page(url, data).links():
            target = urldefrag(urljoin(url, link)).url
            if not target.startswith(BASE_URL):
                assert target.startswith(inside), (url, link)
                waiting.append(target)
    return answers


class TestSizes:
    def test_pages_and_files_are_small(self, site: Path):
        for path in (path for path in site.rglob("*") if path.is_file()):
            size = path.stat().st_size
            assert size <= FILE_BYTES, path
            if FEATURE_PAGE.fullmatch(path.relative_to(site).as_posix()):
                assert size <= PAGE_BYTES, path

    def test_a_plain_feature_fits_in_few_packets(self, plain: Path):
        sizes = sorted(path.stat().st_size for path in (plain / "alpha" / "0").glob("[0-9]*.html"))
        assert sizes[len(sizes) // 2] <= 14_000

    def test_folders_hold_a_thousand_features(self, tmp_path: Path):
        folder = rendered(
            tmp_path, n_features=1003, saes=("alpha",), texts=["one two three\n"], dead=tuple(range(4, 1003))
        )
        found = Counter(path.parent.name for path in folder.glob("alpha/*/*.html") if path.stem.isdigit())
        assert found == {"0": 1000, "1": 3}
        assert (folder / "alpha/1/1000.html").is_file()
        assert all(
            len(list(place.iterdir())) <= 1001 for place in (folder / "alpha").iterdir() if place.is_dir()
        )
