"""A kill at every fsync and every rename of a build: what is there is whole, and the next build goes on."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from atlas.render.output import Output
from atlas.store import AtlasStore
from tests.support.disturb import at_boundaries, state_of
from tests.support.kills import assert_goes_on, kill
from tests.support.projects import Project, unbuilt_copy

TURNS = 8
"""The boundaries of a build are tried in so many tests."""

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="signals and forks as on Unix"),
    pytest.mark.usefixtures("layout_without_threads"),
]


@pytest.fixture(scope="module")
def one_page() -> Iterator[None]:
    """Sites of one page: writing and checking pages would take most of the time."""

    def render(store: AtlasStore, config: object, out: Output, *arguments: object, base: Path) -> object:
        out.write("index.html", store.manifest.build_id.encode())
        return SimpleNamespace(pages=1, files=1, bytes=out.total_bytes)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("atlas.render.site.render_site", render)
        patch.setattr("atlas.check.check_site", lambda *arguments: [])
        yield


@pytest.fixture(scope="module")
def one_page_wanted(
    one_page: None, first: Project, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, bytes]:
    """What a build that nobody disturbs gives."""
    project = unbuilt_copy(first, tmp_path_factory.mktemp("wanted") / "work")
    assert project.build() == 0
    return project.result()


@pytest.fixture(scope="module")
def states(
    one_page: None, first: Project, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[object, ...], str]:
    """Every boundary of an undisturbed build → state of the disk there."""
    project = unbuilt_copy(first, tmp_path_factory.mktemp("boundaries") / "work")
    found: dict[tuple[object, ...], str] = {}

    def note(*moment: object) -> None:
        found[moment] = state_of(project.folder / "build")

    with pytest.MonkeyPatch.context() as patch:
        at_boundaries(patch, note)
        assert project.build() == 0
    return found


@pytest.mark.usefixtures("one_page")
@pytest.mark.parametrize("turn", range(TURNS))
def test_goes_on(
    turn: int,
    states: dict[tuple[object, ...], str],
    one_page_wanted: dict[str, bytes],
    first: Project,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A kill leaves what is on the disk: one is enough for the boundaries of one state."""
    assert len(states) > 300
    distinct = {state: when for when, state in reversed(states.items())}
    assert len(distinct) > 100
    for state, when in list(distinct.items())[turn::TURNS]:
        project = unbuilt_copy(first, tmp_path / f"{when[0]}-{when[2]}")
        kill(project, at_boundaries, when)
        assert state_of(project.folder / "build") == state
        assert_goes_on(project, one_page_wanted, capfd)
        shutil.rmtree(project.folder)
