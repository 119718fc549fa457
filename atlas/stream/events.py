"""From dense activations to sparse events: the only place that looks at every (token, feature) pair."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from atlas.stats.ragged import radix_order

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray


class NotFiniteError(ArithmeticError):
    """An activation on a counted token is NaN or infinite; `feature_idx` is one such feature."""

    def __init__(self, feature_idx: int) -> None:
        super().__init__(f"the activation of feature {feature_idx} is not finite")
        self.feature_idx = feature_idx


@dataclass(frozen=True)
class Events:
    """Where features fire. All arrays [n_events]."""

    row: NDArray[np.int32]
    """Token, as an index into the flattened [n_contexts * context_size] tokens of a batch."""
    feature_idx: NDArray[np.int32]
    """The feature that fires."""
    activation: NDArray[np.float32]
    """Above 0 and finite."""


def events_of(
    dense: torch.Tensor, counted: NDArray[np.bool_], first_row: int, first_feature: int = 0
) -> Events:
    """The events in `dense` [rows, features] on counted rows, ordered by (row, feature).

    `counted` is [rows]; `dense[0, 0]` is feature `first_feature` on row `first_row`. Only what fires
    leaves the device. `NotFiniteError` for NaN and infinity: NaN > 0 is false, so it would vanish unseen.
    """
    flat, activation = _nonzero(dense)
    row = flat // dense.shape[1]
    feature_idx = flat - row * dense.shape[1] + first_feature
    if not counted.all():
        kept = counted[row]
        row, feature_idx, activation = row[kept], feature_idx[kept], activation[kept]
    if not np.isfinite(activation).all():
        raise NotFiniteError(int(feature_idx[~np.isfinite(activation)][0]))
    if activation.size and activation.min() < 0:
        kept = activation > 0
        row, feature_idx, activation = row[kept], feature_idx[kept], activation[kept]
    return Events((row + first_row).astype(np.int32), feature_idx.astype(np.int32), activation)


def by_feature(parts: list[Events]) -> Events:
    """`parts`, in which the rows of every feature ascend, as one, ordered by (feature, row)."""
    row = np.concatenate([part.row for part in parts])
    feature_idx = np.concatenate([part.feature_idx for part in parts])
    activation = np.concatenate([part.activation for part in parts])
    order = radix_order(feature_idx)
    return Events(row[order], feature_idx[order], activation[order])


def _nonzero(dense: torch.Tensor) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """(flat index, value) of every entry that is not 0, NaN included, in flat order."""
    # numpy's flatnonzero over a mask is several times faster than torch's nonzero on a CPU.
    return _found_by_numpy(dense) if dense.device.type == "cpu" else _found_on_device(dense)


def _found_by_numpy(dense: torch.Tensor) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    values = np.ascontiguousarray(dense.numpy()).reshape(-1)
    flat = np.flatnonzero(values != 0)
    return flat, values[flat]


def _found_on_device(dense: torch.Tensor) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    values = dense.reshape(-1)
    flat = (values != 0).nonzero().squeeze(1)
    return flat.cpu().numpy(), values[flat].cpu().numpy()
