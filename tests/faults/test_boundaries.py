"""A kill at every fsync and every rename of a build: what is there is whole, and the next build goes on."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
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
    pytest.mark.slow,
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


@dataclass(frozen=True)
class Moment:
    """What the disk held when a build came to a boundary."""

    when: tuple[object, ...]
    state: str
    copy: Path
    """The output folders as they were."""


@pytest.fixture(scope="module")
def moments(one_page: None, first: Project, tmp_path_factory: pytest.TempPathFactory) -> list[Moment]:
    """The boundaries of an undisturbed build with different states of the disk, each with a copy of it."""
    folder = tmp_path_factory.mktemp("boundaries")
    project = unbuilt_copy(first, folder / "work")
    found: dict[str, Moment] = {}
    boundaries = 0

    def note(*when: object) -> None:
        nonlocal boundaries
        boundaries += 1
        state = state_of(project.folder / "build")
        if state not in found:
            found[state] = Moment(when, state, folder / str(boundaries))
            copy_state(project.folder / "build", found[state].copy)

    with pytest.MonkeyPatch.context() as patch:
        at_boundaries(patch, note)
        assert project.build() == 0
    assert boundaries > 300
    assert len(found) > 100
    return list(found.values())


def copy_state(folder: Path, to: Path) -> None:
    """A copy of `folder` at `to`; there may be none yet."""
    if folder.exists():
        shutil.copytree(folder, to, symlinks=True)


@pytest.mark.usefixtures("one_page")
@pytest.mark.parametrize("turn", range(TURNS))
def test_goes_on(
    turn: int,
    moments: list[Moment],
    one_page_wanted: dict[str, bytes],
    first: Project,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A kill leaves what is on the disk, which the first of each turn shows; the others begin with a copy."""
    for number, moment in enumerate(moments[turn::TURNS]):
        project = unbuilt_copy(first, tmp_path / f"{moment.when[0]}-{moment.when[2]}")
        if number == 0:
            kill(project, at_boundaries, moment.when)
        else:
            copy_state(moment.copy, project.folder / "build")
        assert state_of(project.folder / "build") == moment.state
        assert_goes_on(project, one_page_wanted, capfd)
        shutil.rmtree(project.folder)
