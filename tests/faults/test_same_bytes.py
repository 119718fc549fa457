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

from atlas.store import AtlasStore
from tests.support import models
from tests.support.compare import differences
from tests.support.projects import SLUG, TEXT, Project, different

pytestmark = pytest.mark.slow

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
    "USER": "somebody",
    "LOGNAME": "somebody",
}
"""Everything about a process that no result may depend on."""

LATER = 400 * 86_400
"""Seconds."""

BATCHES = 1e-4
"""Relative difference of a float between builds of other batch sizes: the last bits of a matrix product
depend on its shape. Counts of firings are equal unless an activation lies within that of its threshold."""


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
def built(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Project:
    """A build in this process."""
    project = make(tmp_path_factory.mktemp("plain") / "work", model)
    assert project.build() == 0
    return project


@pytest.fixture(scope="module")
def plain(built: Project) -> dict[str, bytes]:
    """What it gives."""
    return built.result()


@pytest.fixture(scope="module")
def plain_store(built: Project) -> AtlasStore:
    """Its dataset."""
    return AtlasStore.open(built.data)


def test_another_process_user_folder_time_zone_locale_hash_seed_and_thread_count(
    model: Path, tmp_path: Path, plain: dict[str, bytes]
) -> None:
    project = make(tmp_path / "Ein anderer Ort" / "work", model)
    config = project.write()
    own = {"HOME": tmp_path / "home", "TMPDIR": tmp_path / "tmp"}
    for folder in own.values():
        folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "atlas", "build", os.path.relpath(config, tmp_path)],
        cwd=tmp_path,
        env={**os.environ, **OTHER_WORLD, **{name: str(folder) for name, folder in own.items()}},
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
    listdir, scandir, now, now_ns = os.listdir, os.scandir, time.time, time.time_ns

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
        patch.setattr(time, "time", lambda: now() + LATER)
        patch.setattr(time, "time_ns", lambda: now_ns() + LATER * 10**9)
        assert project.build() == 0
    assert different(project.result(), plain) == []


def test_a_fresh_build_over_the_old_one(model: Path, tmp_path: Path, plain: dict[str, bytes]) -> None:
    project = make(tmp_path / "work", model)
    assert project.build() == 0
    assert project.build("--fresh") == 0
    assert different(project.result(), plain) == []


@pytest.mark.parametrize("size", [1, 3, 64])
def test_other_batches_give_the_same_counts_and_ranks_and_nearly_the_same_floats(
    size: int, model: Path, tmp_path: Path, plain_store: AtlasStore
) -> None:
    project = make(tmp_path / "work", model)
    project.config["pass"]["batch_contexts"] = size
    assert project.build() == 0
    store = AtlasStore.open(project.data)
    for table in ("features", "examples", "report"):
        found, wanted = (each.read(table, SLUG).to_pylist() for each in (store, plain_store))
        if table == "report":
            found, wanted = ([{row["metric"]: row["value"]} for row in rows] for rows in (found, wanted))
        assert list(differences(found, wanted, table, relative=BATCHES, absolute=1e-5)) == []
    top = [row for row in store.read("examples", SLUG).to_pylist() if row["group"] == "top"]
    rule = sorted(
        top, key=lambda row: (row["feature_idx"], -row["activation"], row["context_idx"], row["position"])
    )
    assert top == rule


def test_the_control_another_letter_gives_other_bytes(
    model: Path, tmp_path: Path, plain: dict[str, bytes]
) -> None:
    """What is compared above does see a difference."""
    project = make(tmp_path / "work", model)
    project.files["texts/a.txt"] = f"c {TEXT}"
    assert project.build() == 0
    assert "data/manifest.json" in different(project.result(), plain)
