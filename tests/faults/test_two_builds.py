"""One build per folder, dataset and site alike: the second one ends at once and names the first."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from atlas.cli import main
from atlas.errors import EXIT_LOCKED, LockedError
from atlas.store.lock import lock_beside
from tests.support.disturb import at_moment
from tests.support.projects import OTHER_TEXT, TEXT, Project, different, tree

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="forks as on Unix"),
    pytest.mark.usefixtures("layout_without_threads"),
]

AT_ONCE = 2.0
"""Seconds of work after which a build that is locked out has ended; a busy machine takes longer for them."""

PATIENCE = 300.0
"""Seconds that a build holds its folder for the others to try."""

HOLDER = (
    "import sys, time; from pathlib import Path; from atlas.store.lock import lock_folder\n"
    "with lock_folder(Path(sys.argv[1])):\n"
    "    sys.stdout.write('held\\n'); sys.stdout.flush(); time.sleep(600)\n"
)


@pytest.fixture
def holder(project: Project) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the dataset."""
    child = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(project.data)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    yield child
    child.kill()
    child.wait()
    child.stdout.close()


def test_a_second_build_ends_at_once_and_names_the_first(
    project: Project, holder: subprocess.Popen[str], capfd: pytest.CaptureFixture[str]
) -> None:
    before = project.result()
    start, worked = time.monotonic(), time.process_time()
    code = project.build()
    assert time.process_time() - worked < AT_ONCE
    assert time.monotonic() - start < PATIENCE, "it does not wait"
    said = capfd.readouterr()
    assert code == EXIT_LOCKED, said.err
    assert f"process {holder.pid}" in said.err
    assert str(project.data) in said.err
    assert "Traceback" not in said.err
    assert different(project.result(), before) == []


