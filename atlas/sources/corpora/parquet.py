"""Parquet files: one document a row, read a few rows at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atlas.errors import DiskError, InputError
from atlas.sources.corpora import files
from atlas.sources.corpora.order import shuffled
from atlas.sources.corpora.rows import RowRule

if TYPE_CHECKING:
    import pyarrow.parquet as pq

    from atlas.config import CorpusConfig
    from atlas.sources.corpora.base import Document

SUFFIXES = (".parquet",)
"""What a folder stands for."""

_BATCH_ROWS = 256


class ParquetCorpus:
    """One document a row; only the columns that the rule names are read, `_BATCH_ROWS` rows at a time.

    A text column of lists of integers is a corpus that is already tokenised. Null and empty rows are
    left out; a document without a name column is called `file:row`, its source without a source column is the
    file. Shuffled, the row groups come in random order and the rows of each in random order, so one row group
    is held in memory.
    """

    def __init__(
        self, sources: Sequence[files.SourceFile], rule: RowRule, *, shuffle_seed: int | None = None
    ) -> None:
        self._sources = list(sources)
        self._rule = rule
        self._seed = shuffle_seed
        rows = sum(self._opened(source).metadata.num_rows for source in self._sources)
        self.description = (
            f"{files.count(len(self._sources), 'parquet file')} with {files.count(rows, 'row')}, "
            "one document each."
        )

    def _opened(self, source: files.SourceFile) -> pq.ParquetFile:
        """The file, its columns checked; a damaged one is an `InputError`."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            file = pq.ParquetFile(source.path, page_checksum_verification=True)
        except (pa.ArrowException, OSError) as error:
            raise _damaged(source, error) from error
        self._rule.check_columns(file.schema_arrow.names, where=str(source.path))
        return file

    def documents(self) -> Iterator[Document]:
        """Documents in file order, or shuffled by row groups."""
        rows = self._in_order() if self._seed is None else self._shuffled(self._seed)
        for source, number, row in rows:
            where = f"{source.path}, row {number}"
            name = f"{source.name}:{number}"
            document = self._rule.document(row, name=name, source=source.name, where=where)
            if document is not None:
                yield document

    def _in_order(self) -> Iterator[tuple[files.SourceFile, int, dict[str, Any]]]:
        import pyarrow as pa

        for source in self._sources:
            number = 0
            with self._opened(source) as file:
                try:
                    for batch in file.iter_batches(_BATCH_ROWS, columns=self._rule.columns):
                        for row in batch.to_pylist():
                            number += 1
                            yield source, number, row
                except (pa.ArrowException, OSError) as error:
                    raise _damaged(source, error) from error

    def _shuffled(self, seed: int) -> Iterator[tuple[files.SourceFile, int, dict[str, Any]]]:
        import pyarrow as pa

        groups: list[tuple[files.SourceFile, int, int]] = []
        for source in self._sources:
            first = 1
            with self._opened(source) as file:
                for group in range(file.metadata.num_row_groups):
                    groups.append((source, group, first))
                    first += file.metadata.row_group(group).num_rows
        for rank in shuffled(len(groups), seed):
            source, group, first = groups[int(rank)]
            try:
                with self._opened(source) as file:
                    table = file.read_row_group(group, columns=self._rule.columns)
            except (pa.ArrowException, OSError) as error:
                raise _damaged(source, error) from error
            for row in shuffled(table.num_rows, seed + 1 + int(rank)):
                yield source, first + int(row), table.slice(int(row), 1).to_pylist()[0]

    def fingerprint(self) -> str:
        """Over names and bytes of all files."""
        return files.fingerprint(self._sources)


def _damaged(source: files.SourceFile, error: Exception) -> InputError | DiskError:
    # Arrow raises OSError without a number for damaged bytes, with one for the disk's own errors.
    if isinstance(error, OSError) and error.errno is not None:
        return files.unreadable(source.path, error)
    return InputError(
        f"{source.path.name} is not a readable parquet file: {error}",
        where=str(source.path),
        fix="fetch or write it again",
    )


def open_parquet(config: CorpusConfig, base: Path) -> ParquetCorpus:
    """Parquet files named by `config.paths` (files, folders, globs), relative to `base`."""
    sources = files.find_files(config.paths, base, suffixes=SUFFIXES, kind="parquet")
    return ParquetCorpus(sources, RowRule.of(config), shuffle_seed=config.seed if config.shuffle else None)
