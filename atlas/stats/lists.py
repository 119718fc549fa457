"""Rows of unequal length as a column of lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

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
    ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    structs = pa.StructArray.from_arrays(children, fields=fields)
    return pa.ListArray.from_arrays(pa.array(ends), structs, type=kind)
