"""A model, SAEs, a tokenizer and a corpus small enough to compute by hand, for tests of the pass."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from atlas.config import SiteConfig
from atlas.sources.corpora.base import Document
from atlas.sources.engines.base import Engine, ModelFacts, Unembedding
from atlas.sources.saes.base import SaeFacts, SaeWeights

BOS = 256
D_IN = 8
HOOK = "blocks.0.hook_resid_post"
OTHER_HOOK = "blocks.1.hook_resid_post"


class FakeTokens:
    """Bytes are tokens; 256 is BOS, 257 is never used."""

    bos_token_id: int | None = BOS
    eos_token_id: int | None = None
    vocabulary_size = 258
    special_ids = frozenset({BOS, 257})
    sha256 = "0" * 64

    def encode(self, text: str) -> list[int]:
        return list(text.encode())

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        return [self.encode(text) for text in texts]

    def encode_lazily(self, text: str) -> Iterator[list[int]]:
        yield self.encode(text)

    def vocabulary(self) -> list[tuple[bytes, bool, str]]:
        own = [(bytes([value]), False, chr(value)) for value in range(256)]
        return [*own, (b"", True, "<bos>"), (b"", True, "<unused>")]


@dataclass
class FakeCorpus:
    """Named texts; the ends of their names are their sources."""

    texts: dict[str, str]
    description: str = "A few made-up texts."

    def documents(self) -> Iterator[Document]:
        for name, text in self.texts.items():
            yield Document(name, text, source=name.rpartition(".")[2])

    def fingerprint(self) -> str:
        return hashlib.sha256(repr(self.texts).encode()).hexdigest()


class FakeEngine(Engine):
    """Activations that depend on the token and on all tokens before it in its context."""

    name = "fake"

    def __init__(self, seed: int = 0) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.embedding = torch.randn(258, D_IN, generator=generator)
        self.device = torch.device("cpu")
        self.tokens: Any = FakeTokens()
        self.facts = ModelFacts(
            "fake", "fake", "fake", 2, D_IN, 258, 64, "float32", "cpu", "1" * 64, "2" * 64
        )
        self.shapes: list[tuple[int, ...]] = []
        self.poison: dict[int, float] = {}
        """Token id → value its activations get (to test NaN)."""

    @classmethod
    def open(cls, config: Any) -> FakeEngine:
        return cls()

    def hook_names(self) -> list[str]:
        return [HOOK, OTHER_HOOK]

    def hook_width(self, hook_name: str) -> int:
        return D_IN

    def activations(self, token_ids: torch.Tensor, hook_names: Sequence[str]) -> dict[str, torch.Tensor]:
        self.shapes.append(tuple(token_ids.shape))
        first = self._first(token_ids)
        found = {HOOK: first, OTHER_HOOK: first.flip(-1) * 2}
        return {name: found[name] for name in hook_names}

    def logits(
        self,
        token_ids: torch.Tensor,
        change: Any = None,
        select: torch.Tensor | None = None,
        *,
        start: str | None = None,
    ) -> torch.Tensor:
        changes = {HOOK: torch.clone, OTHER_HOOK: torch.clone} | dict(change or {})
        first = changes[HOOK](self._first(token_ids))
        last = changes[OTHER_HOOK](first.flip(-1) * 2)
        return (last if select is None else last[select]) @ self.embedding.T

    def _first(self, token_ids: torch.Tensor) -> torch.Tensor:
        tokens = token_ids.clamp_min(0)
        own = self.embedding[tokens]
        steps = torch.arange(1, tokens.shape[1] + 1).view(1, -1, 1)
        first = own + 0.5 * own.cumsum(1) / steps
        for token, value in self.poison.items():
            first[token_ids == token] = value
        return first

    def unembedding(self) -> Unembedding:
        return Unembedding(self.embedding.T, None, "none")


class FakeSae:
    """relu(x W_enc + b_enc); feature 0 is dead, feature 1 fires on nearly everything."""

    def __init__(
        self, slug: str = "fake", d_sae: int = 24, hook_name: str = HOOK, seed: int = 1, **facts: Any
    ) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.W_enc = torch.randn(D_IN, d_sae, generator=generator)
        self.b_enc = torch.full((d_sae,), -2.5)
        self.b_enc[0], self.b_enc[1] = -1e6, 4.0
        self.decoder = torch.randn(d_sae, D_IN, generator=generator) / d_sae
        self.facts = replace(
            SaeFacts(
                slug.title(), slug, "standard", hook_name, D_IN, d_sae, "float32", "fake", True, 16, "3" * 64
            ),
            **facts,
        )
        self.encoded: list[int] = []
        """Rows of every call of `encode`."""

    def encode(self, activations: torch.Tensor) -> torch.Tensor:
        self.encoded.append(len(activations))
        # Each row for itself: equal rows give equal bits whatever the batch.
        return torch.relu((activations[:, :, None] * self.W_enc).sum(1) + self.b_enc)

    def decode(self, activations: torch.Tensor) -> torch.Tensor:
        return (activations[:, :, None] * self.decoder).sum(1)

    def reconstruct(self, inputs: torch.Tensor, activations: torch.Tensor) -> torch.Tensor:
        return self.decode(activations)

    def output_scale(self, inputs: torch.Tensor) -> torch.Tensor:
        return torch.ones(len(inputs), 1)

    def weights(self) -> SaeWeights:
        return SaeWeights(self.W_enc, self.decoder, self.b_enc, None, torch.zeros(D_IN))


TEXTS = {
    "one.txt": "the quick brown fox jumps over the lazy dog. " * 3,
    "two.py": "def f(x):\n    return x + 1\n",
    "empty.txt": "",
    "three — “quoted”.txt": "größer als ∞, sagte sie 🤗",
    "four.txt": "a",
    "five.txt": "abc abc abc abc abc " * 6,
}


def site_config(**changes: Any) -> SiteConfig:
    """A configuration over the fakes; `changes` replace whole sections."""
    sections: dict[str, Any] = {
        "title": "Fake",
        "model": {"name": "fake", "engine": "transformers"},
        "saes": [{"folder": "fake"}],
        "corpus": {"kind": "text", "paths": ["x"], "context_size": 16, "tokens": 100_000},
        "pass": {
            "batch_contexts": 4, "top_examples": 5, "interval_count": 5, "interval_examples": 2,
            "random_examples": 3, "window_before": 4, "window_after": 3,
        },
    }  # fmt: skip
    return SiteConfig.model_validate({**sections, **changes})


def packed_by_hand(texts: dict[str, str], size: int) -> tuple[np.ndarray, np.ndarray]:
    """(token_ids, document_idx) [n, size], padding -1: BOS heads every context and every document.

    Written from the rule, not from the code: one BOS belongs to the text after it, and a document
    that begins where a context begins gets no second one.
    """
    token_rows: list[list[int]] = [[]]
    document_rows: list[list[int]] = [[]]
    number = -1
    for text in texts.values():
        ids = list(text.encode())
        if not ids:
            continue
        number += 1
        queue = [BOS, *ids] if token_rows[-1] and len(token_rows[-1]) < size else list(ids)
        for token in queue:
            if len(token_rows[-1]) == size:
                token_rows.append([])
                document_rows.append([])
            if not token_rows[-1] and token != BOS:
                token_rows[-1].append(BOS)
                document_rows[-1].append(number)
            token_rows[-1].append(token)
            document_rows[-1].append(number)
    for rows in (token_rows, document_rows):
        rows[-1] += [-1] * (size - len(rows[-1]))
    return np.array(token_rows), np.array(document_rows)
