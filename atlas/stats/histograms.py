"""Tables of counts as a column of histograms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from atlas.schema import HISTOGRAM

if TYPE_CHECKING:
    from numpy.typing import NDArray


def histogram_column(
    counts: NDArray[np.integer], lower: NDArray[np.floating], upper: NDArray[np.floating]
) -> pa.Array:
    """`counts` [n_features, n_bins] as HISTOGRAM: the bins that hold something, in their order.

    `lower` and `upper` are [n_bins]; a bin holds lower <= value < upper.
    """
    features, places = np.nonzero(counts)
    bins = pa.StructArray.from_arrays(
        [
            pa.array(lower[places], pa.float32()),
            pa.array(upper[places], pa.float32()),
            pa.array(counts[features, places].astype(np.int64), pa.int64()),
        ],
        fields=list(HISTOGRAM.value_type),
    )
    lengths = np.bincount(features, minlength=len(counts))
    ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(ends), bins, type=HISTOGRAM)
