"""What the lists of tokens share: a bounded table of (feature, token) pairs."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import pyarrow as pa

from atlas.schema import TOKEN_LIST, column
from atlas.stats.base import PassShape, State, Statistic, Totals
from atlas.stats.lists import struct_lists
from atlas.stats.pairs import LEVEL_BITS, MIN_ROWS, NO_TOKEN, SHARES, TABLE_ROWS, Pairs, PairTable, pairs_of
from atlas.stats.pool import best_first
from atlas.stats.ragged import ranks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas.batch import ActivationBatch

SHOWN = 10
"""Tokens per feature in a column."""


def token_columns(name: str, doc: str, quarters: int) -> tuple[pa.Field, pa.Field]:
    """The column of tokens and the one that says in which share of the contexts they were counted."""
    rows, least = TABLE_ROWS * quarters // SHARES, MIN_ROWS * quarters // SHARES
    share = (
        f"Share of all contexts that {name} counts: 1 (all of them) unless the feature needs more rows than"
        f" the table has room for ({rows:,} rows for all features together, or {least} per feature where that"
        " is more; room that one feature does not need goes to the others); then 1/4, 1/16, … of them, drawn"
        " by a hash."
    )
    return (
        column(name, TOKEN_LIST, doc=doc, kind="token_list", unit="activation"),
        column(f"{name}_share", pa.float64(), doc=share, kind="hidden", unit="fraction"),
    )


class TokenListStatistic(Statistic):
    """The tokens that carry most of a feature's activation, each firing counted with one token.

    Ordered by summed activation (count x mean): by count alone, common tokens on which it barely
    fires would come first; by mean alone, single accidents. Ties: lower token id first.
    """

    quarters: ClassVar[int]
    """Quarters of the tables' shared room (`atlas.stats.pairs`) that this one takes."""

    def __init__(self, shape: PassShape) -> None:
        super().__init__(shape)
        self._table = PairTable(shape, self.quarters)

    @abstractmethod
    def tokens(self, batch: ActivationBatch) -> NDArray[np.int32]:
        """[n_contexts, context_size] the token that a firing there is counted with; `NO_TOKEN` for none."""

    def update(self, batch: ActivationBatch) -> None:
        """Count the events per feature and token."""
        self._table.add(batch, self.tokens(batch))

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
        """The first `SHOWN` tokens of every feature; an empty list if there are none."""
        del totals
        return self._lists(pairs_of(self._table.rows()))

    def _lists(self, pairs: Pairs) -> dict[str, pa.Array]:
        """The first two columns."""
        # The bits of a positive float order as it does, so that they serve as the priority.
        priority = pairs.activation.view(np.uint64) << np.uint64(1)
        order = best_first(pairs.feature_idx, priority, pairs.token_id, pairs.token_id)
        order = order[ranks(pairs.feature_idx[order]) < SHOWN]
        count = pairs.count[order]
        mean = (pairs.activation[order] / count).astype(np.float32)
        lengths = np.bincount(pairs.feature_idx[order], minlength=self.shape.n_features)
        share = np.ldexp(1.0, -LEVEL_BITS * self._table.level.astype(np.int32))
        names = [field.name for field in self.columns]
        return {
            names[0]: struct_lists(TOKEN_LIST, lengths, pairs.token_id[order], count, mean),
            names[1]: pa.array(share, pa.float64()),
        }


def neighbours(batch: ActivationBatch, step: int) -> NDArray[np.int32]:
    """[n_contexts, context_size] the counted token `step` places on in the same document, else `NO_TOKEN`.

    `step` is 1 for the token after, -1 for the token before.
    """
    found = np.full_like(batch.token_ids, NO_TOKEN)
    here, there = (slice(1, None), slice(None, -1)) if step < 0 else (slice(None, -1), slice(1, None))
    same = batch.counted[:, there] & (batch.document_idx[:, there] == batch.document_idx[:, here])
    found[:, here] = np.where(same, batch.token_ids[:, there], NO_TOKEN)
    return found
