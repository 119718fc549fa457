"""A build that runs out of disk, files or memory says so, and goes on from what it has when there is room."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from atlas.cli import main
from atlas.errors import EXIT_DISK, EXIT_INPUT
from tests.faults.test_store_faults import mounted
from tests.support.disturb import at_moment, in_child
from tests.support.projects import Project, copied, different, tree

POINTS = 20
"""Places at which the space runs out, in each of two ways."""

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="limits and forks as on Unix"),
    pytest.mark.usefixtures("layout_without_threads"),
]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    folder = tmp_path / "disk"
    if not mounted(folder, "size=4m"):
        pytest.skip("a small file system needs root and mount")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(disk: Path, left: int) -> Path:
    """Leave `left` bytes free on `disk`; the file that takes the rest."""
    ballast = disk / "ballast"
    with ballast.open("wb") as file:
        file.write(bytes(max(shutil.disk_usage(disk).free - left, 0)))
    return ballast


def assert_said(said: str, *words: str) -> None:
    for word in words:
        assert word in said, said
    assert "Traceback" not in said
    assert "bug in atlas" not in said


@pytest.mark.root
class TestFullDisk:
    @pytest.mark.parametrize("left", [4096 * round(0.2 * point**2) for point in range(POINTS)])
    def test_wherever_the_space_runs_out_the_site_stays(
        self,
        left: int,
        small_disk: Path,
        first: Project,
        second: dict[str, bytes],
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        """Told to try all the same, since the estimate would stop it before it starts."""
        project = copied(first, small_disk / "work")
        project.write()
        before = tree(project.site)
        ballast = fill(small_disk, left)
        code = main(["build", str(project.path), "--force"])
        said = capfd.readouterr().err
        assert code == EXIT_DISK, said
        assert_said(said, "the disk is full", "bytes free", str(small_disk))
        assert different(tree(project.site), before) == []
        assert main(["check", str(project.site)]) == 0
        ballast.unlink()
        assert project.build() == 0
        assert different(project.result(), second) == []

    def test_too_little_space_is_said_before_the_long_run(
        self, small_disk: Path, first: Project, capfd: pytest.CaptureFixture[str]
    ) -> None:
        project = copied(first, small_disk / "work")
        project.write()
        before = project.result()
        fill(small_disk, 262_144)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("atlas.stream.run.Reading.read", None)
            assert main(["build", str(project.path)]) == EXIT_DISK
        said = capfd.readouterr().err
        assert_said(said, "the disk is too small: about ", " bytes needed, ", f"where: {project.data}")
        assert different(project.result(), before) == []

    def test_a_disk_that_is_read_only(
        self, small_disk: Path, first: Project, capfd: pytest.CaptureFixture[str]
    ) -> None:
        project = copied(first, small_disk / "work")
        project.write()
        before = project.result()
        subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
        assert main(["build", str(project.path)]) == EXIT_DISK
        assert_said(capfd.readouterr().err, "read-only", str(project.data))
        assert different(project.result(), before) == []


def refuse_writes(patch: pytest.MonkeyPatch, number: int, first_refused: int) -> list[int]:
    """From its `first_refused` call on `os.write` fails with the error `number`; returns a running count."""
    calls: list[int] = []
    write = os.write

    def refusing(handle: int, data: bytes) -> int:
        # What this process says goes through other calls; 1 and 2 are left alone all the same.
        if handle > 2:
            calls.append(len(data))
            if len(calls) >= first_refused > 0:
                raise OSError(number, os.strerror(number))
        return write(handle, data)

    patch.setattr(os, "write", refusing)
    return calls


@pytest.fixture(scope="module")
def writes(first: Project, tmp_path_factory: pytest.TempPathFactory) -> int:
    """Writes of an undisturbed second build."""
    project = copied(first, tmp_path_factory.mktemp("writes") / "work")
    with pytest.MonkeyPatch.context() as patch:
        calls = refuse_writes(patch, errno.ENOSPC, 0)
        assert project.build() == 0
    return len(calls)


class TestRefusedWrites:
    @pytest.mark.parametrize("point", range(POINTS))
    def test_at_any_write_a_full_disk_is_told_with_path_and_bytes(
        self,
        point: int,
        writes: int,
        project: Project,
        second: dict[str, bytes],
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        assert writes > 2 * POINTS
        before = tree(project.site)
        with pytest.MonkeyPatch.context() as patch:
            refuse_writes(patch, errno.ENOSPC, 1 + point * writes // POINTS)
            code = project.build()
        said = capfd.readouterr().err
        assert code == EXIT_DISK, said
        where = str(project.folder / "build")
        assert_said(said, "the disk is full: ", " bytes needed, ", " bytes free", f"where: {where}")
        assert different(tree(project.site), before) == []
        assert project.build() == 0
        assert different(project.result(), second) == []

    @pytest.mark.parametrize(
        ("number", "words"),
        [
            (errno.EACCES, "permission denied"),
            (errno.EROFS, "the file system is read-only"),
            (errno.EMFILE, "too many open files"),
            (errno.EDQUOT, "the disk quota is used up"),
            (errno.EIO, "the disk reports an input/output error"),
            (errno.EFBIG, "the file-size limit of this process is reached"),
        ],
        ids=lambda value: errno.errorcode[value] if isinstance(value, int) else None,
    )
    def test_other_refusals_in_the_middle_of_the_pass(
        self,
        number: int,
        words: str,
        unbuilt: Project,
        second: dict[str, bytes],
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        """After the first commit: the second one fails, the first one is gone on with."""
        with pytest.MonkeyPatch.context() as patch:
            at_moment(patch, "Reading", lambda: refuse_writes(patch, number, 1), 2)  # type: ignore[func-returns-value]
            code = unbuilt.build()
        said = capfd.readouterr().err
        assert code == EXIT_DISK, said
        assert_said(said, words, str(unbuilt.data))
        assert (unbuilt.data / ".partial" / "checkpoint" / "pass.json").exists()
        assert unbuilt.build() == 0
        assert different(unbuilt.result(), second) == []


def limited(project: Project, limit: Callable[[], None], nth: int, said: Path) -> int:
    """Exit code of a build in a fork that calls `limit` at the `nth` news of its pass."""

    def run() -> int:
        handle = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        os.dup2(handle, 2)
        sys.stderr = os.fdopen(2, "w")
        with pytest.MonkeyPatch.context() as patch:
            at_moment(patch, "Reading", limit, nth)
            code = project.build()
        sys.stderr.flush()
        return code

    status = in_child(run)
    assert os.WIFEXITED(status), status
    return os.WEXITSTATUS(status)


def few_files() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_NOFILE, (len(list(Path("/proc/self/fd").iterdir())) - 1,) * 2)


def short_files() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, 2_000))


def little_memory() -> None:
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    used = pages * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (4 << 30),) * 2)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the limits need Linux's /proc")
class TestLimits:
    """Limits of the system itself, set in a fork while it reads."""

    @pytest.mark.parametrize(
        ("limit", "words"), [(few_files, "too many open files"), (short_files, "the file-size limit")]
    )
    def test_of_files(
        self,
        limit: Callable[[], None],
        words: str,
        unbuilt: Project,
        second: dict[str, bytes],
        tmp_path: Path,
    ) -> None:
        said = tmp_path / "said"
        assert limited(unbuilt, limit, 2, said) == EXIT_DISK, said.read_text()
        assert_said(said.read_text(), words, "where: ")
        assert unbuilt.build() == 0
        assert different(unbuilt.result(), second) == []

    @pytest.mark.parametrize("library", ["numpy", "torch"])
    def test_of_memory(
        self,
        library: str,
        unbuilt: Project,
        second: dict[str, bytes],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A batch that needs 16 GiB where 4 are left (each thread takes 64 MiB); then one that does not."""
        import torch

        from atlas.stream.run import Reading

        hungry: Callable[[int], object] = np.ones if library == "numpy" else torch.ones
        read_batch, calls = Reading._read_batch, 0

        def greedy(self: Reading, batch: object) -> None:
            nonlocal calls
            calls += 1
            if calls == 3:
                hungry(1 << 32)
            read_batch(self, batch)  # pyright: ignore[reportArgumentType]

        said = tmp_path / "said"
        with monkeypatch.context() as patch:
            patch.setattr(Reading, "_read_batch", greedy)
            assert limited(unbuilt, little_memory, 2, said) == EXIT_INPUT, said.read_text()
        assert_said(
            said.read_text(),
            "not enough memory after 256 tokens of the pass; 256 tokens are kept",
            "lower pass.batch_contexts",
        )
        assert unbuilt.build() == 0
        assert different(unbuilt.result(), second) == []
