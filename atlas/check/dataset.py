"""Is a dataset whole: every byte as recorded, every table complete, no reference to what is not there?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from atlas.check.model import model_problems
from atlas.check.relations import (
    Bounds,
    column_problems,
    context_problems,
    effect_problems,
    entries_of,
    example_problems,
    lengths_of,
    numbers_of,
)
from atlas.errors import AtlasError
from atlas.schema import MODEL_TABLES, SAE_TABLES, SHARED_TABLES
from atlas.store import AtlasStore, verify_dataset

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pyarrow as pa

    from atlas.store import SaeEntry

STEP = 1024
"""Features looked at in one go; memory grows with it."""

STREAM_TABLES = frozenset({"features", "examples", "report"})
"""Tables of an SAE that every pass writes."""

COMPLETE = frozenset({"features", "logits", "weights", "neighbours", "directions"})
"""Tables with exactly one row for every feature; the others leave out features that have nothing to say."""


def check_dataset(folder: Path, progress: Callable[[int, int], None] | None = None) -> list[str]:
    """Problems of the dataset in `folder`, one line each; `[]` if it is whole.

    First what `verify_dataset` finds (hashes, sizes, schemas, foreign files); then, in the tables that can be
    read: missing tables and rows, features, documents and tokens out of range, numbers that are not finite.
    `progress(tables done, tables in all)`. Never raises for damage.
    """
    problems = verify_dataset(folder)
    try:
        store = AtlasStore.open(folder)
    except AtlasError:
        return problems
    tables = [(name, None) for name in SHARED_TABLES]
    tables += [(name, entry) for entry in store.manifest.saes for name in SAE_TABLES]
    if not store.manifest.saes:
        problems.append("manifest.json: the dataset has no SAE: no build of it was ever finished")
    bounds = _bounds(store)
    for number, (name, entry) in enumerate(tables):
        if progress is not None:
            progress(number, len(tables))
        label = name if entry is None else f"{entry.slug}/{name}"
        if not store.has(name, None if entry is None else entry.slug):
            if not _excused(store, name, entry):
                problems.append(f"{label}: the table is missing")
            continue
        try:
            problems += [f"{label}: {text}" for text in _table_problems(store, name, entry, bounds)]
        except AtlasError as error:
            # Damage is on the list already, with its file: see `verify_dataset`.
            if not problems:
                problems.append(f"{label}: {error.what}")
    return problems + model_problems(store)


def _excused(store: AtlasStore, name: str, entry: SaeEntry | None) -> bool:
    """Whether the dataset says that it has no such table: no model for browsers, or of this SAE no logits."""
    if name in MODEL_TABLES:
        return not store.manifest.browser_model
    if entry is None or name in STREAM_TABLES:
        return False
    notes = store.manifest.enrichers.items()
    return any(key.startswith(f"{entry.slug}/") and note.startswith("Not available") for key, note in notes)


def _bounds(store: AtlasStore) -> Bounds:
    rows = {key: sum(file.rows for file in files) for key, files in store.manifest.tables.items()}
    sizes = tuple(entry.n_features for entry in store.manifest.saes)
    return Bounds(tokens=rows.get("vocabulary", 0), documents=rows.get("documents", 0), features=sizes)


def _table_problems(store: AtlasStore, name: str, entry: SaeEntry | None, bounds: Bounds) -> Iterator[str]:
    return _shared_table(store, name, bounds) if entry is None else _sae_table(store, name, entry, bounds)


def _shared_table(store: AtlasStore, name: str, bounds: Bounds) -> Iterator[str]:
    if name == "postings":
        yield from _postings_problems(
            store.read("postings", columns=["sae", "feature_idx", "weight"]), bounds
        )
        return
    if name == "vectors":
        yield from _vector_problems(store.read("vectors", columns=["number", "vector"]), bounds)
        return
    if name == "contexts":
        yield from context_problems(store.read(name), bounds.tokens)
        return
    key = {"documents": "document_idx", "vocabulary": "token_id"}.get(name)
    if key is not None:
        ids = numbers_of(store.read(name, columns=[key])[key])
        if not np.array_equal(ids, np.arange(ids.size)):
            yield f"{key} does not count from 0 without gaps"


def _postings_problems(table: pa.Table, bounds: Bounds) -> Iterator[str]:
    lengths = [lengths_of(table[name]) for name in table.column_names]
    if any(not np.array_equal(lengths[0], other) for other in lengths[1:]):
        yield "lists of one term differ in length"
        return
    saes = numbers_of(entries_of(table["sae"])).astype(np.int64)
    features = numbers_of(entries_of(table["feature_idx"]))
    known = (saes >= 0) & (saes < len(bounds.features))
    if not known.all():
        yield f"{int((~known).sum()):,} postings name an SAE that does not exist"
    sizes = np.array([*bounds.features, 0])[np.where(known, saes, -1)]
    lost = known & ((features < 0) | (features >= sizes))
    if lost.any():
        yield f"{int(lost.sum()):,} postings name a feature that does not exist"
    if not np.isfinite(numbers_of(entries_of(table["weight"]))).all():
        yield "a weight is not a finite number"


def _vector_problems(table: pa.Table, bounds: Bounds) -> Iterator[str]:
    lengths = lengths_of(table["vector"])
    if np.unique(lengths).size > 1:
        yield "vectors differ in length"
    numbers = numbers_of(table["number"])
    if ((numbers < -1) | (numbers >= sum(bounds.features))).any():
        yield "a vector is of a feature that does not exist"


def _sae_table(store: AtlasStore, name: str, entry: SaeEntry, bounds: Bounds) -> Iterator[str]:
    schema = store.schema(name, entry.slug)
    if "feature_idx" not in schema.names:
        table = store.read(name, entry.slug)
        for column in schema:
            yield from column_problems(table[column.name], column, entry.n_features, bounds)
        return
    rows = np.zeros(entry.n_features, dtype=np.int64)
    outside = 0
    for start, stop, table in _slices(store, name, entry):
        features = numbers_of(table["feature_idx"])
        inside = (features >= start) & (features < stop)
        outside += int((~inside).sum())
        rows += np.bincount(features[inside], minlength=entry.n_features)
        for column in schema:
            yield from column_problems(table[column.name], column, entry.n_features, bounds)
        if name == "examples":
            yield from example_problems(table)
        if name == "effects" and store.has("examples", entry.slug):
            yield from effect_problems(
                table, store.read_features("examples", entry.slug, start, stop), bounds.tokens
            )
    yield from _row_problems(name, rows, outside)


def _slices(store: AtlasStore, name: str, entry: SaeEntry) -> Iterator[tuple[int, int, pa.Table]]:
    yield from store.iter_features(name, entry.slug, STEP)
    files = store.manifest.tables[f"{entry.slug}/{name}"]
    last = max((file.feature_stop or 0 for file in files), default=0)
    if last > entry.n_features:
        yield 0, 0, store.read_features(name, entry.slug, entry.n_features, last)


def _row_problems(name: str, rows: np.ndarray[tuple[int], np.dtype[np.int64]], outside: int) -> Iterator[str]:
    if outside:
        yield f"{outside:,} rows of features that the SAE does not have"
    if name in {"examples", "effects"}:
        return
    if (rows > 1).any():
        yield f"feature {int(np.argmax(rows > 1))} has {int(rows.max())} rows"
    if name in COMPLETE and (rows == 0).any():
        yield f"{int((rows == 0).sum()):,} features have no row (the first is {int(np.argmax(rows == 0))})"
