"""Parquet files of one table: written in fixed row groups with page checksums, read with both verified."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from atlas.errors import InputError, suggest
from atlas.store.files import (
    disk_errors,
    fsync_folder,
    make_folder,
    refuse_missing,
    sha256_file,
    write_atomic,
)
from atlas.store.manifest import FileEntry, table_folder

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROWS_PER_GROUP = 4096
"""Most rows of a parquet row group."""
FEATURES_PER_GROUP = 1024
"""A row group ends where these end: who reads as many features from a multiple on reads no others."""
FEATURES_PER_FILE = 4096
"""Features per file of a table with features."""
ROWS_PER_FILE = 1 << 18
"""Rows per file of a table without features."""

_BYTE = 8

_REBUILD = "restore the file from a copy, or build again"


def is_by_feature(schema: pa.Schema) -> bool:
    """Whether the rows of `schema` belong to one feature each (a list of features does not count)."""
    number = schema.get_field_index("feature_idx")
    return number >= 0 and pa.types.is_integer(schema.field(number).type)


class TableWriter:
    """Writes one table; use it as a context manager.

    Rows come in feature order (`feature_idx` never falls). Files are staged in a scratch folder and
    appear only when the block ends without an exception: then they replace the table's old files in
    one write of the manifest. The bytes depend on the rows alone, not on how they were cut into
    `write` calls.
    """

    def __init__(
        self,
        root: Path,
        key: str,
        schema: pa.Schema,
        commit: Callable[[str, list[FileEntry]], None],
        *,
        staging: Path,
        features_per_file: int = FEATURES_PER_FILE,
    ) -> None:
        self.schema = schema
        self.key = key
        self._root = root
        self._commit = commit
        self._staging = staging
        self._features_per_file = features_per_file
        self._by_feature = is_by_feature(schema)
        self._entries: list[FileEntry] = []
        self._part = _Part(schema)
        self._number = -1
        self._last_feature = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._discard()

    def write(self, table: pa.Table) -> None:
        """Append the rows of `table`, whose columns are those of the schema, in any order.

        `ValueError` for other columns, for values that the schema's types cannot hold, and for a
        `feature_idx` that is missing, negative or out of order; `DiskError` when the disk is full.
        """
        if set(table.column_names) != set(self.schema.names):
            raise ValueError(f"table {self.key!r} has {table.column_names}, not {self.schema.names}")
        rows = table.select(self.schema.names).cast(self.schema)
        for number, piece in self._pieces(rows):
            if number != self._number:
                self._close_part()
                self._number = number
            self._part.add(piece)

    def _pieces(self, rows: pa.Table) -> Iterable[tuple[int, pa.Table]]:
        """`rows` cut where a new file begins, each with its file's number."""
        if not self._by_feature:
            yield from self._row_pieces(rows)
            return
        features = self._checked_features(rows)
        numbers = features // self._features_per_file
        cuts = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), rows.num_rows]
        for start, stop in itertools.pairwise(cuts):
            if stop > start:
                yield int(numbers[start]), rows.slice(start, stop - start)

    def _row_pieces(self, rows: pa.Table) -> Iterable[tuple[int, pa.Table]]:
        """`rows` cut every `ROWS_PER_FILE` rows of the whole table."""
        start = 0
        while start < rows.num_rows:
            full = self._part.rows >= ROWS_PER_FILE
            number = max(self._number, 0) + full
            room = ROWS_PER_FILE - (0 if full else self._part.rows)
            yield number, rows.slice(start, room)
            start += room

    def _checked_features(self, rows: pa.Table) -> NDArray[np.int64]:
        """The `feature_idx` of `rows`; `ValueError` unless they continue in order."""
        column = rows["feature_idx"]
        if column.null_count:
            raise ValueError(f"table {self.key!r}: feature_idx has nulls")
        features = column.to_numpy().astype(np.int64)
        if features.size:
            if features[0] < max(self._last_feature, 0) or np.any(np.diff(features) < 0):
                raise ValueError(f"table {self.key!r}: feature_idx is negative or falls")
            self._last_feature = int(features[-1])
        return features

    def _close_part(self) -> None:
        """Stage the file in the making, if it has rows."""
        if self._part.rows:
            self._stage(self._part)
            self._part = _Part(self.schema)

    def _stage(self, part: _Part) -> None:
        data = part.finish()
        digest = hashlib.sha256(data).hexdigest()
        name = f"{len(self._entries):04d}-{digest[:16]}.parquet"
        write_atomic(self._staging / name, data)
        self._entries.append(
            FileEntry(
                path=f"{table_folder(self.key)}/{name}",
                sha256=digest,
                bytes=len(data),
                rows=part.rows,
                feature_start=part.first_feature,
                feature_stop=None if part.last_feature is None else part.last_feature + 1,
            )
        )

    def _finish(self) -> None:
        """Move the staged files into place and hand them to the manifest."""
        self._close_part()
        if not self._entries:
            self._stage(self._part)
        folder = self._root / table_folder(self.key)
        make_folder(folder)
        with disk_errors(folder):
            for entry in self._entries:
                target = self._root / entry.path
                (self._staging / target.name).replace(target)
            fsync_folder(folder)
        self._commit(self.key, self._entries)

    def _discard(self) -> None:
        """Remove this writer's scratch folder, and the one around it when no other writer uses it."""
        remove_tree(self._staging)
        with contextlib.suppress(OSError):
            self._staging.parent.rmdir()


