"""The next token from logits: the greedy one, or one drawn by a seeded generator.

The pages hold the same functions in TypeScript (`themes/default/src/model/`), so that equal logits and an
equal seed give equal tokens in a browser and here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SEEDS = 1 << 32
"""Number of seeds: 0 to 2^32 - 1."""

_WORD = SEEDS - 1
_STEP = 0x6D2B79F5


class Mulberry32:
    """The generator mulberry32 (Tommy Ettinger, 2017): 32 bits of state, two products a number."""

    def __init__(self, seed: int) -> None:
        """Start at `seed`, 0 to 2^32 - 1."""
        self._state = seed & _WORD

    def draw(self) -> float:
        """The next number, uniform on the multiples of 2^-32 in [0, 1)."""
        self._state = (self._state + _STEP) & _WORD
        mixed = self._state
        mixed = (mixed ^ mixed >> 15) * (mixed | 1) & _WORD
        mixed ^= (mixed + (mixed ^ mixed >> 7) * (mixed | 61)) & _WORD
        return (mixed ^ mixed >> 14) / SEEDS


def choose(logits: NDArray[np.float32], temperature: float, generator: Mulberry32) -> int:
    """The id of the next token, from its logits [vocabulary].

    At temperature 0 the largest logit, the lowest id among equals; nothing is drawn. Otherwise one number u
    is drawn, and the first id is taken at which the running sum of exp(logit / temperature) exceeds u times
    the whole sum, everything in double precision.
    """
    if temperature == 0:
        return int(np.argmax(logits))
    running = np.cumsum(_weights(logits, temperature))
    place = np.searchsorted(running, generator.draw() * running[-1], side="right")
    return min(int(place), logits.size - 1)


def probability(logits: NDArray[np.float32], token_id: int) -> float:
    """Probability of `token_id` at temperature 1, whatever temperature it was drawn at."""
    weights = _weights(logits, 1.0)
    return float(weights[token_id] / weights.sum())


def _weights(logits: NDArray[np.float32], temperature: float) -> NDArray[np.float64]:
    """exp(logit / temperature), scaled so that the largest is 1."""
    scaled = logits.astype(np.float64) / temperature
    return np.exp(scaled - scaled.max())
