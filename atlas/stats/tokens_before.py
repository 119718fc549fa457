"""The tokens that stand directly before those each feature fires on."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from atlas.stats.token_lists import TokenListStatistic, neighbours, token_columns

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from atlas.batch import ActivationBatch


class TokensBefore(TokenListStatistic):
    """The tokens directly before the firing ones, by summed activation of the firings."""

    name: ClassVar[str] = "tokens_before"
    quarters: ClassVar[int] = 1
    columns: ClassVar[tuple[pa.Field, ...]] = token_columns(
        "tokens_before",
        "The tokens directly before those it fires on, by summed activation of the firings (count = firings"
        " with that token before them, value = mean activation of those firings). Only counted tokens of the"
        " same context and document: a firing whose neighbour is masked, or that has none, is left out.",
        quarters,
    )

    def tokens(self, batch: ActivationBatch) -> NDArray[np.int32]:
        """The counted token before each place."""
        return neighbours(batch, -1)
