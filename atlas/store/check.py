"""Is the dataset on disk the one its manifest describes?"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from atlas.errors import AtlasError
from atlas.schema import SAE_TABLES, SHARED_TABLES, conforms
from atlas.store.files import disk_error, disk_errors, sha256_file
from atlas.store.manifest import KEY_PATTERN, MANIFEST_NAME, FileEntry, Manifest, load_manifest, table_folder
from atlas.store.tables import TableReader, is_by_feature

if TYPE_CHECKING:
    import pyarrow as pa


def verify_dataset(folder: Path) -> list[str]:
    """Problems of the dataset in `folder`, one line each; `[]` when every byte is as recorded.

    Checks the manifest against its own hash, every file's size, SHA-256, page checksums, row count,
    feature range and schema, and that no other file lies in the folder. Names that begin with a dot
    (lock, scratch) are left out. Never raises for damage.
    """
    try:
        manifest = load_manifest(folder)
    except AtlasError as error:
        return [_line(error)]
    problems: list[str] = []
    for key in manifest.tables:
        problems.extend(_table_problems(folder, manifest, key))
    try:
        problems.extend(_foreign_files(folder, manifest))
    except OSError as error:
        problems.append(_line(disk_error(error, folder)))
    return problems


def _line(error: AtlasError) -> str:
    return f"{error.where}: {error.what}" if error.where else error.what


def _table_problems(folder: Path, manifest: Manifest, key: str) -> Iterator[str]:
    """Problems of one table."""
    entries = manifest.tables[key]
    if not KEY_PATTERN.fullmatch(key):
        yield f"{MANIFEST_NAME}: {key!a} cannot name a table"
        return
    slug = key.rpartition("/")[0]
    if slug and manifest.sae(slug) is None:
        yield f"{MANIFEST_NAME}: table {key!r} belongs to no SAE of the manifest"
    if not entries:
        yield f"{MANIFEST_NAME}: table {key!r} has no files"
    if any(not entry.path.startswith(f"{table_folder(key)}/") for entry in entries):
        yield f"{MANIFEST_NAME}: table {key!r} claims files of another table"
    starts = [entry for entry in entries if entry.feature_start is not None]
    for before, after in itertools.pairwise(starts):
        if (before.feature_stop or 0) > (after.feature_start or 0):
            yield f"{after.path}: its features overlap those of {before.path}"
    reader = TableReader(folder)
    for entry in entries:
        try:
            yield from _file_problems(folder, key, entry, reader)
        except AtlasError as error:
            yield _line(error)


def _file_problems(folder: Path, key: str, entry: FileEntry, reader: TableReader) -> Iterator[str]:
    """Problems of one file; raises `AtlasError` where it cannot be read at all."""
    path = folder / entry.path
    with disk_errors(path):
        size = path.stat().st_size if path.is_file() and not path.is_symlink() else -1
    if size != entry.bytes:
        yield f"{entry.path}: {'missing' if size < 0 else f'{size:,} bytes, not {entry.bytes:,}'}"
        return
    if sha256_file(path) != entry.sha256:
        yield f"{entry.path}: damaged (its SHA-256 differs from the manifest's)"
        return
    table = reader.read(entry)
    if table.num_rows != entry.rows:
        yield f"{entry.path}: {table.num_rows:,} rows, not {entry.rows:,}"
    name = key.rpartition("/")[2]
    expected = (SAE_TABLES if "/" in key else SHARED_TABLES).get(name)
    if expected is not None:
        yield from (f"{entry.path}: {problem}" for problem in conforms(table.schema, expected))
    if table.num_rows and is_by_feature(table.schema):
        yield from _range_problems(table["feature_idx"], entry)


def _range_problems(features: pa.ChunkedArray, entry: FileEntry) -> Iterator[str]:
    """Problems of the feature numbers of one file."""
    if features.null_count:
        yield f"{entry.path}: feature_idx has nulls"
        return
    numbers = features.to_numpy()
    if np.any(np.diff(numbers) < 0):
        yield f"{entry.path}: features are not in order"
    found = (int(numbers[0]), int(numbers[-1]) + 1)
    if found != (entry.feature_start, entry.feature_stop):
        yield f"{entry.path}: features {found}, not {(entry.feature_start, entry.feature_stop)}"


def _foreign_files(folder: Path, manifest: Manifest) -> Iterator[str]:
    """Files and links in `folder` that the manifest does not name."""
    named = {entry.path for entries in manifest.tables.values() for entry in entries}
    named.add(MANIFEST_NAME)
    for path in sorted(_walk(folder)):
        relative = path.relative_to(folder).as_posix()
        if relative not in named:
            yield f"{ascii(relative)[1:-1]}: not part of the dataset"


def _walk(folder: Path) -> Iterable[Path]:
    """Every file and link under `folder`, links not followed, names with a leading dot left out."""
    for path in folder.iterdir():
        if path.name.startswith("."):
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path)
        else:
            yield path
