"""A small rendered site and ways to open its pages, shared by the tests of the elements."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from atlas.config import RenderConfig
from atlas.reader import open_atlas
from atlas.render import columns, maps
from atlas.render.output import Output
from atlas.render.site import render_site
from tests.support import requirements
from tests.support.model_site import model_dataset, model_site
from tests.support.opened import (
    FEATURES,
    POINTS_PER_PART,
    READY,
    ROWS_PER_SHARD,
    ROWS_PER_TITLE_SHARD,
    Open,
)
from tests.support.synthetic import make_atlas
from tests.support.toy_model import add_toy_model
from tests.support.web import published

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from atlas.reader import Atlas
    from atlas.store import AtlasStore
    from tests.support.browser import Visit, Visitor

LIST = """\
name: A first look
description: Where to begin.
features:
  - {sae: alpha, feature_idx: 5, note: Fires on one word.}
  - {sae: beta, feature_idx: 12}
"""
"""The site's curated list."""


@pytest.fixture(scope="session")
def element_site(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    """A rendered synthetic site with a model and two SAEs of `FEATURES` features, number 3 of them dead."""
    if not (root / "themes/default/dist/site.js").is_file():
        requirements.missing(
            "the scripts are not bundled", fix="cd themes/default && npm ci && npm run build"
        )
    folder = tmp_path_factory.mktemp("elements")
    store = make_atlas(folder / "data", n_features=FEATURES)
    add_toy_model(store)
    (folder / "lists").mkdir()
    (folder / "lists" / "first-look.yaml").write_text(LIST, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch, Output(folder / "site") as out:
        # Smaller than in real sites, so that a table and a map of 160 features come in several files.
        patch.setattr(maps, "POINTS_PER_PART", POINTS_PER_PART)
        patch.setattr(columns, "ROWS_PER_TITLE_SHARD", ROWS_PER_TITLE_SHARD)
        patch.setattr(columns, "ROWS_PER_COLUMN_SHARD", ROWS_PER_SHARD)
        render_site(store, RenderConfig(), out, lambda *_: None, base=folder)
    return folder / "site"


@pytest.fixture
def address(request: pytest.FixtureRequest, element_site: Path) -> Iterator[str]:
    """Address of the site's root: by double click, or ("http") below a base path of a static host."""
    with published(element_site, getattr(request, "param", "file")) as url:
        yield url


@pytest.fixture
def show(address: str, visit: Visitor) -> Iterator[Open]:
    """`show("alpha/0/5.html")` opens a page and waits for its element; nothing may go wrong in any."""
    visits: list[Visit] = []

    def start(path: str, **options: Any) -> Page:
        visits.append(visit(**options))
        page = visits[-1].open(address + path)
        for pattern, element in READY.items():
            if re.match(pattern, path):
                page.wait_for_selector(f"{element}[data-ready]", state="attached")
        return page

    yield start
    problems = [problem for opened in visits for problem in opened.record.problems(address)]
    assert problems == []


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> AtlasStore:
    """A synthetic atlas with an index and a toy model, for tests that run it."""
    return model_dataset(tmp_path_factory.mktemp("modelled"))


@pytest.fixture(scope="module")
def site(store: AtlasStore) -> Path:
    """The site of `store`."""
    return model_site(store)


@pytest.fixture(scope="module")
def atlas(store: AtlasStore) -> Atlas:
    """The same in Python."""
    return open_atlas(store.path)


@pytest.fixture
def home(request: pytest.FixtureRequest, site: Path) -> Iterator[str]:
    """Address of the root of `site`: by double click, or ("http") from a host."""
    with published(site, getattr(request, "param", "file")) as url:
        yield url


@pytest.fixture
def visit_page(home: str, visit: Visitor) -> Iterator[Callable[..., Page]]:
    """`visit_page("steer.html", "atlas-steer-page", "?f=12")` opens a page of `site`; all must be quiet."""
    visits: list[Visit] = []

    def start(path: str, element: str, query: str = "", **options: Any) -> Page:
        visits.append(visit(**options))
        visits[-1].page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = visits[-1].open(f"{home}{path}{query}")
        page.wait_for_selector(f"{element}[data-ready]")
        return page

    yield start
    assert [line for one in visits for line in one.record.problems(home)] == []
