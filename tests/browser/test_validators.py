"""No page has an error for html-validate or the Nu checker, as it is published and as it is drawn."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.kinds import KINDS, opened
from tests.support.validators import html_validate, nu_checker

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHECKERS = pytest.mark.parametrize("checker", [html_validate, nu_checker], ids=["html-validate", "nu"])

SPOILT = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>x</title></head>
<body><h1>x</h1><ul><p>not an item</p></ul><a href="a" href="b">x</a><img src="x.png">
<table><tr><td>1</td></tr></div></table><button type="button"><a href="x">y</a></button></body></html>
"""


@pytest.fixture(scope="module")
def published(element_site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One page of every kind as it lies in the site."""
    folder = tmp_path_factory.mktemp("published")
    for kind, (path, _) in KINDS.items():
        page = (element_site / path.partition("?")[0]).read_bytes()
        (folder / f"{kind.replace(' ', '-')}.html").write_bytes(page)
    return folder


@pytest.fixture(scope="module")
def drawn(element_site: Path, chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same pages as scripts have made them, written down by the browser."""
    folder = tmp_path_factory.mktemp("drawn")
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    page = context.new_page()
    for kind in KINDS:
        opened(page, element_site, kind)
        (folder / f"{kind.replace(' ', '-')}.html").write_text(page.content(), encoding="utf-8")
    context.close()
    return folder


@CHECKERS
def test_published_pages_have_no_error(published: Path, checker):
    found = checker(published)
    assert found == [], "\n".join(found)


@CHECKERS
def test_drawn_pages_have_no_error(drawn: Path, checker):
    found = checker(drawn)
    assert found == [], "\n".join(found)


@CHECKERS
def test_the_checker_is_strict(tmp_path: Path, checker):
    (tmp_path / "spoilt.html").write_text(SPOILT, encoding="utf-8")
    assert len(checker(tmp_path)) >= 3
