"""Every control of every page kind, used by mouse and by keyboard alone, and what each of them did."""

from __future__ import annotations

from dataclasses import dataclass
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
from tests.walk.use import NOT_FOR, Use
from tests.walk.walk import Journey, Step, walk

if TYPE_CHECKING:
    from tests.support.browser import Visitor

pytestmark = pytest.mark.slow

WAYS = [("mouse", "http"), ("keyboard", "file")]
"""Each control by either hand, each page from either place; `bench/walk.py` goes all four ways."""

WALKS = [(by, "http" if made.hosted else place, made) for by, place in WAYS for made in JOURNEYS]
"""Hand, place and journey; what is only for hosts is walked there by either hand."""

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


@dataclass
class Walked:
    """What was walked so far."""

    facts: Facts
    uses: dict[str, Use]
    """Hand → the controls it used."""
    steps: dict[tuple[str, str], list[Step]]
    """Hand and name of a journey → its steps."""

    def go(self, visit: Visitor, by: str, place: str, made: Journey) -> list[Step]:
        """The steps of a journey, which is gone at most once."""
        if (by, made.name) not in self.steps:
            with published(self.facts.site, place) as root:
                self.steps[by, made.name] = walk(made, visit, root, self.facts, by, self.uses[by])
        return self.steps[by, made.name]


@pytest.fixture(scope="module")
def walked(facts: Facts) -> Walked:
    return Walked(facts, {by: Use(by) for by, _ in WAYS}, {})


class TestWalk:
    @pytest.mark.parametrize(
        ("by", "place", "journey"), WALKS, ids=[f"{made.name}-{by}-{place}" for by, place, made in WALKS]
    )
    def test_every_step_does_what_it_says(
        self, walked: Walked, visit: Visitor, by: str, place: str, journey: Journey
    ):
        assert journey.needs(walked.facts)
        steps = walked.go(visit, by, place, journey)
        assert [f"{step.name}: {step.problem}" for step in steps if step.problem] == []
        assert len(steps) > 1

    @pytest.mark.parametrize("hand", [by for by, _ in WAYS])
    def test_no_control_is_left_unused(self, walked: Walked, visit: Visitor, hand: str):
        for by, place, made in WALKS:
            if by == hand:
                walked.go(visit, by, place, made)
                visit.close()
        use = walked.uses[hand]
        assert [f"{sign}: {use.seen[sign]}" for sign in use.idle] == []
        assert NOT_FOR[hand].keys() <= use.seen.keys() - use.used, "a control that is not for this hand"
