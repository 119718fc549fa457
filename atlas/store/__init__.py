"""The dataset: a folder of parquet tables and one manifest that names and hashes them all."""

from atlas.store.check import verify_dataset
from atlas.store.dataset import AtlasStore
from atlas.store.files import write_atomic
from atlas.store.manifest import FileEntry, Manifest, SaeEntry
from atlas.store.tables import TableReader, TableWriter

__all__ = [
    "AtlasStore",
    "FileEntry",
    "Manifest",
    "SaeEntry",
    "TableReader",
    "TableWriter",
    "verify_dataset",
    "write_atomic",
]
