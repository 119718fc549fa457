"""Selected corpus positions as rows of the examples table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from atlas.schema import EXAMPLES
from atlas.stats.ragged import row_bounds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from atlas.stats.base import PassShape, Selection
    from atlas.stream.contexts import ContextFiles
    from atlas.stream.copies import Copies

GROUPS = ("top", "interval", "random", "same_token", "near_miss")
"""Order of the groups within a feature; groups of other statistics follow in the order of their names."""


_NONE = np.zeros(0, dtype=np.int64)


def example_rows(
    selections: Sequence[Selection], contexts: ContextFiles, copies: Copies, shape: PassShape
) -> pa.Table:
    """The rows of `selections`, ordered by (feature_idx, group, interval, rank); `copies` counts theirs.

    A window ends where its context or its document ends. An inserted BOS or separator belongs to
    the document after it (see `atlas.sources.packing`), so it may open a window, never close one.
    """
    groups = _ordered_groups(selections)
    names = np.concatenate([np.full(len(s.rank), groups.index(s.group)) for s in selections] or [_NONE])
    columns = {name: np.concatenate([getattr(s, name) for s in selections]) for name in _ARRAYS if selections}
    if not names.size:
        return EXAMPLES.empty_table()
    order = _order(names, columns)
    columns = {name: array[order] for name, array in columns.items()}
    window = columns.pop("window")
    cut = _cut(columns["context_idx"], columns["position"], contexts, shape)
    token_ids, document_idx, inside = cut
    ends = row_bounds(np.count_nonzero(inside, axis=1)).astype(np.int32)
    arrays: dict[str, pa.Array] = {
        name: pa.array(array, EXAMPLES.field(name).type) for name, array in columns.items()
    }
    arrays["group"] = pa.array(groups).take(pa.array(names[order]))
    arrays["document_idx"] = pa.array(document_idx, pa.int32())
    arrays["copies"] = pa.array(copies.at(columns["context_idx"], columns["position"]), pa.int32())
    arrays["peak"] = pa.array(np.count_nonzero(inside[:, : shape.window_before], axis=1), pa.int16())
    arrays["token_ids"] = pa.ListArray.from_arrays(pa.array(ends), pa.array(token_ids[inside], pa.int32()))
    arrays["activations"] = pa.ListArray.from_arrays(pa.array(ends), pa.array(window[inside], pa.float32()))
    return pa.table([arrays[name] for name in EXAMPLES.names], schema=EXAMPLES)


_ARRAYS = (
    "feature_idx", "interval", "interval_lower", "interval_upper", "rank", "activation", "context_idx",
    "position", "window",
)  # fmt: skip


def _order(names: NDArray[np.int64], columns: dict[str, NDArray[Any]]) -> NDArray[np.int64]:
    """Indices that sort by (feature_idx, group, interval, rank), equal ones in their present order."""
    key = columns["feature_idx"].astype(np.int64)
    for column in (names, columns["interval"], columns["rank"]):
        least = int(column.min())
        key = key * (int(column.max()) - least + 1) + (column - least)
    # Stable sorting makes use of the stretches that are sorted already.
    return np.argsort(key, kind="stable")


def _ordered_groups(selections: Sequence[Selection]) -> list[str]:
    found = {selection.group for selection in selections}
    return [group for group in GROUPS if group in found] + sorted(found - set(GROUPS))


def _cut(
    context_idx: NDArray[np.int64], position: NDArray[np.int32], contexts: ContextFiles, shape: PassShape
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.bool_]]:
    """(token ids [n, width], document of each example [n], which places belong to its window [n, width])."""
    unique, row = np.unique(context_idx, return_inverse=True)
    token_ids, document_idx = contexts.read(unique)
    place = position[:, None] + np.arange(-shape.window_before, shape.window_after + 1)
    size = token_ids.shape[1]
    inside = (place >= 0) & (place < size)
    # One flat index is several times faster than two.
    place = np.where(inside, place, 0) + (row * size)[:, None]
    own = document_idx[row, position]
    inside &= document_idx.reshape(-1).take(place) == own[:, None]
    return token_ids.reshape(-1).take(place), own, inside
