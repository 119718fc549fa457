"""Columns of the dataset as arrays: what data files are packed from and content hashes are made of."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from atlas.stats.lists import flatten
from atlas.stats.ragged import ranges, row_bounds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True)
class RawColumn:
    """One column of some consecutive features, one value per feature; of three forms by what it holds.

    Texts: only `texts`. Numbers: only `fields`, of one array. Lists: `offsets` and an array per field.
    """

    valid: NDArray[np.bool_]
    """[n] False where the feature has no value: null, or no row at all."""
    fields: tuple[NDArray[Any] | list[str], ...] = ()
    """Of numbers one array [n]; of lists one per field of their entries, all entries one after the other:
    int64, float32 or float64, or a list of texts. What is null among floats is NaN, elsewhere 0 or empty."""
    offsets: NDArray[np.int64] | None = None
    """[n + 1] of lists: entries of feature i are offsets[i]:offsets[i + 1]."""
    texts: Sequence[str] | None = None
    """[n] empty where there is none."""

    def part(self, first: int, last: int) -> RawColumn:
        """The features first <= i < last."""
        valid = self.valid[first:last]
        if self.texts is not None:
            return RawColumn(valid, texts=self.texts[first:last])
        if self.offsets is None:
            return RawColumn(valid, tuple(field[first:last] for field in self.fields))
        bounds = self.offsets[first : last + 1]
        start, stop = int(bounds[0]), int(bounds[-1])
        return RawColumn(valid, tuple(field[start:stop] for field in self.fields), bounds - start)

    def heads(self, most: int) -> list[list[tuple[Any, ...]]]:
        """Of lists: at most so many first entries of each feature, as `values` has them; none for none."""
        offsets = np.asarray(self.offsets)
        counts = np.minimum(np.diff(offsets), most)
        chosen = ranges(offsets[:-1], counts)
        fields = tuple(
            [field[at] for at in chosen.tolist()] if isinstance(field, list) else field[chosen]
            for field in self.fields
        )
        entries = list(zip(*map(_plain, fields), strict=True))
        return [entries[first:last] for first, last in pairwise(row_bounds(counts).tolist())]

    def values(self) -> list[Any]:
        """As Python values: numbers, texts, lists of tuples; None where there is none, and for NaN."""
        if self.texts is not None:
            return [text if known else None for text, known in zip(self.texts, self.valid, strict=True)]
        if self.offsets is None:
            numbers = _plain(self.fields[0])
            return [
                value if known else None for value, known in zip(numbers, self.valid.tolist(), strict=True)
            ]
        rows = self.heads(
            self.fields[0].size if isinstance(self.fields[0], np.ndarray) else len(self.fields[0])
        )
        return [row if known else None for row, known in zip(rows, self.valid.tolist(), strict=True)]


def raw_column(column: pa.ChunkedArray, places: NDArray[np.int64], size: int) -> RawColumn:
    """`column`, whose rows are of the features `places` (ascending) of `size` consecutive ones."""
    whole: Any = column.combine_chunks()
    present = np.ones(len(whole), np.bool_)
    if whole.null_count:
        present = np.asarray(whole.is_valid())
    valid = _scattered(present, places, size, False)
    if pa.types.is_list(whole.type):
        return _lists(column, places, size, valid)
    if pa.types.is_string(whole.type):
        texts = [""] * size
        for place, text in zip(places.tolist(), whole.to_pylist(), strict=True):
            texts[place] = text or ""
        return RawColumn(valid, texts=texts)
    numbers = _numbers(whole)
    if numbers.dtype.kind == "f":
        valid = valid & _scattered(np.isfinite(numbers), places, size, False)
    return RawColumn(valid, (_scattered(numbers, places, size, 0),))


def _lists(
    column: pa.ChunkedArray, places: NDArray[np.int64], size: int, valid: NDArray[np.bool_]
) -> RawColumn:
    bounds, structs = flatten(column)
    lengths = _scattered(np.diff(bounds), places, size, 0)
    offsets = row_bounds(lengths)
    fields = (structs.field(number) for number in range(structs.type.num_fields))
    return RawColumn(valid, tuple(_field(field) for field in fields), offsets)


def _field(values: Any) -> NDArray[Any] | list[str]:
    if pa.types.is_string(values.type):
        return [text or "" for text in values.to_pylist()]
    return _numbers(values)


def _numbers(values: Any) -> NDArray[Any]:
    """float32 and float64 as they are, all else as int64; nulls are NaN, or 0 among integers."""
    if pa.types.is_floating(values.type):
        found: NDArray[Any] = values.to_numpy(zero_copy_only=False)
        return found if found.dtype == np.float32 else found.astype(np.float64)
    if values.null_count:
        values = values.fill_null(False if pa.types.is_boolean(values.type) else 0)
    return values.to_numpy(zero_copy_only=False).astype(np.int64)


def _scattered(values: NDArray[Any], places: NDArray[np.int64], size: int, missing: Any) -> NDArray[Any]:
    if len(values) == size:
        return values
    found = np.full(size, missing, values.dtype)
    found[places] = values
    return found


def _plain(field: NDArray[Any] | list[str]) -> list[Any]:
    """As Python values; NaN is None."""
    if isinstance(field, list):
        return field
    values: list[Any] = field.tolist()
    if field.dtype.kind == "f" and not np.isfinite(field).all():
        return [value if known else None for value, known in zip(values, np.isfinite(field), strict=True)]
    return values
