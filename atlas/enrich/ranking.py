"""The n largest entries of every row of a matrix, ties settled the same way every time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from atlas.schema import FEATURE_LIST, TOKEN_LIST
from atlas.stats.lists import struct_lists
from atlas.stats.ragged import row_bounds

if TYPE_CHECKING:
    import pyarrow as pa
    import torch
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Ranked:
    """Ragged rows of (column, value), largest value first, equal values by column."""

    offsets: NDArray[np.int32]
    """[n_rows + 1] row r is entries offsets[r] … offsets[r + 1] - 1."""
    columns: NDArray[np.int32]
    """[n_entries] column numbers."""
    values: NDArray[np.float32]
    """[n_entries] the matrix's values there."""

    def tokens(self, token_ids: NDArray[np.int32], sign: float = 1.0) -> pa.Array:
        """As `schema.TOKEN_LIST`: column c is token_ids[c], count is 0, values are times `sign`."""
        count = np.zeros(self.columns.size, np.int64)
        # Adding 0 turns the -0.0 of a negated zero back into 0.0.
        value = self.values * np.float32(sign) + np.float32(0)
        return struct_lists(TOKEN_LIST, np.diff(self.offsets), token_ids[self.columns], count, value)

    def features(self) -> pa.Array:
        """As `schema.FEATURE_LIST`: column c is feature c."""
        return struct_lists(FEATURE_LIST, np.diff(self.offsets), self.columns, self.values)


def largest(values: torch.Tensor, n: int) -> Ranked:
    """The at most `n` largest entries of each row of `values` [rows, columns].

    Entries that are -inf or NaN are left out, so that a caller can strike what must not be chosen.
    """
    import torch

    rows, columns = values.shape
    keep = min(n, columns)
    if not rows or not keep:
        return Ranked(np.zeros(rows + 1, np.int32), np.zeros(0, np.int32), np.zeros(0, np.float32))
    legal = torch.nan_to_num(values, nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf)
    # topk orders equal values as it pleases: take it for the bound only, and sort all that reach it.
    bound = torch.topk(legal, keep, dim=1).values[:, -1:]
    row, column = ((legal >= bound) & (legal > -torch.inf)).nonzero(as_tuple=True)
    value = legal[row, column].float().cpu().numpy()
    row, column = row.cpu().numpy(), column.cpu().numpy()
    order = np.lexsort((column, -value, row))
    starts = np.searchsorted(row, np.arange(rows + 1))
    order = order[np.arange(row.size) - starts[row] < n]
    counts = np.minimum(np.diff(starts), n)
    return Ranked(
        row_bounds(counts).astype(np.int32),
        column[order].astype(np.int32),
        value[order].astype(np.float32),
    )


def tile_rows(columns: int) -> int:
    """Rows to take at a time so that a float32 tile of that many columns stays at 64 MB (at least 1 row)."""
    return max(1, (1 << 24) // max(columns, 1))
