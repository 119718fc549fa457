"""The tokens each feature fires on."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import pyarrow as pa

from atlas.schema import TOKEN_LIST, column
from atlas.stats.base import PassShape, State, Statistic, Totals
from atlas.stats.pairs import LEVEL_BITS, PairTable, pairs_of
from atlas.stats.ragged import ranks

if TYPE_CHECKING:
    from atlas.batch import ActivationBatch

SHOWN = 10
"""Tokens per feature in the column."""


class TopTokens(Statistic):
    """The tokens that carry most of a feature's activation.

    Ordered by summed activation (count x mean): by count alone, common tokens on which it barely
    fires would come first; by mean alone, single accidents. Ties: lower token id first.
    """

    name: ClassVar[str] = "top_tokens"
    columns: ClassVar[tuple[pa.Field, ...]] = (
        column(
            "top_tokens",
            TOKEN_LIST,
            doc="The tokens it fires on, by summed activation (count = firing tokens of that id, value ="
            " mean activation over them).",
            kind="token_list",
            unit="activation",
        ),
        column(
            "top_tokens_share",
            pa.float64(),
            doc="Share of all contexts that top_tokens counts: 1 (all of them) unless the feature fires on"
            " more kinds of tokens than the table has room for (33,554,432 rows shared by all features, at"
            " least 1,024 each); then 1/8, 1/64, … of them, drawn by a hash.",
            kind="hidden",
            unit="fraction",
        ),
    )

    def __init__(self, shape: PassShape) -> None:
        super().__init__(shape)
        self._table = PairTable(shape.n_features, shape.seed)

    def update(self, batch: ActivationBatch) -> None:
        """Count the events per feature and token."""
        self._table.add(batch)

    def merge(self, other: Self) -> None:
        """Add the counts."""
        self._table.merge(other._table)

    def state(self) -> State:
        """The table of pairs."""
        return self._table.state()

    def load(self, state: State) -> None:
        """Replace it."""
        self._table.load(state)

    def finish(self, totals: Totals) -> dict[str, pa.Array]:
        """The first `SHOWN` tokens of every feature; an empty list if it never fired."""
        del totals
        pairs = pairs_of(self._table.settle())
        # Pairs are sorted by token and lexsort is stable: ties stay in the order of the token ids.
        order = np.lexsort((-pairs.activation, pairs.feature_idx))
        order = order[ranks(pairs.feature_idx[order]) < SHOWN]
        count = pairs.count[order]
        tokens = pa.StructArray.from_arrays(
            [
                pa.array(pairs.token_id[order], pa.int32()),
                pa.array(count, pa.int64()),
                pa.array((pairs.activation[order] / count).astype(np.float32)),
            ],
            fields=list(TOKEN_LIST.value_type),
        )
        lengths = np.bincount(pairs.feature_idx[order], minlength=self.shape.n_features)
        ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        share = np.ldexp(1.0, -LEVEL_BITS * self._table.level.astype(np.int32))
        return {
            "top_tokens": pa.ListArray.from_arrays(pa.array(ends), tokens, type=TOKEN_LIST),
            "top_tokens_share": pa.array(share, pa.float64()),
        }
