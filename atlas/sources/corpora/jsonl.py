"""JSON Lines, and JSON files that are one list."""

from __future__ import annotations

import codecs
import gzip
import json
import zlib
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atlas.errors import InputError
from atlas.sources.corpora import files
from atlas.sources.corpora.base import Document
from atlas.sources.corpora.order import shuffled
from atlas.sources.corpora.rows import RowRule

if TYPE_CHECKING:
    from atlas.config import CorpusConfig

SUFFIXES = (".jsonl", ".ndjson", ".json", ".jsonl.gz")
"""What a folder stands for."""


class JsonlCorpus:
    """One document a line (`.jsonl`, `.ndjson`, `.jsonl.gz`) or an item of the list (`.json`).

    A line or item is an object with the text column, or a plain string. Blank lines and null or empty
    texts are left out; a document without a name column is called `file:line`, its source without a source
    column is the file. Invalid UTF-8 becomes U+FFFD. Lines are read one at a time, shuffled ones by their
    place in the file; `.json` lists, and gzip files when shuffled, are held in memory.
    """

    def __init__(
        self, sources: Sequence[files.SourceFile], rule: RowRule, *, shuffle_seed: int | None = None
    ) -> None:
        self._sources = list(sources)
        self._rule = rule
        self._seed = shuffle_seed
        self.description = f"{files.count(len(self._sources), 'JSON file')}, one document a line or item."

    def documents(self) -> Iterator[Document]:
        """Documents in file order, or all of them shuffled."""
        records = self._in_order() if self._seed is None else self._shuffled(self._seed)
        for source, number, value in records:
            document = self._document(source, number, value)
            if document is not None:
                yield document

    def _in_order(self) -> Iterator[tuple[files.SourceFile, int, Any]]:
        for source in self._sources:
            if _is_list(source):
                for number, value in enumerate(_list_items(source), 1):
                    yield source, number, value
                continue
            for number, line in _lines(source):
                if not _is_blank(line):
                    yield source, number, _parsed_line(line, source, number)

    def _shuffled(self, seed: int) -> Iterator[tuple[files.SourceFile, int, Any]]:
        held: dict[int, list[Any]] = {}
        index = array("q")
        for idx, source in enumerate(self._sources):
            if _is_list(source) or _is_gzip(source):
                records = self._records_of(source)
                held[idx] = [value for _, value in records]
                entries = [(number, place) for place, (number, _) in enumerate(records)]
            else:
                entries = _line_starts(source)
            for number, place in entries:
                index.extend((idx, number, place))
        for entry in shuffled(len(index) // 3, seed):
            idx, number, place = index[3 * int(entry) : 3 * int(entry) + 3]
            source = self._sources[idx]
            value = held[idx][place] if idx in held else _parsed_line(_line_at(source, place), source, number)
            yield source, number, value

    @staticmethod
    def _records_of(source: files.SourceFile) -> list[tuple[int, Any]]:
        """(number, value) of a source that is held whole."""
        if _is_list(source):
            return list(enumerate(_list_items(source), 1))
        return [(n, _parsed_line(line, source, n)) for n, line in _lines(source) if not _is_blank(line)]

    def _document(self, source: files.SourceFile, number: int, value: Any) -> Document | None:
        name, where = f"{source.name}:{number}", f"{source.path}:{number}"
        if isinstance(value, str):
            return Document(name, files.without_surrogates(value), source=source.name) if value else None
        if isinstance(value, dict):
            return self._rule.document(value, name=name, source=source.name, where=where)
        raise InputError(
            f"a JSON {type(value).__name__} is no document",
            where=where,
            fix=f'each line or item is an object such as {{"{self._rule.text_column}": "…"}}, or a string',
        )

    def fingerprint(self) -> str:
        """Over names and bytes of all files."""
        return files.fingerprint(self._sources)


def _is_gzip(source: files.SourceFile) -> bool:
    return source.path.suffix.lower() == ".gz"


def _is_list(source: files.SourceFile) -> bool:
    """Whether a `.json` file is one list: its first character, byte order mark apart, is `[`."""
    if source.path.suffix.lower() != ".json":
        return False
    first = next((line for line in source.lines() if not _is_blank(line)), b"")
    return first.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"[")


def _is_blank(line: bytes) -> bool:
    """Whether nothing but white space (and a byte order mark) is on the line."""
    return not line.removeprefix(codecs.BOM_UTF8).strip()


def _list_items(source: files.SourceFile) -> list[Any]:
    return _parsed(files.decode(source.read()), source, 1)


def _lines(source: files.SourceFile) -> Iterator[tuple[int, bytes]]:
    """(number from 1, line) of a plain or gzip file."""
    if not _is_gzip(source):
        yield from enumerate(source.lines(), 1)
        return
    try:
        with gzip.open(source.path) as stream:
            yield from enumerate(stream, 1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(
            f"damaged gzip file: {error}", where=str(source.path), fix="fetch or write it again"
        ) from error
    except OSError as error:
        raise files.unreadable(source.path, error) from error


def _line_starts(source: files.SourceFile) -> Iterator[tuple[int, int]]:
    """(number from 1, place in bytes) of every line that is not blank."""
    place = 0
    for number, line in enumerate(source.lines(), 1):
        if not _is_blank(line):
            yield number, place
        place += len(line)


def _line_at(source: files.SourceFile, place: int) -> bytes:
    try:
        with source.path.open("rb") as stream:
            stream.seek(place)
            return stream.readline()
    except OSError as error:
        raise files.unreadable(source.path, error) from error


def _parsed_line(line: bytes, source: files.SourceFile, number: int) -> Any:
    return _parsed(line.decode("utf-8-sig" if number == 1 else "utf-8", "replace"), source, number)


def _parsed(text: str, source: files.SourceFile, number: int) -> Any:
    try:
        return json.loads(text)
    except RecursionError as error:
        raise InputError("the JSON is nested too deeply", where=f"{source.path}:{number}") from error
    except ValueError as error:
        line = number + getattr(error, "lineno", 1) - 1
        raise InputError(
            f"not valid JSON: {error}",
            where=f"{source.path}:{line}",
            fix="one JSON value a line; a file of kind .json may also be one list",
        ) from error


def open_jsonl(config: CorpusConfig, base: Path) -> JsonlCorpus:
    """JSON files named by `config.paths` (files, folders, globs), relative to `base`."""
    sources = files.find_files(config.paths, base, suffixes=SUFFIXES, kind="jsonl")
    return JsonlCorpus(sources, RowRule.of(config), shuffle_seed=config.seed if config.shuffle else None)
