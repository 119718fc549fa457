"""Windows as pieces with heat, made once for a whole read, against a look at each window by itself."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas.render.packed_columns import NumberedTexts, steps
from atlas.render.packed_examples import _numbered, _pieces, _places
from atlas.render.packing import Packer
from atlas.render.pieces import CommonPieces, ShardPieces
from atlas.render.windows import Vocabulary
from atlas.stats.ragged import row_bounds

BYTES = [b"a", b" b", "é".encode()[:1], "é".encode()[1:], "🤗".encode()[:2], "🤗".encode()[2:], b"c\n"]
"""Tokens: whole ones, and two characters in two parts each."""

WINDOWS = st.lists(st.lists(st.integers(0, len(BYTES) - 1), min_size=1, max_size=9), max_size=6)


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return make_vocabulary()


def make_vocabulary() -> Vocabulary:
    size = len(BYTES)
    return Vocabulary(
        pa.table(
            {
                "token_id": list(range(size)),
                "bytes": pa.array(BYTES, pa.binary()),
                "special": [False] * size,
                "piece": [""] * size,
            }
        )
    )


WORDS = make_vocabulary()


def flat(windows: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    """All tokens of `windows`, and where each window starts."""
    lengths = [len(window) for window in windows]
    tokens = np.array([token for window in windows for token in window], np.int32)
    return tokens, np.cumsum([0, *lengths])[:-1].astype(np.int64)


def texts_of(windows: list[list[int]]) -> tuple[list[str], np.ndarray]:
    tokens, first = flat(windows)
    ids, texts, inner = _pieces(tokens, first, WORDS)
    shown = [WORDS.text(token) if token >= 0 else texts[-1 - token] for token in ids.tolist()]
    return shown, inner


@given(WINDOWS)
def test_pieces_are_those_of_each_window_by_itself(windows: list[list[int]]):
    found, _ = texts_of(windows)
    assert found == [text for window in windows for text in WORDS.pieces(window)[0]]


@given(WINDOWS)
def test_every_token_knows_its_piece(windows: list[list[int]]):
    tokens, _ = flat(windows)
    _, inner = texts_of(windows)
    owners, pieces = [], 0
    for window in windows:
        texts, own = WORDS.pieces(window)
        owners += [pieces + owner for owner in own]
        pieces += len(texts)
    assert _places(np.arange(tokens.size), inner).tolist() == owners


def test_parts_of_two_windows_make_no_character():
    assert texts_of([[0, 2], [3, 0]])[0] == texts_of([[0, 2]])[0] + texts_of([[3, 0]])[0]
    assert texts_of([[0, 2, 3, 0]])[0] == ["a", "é", "a"]


def test_whole_tokens_are_taken_as_they_are(vocabulary: Vocabulary):
    tokens, first = flat([[0, 1], [6, 0]])
    ids, texts, inner = _pieces(tokens, first, vocabulary)
    assert ids is tokens
    assert texts == []
    assert inner.size == 0


def test_the_numbers_of_a_read_are_left_as_they_were(vocabulary: Vocabulary):
    tokens, first = flat([[0, 2, 3], [4, 5]])
    before = tokens.copy()
    _pieces(tokens, first, vocabulary)
    assert (tokens == before).all()


@given(st.lists(st.sets(st.integers(0, 40), max_size=6), max_size=8))
def test_steps_begin_anew_in_every_window(windows: list[set[int]]):
    places = [sorted(window) for window in windows]
    counts = np.array([len(window) for window in places], np.int64)
    found = steps(np.array([place for window in places for place in window], np.int64), row_bounds(counts))
    expected = [place - (window[at - 1] if at else 0) for window in places for at, place in enumerate(window)]
    assert found.tolist() == expected


def test_no_window_at_all():
    assert texts_of([])[0] == []
    assert steps(np.empty(0, np.int64), row_bounds(np.empty(0, np.int64))).size == 0


@given(st.lists(st.text(max_size=2)))
def test_texts_are_numbered_in_the_order_they_come(texts: list[str]):
    table = NumberedTexts()
    numbers = [table.index(text) for text in texts]
    assert [table.texts[number] for number in numbers] == texts
    assert table.texts == list(dict.fromkeys(texts))
    assert [table.index(text) for text in texts] == numbers


def test_equal_texts_have_one_number():
    table = NumberedTexts()
    assert [table.index(text) for text in "bab"] == [0, 1, 0]
    assert table.index("c") == 2
    assert table.texts == ["b", "a", "c"]


CALL = st.tuples(*[st.lists(st.integers(0, len(BYTES) - 1), max_size=6)] * 3)


@given(st.lists(CALL, max_size=5), st.integers(0, 7))
def test_rare_pieces_are_numbered_call_by_call_in_ascending_order(
    calls: list[tuple[list[int], ...]], n_common: int
):
    counts = np.arange(WORDS.size, dtype=np.int64)
    common = CommonPieces(WORDS, counts)
    common.texts = common.texts[:n_common]
    common.index[common.index >= n_common] = -1
    pieces = ShardPieces(common, 3)
    known = {token: int(common.index[token]) for token in range(WORDS.size) if common.index[token] >= 0}
    expected = [dict(known) for _ in range(3)]
    for call in calls:
        for numbers, tokens in zip(expected, call, strict=True):
            for token in sorted(set(tokens) - set(numbers)):
                numbers[token] = len(numbers)
        cuts = [0, *itertools.accumulate(map(len, call))]
        found = pieces.tokens(np.array([token for tokens in call for token in tokens], np.int32), cuts)
        assert found.tolist() == [
            numbers[t] for numbers, tokens in zip(expected, call, strict=True) for t in tokens
        ]
    for numbers, own in zip(expected, pieces.own, strict=True):
        named = [*common.texts, *map(json.loads, own)]
        assert all(named[number] == WORDS.text(token) for token, number in numbers.items())
    assert (common.index < n_common).all()


@given(st.lists(st.lists(st.integers(0, 2**40), max_size=300), max_size=4))
def test_many_numbers_and_few_are_packed_alike(puts: list[list[int]]):
    apart, together = Packer(1), Packer(1)
    for values in puts:
        apart.integers_of(0, np.array(values, np.int64))
    together.integers_of(0, np.array([value for values in puts for value in values], np.int64))
    assert apart.content(0, b"{}") == together.content(0, b"{}")


@given(st.lists(st.lists(st.integers(0, 9), max_size=6), min_size=1, max_size=4))
def test_documents_are_numbered_in_each_shard_in_ascending_order(shards: list[list[int]]):
    cuts = [0, *itertools.accumulate(map(len, shards))]
    used, places = _numbered(np.array([value for shard in shards for value in shard], np.int64), cuts)
    assert used == [sorted(set(shard)) for shard in shards]
    assert places.tolist() == [sorted(set(shard)).index(value) for shard in shards for value in shard]


def test_what_is_no_finite_number_is_packed_as_none():
    plain, odd = Packer(1), Packer(1)
    plain.singles(np.array([1.0, np.nan], np.float32), (0, 2))
    odd.singles(np.array([1.0, np.inf], np.float32), (0, 2))
    assert plain.content(0, b"{}") == odd.content(0, b"{}")
