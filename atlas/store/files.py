"""Writing files so that a crash, a full disk or a missing permission never leaves half a file."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import NoReturn

from atlas.errors import AtlasError, DiskError, InputError

_CHUNK = 1 << 20

TEMPORARY = re.compile(r"\.atlas-[0-9a-f]{16}\.tmp")
"""Name of a file that `write_atomic` has not finished; a killed process leaves it behind."""

_CAUSES = {
    errno.ENOSPC: ("the disk is full", "free some space and run the command again"),
    errno.EDQUOT: ("the disk quota is used up", "free some space and run the command again"),
    errno.EFBIG: ("the file-size limit of this process is reached", "raise it (ulimit -f)"),
    errno.EACCES: ("permission denied", "choose a folder you may write to, or change its permissions"),
    errno.EPERM: ("operation not permitted", "choose a folder you may write to"),
    errno.EROFS: ("the file system is read-only", "choose a folder on a writable file system"),
    errno.EMFILE: ("too many open files", "raise the limit (ulimit -n)"),
    errno.EIO: ("the disk reports an input/output error", "check the disk; copy what is left"),
    errno.ENAMETOOLONG: ("the path is too long", "choose a shorter path"),
    errno.ENOTDIR: ("a part of the path is a file, not a folder", "choose another path"),
    errno.EISDIR: ("the path is a folder, not a file", "choose another path"),
    errno.ENOLCK: ("the file system cannot lock files", "use a local disk"),
}
"""errno → (what happened, what to do)."""

_NO_FOLDER_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES}
"""errno of systems that write files but do not sync folders, or let them be listed by others only."""


def disk_error(error: OSError, path: Path, needed: int | None = None) -> DiskError:
    """`error` as a `DiskError` that names `path`, and the `needed` and free bytes of a full disk."""
    what, fix = _CAUSES.get(error.errno or 0, (error.strerror or str(error), ""))
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        what = f"{what}: {_space(path, needed)}"
    return DiskError(what, where=str(path), fix=fix)


def _space(path: Path, needed: int | None) -> str:
    """Words for the bytes needed and free at `path`."""
    wanted = "" if needed is None else f"{needed:,} bytes needed, "
    for folder in (path, *path.parents):
        with contextlib.suppress(OSError):
            return f"{wanted}{shutil.disk_usage(folder).free:,} bytes free"
    return f"{wanted}free space unknown"


@contextlib.contextmanager
def disk_errors(path: Path, needed: int | None = None) -> Generator[None]:
    """Turns every `OSError` of the block into a `DiskError` about `path` (`needed` in bytes)."""
    try:
        yield
    except OSError as error:
        raise disk_error(error, path, needed) from error


def make_folder(path: Path) -> None:
    """Create `path` and its missing parents, durably; `DiskError` when that is impossible."""
    if "\0" in str(path):
        raise InputError(f"{str(path)!r} cannot be the name of a folder", fix="choose another name")
    with disk_errors(path):
        missing = [folder for folder in (path, *path.parents) if not folder.is_dir()]
        path.mkdir(parents=True, exist_ok=True)
        for folder in missing:
            fsync_folder(folder.parent)


def fsync_folder(path: Path) -> None:
    """Make the names in folder `path` durable, where the system can (Windows and some mounts cannot)."""
    if os.name == "nt":
        return
    try:
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise


def write_atomic(path: Path, *parts: bytes | memoryview, durable: bool = True) -> None:
    """Write `parts` to `path`: temporary file in the same folder, fsync, rename, fsync of the folder.

    `parts` follow each other; a view is one of bytes. Readers see the old file or the new one, never a
    part. Missing folders are made. With `durable=False` nothing is synced: for many small files in a
    staging folder that is switched as a whole. Any failure is a `DiskError` and leaves no temporary
    file behind.
    """
    make_folder(path.parent)
    temporary = path.parent / f".atlas-{secrets.token_hex(8)}.tmp"
    with disk_errors(path, sum(len(part) for part in parts)):
        try:
            _write_new(temporary, parts, durable=durable)
            temporary.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        if durable:
            fsync_folder(path.parent)


def _write_new(path: Path, parts: Iterable[bytes | memoryview], *, durable: bool) -> None:
    """Create `path` of `parts`. Closing is explicit: a close left to the collector hides ENOSPC."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        for part in parts:
            view = memoryview(part)
            while view:
                view = view[os.write(handle, view) :]
        if durable:
            os.fsync(handle)
    finally:
        os.close(handle)


def read_bytes(path: Path, limit: int | None = None) -> bytes:
    """The content of `path`.

    `InputError` when there is no such file or it is longer than `limit` bytes; `DiskError` when
    it cannot be read.
    """
    try:
        with path.open("rb") as file:
            data = file.read() if limit is None else file.read(limit + 1)
    except OSError as error:
        refuse_missing(error, path)
    if limit is not None and len(data) > limit:
        raise InputError(f"the file is larger than {limit:,} bytes", where=str(path))
    return data


def sha256_file(path: Path) -> str:
    """SHA-256 hex of the content of `path`; errors as `read_bytes`."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        refuse_missing(error, path)
    return digest.hexdigest()


def named_hashes(paths: Iterable[Path]) -> list[list[str]]:
    """[name, SHA-256 hex] of each file; errors as `read_bytes`."""
    return [[path.name, sha256_file(path)] for path in paths]


def refuse_missing(error: OSError, path: Path) -> NoReturn:
    """Raise what a failed read of `path` means: `InputError` if it is absent, else `DiskError`."""
    refusal: AtlasError
    if error.errno == errno.ENOENT:
        refusal = InputError("the file does not exist", where=str(path), fix="check the path")
    else:
        refusal = disk_error(error, path)
    raise refusal from error
