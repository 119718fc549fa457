"""The dataset as pages need it: columns in feature order as plain values, windows as whole characters."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from atlas.errors import InputError
from atlas.render.windows import Vocabulary, Windows, flatten
from atlas.schema import EXAMPLES, FEATURE_LIST, HISTOGRAM, SOURCE_LIST, TOKEN_LIST, ColumnInfo, column_info

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from atlas.store import AtlasStore, SaeEntry

FIRING_COLUMN = "firing_tokens"
"""Counted tokens on which the feature fires: tells the dead from the living."""
MAX_COLUMN = "max_activation"
TOKENS_COLUMN = "top_tokens"
SHARE_SUFFIX = "_share"
"""A hidden column `<name>_share` says in how much of the corpus the column `<name>` was counted."""

_OWN_PAGES = {"examples", "effects", "explanations", "report", "clusters"}
_LIST_TYPES = {
    "histogram": HISTOGRAM,
    "token_list": TOKEN_LIST,
    "feature_list": FEATURE_LIST,
    "source_list": SOURCE_LIST,
}


@dataclass(frozen=True)
class Block:
    """Consecutive features of one SAE, read together."""

    start: int
    """First feature."""
    stop: int
    """One past the last."""
    values: dict[str, list[Any]]
    """Column → one value per feature, None where its table has no row; lists as lists of tuples."""
    windows: Windows
    """Their examples (and perhaps those of features read together with them)."""

    @property
    def size(self) -> int:
        """Number of features."""
        return self.stop - self.start


class SaeData:
    """All tables of one SAE, read block by block."""

    def __init__(self, store: AtlasStore, entry: SaeEntry, vocabulary: Vocabulary) -> None:
        self.entry = entry
        self.slug = entry.slug
        self.n_features = entry.n_features
        self._store = store
        self._vocabulary = vocabulary
        prefix = f"{entry.slug}/"
        names = [key.removeprefix(prefix) for key in store.manifest.tables if key.startswith(prefix)]
        order = ["features", "logits", "weights", "neighbours", "coords"]
        names.sort(key=lambda name: (order.index(name) if name in order else len(order), name))
        self._columns: dict[str, list[ColumnInfo]] = {}
        for name in names:
            if name not in _OWN_PAGES:
                self._columns[name] = self._drawable(name)
        self.columns: dict[str, ColumnInfo] = {}
        """Every column that a panel may draw, by name; of equal names the first table's."""
        for info in itertools.chain.from_iterable(self._columns.values()):
            self.columns.setdefault(info.name, info)

    def table_of(self, column: str) -> str:
        """Name of the table that holds `column` (a key of `columns`)."""
        return next(
            table for table, infos in self._columns.items() if any(info.name == column for info in infos)
        )

    def blocks(self, size: int, per_read: int) -> Iterator[Block]:
        """All features, `size` at a time; tables are read `per_read` blocks at a time."""
        for start in range(0, self.n_features, size * per_read):
            whole = self.block(start, min(start + size * per_read, self.n_features))
            for first in range(0, whole.stop - start, size):
                last = min(first + size, whole.stop - start)
                values = {name: column[first:last] for name, column in whole.values.items()}
                yield Block(start + first, start + last, values, whole.windows)

    def block(self, start: int, stop: int) -> Block:
        """The features start <= feature_idx < stop."""
        values: dict[str, list[Any]] = {}
        for table, infos in self._columns.items():
            rows = self._store.read_features(table, self.slug, start, stop)
            places = rows["feature_idx"].to_numpy() - start
            for info in infos:
                if info.name not in values:
                    values[info.name] = _scatter(_values(rows[info.name], info), places, stop - start)
        return Block(start, stop, values, self._windows(start, stop))

    def _drawable(self, table: str) -> list[ColumnInfo]:
        schema = self._store.schema(table, self.slug)
        found: list[ColumnInfo] = []
        for field in schema if "feature_idx" in schema.names else ():
            info = column_info(field)
            expected = _LIST_TYPES.get(info.kind)
            if expected is not None and not _fits(field.type, expected, info.kind):
                raise InputError(
                    f"column {field.name!r} says it is a {info.kind} but is a {field.type}",
                    where=f"table {self.slug}/{table}",
                    fix="write it with the types of atlas.schema",
                )
            counted = info.name.removesuffix(SHARE_SUFFIX)
            explains = counted != info.name and counted in schema.names
            if explains or info.kind not in {"id", "hidden", "examples"}:
                found.append(info)
        return found

    def _windows(self, start: int, stop: int) -> Windows:
        if self._store.has("examples", self.slug):
            rows = self._store.read_features("examples", self.slug, start, stop)
        else:
            rows = EXAMPLES.empty_table()
        return Windows(rows, self._vocabulary, start, stop)


def _fits(actual: pa.DataType, expected: pa.DataType, kind: str) -> bool:
    """Whether `actual` is `expected`; records of a 'feature_list' may have further fields at their end."""
    if kind != "feature_list" or not pa.types.is_list(actual) or not pa.types.is_struct(actual.value_type):
        return actual.equals(expected)
    wanted = list(expected.value_type)
    return [field.remove_metadata() for field in actual.value_type][: len(wanted)] == wanted


def _values(column: pa.ChunkedArray, info: ColumnInfo) -> list[Any]:
    """A column as Python values; lists of records as lists of tuples, NaN as None."""
    if info.kind in _LIST_TYPES:
        offsets, structs = flatten(column)
        fields = [
            structs.field(number).to_numpy(zero_copy_only=False).tolist()
            for number in range(structs.type.num_fields)
        ]
        records = list(zip(*fields, strict=True))
        return [records[first:last] for first, last in itertools.pairwise(offsets.tolist())]
    values = column.to_pylist()
    if pa.types.is_floating(column.type):
        return [None if value is None or value != value else value for value in values]  # noqa: PLR0124 - NaN
    return values


def _scatter(values: list[Any], places: NDArray[np.int64], size: int) -> list[Any]:
    """One value per feature of the block; None where the table has no row."""
    if len(values) == size:
        return values
    found: list[Any] = [None] * size
    for place, value in zip(places.tolist(), values, strict=True):
        found[place] = value
    return found
