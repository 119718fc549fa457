"""A text as the windows of tokens that a model reads."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from atlas.text import REPLACEMENT

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_LONE = re.compile("[\ud800-\udfff]")


def well_formed(text: str) -> tuple[str, int]:
    """`text` as valid Unicode, and how many lone surrogates were replaced by U+FFFD in it.

    A high surrogate followed by a low one is the character that the two stand for, as everywhere in UTF-16.
    """
    paired = _PAIR.sub(lambda pair: pair[0].encode("utf-16", "surrogatepass").decode("utf-16"), text)
    return _LONE.subn(REPLACEMENT, paired)


@dataclass(frozen=True, eq=False)
class Windows:
    """The windows of one text, one after the other."""

    token_ids: NDArray[np.int64]
    """All tokens, inserted BOS included; [n_tokens]."""
    bos: NDArray[np.bool_]
    """Which of them are BOS that no text holds, inserted at the start of a window; [n_tokens]."""
    bounds: tuple[tuple[int, int], ...]
    """(first token, one past the last) of each window."""


def cut(token_ids: list[int], context_size: int, bos_token_id: int | None) -> Windows:
    """`token_ids` cut into windows of at most `context_size` tokens, BOS included.

    With `bos_token_id` each window begins with it (None: the SAE wants none). No tokens, no windows.
    """
    inserted = [] if bos_token_id is None else [bos_token_id]
    room = max(1, context_size - len(inserted))
    ids: list[int] = []
    bos: list[bool] = []
    bounds: list[tuple[int, int]] = []
    for start in range(0, len(token_ids), room):
        own = token_ids[start : start + room]
        bounds.append((len(ids), len(ids) + len(inserted) + len(own)))
        ids += inserted + own
        bos += [True] * len(inserted) + [False] * len(own)
    return Windows(np.array(ids, np.int64), np.array(bos, np.bool_), tuple(bounds))
