"""What the toy model (`tests.support.toy_model`) makes of texts, from its definition: window by window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tests.support.synthetic import BOS
from tests.support.toy_model import WINDOW, ToyModel, make_toy

if TYPE_CHECKING:
    from pathlib import Path

TEXT = "raise ValueErr: 日本 🤗 no"
"""Two scripts, an emoji of four tokens, several windows: alpha's end between characters, beta's in one."""


@dataclass(frozen=True, eq=False)
class Run:
    """A text as the model reads it."""

    ids: list[int]
    """Tokens of all windows, their BOS included."""
    bos: np.ndarray
    """Which of them are BOS."""
    values: np.ndarray
    """Activations [n, d_sae], in double precision."""

    def joined(self, joining: str, tokens: list[int] | None = None, *, bos: bool = False) -> np.ndarray:
        """One number per feature over `tokens`, by default those of the whole text."""
        rows = self.values[tokens if tokens is not None else np.flatnonzero(bos | ~self.bos)]
        return {"max": rows.max, "sum": rows.sum, "mean": rows.mean}[joining](axis=0)


def toy_of(site: Path) -> ToyModel:
    """The toy model that a test site's dataset was given."""
    from atlas.store import AtlasStore

    store = AtlasStore.open(site.parent / "data")
    return make_toy(int(store.manifest.model["vocabulary_size"]), store.manifest.saes[0].n_features)


def run(toy: ToyModel, slug: str, text: str) -> Run:
    """`text`, of which every byte is a token, through the SAE called `slug`."""
    tokens = list(text.encode())
    first = [BOS] if slug == "alpha" else []
    room = WINDOW[slug] - len(first)
    windows = [first + tokens[start : start + room] for start in range(0, len(tokens), room)]
    ids = [token for window in windows for token in window]
    values = np.concatenate([toy.activations(slug, window) for window in windows])
    return Run(ids, np.array([token == BOS for token in ids]), values)