def test_the_lock_of_a_killed_build_does_not_block(
    project: Project, holder: subprocess.Popen[str], first: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    holder.kill()
    holder.wait()
    assert (project.data / ".lock").read_text().strip() == str(holder.pid)
    project.text = TEXT
    assert project.build() == 0
    assert "another" not in capfd.readouterr().err
    assert different(project.result(), first.result()) == []


@dataclass
class Ended:
    """A build that has ended."""

    pid: int
    code: int
    seconds: float
    """Of work."""
    said: str


def race(projects: list[Project], folder: Path) -> list[Ended]:
    """Build all `projects` at once, each in a fork; the one that gets to read waits for the others to end."""
    go, done = folder / "go", folder / "done"
    started: dict[int, Path] = {}
    for number, project in enumerate(projects):
        project.write()
        said = folder / f"said-{number}"
        child = os.fork()
        if child == 0:
            run_quietly(project, said, until(go), until(done))
        started[child] = said
    go.touch()
    ended: list[Ended] = []
    while started:
        pid, status, used = os.wait4(-1, 0)
        said = started.pop(pid)
        worked = used.ru_utime + used.ru_stime
        ended.append(Ended(pid, os.waitstatus_to_exitcode(status), worked, said.read_text()))
        if len(started) <= 1:
            done.touch()
    return ended


def until(path: Path) -> Callable[[], None]:
    """Waits for a file."""

    def wait() -> None:
        deadline = time.monotonic() + PATIENCE
        while not path.exists() and time.monotonic() < deadline:
            time.sleep(0.002)

    return wait


def run_quietly(project: Project, said: Path, ready: Callable[[], None], hold: Callable[[], None]) -> None:
    """Build in this fork, with what it says in a file; never returns."""
    code = 70
    try:
        handle = os.open(said, os.O_WRONLY | os.O_CREAT, 0o666)
        os.dup2(handle, 2)
        sys.stderr = os.fdopen(2, "w")
        with pytest.MonkeyPatch.context() as patch:
            at_moment(patch, "Reading", hold)
            ready()
            code = main(["build", str(project.path)])
            sys.stderr.flush()
    finally:
        os._exit(code)


@pytest.mark.parametrize("builds", [2, 5])
def test_of_several_at_once_exactly_one_runs(
    builds: int, unbuilt: Project, second: dict[str, bytes], tmp_path: Path
) -> None:
    ended = race([unbuilt] * builds, tmp_path)
    *losers, winner = ended
    assert winner.code == 0, winner.said
    assert [loser.code for loser in losers] == [EXIT_LOCKED] * (builds - 1)
    for loser in losers:
        assert loser.seconds < AT_ONCE
        assert re.search(rf"process {winner.pid} is building in this folder", loser.said), loser.said
        assert "Traceback" not in loser.said
    assert different(unbuilt.result(), second) == []


def test_two_datasets_do_not_build_one_site_at_once(
    unbuilt: Project, tiny_model: Path, second: dict[str, bytes], tmp_path: Path
) -> None:
    other = Project(tmp_path / "other", tiny_model, text=OTHER_TEXT)
    other.config["output"] = {"data": "build/data", "site": str(unbuilt.site)}
    loser, winner = race([unbuilt, other], tmp_path)
    assert (loser.code, winner.code) == (EXIT_LOCKED, 0), loser.said + winner.said
    assert loser.seconds < AT_ONCE
    assert f"process {winner.pid} is building in this folder" in loser.said
    assert f"where: {unbuilt.site}" in loser.said
    assert different(tree(unbuilt.site, "site/"), {k: v for k, v in second.items() if "site/" in k[:5]}) == []
    left = {path.name for path in unbuilt.folder.glob("build/*")} | {
        p.name for p in other.folder.glob("build/*")
    }
    assert left <= {"data", "site"}, "no lock, and no folder of the build that did not run"


def test_rendering_does_not_write_into_a_site_that_is_being_built(
    project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    before = tree(project.site)
    with lock_beside(project.site):
        assert main(["render", str(project.write())]) == EXIT_LOCKED
        assert main(["build", str(project.path)]) == EXIT_LOCKED
    assert f"process {os.getpid()} is building" in capfd.readouterr().err
    assert different(tree(project.site), before) == []


class TestLockBeside:
    def test_leaves_no_file_and_makes_no_folder_of_the_name(self, tmp_path: Path) -> None:
        with lock_beside(tmp_path / "new" / "site"):
            assert [path.name for path in (tmp_path / "new").iterdir()] == [".site.lock"]
        assert list((tmp_path / "new").iterdir()) == []

    def test_two_names_of_one_folder_are_one_lock(self, tmp_path: Path) -> None:
        (tmp_path / "site").mkdir()
        (tmp_path / "link").symlink_to("site")
        with lock_beside(tmp_path / "site"), pytest.raises(LockedError), lock_beside(tmp_path / "link"):
            pass

    def test_a_neighbour_is_free(self, tmp_path: Path) -> None:
        with lock_beside(tmp_path / "one"), lock_beside(tmp_path / "other"):
            pass

    def test_an_error_releases_it(self, tmp_path: Path) -> None:
        with pytest.raises(ZeroDivisionError), lock_beside(tmp_path / "site"):
            raise ZeroDivisionError
        with lock_beside(tmp_path / "site"):
            pass

    def test_who_waited_for_a_removed_file_takes_the_new_one(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The file is removed between opening and locking it: a lock on it would hold nothing."""
        from atlas.store import lock

        acquire, path = lock._acquire, tmp_path / ".site.lock"
        opened: list[int] = []

        def late(handle: int, *arguments: Path) -> None:
            acquire(handle, *arguments)
            opened.append(handle)
            if len(opened) == 1:
                path.unlink()

        monkeypatch.setattr(lock, "_acquire", late)
        with lock_beside(tmp_path / "site"):
            assert len(opened) == 2
            monkeypatch.undo()
            with pytest.raises(LockedError), lock_beside(tmp_path / "site"):
                pass
