"""How well an SAE gives back what the model computed, measured on the sampled contexts of the pass."""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas.stats.base import State

SHORT = 1e-4
"""Vectors shorter than this count as of length 1 in the ratio of lengths, as in SAELens."""

_SUMS = (
    "n_tokens",
    "error",
    "square_in",
    "square_out",
    "product",
    "length_in",
    "length_out",
    "ratio",
    "cosine",
    "explained",
    "n_explained",
)
"""What is kept of a context: sums over its counted tokens, in the order of the state's columns."""


@dataclass(frozen=True)
class Figures:
    """How well an SAE reconstructs; None where it cannot be said.

    x is the tensor that its output x_hat stands for: its own input, or for a transcoder the tensor at the
    place where it writes.
    """

    n_tokens: int = 0
    """Tokens measured."""
    explained_variance: float | None = None
    """1 - sum |x - x_hat|² / sum |x - mean(x)|², the mean over all measured tokens."""
    explained_variance_legacy: float | None = None
    """Mean over tokens of 1 - |x - x_hat|² / |x - mean(x)|², the mean over the token's own context;
    tokens equal to that mean are left out."""
    mse: float | None = None
    """Mean over tokens of |x - x_hat|²."""
    cosine: float | None = None
    """Mean over tokens of the cosine between x and x_hat; 0 where one of them is 0."""
    l2_norm_in: float | None = None
    """Mean over tokens of |x|."""
    l2_norm_out: float | None = None
    """Mean over tokens of |x_hat|."""
    l2_ratio: float | None = None
    """Mean over tokens of |x_hat| / |x|, with 1 for an |x| below `SHORT`."""
    relative_reconstruction_bias: float | None = None
    """Sum of |x_hat|² / sum of x · x_hat (equation 10 of https://arxiv.org/abs/2404.16014)."""


class Reconstruction:
    """Sums over the counted tokens of the sampled contexts, kept context by context.

    So merging is a union, and the sums are taken in corpus order at the end: the result does not
    depend on batches or workers.
    """

    def __init__(self) -> None:
        self._sums: dict[int, list[float]] = {}
        self._targets: dict[int, NDArray[np.float64]] = {}

    def add(self, context_idx: int, targets: NDArray[np.float64], outputs: NDArray[np.float64]) -> None:
        """One context: what the model has, and what the SAE says instead, both [n_tokens, d]."""
        error = ((targets - outputs) ** 2).sum(axis=1)
        square_in, square_out = (targets**2).sum(axis=1), (outputs**2).sum(axis=1)
        product = (targets * outputs).sum(axis=1)
        length_in, length_out = np.sqrt(square_in), np.sqrt(square_out)
        total = targets.sum(axis=0)
        spread = ((targets - total / max(len(targets), 1)) ** 2).sum(axis=1)
        per_token = {
            "error": error,
            "square_in": square_in,
            "square_out": square_out,
            "product": product,
            "length_in": length_in,
            "length_out": length_out,
            "ratio": length_out / np.where(length_in < SHORT, 1.0, length_in),
            "cosine": _divided(product, length_in * length_out),
            "explained": _divided(spread - error, spread),
            "n_explained": spread > 0,
        }
        self._sums[context_idx] = [len(targets), *(fsum(per_token[name]) for name in _SUMS[1:])]
        self._targets[context_idx] = total

    def merge(self, other: Self) -> None:
        """Take in the contexts of another worker."""
        self._sums |= other._sums
        self._targets |= other._targets

    def state(self) -> State:
        """The contexts' numbers, [n, 11] sums and [n, d] sums of targets, in corpus order."""
        contexts = sorted(self._sums)
        width = len(next(iter(self._targets.values()), ()))
        return {
            "context_idx": np.array(contexts, dtype=np.int64),
            "sums": np.array([self._sums[key] for key in contexts]).reshape(-1, len(_SUMS)),
            "targets": np.array([self._targets[key] for key in contexts]).reshape(len(contexts), width),
        }

    def load(self, state: State) -> None:
        """Replace all of it."""
        contexts = state["context_idx"].tolist()
        self._sums = dict(zip(contexts, state["sums"].tolist(), strict=True))
        self._targets = dict(zip(contexts, state["targets"].astype(np.float64), strict=True))

    def figures(self) -> Figures:
        """The figures over all contexts so far."""
        contexts = sorted(self._sums)
        columns = zip(*(self._sums[key] for key in contexts), strict=True)
        totals = dict(zip(_SUMS, (fsum(column) for column in columns), strict=True)) if contexts else {}
        n_tokens = totals.get("n_tokens", 0)
        if not n_tokens:
            return Figures()
        mean = np.sum([self._targets[key] for key in contexts], axis=0) / n_tokens
        unexplained = _share(totals["error"], totals["square_in"] - n_tokens * float(mean @ mean))
        return Figures(
            n_tokens=int(n_tokens),
            explained_variance=None if unexplained is None else 1 - unexplained,
            explained_variance_legacy=_share(totals["explained"], totals["n_explained"]),
            mse=totals["error"] / n_tokens,
            cosine=totals["cosine"] / n_tokens,
            l2_norm_in=totals["length_in"] / n_tokens,
            l2_norm_out=totals["length_out"] / n_tokens,
            l2_ratio=totals["ratio"] / n_tokens,
            relative_reconstruction_bias=totals["square_out"] / totals["product"]
            if totals["product"]
            else None,
        )


def _divided(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    """`above` / `below`, 0 where `below` is not above 0."""
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)


def _share(part: float, whole: float) -> float | None:
    """`part` / `whole`, None unless `whole` is above 0."""
    return part / whole if whole > 0 else None
