"""The dataset folder: tables by name, one manifest, one lock."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import pyarrow as pa

from atlas.errors import AtlasError, InputError, suggest
from atlas.schema import SAE_TABLES, SHARED_TABLES, conforms
from atlas.store.check import verify_dataset
from atlas.store.files import TEMPORARY, disk_errors, make_folder, write_atomic
from atlas.store.lock import lock_folder
from atlas.store.manifest import (
    FILE_PATTERN,
    MANIFEST_NAME,
    FileEntry,
    Manifest,
    decode_manifest,
    encode_manifest,
    load_manifest,
    new_manifest,
    table_key,
)
from atlas.store.tables import FEATURES_PER_FILE, TableReader, TableWriter, remove_tree

SCRATCH = ".partial"
"""Folder of files in the making, inside the dataset folder."""

CHECKPOINT = "checkpoint"
"""Folder in `SCRATCH` that outlives a killed build: what an unfinished pass has committed."""


class AtlasStore:
    """A dataset folder. Stages talk to each other only through its tables.

    `create` makes one, `open` opens one. Reading verifies the hash of every file it touches.
    """

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path = path
        self._manifest = manifest
        self._reader = TableReader(path)

    @classmethod
    def create(cls, path: Path | str) -> Self:
        """A new, empty dataset in folder `path`, which may be missing or empty.

        `InputError` when the folder already holds a dataset or anything else; `DiskError` when it
        cannot be written.
        """
        folder = Path(path)
        with disk_errors(folder):
            strangers = (
                sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
                if folder.exists()
                else []
            )
        if MANIFEST_NAME in strangers:
            raise InputError(
                "the folder already holds an atlas dataset",
                where=str(folder),
                fix="open it, or choose another folder",
            )
        if strangers:
            raise InputError(
                f"the folder is not empty (it holds {strangers[0]!r})",
                where=str(folder),
                fix="choose a new or empty folder",
            )
        make_folder(folder)
        store = cls(folder, new_manifest())
        store._write_manifest(store._manifest)
        return store

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """The dataset in folder `path`.

        `InputError` when there is none, when its manifest is damaged, or when a newer atlas wrote it.
        """
        folder = Path(path)
        return cls(folder, load_manifest(folder))

    @classmethod
    def open_or_create(cls, path: Path | str) -> Self:
        """`open` where `path` holds a manifest, else `create`."""
        return cls.open(path) if (Path(path) / MANIFEST_NAME).exists() else cls.create(path)

    @property
    def manifest(self) -> Manifest:
        """The manifest as last read or written by this store."""
        return self._manifest

    def seen_as(self, manifest: Manifest) -> AtlasStore:
        """The same folder through another `manifest`, for readers who are to see less of it.

        A file that one of the two has verified is not hashed again by the other.
        """
        seen = AtlasStore(self.path, manifest)
        seen._reader = self._reader
        return seen

    def update(self, **fields: Any) -> None:
        """Replace top-level `fields` of the manifest, atomically; other fields are kept as on disk.

        `TypeError` for a field that a manifest does not have, `ValueError` for a bad value.
        """
        for name in fields:
            if name not in Manifest.model_fields:
                raise TypeError(f"a manifest has no field {name!r}")
        current = load_manifest(self.path).model_dump()
        self._write_manifest(Manifest.model_validate({**current, **fields}))

    def reset(self) -> None:
        """Forget all tables and facts and delete their files: a fresh start under the same lock."""
        self._write_manifest(new_manifest())
        remove_tree(self.path / SCRATCH / CHECKPOINT)
        self.sweep()

    @contextlib.contextmanager
    def lock(self) -> Generator[None]:
        """Hold the folder for the block; `LockedError` at once, naming the process that holds it.

        What a killed build left behind is removed first.
        """
        with lock_folder(self.path):
            self.sweep()
            yield

    def writer(
        self,
        table: str,
        *,
        sae: str | None = None,
        schema: pa.Schema,
        features_per_file: int = FEATURES_PER_FILE,
    ) -> TableWriter:
        """A context manager that writes a table; see `TableWriter`.

        `ValueError` when `schema` lacks columns of the table's own schema in `atlas.schema`.
        """
        key = table_key(table, sae)
        expected = (SHARED_TABLES if sae is None else SAE_TABLES).get(table)
        problems = [] if expected is None else conforms(schema, expected)
        if problems:
            raise ValueError(f"table {key!r}: {'; '.join(problems)}")
        staging = self.path / SCRATCH / secrets.token_hex(8)
        return TableWriter(
            self.path, key, schema, self._commit, staging=staging, features_per_file=features_per_file
        )

    def drop(self, table: str, sae: str | None = None) -> None:
        """Forget a table and delete its files; nothing happens where there is none."""
        if self.has(table, sae):
            self._commit(table_key(table, sae), None)

    def has(self, table: str, sae: str | None = None) -> bool:
        """Whether the table has been written."""
        return table_key(table, sae) in self._manifest.tables

    def schema(self, table: str, sae: str | None = None) -> pa.Schema:
        """The Arrow schema of a table, with field metadata; `InputError` when there is no such table."""
        return self._reader.schema(self._files(table, sae)[0])

    def read(self, table: str, sae: str | None = None, columns: Sequence[str] | None = None) -> pa.Table:
        """A whole table; `InputError` when it does not exist or a file of it is damaged."""
        return pa.concat_tables(self._reader.read(entry, columns) for entry in self._files(table, sae))

    def read_features(
        self,
        table: str,
        sae: str,
        start: int,
        stop: int,
        columns: Sequence[str] | None = None,
    ) -> pa.Table:
        """The rows with start <= feature_idx < stop of a table of one SAE, in feature order."""
        entries = self._files(table, sae)
        parts = [
            self._reader.read_features(entry, start, stop, columns)
            for entry in entries
            if entry.feature_start is not None
            and entry.feature_stop is not None
            and entry.feature_start < stop
            and start < entry.feature_stop
        ]
        if parts:
            return pa.concat_tables(parts)
        empty = self._reader.read_features(entries[0], 0, 0, columns)
        return empty.slice(0, 0)

    def iter_features(
        self, table: str, sae: str, step: int, columns: Sequence[str] | None = None
    ) -> Iterator[tuple[int, int, pa.Table]]:
        """(start, stop, rows) over all features of the SAE, `step` features at a time.

        Covers every feature of the manifest's entry of `sae`, also where no row exists.
        """
        for start in range(0, self._feature_count(table, sae), step):
            stop = min(start + step, self._feature_count(table, sae))
            yield start, stop, self.read_features(table, sae, start, stop, columns)

    def verify(self) -> list[str]:
        """Problems of the dataset as it lies on disk, one line each; see `verify_dataset`."""
        return verify_dataset(self.path)

    def sweep(self) -> None:
        """Delete files that no manifest names: leftovers of a killed build. Call it under the lock.

        Only scratch files and names of the exact shape of a table's or a temporary file are touched; what
        an unfinished pass has committed stays.
        """
        self._manifest = load_manifest(self.path)
        scratch = self.path / SCRATCH
        if scratch.is_dir() and not scratch.is_symlink():
            with disk_errors(scratch):
                entries = list(scratch.iterdir())
            for entry in entries:
                _remove_leftover(entry)
            with contextlib.suppress(OSError):
                scratch.rmdir()
        named = _named_files(self._manifest)
        for pattern in ("tables/*/*.parquet", "saes/*/*/*.parquet"):
            for path in self.path.glob(pattern):
                relative = path.relative_to(self.path).as_posix()
                if relative not in named and FILE_PATTERN.fullmatch(relative):
                    self._remove(relative)
        for path in self.path.rglob(".atlas-*.tmp"):
            if TEMPORARY.fullmatch(path.name):
                self._remove(path.relative_to(self.path).as_posix())

    def _remove(self, relative: str) -> None:
        """Delete a table's file, unless a link leads out of the folder; one that cannot go stays."""
        path = self.path / relative
        with contextlib.suppress(OSError):
            if path.parent.resolve() == self.path.resolve() / Path(relative).parent:
                path.unlink()

    def _feature_count(self, table: str, sae: str) -> int:
        entry = self._manifest.sae(sae)
        if entry is not None:
            return entry.n_features
        return max((file.feature_stop or 0 for file in self._files(table, sae)), default=0)

    def _files(self, table: str, sae: str | None) -> list[FileEntry]:
        key = table_key(table, sae)
        entries = self._manifest.tables.get(key)
        if not entries:
            raise InputError(
                f"the dataset has no table {key!r}",
                where=str(self.path),
                fix=suggest(key, self._manifest.tables),
            )
        return entries

    def _commit(self, key: str, entries: list[FileEntry] | None) -> None:
        """Make `entries` the files of table `key` (None: of no table), then delete the ones they replace."""
        tables = dict(load_manifest(self.path).tables)
        touched = {entry.path for entry in (*tables.pop(key, []), *(entries or ()))}
        try:
            self.update(tables=tables if entries is None else {**tables, key: entries})
        finally:
            # Whether the switch happened is what the disk says, also after an error half-way.
            with contextlib.suppress(AtlasError):
                for path in touched - _named_files(load_manifest(self.path)):
                    self._remove(path)

    def _write_manifest(self, manifest: Manifest) -> None:
        data = encode_manifest(manifest)
        path = self.path / MANIFEST_NAME
        write_atomic(path, data)
        self._manifest = decode_manifest(data, str(path))


def _remove_leftover(entry: Path) -> None:
    """Remove an entry of the scratch folder, unless it is what a pass has committed."""
    if entry.is_symlink() or not entry.is_dir():
        with contextlib.suppress(OSError):
            entry.unlink()
    elif entry.name != CHECKPOINT:
        remove_tree(entry)


def _named_files(manifest: Manifest) -> set[str]:
    """Paths of all tables' files, relative to the dataset."""
    return {entry.path for entries in manifest.tables.values() for entry in entries}
