"""Where a site is written: into a staging folder beside it, switched into place by one rename."""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Self

from atlas.errors import InputError
from atlas.store.files import disk_error, disk_errors, fsync_folder, make_folder
from atlas.store.seal import OPENING, SEAL_NAME, Seal, read_seal, seal_text

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from types import TracebackType

MARKER = SEAL_NAME
"""File in the root of every site; only folders that carry it are ever replaced."""

_PATH = re.compile(r"(?:[a-z0-9][a-z0-9._-]*/)*[a-z0-9][a-z0-9._-]*|\.nojekyll|\.atlas-site")
_WRITE = os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0)
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


class Output:
    """A site in the making; use it as a context manager.

    Entering refuses (`InputError`) a folder that holds something else than a site of ours. Leaving
    without an exception writes down every file's hash, makes everything durable and switches the new
    site into place by one rename: until then the previous site is whole and untouched. Leaving with one
    discards the staging folder. A staging folder that a killed run left behind is removed on entering.

    A file that the previous site has with the same bytes is not written again: both sites share it (a hard
    link) until the previous one goes, so it keeps its time of change. A part of the site that is made from
    the same things as before (`atlas.render.parts`) need not even be made.
    """

    def __init__(self, folder: Path | str, made_from: str = "") -> None:
        """`made_from` is a digest of what the site is made of, for the seal (`atlas.store.seal`)."""
        self.folder = Path(folder).resolve()
        self.staging = self.folder.with_name(f".{self.folder.name}.staging")
        self._root = str(self.staging)
        self.sizes: dict[str, int] = {}
        """Path of each file written → its size in bytes."""
        self._made_from = made_from
        self.written = 0
        """Files written so far that the previous site did not have with the same bytes."""
        self._previous = Seal("", {})
        self._parts: dict[str, str] = {}
        self._digests: dict[str, str] = {}
        self._folders: set[str] = set()

    def __enter__(self) -> Self:
        refuse_foreign(self.folder)
        self.discard()
        refuse_foreign(self.staging)
        make_folder(self.staging)
        self._previous = read_seal(self.folder) or self._previous
        self._put(MARKER, OPENING.encode())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._switch()
        finally:
            self.discard()

    @property
    def total_bytes(self) -> int:
        """Bytes of all files written so far."""
        return sum(self.sizes.values())

    def write(self, path: str, data: bytes) -> None:
        """Add a file at `path` (relative, lower case, forward slashes), once.

        `ValueError` for a path outside this alphabet or written twice, `DiskError` from the disk.
        """
        if not _PATH.fullmatch(path) or path in self.sizes:
            raise ValueError(f"{path!r} is no path of a site, or was written twice")
        digest = hashlib.sha256(data).hexdigest()
        if self._previous.digests.get(path) != digest or not self._share(path, data):
            self._put(path, data)
            self.written += 1
        self._digests[path] = digest

    def _share(self, path: str, data: bytes) -> bool:
        """Take the file from the previous site; False where it is not as it was written."""
        old = self.folder / path
        try:
            if old.read_bytes() != data or old.is_symlink():
                return False
        except OSError:
            return False
        return self._link(path, len(data))

    def _link(self, path: str, size: int) -> bool:
        """Share the file with the previous site; False where the system cannot."""
        try:
            self._make_parent(path)
            os.link(f"{self.folder}/{path}", f"{self._root}/{path}")
        except OSError:
            return False
        self.sizes[path] = size
        return True

    def keep(self, part: str, keys: Collection[str], paths: Sequence[str]) -> bool:
        """Take all files of `part`, which are `paths`, from the previous site instead of writing them.

        False, and nothing is taken, unless that site made the part from one of `keys` and every file still
        has the bytes it was sealed with: a file that was damaged, edited or removed has to be made anew.
        """
        key = self._previous.parts.get(part)
        if key is None or key not in keys:
            return False
        contents = [self._intact(path) for path in paths]
        found = [data for data in contents if data is not None]
        if len(found) < len(paths):
            return False
        for path, data in zip(paths, found, strict=True):
            if not self._link(path, len(data)):
                self._put(path, data)
                self.written += 1
            self._digests[path] = self._previous.digests[path]
        self._parts[part] = key
        return True

    def _intact(self, path: str) -> bytes | None:
        """The file of the previous site; None where it is not as it was sealed."""
        old = f"{self.folder}/{path}"
        try:
            with open(old, "rb", buffering=0) as file:  # noqa: PTH123 - half the time of a Path, file by file
                data = file.read()
        except OSError:
            return None
        same = hashlib.sha256(data).hexdigest() == self._previous.digests.get(path)
        return data if same and not os.path.islink(old) else None  # noqa: PTH114 - as above

    def record(self, part: str, key: str) -> None:
        """Note that the files of `part`, written by now, were made from what has the SHA-256 hex `key`."""
        self._parts[part] = key

    def _make_parent(self, path: str) -> None:
        parent = path.rpartition("/")[0]
        if parent not in self._folders:
            (self.staging / parent).mkdir(parents=True, exist_ok=True)
            self._folders.add(parent)

    def seal(self) -> None:
        """Write down the hash of every file so far; done once more before the site is switched into place."""
        self._put(MARKER, seal_text(Seal(self._made_from, self._digests, self._parts)).encode())

    def _put(self, path: str, data: bytes) -> None:
        """Write a file into the staging folder, the marker anew."""
        once = os.O_TRUNC if path == MARKER else os.O_EXCL
        try:
            self._make_parent(path)
            handle = os.open(f"{self._root}/{path}", _WRITE | once, 0o666)
            try:
                view = memoryview(data)
                while view:
                    view = view[os.write(handle, view) :]
            finally:
                os.close(handle)
        except OSError as error:
            raise disk_error(error, self.folder / path, len(data)) from error
        self.sizes[path] = len(data)

    def _switch(self) -> None:
        """Make the staged files durable, then the site."""
        refuse_foreign(self.folder)
        self.seal()
        with disk_errors(self.folder):
            # One call instead of an fsync per page: a site has as many files as features.
            getattr(os, "sync", lambda: None)()
            if not self.folder.exists():
                self.staging.rename(self.folder)
            elif not _exchange(self.staging, self.folder):
                self._switch_by_two_renames()
            fsync_folder(self.folder.parent)

    def _switch_by_two_renames(self) -> None:
        """For systems that cannot exchange two folders: the site is absent between the two calls."""
        old = self.folder.with_name(f".{self.folder.name}.old")
        _remove_site(old)
        self.folder.rename(old)
        self.staging.rename(self.folder)
        _remove_site(old)

    def discard(self) -> None:
        """Remove the staging folder, also one that a killed run left."""
        with disk_errors(self.staging):
            _remove_site(self.staging)


