"""One small atlas and its site, made once for all tests of the renderer."""

from __future__ import annotations

from pathlib import Path

import pytest

from atlas.config import RenderConfig
from atlas.render.builder import Builder
from atlas.render.output import Output
from atlas.render.site import SiteReport, render_site
from atlas.store import AtlasStore
from tests.support.sites import Site
from tests.support.synthetic import make_atlas


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> AtlasStore:
    """Two SAEs of 40 features, feature 3 dead."""
    return make_atlas(tmp_path_factory.mktemp("atlas") / "data", n_features=40)


@pytest.fixture(scope="session")
def builder(store: AtlasStore) -> Builder:
    """The default theme over `store`, without scripts."""
    return Builder(store, RenderConfig(), Path(), scripts=False)


@pytest.fixture(scope="session")
def rendered(store: AtlasStore, tmp_path_factory: pytest.TempPathFactory) -> tuple[Site, SiteReport]:
    """The site of `store`, without scripts, and the report of rendering it."""
    folder = tmp_path_factory.mktemp("rendered") / "site"
    with Output(folder) as out:
        report = render_site(store, RenderConfig(), out, scripts=False)
    return Site(folder), report


@pytest.fixture(scope="session")
def site(rendered: tuple[Site, SiteReport]) -> Site:
    """The site alone."""
    return rendered[0]
