"""A build that is locked out, interrupted, killed, out of space or without permission loses nothing.

The builds run in this process, or in a fork of it where they are to die: a fresh interpreter would spend
ten seconds on importing the model libraries first.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from atlas.cli import main
from atlas.errors import EXIT_DISK, EXIT_INTERRUPTED, EXIT_LOCKED
from tests.faults.test_store_faults import mounted
from tests.support import models
from tests.support.disturb import at_moment, count_calls, in_child, interrupted
from tests.support.projects import TEXT, Project, different, tree

OTHER_TEXT = TEXT.replace("dog", "wolf").replace("found", "lost") * 2
"""The corpus of a second build into the same folder."""
KILLS = 10
"""Seeded moments at which a build is killed."""

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="signals and forks as on Unix")


@pytest.fixture(scope="module", autouse=True)
def layout_without_threads() -> Iterator[None]:
    """A circle for a map: umap's compiled code uses OpenMP, which may not run in a fork of its user."""

    def circle(rows: object, unit: object, *arguments: object, **options: object) -> np.ndarray:
        angle = np.linspace(0, 6, len(rows), dtype=np.float32)  # pyright: ignore[reportArgumentType]
        return np.stack([np.cos(angle), np.sin(angle)], axis=1)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("atlas.enrich.umap.layout", circle)
        yield


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models.write_model(tmp_path_factory.mktemp("model") / "model", "gpt2", n_layer=2)


def built(folder: Path, model: Path, text: str = TEXT) -> Project:
    """A project that was built."""
    project = Project(folder, model, text=text)
    assert project.build() == 0
    return project


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Project:
    """An undisturbed build of `TEXT`; nobody changes it."""
    return built(tmp_path_factory.mktemp("first") / "work", model)


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory, model: Path) -> dict[str, bytes]:
    """What an undisturbed build of `OTHER_TEXT` gives."""
    return built(tmp_path_factory.mktemp("second") / "work", model, OTHER_TEXT).result()


@pytest.fixture
def project(first: Project, tmp_path: Path) -> Project:
    """A copy of the first build whose corpus has changed since."""
    return copied(first, tmp_path / "work")


def copied(first: Project, folder: Path) -> Project:
    shutil.copytree(first.folder, folder, dirs_exist_ok=True)
    return Project(folder, first.model, text=OTHER_TEXT)


