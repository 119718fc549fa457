"""Token ids as exact text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from atlas.text import Piece, group_pieces

if TYPE_CHECKING:
    from atlas.store import AtlasStore


@dataclass(frozen=True)
class Spelling:
    """What the tokens of a dataset's vocabulary stand for."""

    tokens: Mapping[int, bytes]
    """Token id → its bytes."""
    special: Mapping[int, str]
    """Id of a special token → its name."""

    @classmethod
    def of(cls, store: AtlasStore) -> Spelling:
        """The spelling in the table `vocabulary`; `InputError` where the table is missing or damaged."""
        table = store.read("vocabulary")
        numbers = table["token_id"].to_pylist()
        tokens = dict(zip(numbers, table["bytes"].to_pylist(), strict=True))
        names = zip(numbers, table["special"].to_pylist(), table["piece"].to_pylist(), strict=True)
        return cls(tokens, {number: piece for number, special, piece in names if special})

    def pieces(self, token_ids: Sequence[int]) -> list[Piece]:
        """Whole characters with the tokens they are made of, special tokens by their name.

        Padding (negative ids) is left out; the pieces count the tokens that remain.
        """
        known = [number for number in token_ids if number >= 0]
        raw = [None if number in self.special else self.tokens[number] for number in known]
        return [
            replace(piece, text=self.special.get(known[piece.start], piece.text))
            for piece in group_pieces(raw)
        ]

    def text(self, token_ids: Sequence[int]) -> str:
        """The exact text of consecutive tokens."""
        return "".join(piece.text for piece in self.pieces(token_ids))