class _Part:
    """One parquet file in memory: rows are gathered and written in groups however they come."""

    def __init__(self, schema: pa.Schema) -> None:
        self.rows = 0
        self.first_feature: int | None = None
        self.last_feature: int | None = None
        self._schema = schema
        self._by_feature = is_by_feature(schema)
        self._pending: list[pa.Table] = []
        self._pending_rows = 0
        self._sink = pa.BufferOutputStream()
        few: Any = [path for field in schema for path in _few_values(field.type, field.name)]
        self._writer = pq.ParquetWriter(
            self._sink,
            schema,
            compression="zstd",
            use_dictionary=few,
            write_page_checksum=True,
            version="2.6",
        )

    def add(self, rows: pa.Table) -> None:
        """Take in `rows` of the schema."""
        self.rows += rows.num_rows
        self._pending.append(rows)
        self._pending_rows += rows.num_rows
        if rows.num_rows and self._by_feature:
            column = rows["feature_idx"]
            if self.first_feature is None:
                self.first_feature = column[0].as_py()
            self.last_feature = column[-1].as_py()
        if self._pending_rows >= ROWS_PER_GROUP:
            self._write()

    def _write(self, *, all_of_them: bool = False) -> None:
        """Write the groups among the pending rows that no further row can join, or all."""
        # One contiguous chunk per column: page boundaries follow chunk boundaries.
        whole = pa.concat_tables(self._pending).combine_chunks()
        written = 0
        for start, stop in self._groups(whole):
            if stop < whole.num_rows or stop - start == ROWS_PER_GROUP or all_of_them:
                self._writer.write_table(whole.slice(start, stop - start), row_group_size=ROWS_PER_GROUP)
                written = stop
        self._pending = [whole.slice(written)]
        self._pending_rows -= written

    def _groups(self, rows: pa.Table) -> list[tuple[int, int]]:
        """Where the groups of `rows` begin and end, `rows` beginning with a group."""
        cuts = [0, rows.num_rows]
        if self._by_feature:
            turns = np.diff(rows["feature_idx"].to_numpy() // FEATURES_PER_GROUP)
            cuts[1:1] = (np.flatnonzero(turns) + 1).tolist()
        return [
            (start, min(start + ROWS_PER_GROUP, stop))
            for first, stop in itertools.pairwise(cuts)
            for start in range(first, stop, ROWS_PER_GROUP)
        ]

    def finish(self) -> bytes:
        """The whole file."""
        if self._pending_rows:
            self._write(all_of_them=True)
        self._writer.close()
        return self._sink.getvalue().to_pybytes()


def _few_values(dtype: pa.DataType, path: str) -> list[str]:
    """Paths of the leaves of the column `path` that parquet shall give by their number among its values.

    Texts recur, and parquet would store bytes in four of theirs; other numbers rarely pay for a dictionary.
    """
    if pa.types.is_list(dtype):
        return _few_values(dtype.value_type, f"{path}.list.element")
    if pa.types.is_struct(dtype):
        return [leaf for field in dtype for leaf in _few_values(field.type, f"{path}.{field.name}")]
    number = pa.types.is_integer(dtype) or pa.types.is_floating(dtype)
    return [path] if not number or dtype.bit_width <= _BYTE else []


class TableReader:
    """Reads the files of a dataset folder and refuses every file that is not the one recorded.

    A file is hashed when it is first read, and again only after it changed on disk.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._intact: dict[str, tuple[tuple[str, int, int], pq.FileMetaData]] = {}

    def schema(self, entry: FileEntry) -> pa.Schema:
        """The Arrow schema of the file, with field metadata."""
        with _damage(self._root / entry.path), self._open(entry) as file:
            return file.schema_arrow

    def read(self, entry: FileEntry, columns: Sequence[str] | None = None) -> pa.Table:
        """All rows of the file; `InputError` naming it when it is damaged or a column is unknown."""
        with _damage(self._root / entry.path), self._open(entry) as file:
            wanted = _known_columns(file.schema_arrow, columns, entry.path)
            return file.read(columns=wanted, use_threads=False)

    def read_features(
        self, entry: FileEntry, start: int, stop: int, columns: Sequence[str] | None = None
    ) -> pa.Table:
        """The rows with start <= feature_idx < stop; only the row groups that hold them are read."""
        with _damage(self._root / entry.path), self._open(entry) as file:
            wanted = _known_columns(file.schema_arrow, columns, entry.path)
            asked = wanted if wanted is None or "feature_idx" in wanted else ["feature_idx", *wanted]
            groups = _groups_with(file, start, stop)
            table = file.read_row_groups(groups, columns=asked, use_threads=False)
            features = table["feature_idx"].to_numpy()
            first, last = np.searchsorted(features, [start, stop])
            rows = table.slice(int(first), int(last - first))
            return rows if wanted is None else rows.select(wanted)

    def _open(self, entry: FileEntry) -> pq.ParquetFile:
        """The file, opened; its footer is parsed once."""
        path = self._root / entry.path
        with disk_errors(path):
            if not path.is_file():
                raise InputError("a file of the dataset is missing", where=str(path), fix=_REBUILD)
            stat = path.stat()
        stamp = (entry.sha256, stat.st_size, stat.st_mtime_ns)
        known = self._intact.get(entry.path)
        if known is not None and known[0] == stamp:
            return pq.ParquetFile(path, metadata=known[1], page_checksum_verification=True)
        if sha256_file(path) != entry.sha256:
            raise InputError(
                "the file is damaged: its SHA-256 differs from the manifest's", where=str(path), fix=_REBUILD
            )
        file = pq.ParquetFile(path, page_checksum_verification=True)
        self._intact[entry.path] = (stamp, file.metadata)
        return file


class _damage:  # noqa: N801 - reads as a word in `with`
    """Turns Arrow's and the disk's errors of a block into an `InputError` about `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, OSError) and error.errno:
            refuse_missing(error, self._path)
        if isinstance(error, (OSError, pa.ArrowException)):
            brief = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
            raise InputError(
                f"the file cannot be read: {brief}", where=str(self._path), fix=_REBUILD
            ) from error


def _known_columns(schema: pa.Schema, columns: Sequence[str] | None, path: str) -> list[str] | None:
    """`columns` as a list, or `InputError` for one that the file does not have."""
    if columns is None:
        return None
    for name in columns:
        if name not in schema.names:
            raise InputError(f"there is no column {name!r}", where=path, fix=suggest(name, schema.names))
    return list(columns)


def _groups_with(file: pq.ParquetFile, start: int, stop: int) -> list[int]:
    """Numbers of the row groups that hold a feature in [start, stop)."""
    metadata = file.metadata
    # Statistics are kept per leaf: nested columns have several.
    paths = [metadata.schema.column(number).path for number in range(metadata.num_columns)]
    column = paths.index("feature_idx")
    groups: list[int] = []
    for number in range(file.num_row_groups):
        known = metadata.row_group(number).column(column).statistics
        if known is None or not known.has_min_max or (known.min < stop and known.max >= start):
            groups.append(number)
    return groups


def remove_tree(folder: Path) -> None:
    """Remove a scratch `folder` with the plain files in it; what cannot be removed stays."""
    if folder.is_symlink():
        return
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
