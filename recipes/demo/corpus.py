"""Named documents from CPython standard libraries and from folders of installed packages."""

from __future__ import annotations

import ast
import hashlib
import os
import sysconfig
from collections.abc import Iterator
from pathlib import Path

TEST_FOLDERS = {"test", "tests", "idle_test"}
"""A file below one of these is a test."""

SKIPPED_FOLDERS = {"site-packages", "dist-packages", "__pycache__"}
"""Not part of the library itself."""

ENCODING_TABLE_CHARACTERS = 2000
"""How much of each file in `encodings/` is kept: the rest is character tables, an eighth of the library."""

Document = tuple[str, str]
"""(name, text)."""


def running_library() -> Path:
    """Folder of the running Python's standard library."""
    return Path(sysconfig.get_paths()["stdlib"])


def read_source(path: Path) -> str:
    """Text of a source file: UTF-8, else Latin-1 (which decodes anything); line ends become newlines."""
    data = path.read_bytes()
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def python_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """(name relative to `folder`, path) of every `.py` file below it, in a fixed order."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(set(folders) - SKIPPED_FOLDERS)
        for name in sorted(names):
            if name.endswith(".py"):
                path = Path(parent) / name
                yield path.relative_to(folder).as_posix(), path


def library_documents(folder: Path, *, tests: bool) -> Iterator[Document]:
    """Documents of one standard library: its tests, or everything but its tests.

    pydoc's topics become documents of their own (`topics/<name>`), since they are prose, not code.
    """
    for name, path in python_files(folder):
        if bool(TEST_FOLDERS & set(name.split("/"))) != tests:
            continue
        text = read_source(path)
        if name.startswith("pydoc_data/topics"):
            yield from topics(text)
        elif text.strip():
            limit = ENCODING_TABLE_CHARACTERS if name.startswith("encodings/") else None
            yield name, text[:limit]


def topics(source: str) -> Iterator[Document]:
    """The entries of `pydoc_data/topics.py`: its one dictionary, read without running it."""
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Dict):
            for name, text in sorted(ast.literal_eval(statement.value).items()):
                yield f"topics/{name}", text


def package_documents(folder: Path, *, shortest: int = 200, longest: int = 200_000) -> Iterator[Document]:
    """Sources of installed packages below `folder`, very short and very long files left out."""
    for name, path in python_files(folder):
        text = read_source(path)
        if shortest < len(text) < longest:
            yield name, text


def without_repeats(documents: Iterator[Document], seen: set[bytes]) -> Iterator[Document]:
    """The documents whose text is not in `seen` (hashes, added to on the way)."""
    for name, text in documents:
        digest = hashlib.sha256(text.encode("utf-8", "replace")).digest()
        if digest not in seen:
            seen.add(digest)
            yield name, text
