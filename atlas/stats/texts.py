"""Which places of the corpus show the same text: one 64-bit key for what stands up to each token.

The text at a token is its last `TEXT_TOKENS` tokens, itself included, as far as they are of the same
document and context. Boilerplate (a licence at the head of every file) is thus one text, however
often it occurs, and copies are found without keeping any tokens.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from atlas.stats.hashing import mix

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas.stats.hashing import Hashes

TEXT_TOKENS = 16
"""Tokens of a text, at most: enough that equal ones are copies, not chance."""

_BASE = 0x9E3779B97F4A7C15
"""Odd, so that it has an inverse modulo 2**64."""


def text_keys(token_ids: NDArray[np.int32], document_idx: NDArray[np.int32]) -> Hashes:
    """The key of the text that ends at every token, [n_contexts, context_size] as both arguments.

    A polynomial hash modulo 2**64 of the scrambled token ids, with the length. Equal texts have equal
    keys. Different ones have with a chance of about 2**-64: among 10**7 texts looked for in a corpus
    of 10**9 tokens, 0.0005 of a pair is expected. Keys of padding mean nothing.
    """
    size = token_ids.shape[1]
    place = np.arange(size)
    begins = np.ones(token_ids.shape, dtype=np.bool_)
    begins[:, 1:] = document_idx[:, 1:] != document_idx[:, :-1]
    first = np.maximum.accumulate(np.where(begins, place, 0), axis=1)
    length = np.minimum(place - first + 1, TEXT_TOKENS)
    powers, inverses = _powers(size)
    sums = np.zeros((len(token_ids), size + 1), dtype=np.uint64)
    np.cumsum(mix(token_ids.astype(np.uint64)) * inverses, axis=1, out=sums[:, 1:])
    before = np.take_along_axis(sums, place + 1 - length, axis=1)
    # The token itself has weight 1, the one before it _BASE, … wherever in the context they stand.
    return mix((sums[:, 1:] - before) * powers + length.astype(np.uint64))


@lru_cache(maxsize=4)
def _powers(size: int) -> tuple[Hashes, Hashes]:
    """_BASE**0, _BASE**1, … and their inverses, modulo 2**64: both [size], not to be written to."""
    inverse = pow(_BASE, -1, 1 << 64)
    both = (np.full(size, base, dtype=np.uint64) for base in (_BASE, inverse))
    powers, inverses = (np.cumprod(np.concatenate([[np.uint64(1)], part]))[:size] for part in both)
    powers.flags.writeable = inverses.flags.writeable = False
    return powers, inverses
