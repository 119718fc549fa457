"""What the model makes of a text: activations of every feature at every token, and steered continuations."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, SupportsIndex

import numpy as np

from atlas.errors import InputError
from atlas.reader import cards

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas.reader.steering import Mode, Sampling
    from atlas.store import SaeEntry
    from atlas.text import Piece


@dataclass(frozen=True)
class TopFeature:
    """A feature that fires in a text."""

    feature_idx: int
    """Number of the feature in its SAE."""
    activation: float
    """Its largest activation, or that at the token asked for."""
    position: int
    """Token of that activation."""
    text: str
    """The whole characters that token belongs to."""


@dataclass(frozen=True, repr=False)
class Strip:
    """One feature along a text, as a card."""

    feature_idx: int
    """Number of the feature in its SAE."""
    pieces: tuple[tuple[str, float], ...]
    """(exact text, largest activation of its tokens) of consecutive whole characters."""
    activation: float
    """Largest activation."""
    peak: int
    """Index in `pieces` of the first piece with that activation."""

    @property
    def label(self) -> str:
        """What stands in front of the text."""
        return f"feature {self.feature_idx}"

    def __repr__(self) -> str:
        return cards.strip_line(self)

    def _repr_html_(self) -> str:
        return cards.strip_html(self)


@dataclass(frozen=True, eq=False, repr=False)
class TextActivations:
    """All activations of one SAE on a text. `activations[1216]` is one feature along the text."""

    sae: SaeEntry
    """The SAE."""
    token_ids: tuple[int, ...]
    """Tokens as the model read them, the BOS in front of each window included; n_tokens of them."""
    tokens: tuple[str, ...]
    """Exact text of each token alone: bytes that are no whole character stand as `<0xE6>`."""
    pieces: tuple[Piece, ...]
    """Whole characters: text, first token, one past the last; special tokens by their name."""
    bos: NDArray[np.bool_]
    """Tokens that are not of the text but the BOS in front of a window; [n_tokens]."""
    values: NDArray[np.float32]
    """Activations; [n_tokens, d_sae]."""
    windows: int
    """Windows of the SAE's context size that the text was cut into; activations never look across them."""
    replaced: int
    """Lone surrogates in the text, each replaced by U+FFFD."""

    def top(self, n: int = 10, position: SupportsIndex | None = None) -> list[TopFeature]:
        """The `n` features that fire most strongly, strongest first, equals by number; fewer if fewer fire.

        Over the whole text without inserted BOS, or at token `position` alone (`InputError` if there is no
        such token).
        """
        rows = np.flatnonzero(~self.bos) if position is None else np.array([self._place(position)])
        if not rows.size:
            return []
        strongest = self.values[rows].max(axis=0)
        order = np.argsort(-strongest, kind="stable")[: max(0, n)]
        found: list[TopFeature] = []
        for feature in order[strongest[order] > 0].tolist():
            token = int(rows[np.argmax(self.values[rows, feature])])
            text = next(piece.text for piece in self.pieces if piece.start <= token < piece.stop)
            found.append(TopFeature(feature, float(self.values[token, feature]), token, text))
        return found

    def __getitem__(self, feature_idx: SupportsIndex) -> Strip:
        """One feature along the text, inserted BOS left out; `InputError` if there is no such feature."""
        feature = operator.index(feature_idx)
        if not 0 <= feature < self.values.shape[1]:
            raise InputError(
                f"there is no feature {feature} in SAE {self.sae.slug!r}",
                fix=f"features are numbered 0 to {self.values.shape[1] - 1}",
            )
        own = [piece for piece in self.pieces if not self.bos[piece.start]]
        row = self.values[:, feature]
        strengths = [float(row[piece.start : piece.stop].max()) for piece in own]
        strongest = max(strengths, default=0.0)
        pieces = zip((piece.text for piece in own), strengths, strict=True)
        return Strip(feature, tuple(pieces), strongest, strengths.index(strongest) if own else 0)

    def __repr__(self) -> str:
        return cards.activations_text(self)

    def _repr_html_(self) -> str:
        return cards.activations_html(self)

    def _place(self, position: SupportsIndex) -> int:
        place = operator.index(position)
        if not 0 <= place < len(self.token_ids):
            raise InputError(
                f"there is no token {place}", fix=f"the text has tokens 0 to {len(self.token_ids) - 1}"
            )
        return place


@dataclass(frozen=True, eq=False, repr=False)
class Continuation:
    """How the model goes on after a text while features are turned up or down."""

    sae: SaeEntry
    """The SAE whose features are steered."""
    prompt: str
    """The text that was continued (untrusted)."""
    strengths: Mapping[int, float]
    """Feature → strength in units of its largest activation; empty where nothing is steered."""
    mode: Mode
    """What the strengths do."""
    sampling: Sampling
    """How tokens were chosen."""
    token_ids: tuple[int, ...]
    """The new tokens."""
    pieces: tuple[Piece, ...]
    """Their whole characters: text, first token, one past the last."""
    probabilities: NDArray[np.float64]
    """Probability of each new token at temperature 1; [n_tokens]."""
    logits: NDArray[np.float32]
    """Logits that each was chosen from; [n_tokens, vocabulary]."""
    measured: NDArray[np.float32]
    """Activation of each steered feature, in the order of `strengths`, at the token before each new one, as
    it was without the change; [n_tokens, number of steered features]."""

    @property
    def text(self) -> str:
        """The new tokens as exact text."""
        return "".join(piece.text for piece in self.pieces)

    def __repr__(self) -> str:
        return cards.continuation_text(self)

    def _repr_html_(self) -> str:
        return cards.continuation_html(self)