class TestLock:
    HOLDER = (
        "import sys, time; from pathlib import Path; from atlas.store.lock import lock_folder\n"
        "with lock_folder(Path(sys.argv[1])):\n"
        "    sys.stdout.write('held\\n'); sys.stdout.flush(); time.sleep(600)\n"
    )

    @pytest.fixture
    def holder(self, project: Project) -> Iterator[subprocess.Popen[str]]:
        """Another process that holds the dataset."""
        child = subprocess.Popen(
            [sys.executable, "-c", self.HOLDER, str(project.data)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        yield child
        child.kill()
        child.wait()
        child.stdout.close()

    def test_a_second_build_ends_at_once_and_names_the_first(
        self, project: Project, holder: subprocess.Popen[str], capfd: pytest.CaptureFixture[str]
    ) -> None:
        before = project.result()
        start = time.monotonic()
        code = project.build()
        assert time.monotonic() - start < 2
        said = capfd.readouterr()
        assert code == EXIT_LOCKED, said.err
        assert f"process {holder.pid}" in said.err
        assert str(project.data) in said.err
        assert "Traceback" not in said.err
        assert different(project.result(), before) == []

    def test_the_lock_of_a_killed_build_does_not_block(
        self,
        project: Project,
        holder: subprocess.Popen[str],
        first: Project,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        holder.kill()
        holder.wait()
        assert (project.data / ".lock").read_text().strip() == str(holder.pid)
        project.text = TEXT
        assert project.build() == 0
        assert "another" not in capfd.readouterr().err
        assert different(project.result(), first.result()) == []


class TestSignals:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_during_the_pass_nothing_changes(
        self,
        number: signal.Signals,
        project: Project,
        second: dict[str, bytes],
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        before = project.result()
        with pytest.MonkeyPatch.context() as patch:
            at_moment(patch, "Reading", lambda: signal.raise_signal(number))
            code = project.build()
        said = capfd.readouterr()
        assert code == EXIT_INTERRUPTED, said.err
        assert "Traceback" not in said.err
        assert "stopped after" in said.err
        assert different(project.result(), before) == []
        assert main(["check", str(project.path)]) == 0
        assert project.build() == 0
        assert different(project.result(), second) == []

    @pytest.mark.parametrize("stage", ["Opening", "Enriching", "Writing", "Checking"])
    def test_in_any_other_stage_the_site_stays_and_the_next_build_completes(
        self, stage: str, project: Project, second: dict[str, bytes], capfd: pytest.CaptureFixture[str]
    ) -> None:
        before = tree(project.site)
        with pytest.MonkeyPatch.context() as patch:
            if stage == "Opening":
                patch.setattr("atlas.sources.preflight.preflight", interrupted)
            else:
                at_moment(patch, stage, interrupted)
            code = project.build()
        said = capfd.readouterr()
        assert code == EXIT_INTERRUPTED, said.err
        assert "Traceback" not in said.err
        if stage != "Checking":
            assert different(tree(project.site), before) == []
        assert main(["check", str(project.site)]) == 0
        assert project.build() == 0
        assert different(project.result(), second) == []

    def test_a_first_build_leaves_no_folder_behind(
        self, model: Path, tmp_path: Path, first: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        project = Project(tmp_path / "work", model)
        with monkeypatch.context() as patch:
            at_moment(patch, "Reading", interrupted)
            assert project.build() == EXIT_INTERRUPTED
        assert not (project.folder / "build").exists()
        assert project.build() == 0
        assert different(project.result(), first.result()) == []


@pytest.fixture(scope="module")
def calls(first: Project, tmp_path_factory: pytest.TempPathFactory) -> int:
    """System calls of an undisturbed second build."""
    project = copied(first, tmp_path_factory.mktemp("count") / "work")
    last = 0

    def note(number: int) -> None:
        nonlocal last
        last = number

    with pytest.MonkeyPatch.context() as patch:
        count_calls(patch, note)
        assert project.build() == 0
    return last


class TestKill:
    @pytest.mark.parametrize("kill", range(KILLS))
    def test_at_a_random_moment_and_built_again_gives_the_same_bytes(
        self, kill: int, calls: int, project: Project, second: dict[str, bytes]
    ) -> None:
        assert calls > 200
        # One moment in each tenth of the build, so that no stage is left out by chance.
        moment = 1 + int(calls * (kill + random.Random(kill).random()) / KILLS)  # noqa: S311 - seeded test data

        def die(number: int) -> None:
            if number == moment:
                os.kill(os.getpid(), signal.SIGKILL)

        def run() -> int:
            with pytest.MonkeyPatch.context() as patch:
                count_calls(patch, die)
                return project.build()

        status = in_child(run)
        assert os.WIFSIGNALED(status), status
        assert os.WTERMSIG(status) == signal.SIGKILL
        assert main(["check", str(project.site)]) == 0, "the previous site, or the new one"
        assert project.build() == 0
        assert different(project.result(), second) == []
        assert sorted(path.name for path in (project.folder / "build").iterdir()) == ["data", "site"]

    def test_what_a_killed_build_left_is_gone_even_where_the_pass_is_skipped(
        self, first: Project, tmp_path: Path
    ) -> None:
        project = copied(first, tmp_path / "work")
        project.text = TEXT
        name = ".atlas-0123456789abcdef.tmp"
        left = [project.data / name, project.data / ".partial" / "0123456789abcdef" / name]
        left[1].parent.mkdir(parents=True)
        for path in left:
            path.write_bytes(b"half a table")
        mine = project.data / ".mine.tmp"
        mine.write_text("not ours")
        assert project.build() == 0
        assert [path for path in left if path.exists()] == []
        assert mine.read_text() == "not ours"
        mine.unlink()
        assert different(project.result(), first.result()) == []

    def test_after_a_random_time_of_a_first_build(self, model: Path, tmp_path: Path, first: Project) -> None:
        project = Project(tmp_path / "work", model)
        moments = random.Random(5)  # noqa: S311 - seeded test data
        kills = 0
        for _ in range(4):
            child = os.fork()
            if child == 0:
                try:
                    project.build("--fresh")
                finally:
                    os._exit(0)
            time.sleep(moments.uniform(0.02, 0.6))
            os.kill(child, signal.SIGKILL)
            kills += os.WIFSIGNALED(os.waitpid(child, 0)[1])
        assert kills
        assert project.build() == 0
        assert different(project.result(), first.result()) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    folder = tmp_path / "disk"
    if not mounted(folder, "size=4m"):
        pytest.skip("a small file system needs root and mount")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.root
class TestFullDisk:
    @pytest.mark.parametrize("left", [0, 8_192, 40_960, 131_072, 262_144])
    def test_wherever_the_space_runs_out_the_site_stays(
        self,
        left: int,
        small_disk: Path,
        first: Project,
        second: dict[str, bytes],
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        project = copied(first, small_disk / "work")
        project.write()
        before = tree(project.site)
        ballast = small_disk / "ballast"
        with ballast.open("wb") as file:
            file.write(bytes(max(shutil.disk_usage(small_disk).free - left, 0)))
        code = main(["build", str(project.path)])
        said = capfd.readouterr()
        assert code == EXIT_DISK, said.err
        assert "the disk is full" in said.err
        assert "bytes free" in said.err
        assert str(small_disk) in said.err
        assert "Traceback" not in said.err
        assert different(tree(project.site), before) == []
        assert main(["check", str(project.site)]) == 0
        ballast.unlink()
        assert project.build() == 0
        assert different(project.result(), second) == []

    def test_a_disk_that_is_read_only(
        self, small_disk: Path, first: Project, capfd: pytest.CaptureFixture[str]
    ) -> None:
        project = copied(first, small_disk / "work")
        project.write()
        before = project.result()
        subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
        code = main(["build", str(project.path)])
        said = capfd.readouterr()
        assert code == EXIT_DISK, said.err
        assert "read-only" in said.err
        assert str(project.data) in said.err
        assert different(project.result(), before) == []


@pytest.fixture
def public(first: Project) -> Iterator[Project]:
    """A copy of the first build, model included, that everybody may read and only its owner may change."""
    with tempfile.TemporaryDirectory(prefix="atlas-") as name:
        Path(name).chmod(0o755)
        shutil.copytree(first.model, Path(name) / "model")
        project = copied(first, Path(name) / "work")
        project.model = Path(name) / "model"
        project.config["model"]["name"] = str(project.model)
        project.write()
        for path in Path(name).rglob("*"):
            path.chmod(0o555 if path.is_dir() else 0o444)
        yield project
        for path in Path(name).rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)


@pytest.mark.parametrize("stage", ["data", "site"])
def test_a_folder_that_may_not_be_written(stage: str, public: Project, tmp_path: Path) -> None:
    """As an ordinary user; a build that root started gives its rights up first."""
    if stage == "site":
        for path in (public.data, *public.data.rglob("*")):
            path.chmod(0o777 if path.is_dir() else 0o666)
    before = tree(public.site)
    out = tmp_path / "said"

    def run() -> int:
        handle = os.open(out, os.O_WRONLY | os.O_CREAT, 0o666)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        if os.geteuid() == 0:
            os.setgid(65534)
            os.setuid(65534)
        return main(["build", str(public.path)])

    status = in_child(run)
    said = out.read_text()
    assert os.WEXITSTATUS(status) == EXIT_DISK, said
    assert "permission denied" in said
    assert str(public.data if stage == "data" else public.site.parent) in said
    assert "Traceback" not in said
    assert different(tree(public.site), before) == []
