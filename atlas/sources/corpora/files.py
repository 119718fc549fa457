"""Finding, reading and hashing the files a corpus consists of."""

from __future__ import annotations

import codecs
import glob
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from atlas.errors import DiskError, InputError, nearest

_WILDCARDS = frozenset("*?[")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""Byte order marks, longest first where one begins with another."""


@dataclass(frozen=True)
class SourceFile:
    """One file of a corpus."""

    path: Path
    """Where it is on this machine."""
    name: str
    """What pages call it: its path below the folder given in the config, with slashes."""
    group: str = ""
    """What pages call the entry of the config that it was found by."""

    def read(self) -> bytes:
        """All bytes; a vanished file is an `InputError`, one that cannot be read a `DiskError`."""
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise unreadable(self.path, error) from error

    def lines(self) -> Iterator[bytes]:
        """The lines with their ends, one at a time; errors as `read`."""
        try:
            with self.path.open("rb") as stream:
                yield from stream
        except OSError as error:
            raise unreadable(self.path, error) from error


def unreadable(path: Path, error: OSError) -> InputError | DiskError:
    """The error for a file that could not be opened or read."""
    if isinstance(error, FileNotFoundError):
        return InputError(f"{path.name} is not there any more", where=str(path), fix="put it back")
    return DiskError(f"{path.name} cannot be read: {error.strerror or error}", where=str(path))


def find_files(paths: Sequence[str], base: Path, *, suffixes: Sequence[str], kind: str) -> list[SourceFile]:
    """The files that `paths` (files, folders, globs; relative ones from `base`) name, each once.

    Entries keep their order; within a folder or glob files are sorted by name. A folder stands for its
    files with one of `suffixes`, at any depth, hidden ones left out; a glob (`**` too) takes any file.
    An entry that names nothing is an `InputError`.
    """
    if not paths:
        raise InputError(
            f"corpus kind {kind!r} needs files to read",
            where="corpus.paths",
            fix=f"list files, folders or globs, e.g. paths: [texts/*{suffixes[0]}]",
        )
    found: dict[Path, SourceFile] = {}
    for entry in paths:
        for file in _entry_files(entry, base, suffixes):
            found.setdefault(file.path.resolve(), file)
    return list(found.values())


def _entry_files(entry: str, base: Path, suffixes: Sequence[str]) -> list[SourceFile]:
    path = base / Path(entry).expanduser()
    if path.is_file():
        return [_named(path, path.parent, base, entry=path.name)]
    if path.is_dir():
        return _folder_files(path, base, suffixes)
    if _WILDCARDS & set(entry):
        return _glob_files(entry, base)
    siblings = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
    close = nearest(path.name, siblings, 3)
    raise InputError(
        f"{entry!r}: no such file or folder",
        where="corpus.paths",
        fix="did you mean " + " or ".join(map(repr, close)) + "?" if close else f"looked for {path}",
    )


def _folder_files(folder: Path, base: Path, suffixes: Sequence[str]) -> list[SourceFile]:
    inside = sorted(p for p in folder.rglob("*") if p.is_file() and not _hidden(p.relative_to(folder)))
    chosen = [p for p in inside if p.name.lower().endswith(tuple(suffixes))]
    if not chosen:
        others = sorted({p.suffix for p in inside if p.suffix})[:5]
        raise InputError(
            f"no {', '.join(suffixes)} file in folder {folder.name!r}",
            where="corpus.paths",
            fix=f"it holds {', '.join(others)} files: name them by a glob, e.g. {folder.name}/**/*{others[0]}"
            if others
            else "the folder is empty",
        )
    return [_named(path, folder, base, entry="") for path in chosen]


def _glob_files(pattern: str, base: Path) -> list[SourceFile]:
    matches = (base / match for match in glob.glob(pattern, root_dir=base, recursive=True))  # noqa: PTH207
    files = sorted(path for path in matches if path.is_file())
    if not files:
        raise InputError(f"{pattern!r} matches no file", where="corpus.paths", fix=f"looked in {base}")
    parts = Path(pattern).parts
    fixed = next(i for i, part in enumerate(parts) if _WILDCARDS & set(part))
    folder, rest = base.joinpath(*parts[:fixed]), "/".join(parts[fixed:])
    return [_named(path, folder, base, entry=rest) for path in files]


def _hidden(relative: Path) -> bool:
    return any(part.startswith(".") for part in relative.parts)


def _named(path: Path, folder: Path, base: Path, *, entry: str) -> SourceFile:
    """The file at `path`, found by the entry `entry` below `folder` (empty for the folder itself)."""
    relative = path.relative_to(folder).as_posix()
    name = folder.resolve().name
    at_base = folder.resolve() == base.resolve()
    if at_base:
        return SourceFile(path, relative, entry or name)
    return SourceFile(path, f"{name}/{relative}", f"{name}/{entry}" if entry else name)


def decode(data: bytes) -> str:
    """Text of a file: UTF-8, or what its byte order mark says; the mark itself is not text.

    Bytes that are not valid become U+FFFD. CR LF becomes LF; a lone CR stays.
    """
    encoding = "utf-8"
    for mark, name in _BOMS:
        if data.startswith(mark):
            data, encoding = data[len(mark) :], name
            break
    return data.decode(encoding, "replace").replace("\r\n", "\n")


def without_surrogates(text: str) -> str:
    """`text` with surrogate pairs joined and lone surrogates (JSON can spell them) as U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def fingerprint(files: Iterable[SourceFile]) -> str:
    """SHA-256 hex over the names and bytes of `files`, in order."""
    digest = hashlib.sha256()
    for file in files:
        try:
            with file.path.open("rb") as stream:
                content = hashlib.file_digest(stream, "sha256").digest()
        except OSError as error:
            raise unreadable(file.path, error) from error
        # The hash of the name has one length, so names and contents cannot run into each other.
        digest.update(hashlib.sha256(file.name.encode("utf-8", "surrogateescape")).digest() + content)
    return digest.hexdigest()


def count(number: int, noun: str) -> str:
    """'1 file', '12 files'."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
