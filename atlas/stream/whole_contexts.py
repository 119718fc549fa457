"""The contexts of the strongest examples, kept whole: examples hold only windows of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from atlas.schema import CONTEXTS, WHOLE_CONTEXTS
from atlas.sources.packing import PADDING
from atlas.stats.ragged import row_bounds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from atlas.store import AtlasStore
    from atlas.stream.contexts import ContextFiles

CONTEXTS_AT_ONCE = 4096
"""Contexts in memory together."""

_FEATURES_AT_ONCE = 4096


def write_contexts(store: AtlasStore, slugs: Sequence[str], files: ContextFiles) -> None:
    """Table contexts, from the tables examples of all `slugs` and what was read, in `files`."""
    found = [strongest_contexts(store, slug) for slug in slugs]
    wanted = np.unique(np.concatenate([*found, np.zeros(0, np.int64)]))
    with store.writer("contexts", schema=CONTEXTS) as writer:
        for start in range(0, wanted.size, CONTEXTS_AT_ONCE):
            numbers = wanted[start : start + CONTEXTS_AT_ONCE]
            token_ids, _ = files.read(numbers)
            real = token_ids != PADDING
            ends = row_bounds(np.count_nonzero(real, axis=1)).astype(np.int32)
            lists = pa.ListArray.from_arrays(pa.array(ends), pa.array(token_ids[real]))
            writer.write(pa.table([pa.array(numbers), lists], schema=CONTEXTS))


def strongest_contexts(store: AtlasStore, slug: str) -> NDArray[np.int64]:
    """Numbers of the contexts that hold one of the `WHOLE_CONTEXTS` strongest examples of a feature."""
    columns = ["feature_idx", "group", "rank", "context_idx"]
    parts: list[NDArray[np.int64]] = []
    for _, _, rows in store.iter_features("examples", slug, _FEATURES_AT_ONCE, columns):
        parts.append(np.unique(strongest(rows, WHOLE_CONTEXTS)["context_idx"].to_numpy()))
    return np.unique(np.concatenate([*parts, np.zeros(0, np.int64)]))


def strongest(rows: pa.Table, count: int) -> pa.Table:
    """Those of the `rows` of the table examples that are among the `count` strongest of their feature."""
    top = rows["group"].to_numpy(zero_copy_only=False) == "top"
    return rows.filter(pa.array(top & (rows["rank"].to_numpy() < count)))
