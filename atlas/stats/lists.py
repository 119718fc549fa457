"""Rows of unequal length as a column of lists, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from atlas.stats.ragged import row_bounds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def struct_lists(
    kind: pa.ListType,
    lengths: NDArray[np.integer],
    *columns: NDArray[np.generic] | Sequence[str],
    nan_is_null: bool = False,
) -> pa.Array:
    """A column of type `kind`, list<struct>, with `lengths` [n_rows] entries in its rows.

    `columns` are the struct's fields in their order, each [sum(lengths)], row after row.
    """
    fields = list(kind.value_type)
    children = [
        pa.array(values, field.type, from_pandas=nan_is_null)
        for values, field in zip(columns, fields, strict=True)
    ]
    ends = row_bounds(lengths).astype(np.int32)
    structs = pa.StructArray.from_arrays(children, fields=fields)
    return pa.ListArray.from_arrays(pa.array(ends), structs, type=kind)


def flatten(column: pa.Array | pa.ChunkedArray) -> tuple[NDArray[np.int64], Any]:
    """A column of lists as offsets [n_rows + 1] and the entries of all rows, one Arrow array.

    Entries of row i are offsets[i]:offsets[i + 1], from 0 on whatever part of a table `column` is; a null has
    none.
    """
    whole: Any = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    offsets = np.asarray(whole.offsets, np.int64) if len(whole) else np.zeros(1, np.int64)
    return offsets - offsets[0], whole.values.slice(int(offsets[0]), int(offsets[-1] - offsets[0]))


def flat_numbers(column: pa.Array | pa.ChunkedArray) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """`flatten` of a column of lists of numbers, the entries as numpy has them."""
    offsets, entries = flatten(column)
    return offsets, entries.to_numpy(zero_copy_only=False)
