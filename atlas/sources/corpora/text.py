"""Text files: one document a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from atlas.sources.corpora import files
from atlas.sources.corpora.base import Document
from atlas.sources.corpora.order import shuffled

if TYPE_CHECKING:
    from atlas.config import CorpusConfig

SUFFIXES = (".txt", ".text", ".md", ".rst")
"""What a folder stands for; anything else is named as a file or by a glob."""


class TextCorpus:
    """Text files in the order of the config, or shuffled; one that is empty or all white space is left out.

    Text is UTF-8 (or what a byte order mark says), invalid bytes become U+FFFD, CR LF becomes LF.
    """

    def __init__(self, sources: Sequence[files.SourceFile], *, shuffle_seed: int | None = None) -> None:
        self._sources = list(sources)
        self._seed = shuffle_seed
        self.description = f"{files.count(len(self._sources), 'text file')}, one document each."

    def documents(self) -> Iterator[Document]:
        """One document per file, named by its path; its source is the entry of `corpus.paths`."""
        order = range(len(self._sources)) if self._seed is None else shuffled(len(self._sources), self._seed)
        for idx in order:
            source = self._sources[int(idx)]
            text = files.decode(source.read())
            if text.strip():
                yield Document(source.name, text, source=source.group)

    def fingerprint(self) -> str:
        """Over names and bytes of all files."""
        return files.fingerprint(self._sources)


def open_text(config: CorpusConfig, base: Path) -> TextCorpus:
    """Text files named by `config.paths` (files, folders, globs), relative to `base`."""
    sources = files.find_files(config.paths, base, suffixes=SUFFIXES, kind="text")
    return TextCorpus(sources, shuffle_seed=config.seed if config.shuffle else None)
