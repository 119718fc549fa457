"""What goes into an ablation and what comes out of it: examples, and what became of their tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Budget:
    """How much goes into one forward pass; results depend on it by rounding only."""

    tokens: int
    """Tokens, padding included."""
    logit_bytes: int
    """Bytes of float32 logits."""

    @classmethod
    def of(cls, device_type: str) -> Budget:
        """What keeps a device of that type busy: little on a CPU, where small passes stay in its cache."""
        return cls(4096, 64 << 20) if device_type == "cpu" else cls(65_536, 1 << 30)


@dataclass(frozen=True)
class Shown:
    """An example to measure on: a window of a context, and the feature that fires in it."""

    feature_idx: int
    """The feature."""
    context: NDArray[np.int32]
    """[context_size] the whole context's token ids."""
    context_idx: int
    """Number of the context: equal numbers, equal tokens."""
    first: int
    """Position of the window's first token."""
    stop: int
    """One past the position of its last token."""
    peak: int
    """Position of the example's own token."""

    @property
    def needed(self) -> int:
        """Tokens of the context that must be read: the last token of the window is only predicted."""
        return max(self.stop - 1, self.peak + 1)

    def predictors(self) -> NDArray[np.int64]:
        """Positions whose logits are needed: those before each token of the window, and the peak."""
        return np.union1d(np.arange(max(self.first - 1, 0), self.stop - 1), [self.peak])


@dataclass(frozen=True)
class Effect:
    """What the ablation did to one example."""

    loss: NDArray[np.float32]
    """[window] change in negative log-likelihood of each token; NaN for the first token of a context."""
    raised: tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]
    """Tokens whose logit the feature raises most: (token ids, measured, direct: NaN where there is none)."""
    lowered: tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]
    """Tokens whose logit it lowers most, alike."""


@dataclass(frozen=True)
class Clean:
    """What the unchanged model does on one context, as far as its examples need it."""

    stream: torch.Tensor
    """[needed, d] what the ablated pass starts from."""
    loss: torch.Tensor
    """[needed + 1] negative log-likelihood of each token; meaningless where no example looks."""


@dataclass
class Case:
    """An example on its way through the two passes."""

    number: int
    """Its place among the examples asked for."""
    shown: Shown
    """The example."""
    clean: Clean
    """Its context in the unchanged model, shared with the other examples of that context."""
    added: torch.Tensor
    """[needed] what the feature adds at each position, in lengths of its decoder direction."""
    logits: torch.Tensor
    """[n_tokens] unchanged logits at the peak, of the tokens listed."""
    spread: float
    """What the final norm divides by at the peak."""
    onset: int
    """The first position at which the feature fires; `needed` where it does not fire at all."""

    def predictors(self) -> NDArray[np.int64]:
        """Positions whose logits the ablation may change and that are needed."""
        places = self.shown.predictors()
        return places[places >= self.onset]


def window_losses(case: Case, ablated: torch.Tensor) -> NDArray[np.float32]:
    """The loss effects over the window: zero as long as the feature has not fired."""
    shown = case.shown
    loss = _unchanged(shown)
    begin = max(case.onset + 1, shown.first)
    if begin < shown.stop:
        change = ablated[begin : shown.stop] - case.clean.loss[begin : shown.stop]
        loss[begin - shown.first :] = change.cpu().numpy()
    return loss


def no_effect(shown: Shown) -> Effect:
    """Of a feature that does not fire: no change at all."""
    none = (np.zeros(0, np.int32), np.zeros(0, np.float32), np.zeros(0, np.float32))
    return Effect(_unchanged(shown), none, none)


def _unchanged(shown: Shown) -> NDArray[np.float32]:
    """[window] no change; NaN for the first token of a context, which has no loss."""
    loss = np.zeros(shown.stop - shown.first, np.float32)
    if shown.first == 0:
        loss[0] = np.nan
    return loss
