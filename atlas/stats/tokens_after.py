"""The tokens that stand directly after those each feature fires on."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from atlas.stats.token_lists import TokenListStatistic, neighbours, token_columns

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from atlas.batch import ActivationBatch


class TokensAfter(TokenListStatistic):
    """The tokens directly after the firing ones, by summed activation of the firings."""

    name: ClassVar[str] = "tokens_after"
    quarters: ClassVar[int] = 1
    columns: ClassVar[tuple[pa.Field, ...]] = token_columns(
        "tokens_after",
        "The tokens directly after those it fires on, by summed activation of the firings (count = firings"
        " with that token after them, value = mean activation of those firings). Only counted tokens of the"
        " same context and document: a firing whose neighbour is masked, or that has none, is left out.",
        quarters,
    )

    def tokens(self, batch: ActivationBatch) -> NDArray[np.int32]:
        """The counted token after each place."""
        return neighbours(batch, 1)
