"""One build per folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from atlas.errors import DiskError, LockedError
from atlas.store import AtlasStore
from atlas.store.lock import LOCK_NAME, lock_folder

HOLDER = """
import sys, time
from pathlib import Path
from atlas.store.lock import lock_folder
with lock_folder(Path(sys.argv[1])):
    sys.stdout.write("held\\n"); sys.stdout.flush()
    {then}
"""
FORK_AND_WAIT = """
    import os
    if os.fork() == 0:
        sys.stdout.write(f"{os.getpid()}\\n"); sys.stdout.flush()
    time.sleep(600)
"""
FORK_AND_LEAVE = """
    import os
    child = os.fork()
    if child == 0:
        sys.exit()
    os.waitpid(child, 0)
    sys.stdout.write("left\\n"); sys.stdout.flush()
    time.sleep(600)
"""


def holder(folder: Path, then: str = "time.sleep(600)") -> subprocess.Popen[str]:
    """A process that holds `folder`."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER.format(then=then.strip()), str(folder)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def test_a_second_lock_names_the_process(tmp_path: Path):
    with lock_folder(tmp_path), pytest.raises(LockedError) as caught, lock_folder(tmp_path):
        pass
    assert f"process {os.getpid()} " in caught.value.what
    assert caught.value.where == str(tmp_path)
    assert caught.value.exit_code == 3


def test_it_can_be_taken_again(tmp_path: Path):
    for _ in range(3):
        with lock_folder(tmp_path):
            assert (tmp_path / LOCK_NAME).read_text() == f"{os.getpid()}\n"
    assert (tmp_path / LOCK_NAME).read_text() == ""


def test_it_is_released_by_an_exception(tmp_path: Path):
    with pytest.raises(ZeroDivisionError), lock_folder(tmp_path):
        raise ZeroDivisionError
    with lock_folder(tmp_path):
        pass


def test_another_process_is_refused_at_once_and_told_who_holds_it(tmp_path: Path):
    process = holder(tmp_path)
    try:
        start = time.monotonic()
        with pytest.raises(LockedError, match=f"process {process.pid} "), lock_folder(tmp_path):
            pass
        assert time.monotonic() - start < 60, "it does not wait"
    finally:
        end(process)


def test_a_killed_process_leaves_no_lock(tmp_path: Path):
    process = holder(tmp_path)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert (tmp_path / LOCK_NAME).read_text() == f"{process.pid}\n"
    with lock_folder(tmp_path):
        assert (tmp_path / LOCK_NAME).read_text() == f"{os.getpid()}\n"
    end(process)


def test_a_worker_that_outlives_its_killed_parent_does_not_keep_the_lock(tmp_path: Path):
    process = holder(tmp_path, FORK_AND_WAIT)
    assert process.stdout is not None
    child = int(process.stdout.readline())
    try:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        os.kill(child, 0)
        with lock_folder(tmp_path):
            pass
    finally:
        os.kill(child, signal.SIGKILL)
        end(process)


def test_a_forked_worker_that_leaves_the_block_does_not_release_it(tmp_path: Path):
    process = holder(tmp_path, FORK_AND_LEAVE)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "left\n"
        with pytest.raises(LockedError, match=f"process {process.pid} "), lock_folder(tmp_path):
            pass
    finally:
        end(process)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"not a number", b"9" * 100, b"\x1b[31m"])
def test_whatever_stands_in_the_lock_file(tmp_path: Path, content: bytes):
    with lock_folder(tmp_path):
        (tmp_path / LOCK_NAME).write_bytes(content)
        with pytest.raises(LockedError) as caught, lock_folder(tmp_path):
            pass
    assert caught.value.what.isprintable()
    with lock_folder(tmp_path):
        pass


def test_the_folder_is_made(tmp_path: Path):
    with lock_folder(tmp_path / "new"):
        assert (tmp_path / "new").is_dir()


def test_a_folder_that_cannot_be_made(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(DiskError), lock_folder(tmp_path / "file"):
        pass


def test_a_store_locks_its_folder(tmp_path: Path):
    store = AtlasStore.create(tmp_path / "data")
    with store.lock(), pytest.raises(LockedError), AtlasStore.open(store.path).lock():
        pass


def test_the_lock_reads_what_another_build_wrote_meanwhile(tmp_path: Path):
    store = AtlasStore.create(tmp_path / "data")
    AtlasStore.open(store.path).update(title="newer")
    with store.lock():
        assert store.manifest.title == "newer"
