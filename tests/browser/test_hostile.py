"""Hostile text in every field is shown exactly and executed never, over http and from the folder."""

from __future__ import annotations

import base64
import gzip
import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Error

from atlas.config import RenderConfig
from atlas.render.output import Output
from atlas.render.site import render_site
from tests.support.hostile import COUNTER, OWN, strings, visible
from tests.support.synthetic import make_atlas

if TYPE_CHECKING:
    from tests.support.browser import Visit, Visitor
    from tests.support.web import StaticHost

SLUG = "alpha"
pytestmark = pytest.mark.slow


def render(folder: Path, texts: list[str], theme: str = "default") -> Path:
    """A site of one SAE whose every text field is hostile; feature i is explained by texts[i]."""
    store = make_atlas(folder / "data", n_features=len(texts), saes=(SLUG,), dead=(), hostile=texts)
    with Output(folder / "site") as out:
        render_site(store, RenderConfig(theme=theme), out, lambda *_: None, base=folder)
    return folder / "site"


@pytest.fixture(scope="module")
def texts(shared_dir: Path) -> list[str]:
    return strings(shared_dir)


@pytest.fixture(scope="module")
def site(texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render(tmp_path_factory.mktemp("hostile"), texts)


def executed(visited: Visit) -> int:
    """How often hostile code ran on the current page."""
    return int(visited.page.evaluate("window.probed")) + len(visited.record.dialogs)


def armed(visit: Visitor) -> Visit:
    """A page that counts executions."""
    visited = visit()
    visited.page.context.add_init_script(COUNTER)
    return visited


def headline(visited: Visit) -> str:
    """The text of the page's h1, exactly."""
    return visited.page.evaluate("document.querySelector('h1').textContent")


def test_from_the_folder_every_feature_page_shows_its_text_and_runs_nothing(
    visit: Visitor, site: Path, texts: list[str]
) -> None:
    visited = armed(visit)
    for feature, text in enumerate(texts):
        visited.open(f"{site.as_uri()}/{SLUG}/0/{feature}.html")
        assert headline(visited) == visible(text), feature
        assert executed(visited) == 0, text
    left_early = "net::ERR_ABORTED"
    assert [line for line in visited.record.problems(site.as_uri()) if left_early not in line] == []


def test_over_http_pages_show_their_text_and_run_nothing(
    visit: Visitor, site: Path, texts: list[str], serve: Callable[..., StaticHost]
) -> None:
    host = serve(site)
    visited = armed(visit)
    for feature in range(0, len(texts), 5):
        visited.open(host.url(f"{SLUG}/0/{feature}.html"))
        visited.page.wait_for_selector("atlas-examples[data-ready]")
        assert headline(visited) == visible(texts[feature]), feature
        assert executed(visited) == 0, texts[feature]
    assert visited.record.problems(host.url()) == []


@pytest.mark.parametrize(
    ("path", "ready"),
    [
        ("index.html", "h1"),
        ("about.html", "h1"),
        (f"{SLUG}/index.html", "atlas-feature-table[data-ready]"),
        (f"{SLUG}/0/index.html", "table"),
        ("map.html", "atlas-map[data-ready]"),
        ("search.html?q=script", "atlas-search-page[data-ready]"),
        ("search.html?q=%3Cimg%20src%3Dx%20onerror%3Dprobe()%3E", "atlas-search-page[data-ready]"),
        ("search.html?q=%22%3E%3Cscript%3Eprobe()%3C/script%3E", "atlas-search-page[data-ready]"),
        ("map.html?q=%3Cscript%3Eprobe()%3C/script%3E&sae=%3Cimg%20onerror%3Dprobe()%3E", "atlas-map"),
    ],
)
def test_other_pages_run_nothing(visit: Visitor, site: Path, path: str, ready: str) -> None:
    visited = armed(visit)
    visited.open(f"{site.as_uri()}/{path}")
    visited.page.wait_for_selector(ready)
    assert executed(visited) == 0
    assert visited.record.problems(site.as_uri()) == []


def test_search_suggestions_run_nothing(visit: Visitor, site: Path) -> None:
    visited = armed(visit)
    page = visited.open(f"{site.as_uri()}/index.html")
    for typed in ("<script>probe()</script>", "script", "img"):
        page.keyboard.press("Control+k")
        page.keyboard.press("Control+a")
        page.keyboard.type(typed)
        page.wait_for_timeout(400)
    assert executed(visited) == 0
    assert visited.record.problems(site.as_uri()) == []


def payload(site: Path, key: str) -> Any:
    """The content of one data file."""
    text = (site / "data" / f"{key}.js").read_text(encoding="utf-8")
    return json.loads(gzip.decompress(base64.b64decode(text.split('"')[3])))


def test_data_files_hold_the_exact_text(site: Path, texts: list[str]) -> None:
    assert payload(site, f"{SLUG}/table/0")["explanations"] == texts
    documents = {
        name
        for number in range(-(-len(texts) // 16))
        for name in payload(site, f"{SLUG}/features/{number}")["documents"]
    }
    assert len(documents & set(texts)) > len(texts) // 4


def test_the_same_harness_reports_pages_that_do_not_escape(
    visit: Visitor, site: Path, tmp_path: Path
) -> None:
    """The control: the very same pages, escaping and policy undone."""
    caught = 0
    for feature in range(len(OWN)):
        page = (site / SLUG / "0" / f"{feature}.html").read_text(encoding="utf-8")
        control = tmp_path / f"{feature}.html"
        control.write_text(
            html.unescape(re.sub(r"<meta http-equiv=[^>]*>", "", page, count=1)), encoding="utf-8"
        )
        visited = armed(visit)
        try:
            visited.page.goto(control.as_uri(), wait_until="domcontentloaded")
            caught += executed(visited) > 0
        except Error:  # the page navigated itself away
            caught += 1
    assert caught >= 20
