"""Equal texts have equal keys, and only those."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas.stats.texts import TEXT_TOKENS, text_keys
from tests.support.oracle_sample import TEXT, text_at
from tests.support.recordings import VOCABULARY, copied, recording


def keys_of(*contexts: list[int], documents: list[list[int]] | None = None) -> np.ndarray:
    tokens = np.array(contexts, np.int32)
    owners = np.zeros_like(tokens) if documents is None else np.array(documents, np.int32)
    return text_keys(tokens, owners)


@given(
    seed=st.integers(0, 2**32),
    size=st.integers(1, 60),
    kinds=st.integers(1, VOCABULARY),
    period=st.integers(1, 5),
)
def test_keys_are_equal_exactly_where_texts_are(seed: int, size: int, kinds: int, period: int):
    source = copied(recording(seed, n_contexts=6, context_size=size, n_features=1), period)
    source.token_ids[:] = np.where(source.token_ids < 0, -1, source.token_ids % kinds)
    keys = text_keys(source.token_ids.astype(np.int32), source.document_idx.astype(np.int32))
    texts = {}
    for context, position in np.argwhere(source.token_ids >= 0).tolist():
        texts.setdefault(int(keys[context, position]), set()).add(text_at(source, context, position))
    assert all(len(found) == 1 for found in texts.values()), "two texts with one key"
    assert len(set.union(set(), *texts.values())) == len(texts), "one text with two keys"


def test_where_a_text_stands_does_not_matter():
    long = list(range(100, 140))
    keys = keys_of(long + [7] * 20, [7] * 20 + long)
    assert (keys[0, TEXT_TOKENS:40] == keys[1, 20 + TEXT_TOKENS :]).all()
    assert (keys[0, : TEXT_TOKENS - 1] != keys[1, 20 : 20 + TEXT_TOKENS - 1]).all(), "the 7s lead up to them"


def test_the_length_counts():
    """[5] at the start of a context is another text than [5, 5]."""
    keys = keys_of([5] * 40)[0]
    assert len(set(keys[:TEXT_TOKENS].tolist())) == TEXT_TOKENS
    assert len(set(keys[TEXT_TOKENS - 1 :].tolist())) == 1


def test_a_text_begins_with_its_document():
    plain = keys_of([1, 2, 3, 1, 2, 3])
    split = keys_of([1, 2, 3, 1, 2, 3], documents=[[0, 0, 0, 1, 1, 1]])
    assert split[0, :3].tolist() == split[0, 3:].tolist() == plain[0, :3].tolist()
    assert plain[0, 3] != split[0, 3]


def test_sixteen_tokens_as_documented():
    assert TEXT_TOKENS == TEXT == 16
    one, other = list(range(60)), list(range(60))
    other[10] = 99
    differ = np.flatnonzero(keys_of(one)[0] != keys_of(other)[0])
    assert differ.tolist() == list(range(10, 26))


@pytest.mark.parametrize("first", [0, 1, 255, 65_535, 250_000])
def test_order_and_neighbouring_ids_are_told_apart(first: int):
    """Swapped tokens, shifted ids and the words of Thue and Morse, on which plain polynomials fail."""
    morse = [first + (number.bit_count() & 1) for number in range(16)]
    texts = [morse, [2 * first + 1 - token for token in morse], sorted(morse), [first] * 16]
    texts += [[*morse[:place], first + 7, *morse[place + 1 :]] for place in range(16)]
    found = keys_of(*texts)[:, -1].tolist()
    assert len(set(found)) == len(texts)


def test_a_million_texts_have_a_million_keys():
    rng = np.random.default_rng(0)
    keys = text_keys(rng.integers(0, 50_000, (1000, 1024)).astype(np.int32), np.zeros((1000, 1024), np.int32))
    inner = keys[:, TEXT_TOKENS:]
    assert np.unique(inner).size == inner.size


def test_every_bit_is_a_coin():
    keys = keys_of(list(range(20_000)))[0]
    bits = (keys[:, None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)
    assert (abs(bits.mean(axis=0) - 0.5) < 5 / (2 * np.sqrt(keys.size))).all()


def test_arguments_are_left_alone_and_nothing_is_nothing():
    tokens, owners = np.arange(12, dtype=np.int32).reshape(2, 6), np.zeros((2, 6), np.int32)
    first = text_keys(tokens, owners)
    assert (text_keys(tokens, owners) == first).all()
    assert tokens.tolist() == np.arange(12).reshape(2, 6).tolist()
    assert text_keys(tokens[:0], owners[:0]).shape == (0, 6)
