"""The running Python's own standard library: real text that every installation has."""

from __future__ import annotations

import ast
import hashlib
import io
import os
import platform
import sysconfig
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from atlas.errors import InputError
from atlas.sources.corpora import files
from atlas.sources.corpora.base import Document
from atlas.sources.corpora.order import shuffled

if TYPE_CHECKING:
    from atlas.config import CorpusConfig

LEFT_OUT = frozenset({"site-packages", "dist-packages", "__pycache__", "test", "tests", "idle_test"})
"""Folders that are not the library itself, at any depth; distributions differ in which tests they ship."""

BUILD_PREFIXES = ("config-", "_sysconfigdata")
"""Names that begin so hold the build settings of one machine, not library text."""

ENCODINGS_CHARACTERS = 2000
"""Characters kept of each file in `encodings/`: the rest is character tables (1.4 MB of 12)."""

TOPICS_FILE = "pydoc_data/topics.py"
"""One dictionary of help texts; each becomes a document of its own."""


class PythonStdlibCorpus:
    """The `.py` files of a standard library, sorted by path, one document each, and Python's help topics.

    Left out: `LEFT_OUT` folders, build settings, empty files. Differs between Python versions, so the
    version is part of the description and of the fingerprint.
    """

    def __init__(self, folder: Path, version: str, *, shuffle_seed: int | None = None) -> None:
        self._folder = folder
        self._version = version
        self._seed = shuffle_seed
        self._files = [file for file in _library_files(folder) if file.path.stat().st_size]
        if not self._files:
            raise InputError(
                f"Python {version} has no standard library as files",
                where=str(folder),
                fix="use another corpus kind, e.g. text",
            )
        self.description = (
            f"The standard library of Python {version} ({files.count(len(self._files), 'file')}),"
            " one document a module, without its tests, files of encodings/ cut to"
            f" {ENCODINGS_CHARACTERS:,} characters, with the help topics of pydoc as documents of their own."
        )

    def documents(self) -> Iterator[Document]:
        """Modules and topics, named by their paths below the library folder; a source is a package of it,
        or a module in none.
        """
        if self._seed is None:
            for file in self._files:
                yield from _file_documents(file)
            return
        entries = list(self._entries())
        for idx in shuffled(len(entries), self._seed):
            yield entries[int(idx)]

    def _entries(self) -> Iterator[Document]:
        for file in self._files:
            yield from _file_documents(file)

    def fingerprint(self) -> str:
        """Over the Python version, and names and texts of all documents."""
        digest = hashlib.sha256(self._version.encode())
        for document in self._entries():
            for part in (document.name, document.text):
                digest.update(hashlib.sha256(part.encode("utf-8", "replace")).digest())
        return digest.hexdigest()


def _library_files(folder: Path) -> list[files.SourceFile]:
    """The modules below `folder`, sorted by the parts of their paths; foreign folders are not entered."""
    found: list[Path] = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not _foreign(name)]
        found += [Path(parent, name) for name in names if name.endswith(".py") and not _foreign(name)]
    relative = sorted((path.relative_to(folder) for path in found), key=lambda path: path.parts)
    return [files.SourceFile(folder / path, path.as_posix()) for path in relative]


def _foreign(name: str) -> bool:
    return name in LEFT_OUT or name.startswith(BUILD_PREFIXES)


def _file_documents(file: files.SourceFile) -> Iterator[Document]:
    text = _source_text(file.read())
    if file.name == TOPICS_FILE:
        yield from _topics(text, file)
        return
    if file.name.startswith("encodings/"):
        text = text[:ENCODINGS_CHARACTERS]
    if text.strip():
        yield Document(file.name, text, source=_package(file))


def _package(file: files.SourceFile) -> str:
    """The package or module of the library that a file is in or is."""
    return file.name.split("/", 1)[0].removesuffix(".py")


def _source_text(data: bytes) -> str:
    """Python source decoded as Python does (PEP 263), with bytes it cannot decode as U+FFFD."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    except SyntaxError:
        encoding = "utf-8"
    return data.decode(encoding, "replace").replace("\r\n", "\n")


def _topics(text: str, file: files.SourceFile) -> Iterator[Document]:
    """The values of the dictionary `topics`, read as a literal: the module is not run."""
    for node in ast.parse(text).body:
        targets = [target.id for target in getattr(node, "targets", ()) if isinstance(target, ast.Name)]
        if isinstance(node, ast.Assign) and targets == ["topics"]:
            for topic, help_text in sorted(ast.literal_eval(node.value).items()):
                if help_text.strip():
                    name = f"{file.name.removesuffix('.py')}/{topic}"
                    yield Document(name, help_text, source=_package(file))


def open_python_stdlib(config: CorpusConfig, base: Path) -> PythonStdlibCorpus:
    """The standard library of the Python that runs atlas; `base` is not used."""
    del base
    seed = config.seed if config.shuffle else None
    return PythonStdlibCorpus(
        Path(sysconfig.get_path("stdlib")), platform.python_version(), shuffle_seed=seed
    )
