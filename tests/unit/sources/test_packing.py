"""Packing: SAELens' own rule, every token once and in order, every boundary remembered."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from atlas.errors import InputError
from atlas.sources.corpora.base import Document
from atlas.sources.packing import PADDING, PackedContext, Packing, pack, trained_separator
from atlas.sources.saes.base import SaeFacts
from atlas.sources.tokens import TokenBytes
from tests.support import models

BOS = 0
"""Also the separator in most of these tests, and a token that documents may begin with."""


@dataclass
class TokenDocuments:
    """A corpus of token ids."""

    lists: Sequence[Sequence[int]]
    description: str = "Token lists."

    def documents(self) -> Iterator[Document]:
        for number, ids in enumerate(self.lists):
            yield Document(f"d{number}", "", tuple(ids))

    def fingerprint(self) -> str:
        return hashlib.sha256(repr(self.lists).encode()).hexdigest()


@dataclass
class Texts:
    """A corpus of texts, which counts how many were asked for."""

    texts: Sequence[str]
    description: str = "Texts."
    asked: int = 0

    def documents(self) -> Iterator[Document]:
        for number, text in enumerate(self.texts):
            self.asked += 1
            yield Document(f"t{number}", text)

    def fingerprint(self) -> str:
        return ""


@pytest.fixture(scope="module")
def tokens() -> TokenBytes:
    return TokenBytes(models.byte_tokenizer(), bos_token_id=BOS, eos_token_id=5)


def packed(tokens: TokenBytes, lists: Sequence[Sequence[int]], **settings: Any) -> Packing:
    options: dict[str, Any] = {"context_size": 8, "prepend_bos": True, "token_budget": 10**9}
    return pack(TokenDocuments(lists), tokens, **(options | settings))


def by_sae_lens(
    lists: Sequence[Sequence[int]], context_size: int, bos: int | None, separator: int | None
) -> list[list[int]]:
    """The full contexts that SAELens makes of the same tokens when it trains."""
    import torch
    from sae_lens.tokenization_and_batching import concat_and_batch_sequences

    batches = concat_and_batch_sequences(
        tokens_iterator=iter([torch.tensor(ids, dtype=torch.long) for ids in lists]),
        context_size=context_size,
        begin_batch_token_id=bos,
        begin_sequence_token_id=None,
        sequence_separator_token_id=separator,
    )
    return [batch.tolist() for batch in batches]


corpora = st.lists(st.lists(st.integers(0, 20), max_size=25), max_size=8)
sizes = st.integers(2, 12)


@given(corpora, sizes, st.booleans(), st.sampled_from([None, "bos", "eos"]))
@example([[1, 2, 3], [4, 5]], 4, True, "bos")
@example([[0, 2, 3], [0, 5], [0]], 4, True, "bos")
def test_full_contexts_are_those_of_sae_lens(
    lists: list[list[int]], size: int, prepend_bos: bool, separator: str | None
):
    tokens = TokenBytes(models.byte_tokenizer(), bos_token_id=BOS, eos_token_id=5)
    if not any(lists):
        return
    found = packed(tokens, lists, context_size=size, prepend_bos=prepend_bos, separator=separator)
    contexts = [context.token_ids.tolist() for context in found]
    full = [ids for ids in contexts if PADDING not in ids]
    separator_id = {None: None, "bos": BOS, "eos": 5}[separator]
    assert full == by_sae_lens(lists, size, BOS if prepend_bos else None, separator_id)
    assert len(contexts) - len(full) in {0, 1}
    assert contexts[: len(full)] == full


@given(corpora, sizes, st.booleans(), st.sampled_from([None, "bos", "eos"]))
def test_every_token_of_every_document_once_and_in_order(
    lists: list[list[int]], size: int, prepend_bos: bool, separator: str | None
):
    tokens = TokenBytes(models.byte_tokenizer(), bos_token_id=BOS, eos_token_id=5)
    if not any(lists):
        return
    packing = packed(tokens, lists, context_size=size, prepend_bos=prepend_bos, separator=separator)
    contexts = list(packing)
    named = [(f"d{number}", ids) for number, ids in enumerate(lists) if ids]
    rebuilt: list[list[int]] = [[] for _ in named]
    for context in contexts:
        rows = zip(context.token_ids, context.document_idx, context.document_offset, strict=True)
        for token, document, offset in rows:
            if offset != PADDING:
                assert offset == len(rebuilt[document])
                rebuilt[document].append(int(token))
    assert rebuilt == [ids for _, ids in named]
    assert [(seen.name, seen.n_tokens) for seen in packing.documents] == [(n, len(i)) for n, i in named]


@given(corpora, sizes, st.booleans())
def test_the_shape_of_every_context(lists: list[list[int]], size: int, prepend_bos: bool):
    tokens = TokenBytes(models.byte_tokenizer(), bos_token_id=BOS, eos_token_id=5)
    if not any(lists):
        return
    packing = packed(tokens, lists, context_size=size, prepend_bos=prepend_bos)
    contexts = list(packing)
    assert [context.context_idx for context in contexts] == list(range(len(contexts)))
    for number, context in enumerate(contexts):
        for array in (context.token_ids, context.document_idx, context.document_offset):
            assert array.dtype == np.int32
            assert array.shape == (size,)
        padding = context.token_ids == PADDING
        assert np.array_equal(padding, context.document_idx == PADDING)
        assert not padding.any() or number == len(contexts) - 1
        # Padding only at the end, and never a whole context of it.
        assert not padding[0]
        assert np.array_equal(padding, np.sort(padding))
        assert context.n_tokens == size - int(padding.sum())
        documents = context.document_idx[~padding]
        assert np.all(np.diff(documents) >= 0)
        if prepend_bos:
            assert context.token_ids[0] == BOS
    assert packing.n_tokens == sum(context.n_tokens for context in contexts)


@given(corpora, sizes, st.integers(1, 60))
def test_the_budget_ends_the_packing_at_the_first_full_context_past_it(
    lists: list[list[int]], size: int, budget: int
):
    tokens = TokenBytes(models.byte_tokenizer(), bos_token_id=BOS, eos_token_id=5)
    if not any(lists):
        return
    everything = [c.token_ids.tolist() for c in packed(tokens, lists, context_size=size)]
    packing = packed(tokens, lists, context_size=size, token_budget=budget)
    some = [c.token_ids.tolist() for c in packing]
    assert some == everything[: len(some)]
    if len(some) < len(everything):
        assert packing.n_tokens >= budget > packing.n_tokens - size
    # Only documents that occur are counted, with the tokens that were packed.
    occurring = {
        int(idx)
        for c in packed(tokens, lists, context_size=size, token_budget=budget)
        for idx in c.document_idx
    }
    assert occurring - {PADDING} == set(range(len(packing.documents)))


def test_an_example_by_hand(tokens: TokenBytes):
    packing = packed(tokens, [[11, 12, 13, 14], [21, 22], [31]], context_size=4)
    contexts = list(packing)
    assert [c.token_ids.tolist() for c in contexts] == [
        [0, 11, 12, 13],
        [0, 14, 0, 21],
        [0, 22, 0, 31],
    ]
    assert [c.document_idx.tolist() for c in contexts] == [[0, 0, 0, 0], [0, 0, 1, 1], [1, 1, 2, 2]]
    assert [c.document_offset.tolist() for c in contexts] == [
        [-1, 0, 1, 2],
        [-1, 3, -1, 0],
        [-1, 1, -1, 0],
    ]
    assert [(d.name, d.n_tokens) for d in packing.documents] == [("d0", 4), ("d1", 2), ("d2", 1)]


def test_the_last_context_is_kept_and_padded(tokens: TokenBytes):
    (context,) = packed(tokens, [[7, 8]], context_size=6)
    assert context.token_ids.tolist() == [0, 7, 8, -1, -1, -1]
    assert context.document_idx.tolist() == [0, 0, 0, -1, -1, -1]
    assert context.document_offset.tolist() == [-1, 0, 1, -1, -1, -1]


def test_a_separator_in_the_last_place_belongs_to_the_document_after_it(tokens: TokenBytes):
    first, second = packed(tokens, [[11, 12], [21]], context_size=4)
    assert first.token_ids.tolist() == [0, 11, 12, 0]
    assert first.document_idx.tolist() == [0, 0, 0, 1]
    assert second.token_ids.tolist() == [0, 21, -1, -1]
    assert second.document_idx.tolist() == [1, 1, -1, -1]


def test_texts_are_encoded(tokens: TokenBytes):
    texts = ["The quick brown fox", "", "def parse(text):\n    return text\n"]
    packing = pack(Texts(texts), tokens, context_size=5, prepend_bos=True, token_budget=10**6)
    contexts = list(packing)
    assert [seen.name for seen in packing.documents] == ["t0", "t2"]
    vocabulary = tokens.vocabulary()
    shown = b"".join(
        vocabulary[token][0]
        for context in contexts
        for token, offset in zip(context.token_ids, context.document_offset, strict=True)
        if offset != PADDING
    )
    assert shown.decode() == texts[0] + texts[2]


def test_texts_give_the_tokens_of_one_document_at_a_time(tokens: TokenBytes):
    texts = [f"Document number {number}, a little longer." * (number % 7) for number in range(600)]
    together = packed(tokens, [tokens.encode(text) for text in texts], context_size=32)
    separate = pack(Texts(texts), tokens, context_size=32, prepend_bos=True, token_budget=10**9)
    for a, b in zip(together, separate, strict=True):
        assert np.array_equal(a.token_ids, b.token_ids)
        assert np.array_equal(a.document_idx, b.document_idx)


def test_a_long_document_is_encoded_piece_by_piece(tokens: TokenBytes, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("atlas.sources.tokens._SEGMENT", 50)
    text = "a line of text\n" * 400
    monkeypatch.setattr("atlas.sources.packing._AHEAD_CHARACTERS", 100)
    packing = pack(Texts([text]), tokens, context_size=16, prepend_bos=False, token_budget=10**9)
    ids = [int(t) for c in packing for t in c.token_ids if t != PADDING]
    assert ids == tokens.encode(text)
    assert [(seen.name, seen.n_tokens) for seen in packing.documents] == [("t0", len(ids))]


def test_only_as_much_is_read_as_is_needed(tokens: TokenBytes):
    corpus = Texts(["some text here. "] * 100_000)
    list(pack(corpus, tokens, context_size=16, prepend_bos=True, token_budget=64))
    assert corpus.asked < 1000


@given(st.lists(st.tuples(st.booleans(), st.lists(st.integers(1, 20), min_size=1, max_size=5)), max_size=8))
def test_text_and_tokens_may_be_mixed(documents: list[tuple[bool, list[int]]]):
    tokens = TokenBytes(models.byte_tokenizer(), bos_token_id=BOS)
    vocabulary = tokens.vocabulary()

    class Mixed:
        description = ""

        def documents(self) -> Iterator[Document]:
            for number, (as_text, ids) in enumerate(documents):
                text = b"".join(vocabulary[idx][0] for idx in ids).decode("latin-1")
                yield Document(f"m{number}", text) if as_text else Document(f"m{number}", "", tuple(ids))

        def fingerprint(self) -> str:
            return ""

    if documents:
        packing = pack(Mixed(), tokens, context_size=7, prepend_bos=True, token_budget=10**9)
        list(packing)
        assert [seen.name for seen in packing.documents] == [f"m{n}" for n in range(len(documents))]


@pytest.mark.parametrize("lists", [[], [[]], [[], [], []]])
def test_a_corpus_without_a_token_is_refused(tokens: TokenBytes, lists: list[list[int]]):
    with pytest.raises(InputError, match="no text"):
        list(packed(tokens, lists))


@pytest.mark.parametrize("wrong", [-1, 300, 10**9])
def test_a_token_beyond_the_vocabulary_is_refused_by_document(tokens: TokenBytes, wrong: int):
    with pytest.raises(InputError, match=f"token id {wrong} ") as caught:
        list(packed(tokens, [[1, 2], [3, wrong]]))
    assert "'d1'" in caught.value.where


def test_bos_that_the_tokenizer_lacks_is_refused():
    tokens = TokenBytes(models.byte_tokenizer())
    with pytest.raises(InputError, match="no BOS") as caught:
        packed(tokens, [[1]])
    assert "prepend_bos: false" in caught.value.fix
    (context,) = packed(tokens, [[1], [2]], prepend_bos=False)
    assert context.token_ids.tolist() == [1, 2] + [PADDING] * 6


@pytest.mark.parametrize(
    ("separator", "between"),
    [(None, []), ("bos", [0]), ("eos", [5]), (models.END_OF_TEXT, [0]), ("<sep>", [])],
)
def test_the_separator_goes_by_the_names_of_sae_lens(
    tokens: TokenBytes, separator: str | None, between: list[int]
):
    (context,) = packed(tokens, [[7], [8]], prepend_bos=False, separator=separator)
    assert context.token_ids.tolist()[: 2 + len(between)] == [7, *between, 8]


def facts(**metadata: Any) -> SaeFacts:
    return SaeFacts("t", "s", "standard", "h", 4, 8, "float32", "", True, 0, "", metadata=metadata)


def test_the_separator_an_sae_was_trained_with():
    assert trained_separator(facts()) == "bos"
    assert trained_separator(facts(sequence_separator_token="eos")) == "eos"  # noqa: S106
    assert trained_separator(facts(sequence_separator_token=None)) is None


def test_a_context_is_not_compared_by_its_arrays(tokens: TokenBytes):
    first: PackedContext = next(packed(tokens, [[1, 2]]))
    assert first == first  # noqa: PLR0124 - array comparison would raise
    assert first != next(packed(tokens, [[1, 2]]))
