"""A made-up language and a corpus in it: words from syllables, documents, contexts; by seed."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

BOS = 256
"""Token id of the one special token; 0 … 255 are the single bytes."""
SPECIAL = "<|endoftext|>"
SOURCES = tuple(
    f"{kind}-{number}" for kind in ("essays", "letters", "manuals", "notes") for number in range(6)
)
"""Parts of the corpus: document d is from source d modulo their number."""

_ZIPF = 1.05
"""Exponent of the word frequencies."""
_FOLLOW = 0.62
"""Share of tokens that one of a few usual successors of the token before: text repeats itself."""
_SUCCESSORS = 12
_COMMON = (
    " the", ",", ".", " of", " and", " to", "\n", " a", " in", "'s", " (", ")", " “", "”", ":", ";", " -",
    "\n\n", "?", "!", "/", " =", *"0123456789", " 19", " 20", "\t", " #", "_", "[", "]",
)  # fmt: skip
_SCRIPTS = ((0x4E00, 0x9F00), (0x3041, 0x3094), (0x0430, 0x0450), (0x05D0, 0x05EB), (0x0391, 0x03AA))
_FOREIGN = 400
"""Words in other scripts, and as many tokens."""
_BYTE_CHAINS = (b"\xe6\x97\xa5", b"\xf0\x9f\x98\x80")
"""Characters that the tokenizer has no token for: they come as one token a byte."""


@dataclass(frozen=True)
class Scale:
    """The size of one synthetic dataset."""

    features: int
    """Features of the one SAE."""
    lean: bool = False
    """Only what the table, the search, the map and their sizes need: no examples, no token statistics."""
    vocabulary: int = 32_000
    """Token ids."""
    contexts: int = 32_768
    """Packed sequences that examples are cut from."""
    context_size: int = 256
    """Tokens per packed sequence, BOS included."""
    seed: int = 0

    def rng(self, *what: int) -> np.random.Generator:
        """Random numbers for one purpose, the same every time."""
        return np.random.default_rng((self.seed, *what))


@dataclass(frozen=True)
class World:
    """The language and the corpus."""

    vocabulary: list[bytes]
    """Bytes of every token; empty for BOS."""
    words: list[str]
    """Words that stand for something, most frequent first: what explanations are made of."""
    share: NDArray[np.float64]
    """[vocabulary] how often a token is drawn."""
    tokens: NDArray[np.int32]
    """[contexts x context size] the corpus, flat."""
    document: NDArray[np.int32]
    """Document of each token, ascending."""
    bounds: NDArray[np.int64]
    """[documents + 1] where each document begins in `tokens`."""
    places: NDArray[np.int64]
    """For every token id, where it first stands in each context that has it, token after token."""
    starts: NDArray[np.int64]
    """[vocabulary + 1] the part of `places` of each token id."""
    context_size: int

    @property
    def n_places(self) -> NDArray[np.int64]:
        """[vocabulary] contexts that have the token."""
        return np.diff(self.starts)


def make_world(scale: Scale) -> World:
    """The language and corpus of `scale`; equal scales give equal worlds."""
    rng = scale.rng(0)
    words = _latin(scale.vocabulary, rng)
    vocabulary, share = _vocabulary(scale.vocabulary, words, rng)
    tokens = _text(scale, share, rng)
    lengths = np.exp(rng.normal(6.3, 0.8, tokens.size // 300 + 2)).astype(np.int64) + 20
    bounds = np.concatenate([[0], np.cumsum(lengths)])
    bounds = np.append(bounds[bounds < tokens.size], tokens.size)
    document = np.repeat(np.arange(bounds.size - 1, dtype=np.int32), np.diff(bounds))
    tokens[bounds[:-1]] = BOS
    tokens[:: scale.context_size] = BOS
    places, starts = _places(tokens, scale)
    named = [word for word in words if len(word) > 3]  # noqa: PLR2004 - shorter ones say nothing
    return World(vocabulary, named, share, tokens, document, bounds, places, starts, scale.context_size)


def _latin(count: int, rng: np.random.Generator) -> list[str]:
    """So many distinct words of made-up syllables, short ones first."""
    onsets = ("b", "br", *"cdfg", "gl", *"hklmnp", "pr", "r", "s", "st", "t", "tr", "v")
    vowels, codas = ("a", "e", "i", "o", "u", "ai", "ea"), ("", "", "n", "r", "s", "l", "t", "m")
    found: dict[str, None] = {}
    while len(found) < count:
        syllables = 1 + int(rng.integers(0, 2 + len(str(len(found))) // 2))
        parts = rng.integers(0, (len(onsets), len(vowels), len(codas)), (syllables, 3)).tolist()
        found["".join(onsets[a] + vowels[b] + codas[c] for a, b, c in parts)] = None
    return list(found)


def _vocabulary(
    size: int, words: list[str], rng: np.random.Generator
) -> tuple[list[bytes], NDArray[np.float64]]:
    """(bytes of every token, its share in the text): common marks first, then words by Zipf's law."""
    spaced = [word if number % 5 == 4 else f" {word}" for number, word in enumerate(words)]  # noqa: PLR2004
    texts = [*_COMMON, *spaced]
    # Words of other scripts stand among the rarer ones.
    for number in range(_FOREIGN):
        first, stop = _SCRIPTS[number % len(_SCRIPTS)]
        word = "".join(map(chr, rng.integers(first, stop, int(rng.integers(1, 5)))))
        texts.insert(len(_COMMON) + len(words) // 4 + 3 * number, word)
    tokens = [bytes([value]) for value in range(256)] + [b""]
    known = {token: number for number, token in enumerate(tokens)}
    ranked: dict[int, None] = {}
    for text in texts:
        data = text.encode()
        if data not in known:
            if len(tokens) == size:
                break
            known[data] = len(tokens)
            tokens.append(data)
        ranked[known[data]] = None
    share = np.zeros(len(tokens))
    ranks = np.arange(len(ranked))
    share[list(ranked)] = (ranks + 2.7) ** -_ZIPF
    for chain in _BYTE_CHAINS:
        share[chain[0]] = np.sort(share)[-min(900, ranks.size)]
    return tokens, share / share.sum()


def _text(scale: Scale, share: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int32]:
    """The corpus, all contexts at once, position after position."""
    cumulated = np.cumsum(share)

    def drawn(shape: tuple[int, ...]) -> NDArray[np.int32]:
        found = np.searchsorted(cumulated, rng.random(shape) * cumulated[-1])
        return np.minimum(found, share.size - 1).astype(np.int32)

    successors = drawn((share.size, _SUCCESSORS))
    follow = np.full(share.size, _FOLLOW)
    for chain in _BYTE_CHAINS:
        for before, after in itertools.pairwise(chain):
            successors[before], follow[before] = after, 1.0
    rows = np.empty((scale.context_size, scale.contexts), np.int32)
    rows[0] = drawn((scale.contexts,))
    for position in range(1, scale.context_size):
        before = rows[position - 1]
        usual = successors[before, (_SUCCESSORS * rng.random(scale.contexts) ** 2.5).astype(np.int64)]
        rows[position] = np.where(
            rng.random(scale.contexts) < follow[before], usual, drawn((scale.contexts,))
        )
    return np.ascontiguousarray(rows.T).reshape(-1)


def _places(tokens: NDArray[np.int32], scale: Scale) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(first place of every token in every context, token after token; the part of each token id)."""
    order = np.argsort(tokens, kind="stable")
    token, context = tokens[order], order // scale.context_size
    first = np.ones(order.size, np.bool_)
    first[1:] = (token[1:] != token[:-1]) | (context[1:] != context[:-1])
    first &= token != BOS
    kept = token[first]
    return order[first], np.searchsorted(kept, np.arange(scale.vocabulary + 1))
