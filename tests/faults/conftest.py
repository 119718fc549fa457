"""One tiny model and two undisturbed builds, shared by all tests that disturb builds.

The builds run in this process, or in a fork of it where they are to die: a fresh interpreter would spend
ten seconds on importing the model libraries first.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from tests.support import models
from tests.support.projects import OTHER_TEXT, TEXT, Project, copied


@contextmanager
def circle_for_a_map() -> Iterator[None]:
    """umap's compiled code uses OpenMP, which may not run in a fork of its user."""

    def circle(rows: object, unit: object, *arguments: object, **options: object) -> np.ndarray:
        angle = np.linspace(0, 6, len(rows), dtype=np.float32)  # pyright: ignore[reportArgumentType]
        return np.stack([np.cos(angle), np.sin(angle)], axis=1)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("atlas.enrich.umap.layout", circle)
        yield


@pytest.fixture(scope="module")
def layout_without_threads() -> Iterator[None]:
    """No OpenMP in the builds of a module."""
    with circle_for_a_map():
        yield


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models.write_model(tmp_path_factory.mktemp("model") / "model", "gpt2", n_layer=2)


def committing(folder: Path, model: Path, text: str = TEXT) -> Project:
    """A project whose pass commits after every batch."""
    project = Project(folder, model, text=text)
    project.config["pass"]["checkpoint_seconds"] = 0
    return project


@pytest.fixture(scope="session")
def first(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Project:
    """An undisturbed build of `TEXT`; nobody changes it."""
    project = committing(tmp_path_factory.mktemp("first") / "work", tiny_model)
    with circle_for_a_map():
        assert project.build() == 0
    return project


@pytest.fixture(scope="session")
def second(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> dict[str, bytes]:
    """What an undisturbed build of `OTHER_TEXT` gives, with commits in it or none."""
    project = Project(tmp_path_factory.mktemp("second") / "work", tiny_model, text=OTHER_TEXT)
    with circle_for_a_map():
        assert project.build() == 0
    return project.result()


@pytest.fixture
def project(first: Project, tmp_path: Path) -> Project:
    """A copy of the first build whose corpus has changed since."""
    return copied(first, tmp_path / "work")


@pytest.fixture
def unbuilt(tiny_model: Path, tmp_path: Path) -> Project:
    """A project of `OTHER_TEXT` that nobody has built yet."""
    return committing(tmp_path / "work", tiny_model, OTHER_TEXT)
