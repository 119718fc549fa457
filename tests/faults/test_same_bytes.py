"""Equal inputs give equal bytes, whatever the process around them is like."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from tests.support import models
from tests.support.projects import TEXT, Project, different

OTHER_WORLD = {
    "TZ": "Pacific/Kiritimati",
    "LANG": "tr_TR.UTF-8",
    "LC_ALL": "C",
    "PYTHONHASHSEED": "4711",
    "OMP_NUM_THREADS": "2",
    "MKL_NUM_THREADS": "2",
    "TOKENIZERS_PARALLELISM": "true",
    "COLUMNS": "40",
    "PYTHONWARNINGS": "ignore",
}
"""Everything about a process that no result may depend on."""


def make(folder: Path, model: Path) -> Project:
    """A project with several files, so that their order matters."""
    project = Project(folder, model, text=None)
    project.files = {
        f"texts/{name}.txt": f"{name} {TEXT}" for name in ("b", "a", "ä", "B", "deep/z", "deep/a")
    }
    project.config["corpus"]["paths"] = ["texts"]
    return project


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models.write_model(tmp_path_factory.mktemp("model") / "model", "gpt2", n_layer=2)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, model: Path) -> dict[str, bytes]:
    """What a build in this process gives."""
    project = make(tmp_path_factory.mktemp("plain") / "work", model)
    assert project.build() == 0
    return project.result()


def test_another_process_folder_time_zone_locale_hash_seed_and_thread_count(
    model: Path, tmp_path: Path, plain: dict[str, bytes]
) -> None:
    project = make(tmp_path / "Ein anderer Ort" / "work", model)
    config = project.write()
    done = subprocess.run(
        [sys.executable, "-m", "atlas", "build", os.path.relpath(config, tmp_path)],
        cwd=tmp_path,
        env={**os.environ, **OTHER_WORLD},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert different(project.result(), plain) == []


def test_another_order_of_directories_and_a_clock_400_days_ahead(
    model: Path, tmp_path: Path, plain: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make(tmp_path / "work", model)
    project.write()
    listdir, scandir, now = os.listdir, os.scandir, time.time

    class Backwards:
        """`os.scandir` from its last entry to its first."""

        def __init__(self, *arguments: Any) -> None:
            with scandir(*arguments) as entries:
                self.entries = sorted(entries, key=lambda entry: entry.name)

        def __iter__(self) -> Iterator[Any]:
            return self

        def __next__(self) -> Any:
            if not self.entries:
                raise StopIteration
            return self.entries.pop()

        def close(self) -> None:
            """Closed already."""

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *error: object) -> None:
            """Closed already."""

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", Backwards)
        patch.setattr(os, "listdir", lambda *arguments: sorted(listdir(*arguments), reverse=True))
        patch.setattr(time, "time", lambda: now() + 400 * 86_400)
        assert project.build() == 0
    assert different(project.result(), plain) == []


def test_a_fresh_build_over_the_old_one(model: Path, tmp_path: Path, plain: dict[str, bytes]) -> None:
    project = make(tmp_path / "work", model)
    assert project.build() == 0
    assert project.build("--fresh") == 0
    assert different(project.result(), plain) == []


def test_the_control_another_letter_gives_other_bytes(
    model: Path, tmp_path: Path, plain: dict[str, bytes]
) -> None:
    """What is compared above does see a difference."""
    project = make(tmp_path / "work", model)
    project.files["texts/a.txt"] = f"c {TEXT}"
    assert project.build() == 0
    assert "data/manifest.json" in different(project.result(), plain)