def refuse_foreign(folder: Path) -> None:
    """`InputError` unless `folder` is absent, empty, or a site of ours (it carries the marker)."""
    if not folder.exists() and not folder.is_symlink():
        return
    if not folder.is_dir():
        raise InputError("the site folder is a file", where=str(folder), fix="choose another folder")
    with disk_errors(folder):
        names = sorted(entry.name for entry in folder.iterdir())
    if names and MARKER not in names:
        raise InputError(
            f"the site folder holds files that atlas did not write ({names[0]!r}); it would be replaced",
            where=str(folder),
            fix="choose another folder (output.site), or move these files away",
        )


def _remove_site(folder: Path) -> None:
    """Delete `folder` if it is a folder carrying the marker, or empty; anything else is left alone."""
    if folder.is_symlink() or not folder.is_dir():
        return
    entries = sorted(folder.iterdir())
    if entries and folder / MARKER not in entries:
        return
    for entry in entries:
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name != MARKER:
            entry.unlink()
    # The marker goes last: a removal that is cut short can be finished by the next run.
    (folder / MARKER).unlink(missing_ok=True)
    folder.rmdir()


def _exchange(first: Path, second: Path) -> bool:
    """Swap two folders in one atomic call; False where the system has no such call."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        return False
    paths = (os.fsencode(first), os.fsencode(second))
    done = rename(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _RENAME_EXCHANGE)
    return done == 0
