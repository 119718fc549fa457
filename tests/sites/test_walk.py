"""Every control of every page kind, used by mouse and by keyboard alone, and what each of them did."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from atlas.config import RenderConfig
from atlas.index.search import build_postings
from atlas.index.vectors import build_vectors
from atlas.render.output import Output
from atlas.render.site import render_site
from tests.support import requirements
from tests.support.rich import make_rich_atlas
from tests.support.toy_model import add_toy_model
from tests.support.web import published
from tests.walk.facts import Facts
from tests.walk.journeys import JOURNEYS
from tests.walk.use import Use
from tests.walk.walk import Journey, walk

if TYPE_CHECKING:
    from tests.support.browser import Visitor

pytestmark = pytest.mark.slow

WAYS = [("mouse", "http"), ("keyboard", "file")]
"""Each control by either hand, each page from either place; `bench/walk.py` goes all four ways."""

CURATED = """\
name: A first look
features:
  - {sae: alpha, feature_idx: 5, note: Fires on one word.}
  - {sae: beta, feature_idx: 12}
"""


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    """A site with everything that a site can have, and what it must show."""
    if not (requirements.ROOT / "themes/default/dist/ort.wasm").is_file():
        requirements.missing(
            "the scripts are not bundled", fix="cd themes/default && npm ci && npm run build"
        )
    folder = tmp_path_factory.mktemp("walked")
    store = make_rich_atlas(folder / "data", saes=("alpha", "beta"))
    with store.lock():
        build_postings(store)
        build_vectors(store)
        add_toy_model(store)
    (folder / "lists").mkdir()
    (folder / "lists" / "first-look.yaml").write_text(CURATED, encoding="utf-8")
    with Output(folder / "site") as out:
        render_site(store, RenderConfig(), out, base=folder)
    return Facts.read(store.path, folder / "site")


@pytest.fixture(scope="module")
def use() -> dict[str, Use]:
    """What was used so far, by hand."""
    return {by: Use() for by, _ in WAYS}


@pytest.fixture
def root(request: pytest.FixtureRequest, facts: Facts) -> Iterator[str]:
    """Address of the site: of its folder, or below a base path of a host."""
    with published(facts.site, request.param) as url:
        yield url


class TestWalk:
    @pytest.mark.parametrize(("by", "root"), WAYS, indirect=["root"])
    @pytest.mark.parametrize("journey", JOURNEYS, ids=lambda journey: journey.name)
    def test_every_step_does_what_it_says(
        self, facts: Facts, use: dict[str, Use], root: str, visit: Visitor, by: str, journey: Journey
    ):
        assert journey.needs(facts)
        if journey.hosted and not root.startswith("http"):
            return
        steps = walk(journey, visit, root, facts, by, use[by])
        assert [f"{step.name}: {step.problem}" for step in steps if step.problem] == []
        assert len(steps) > 1
