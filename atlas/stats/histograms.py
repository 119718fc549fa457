"""Tables of counts as a column of histograms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from atlas.schema import HISTOGRAM
from atlas.stats.lists import struct_lists

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray


def histogram_column(
    counts: NDArray[np.integer], lower: NDArray[np.floating], upper: NDArray[np.floating]
) -> pa.Array:
    """`counts` [n_features, n_bins] as HISTOGRAM: the bins that hold something, in their order.

    `lower` and `upper` are [n_bins]; a bin holds lower <= value < upper.
    """
    features, places = np.nonzero(counts)
    lengths = np.bincount(features, minlength=len(counts))
    held = counts[features, places].astype(np.int64)
    return struct_lists(HISTOGRAM, lengths, lower[places], upper[places], held)
