"""One build per folder: an advisory lock that dies with its process."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Generator
from pathlib import Path

from atlas.errors import LockedError
from atlas.store.files import disk_errors, make_folder

LOCK_NAME = ".lock"

_held: set[int] = set()
"""File descriptors of the locks of this process."""


def _forget_in_child() -> None:
    """A forked worker must not keep the lock alive after its parent was killed."""
    while _held:
        with contextlib.suppress(OSError):
            os.close(_held.pop())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)


@contextlib.contextmanager
def lock_folder(folder: Path) -> Generator[None]:
    """Hold `folder` for the time of the block.

    `LockedError` at once, naming the process id, when another process (or another lock of this
    one) holds it. The lock is the kernel's: a killed process leaves none behind, whatever its
    lock file says.
    """
    make_folder(folder)
    with _held_file(folder / LOCK_NAME, folder) as handle:
        try:
            yield
        finally:
            if handle in _held:
                with contextlib.suppress(OSError):
                    os.ftruncate(handle, 0)


@contextlib.contextmanager
def lock_beside(folder: Path) -> Generator[None]:
    """As `lock_folder`, by a file beside `folder`, for one that is itself replaced; no file is left."""
    place = folder.resolve()
    make_folder(place.parent)
    path = place.with_name(f".{place.name}{LOCK_NAME}")
    with _held_file(path, folder) as handle:
        try:
            yield
        finally:
            # While it is still held: nobody can have locked the file that goes.
            if handle in _held:
                with contextlib.suppress(OSError):
                    path.unlink()


@contextlib.contextmanager
def _held_file(path: Path, folder: Path) -> Generator[int]:
    """The descriptor of the locked file `path`, which stands for `folder`."""
    handle = _open_locked(path, folder)
    _held.add(handle)
    try:
        yield handle
    finally:
        # In a forked child the lock is gone, and the number may by now be another file's.
        if handle in _held:
            _held.discard(handle)
            os.close(handle)


def _open_locked(path: Path, folder: Path) -> int:
    """`path`, opened and locked; opened again when its last holder removed it meanwhile."""
    while True:
        with disk_errors(path):
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            _acquire(handle, path, folder)
            if sys.platform == "win32" or _is_at(handle, path):
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _is_at(handle: int, path: Path) -> bool:
    """Whether the open file `handle` is the one that `path` names now."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _acquire(handle: int, path: Path, folder: Path) -> None:
    """Lock `handle` and write the process id into it, or raise `LockedError`."""
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise _locked(handle, folder) from error
        return
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise _locked(handle, folder) from error
    except OSError as error:
        with disk_errors(path):
            raise error from None
    owner = f"{os.getpid()}\n".encode()
    with disk_errors(path, len(owner)):
        os.ftruncate(handle, 0)
        os.write(handle, owner)


def _locked(handle: int, folder: Path) -> LockedError:
    """The error that names the process in the lock file behind `handle`."""
    try:
        text = os.read(handle, 32).decode("ascii", "replace").strip()
    except OSError:
        text = ""
    owner = f"process {text}" if text.isdecimal() else "another process"
    return LockedError(
        f"{owner} is building in this folder",
        where=str(folder),
        fix="wait until it ends, or stop it; a lock left by a killed process never blocks",
    )
