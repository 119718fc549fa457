"""Pieces of text: the common ones once for the site, the others once a shard."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas.render import payloads
from atlas.render.builder import Builder
from atlas.render.pieces import CommonPieces, ShardPieces, common_pieces
from atlas.render.windows import Vocabulary
from atlas.store import AtlasStore
from tests.support.feature_shards import common_pieces as common_texts
from tests.unit.render.test_windows import HALF, HUG, RAISE, REST, TOKENS, make_vocabulary


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return make_vocabulary()


def common(vocabulary: Vocabulary, monkeypatch: pytest.MonkeyPatch, **counts: int) -> CommonPieces:
    monkeypatch.setattr("atlas.render.pieces.MOST_COMMON", 3)
    seen = np.zeros(vocabulary.size, np.int64)
    for name, count in counts.items():
        seen[int(name[1:])] = count
    return CommonPieces(vocabulary, seen)


def test_the_most_frequent_come_first_and_equals_by_number(vocabulary, monkeypatch):
    found = common(vocabulary, monkeypatch, t257=9, t66=4, t65=4)
    assert found.texts == [" raise", "A", "B"]
    assert [found.index[token] for token in (RAISE, 65, 66, 67)] == [0, 1, 2, -1]


def test_a_shard_numbers_its_own_after_the_common_ones(vocabulary, monkeypatch):
    pieces = ShardPieces(common(vocabulary, monkeypatch, t257=9, t66=4, t65=4), 2)
    assert pieces.tokens(np.array([RAISE, HUG, 65, HUG, HALF]), (0, 5, 5)).tolist() == [0, 4, 1, 4, 3]
    assert pieces.own == [['"<0xE6><0x97>"', '"🤗"'], []]
    assert pieces.tokens(np.array([HUG, HUG, RAISE]), (0, 1, 3)).tolist() == [4, 3, 0]
    assert [pieces.text(0, "日"), pieces.text(1, "日"), pieces.text(0, "日")] == [5, 4, 5]
    assert pieces.own == [['"<0xE6><0x97>"', '"🤗"', '"日"'], ['"🤗"', '"日"']]
    assert pieces.tokens(np.empty(0, np.int32), (0, 0, 0)).tolist() == []
    assert pieces.commonest == RAISE


def test_neighbours_that_are_parts_of_characters_are_grouped(vocabulary):
    assert vocabulary.group([HALF, REST, HALF, 0xFF]) == [("日", 2), ("<0xE6><0x97>", 1), ("<0xFF>", 1)]
    assert vocabulary.group([]) == []


def test_unknown_tokens_have_a_piece(vocabulary, monkeypatch):
    pieces = ShardPieces(common(vocabulary, monkeypatch, t65=1), 1)
    (number,) = pieces.tokens(vocabulary.known(np.array([len(TOKENS) + 5], np.int32)), (0, 1))
    assert pieces.own[0][number - 3] == '"<unknown token>"'


def test_a_small_vocabulary_is_common_as_a_whole(builder: Builder, store: AtlasStore):
    found = common_pieces(store, builder.vocabulary)
    assert len(found.texts) == builder.vocabulary.size
    assert (found.index >= 0).all()
    assert found.texts == common_pieces(AtlasStore.open(store.path), builder.vocabulary).texts
    counts = np.zeros(builder.vocabulary.size, np.int64)
    for row in store.read("examples", "alpha").to_pylist() + store.read("examples", "beta").to_pylist():
        np.add.at(counts, row["token_ids"], 1)
    first = [counts[np.flatnonzero(found.index == at)[0]] for at in range(5)]
    assert first == sorted(counts.tolist(), reverse=True)[:5]


def made(texts: list[str], counts: list[int]) -> CommonPieces:
    vocabulary = make_vocabulary([text.encode() for text in texts])
    return CommonPieces(vocabulary, np.array(counts))


def test_the_first_stay_by_frequency_and_each_doubling_goes_by_text(monkeypatch):
    monkeypatch.setattr("atlas.render.pieces.FIRST_BY_NUMBER", 2)
    found = made([*"hgfedcba", "i"], [9, 8, 7, 6, 5, 4, 3, 2, 1])
    assert found.texts == [*"hg", *"ef", *"abcd", "i"]
    assert [found.texts[at] for at in found.index if at >= 0] == [*"hgfedcba", "i"]


def test_equal_texts_stay_in_the_order_of_their_tokens(monkeypatch):
    monkeypatch.setattr("atlas.render.pieces.FIRST_BY_NUMBER", 1)
    found = made(["z", "same", "same", "same"], [4, 1, 2, 3])
    assert found.texts == ["z", "same", "same", "same"]
    places = {token: int(found.index[token]) for token in range(4)}
    assert places == {0: 0, 3: 1, 1: 2, 2: 3}


@pytest.mark.parametrize(
    ("texts", "shared", "rest"),
    [
        (["in", "int", "into", "a"], "0230", ["in", "t", "o", "a"]),
        (["same", "same"], "04", ["same", ""]),
        (["x" * 50, "x" * 50], "0z", ["x" * 50, "x" * 15]),
        (["a\U0001f917b", "a\U0001f917c"], "01", ["a\U0001f917b", "\U0001f917c"]),
        (["日本", "日中"], "01", ["日本", "中"]),
    ],
)
def test_a_piece_says_only_what_differs_from_the_one_before(texts, shared, rest):
    found = made(texts, list(range(len(texts), 0, -1))).payload
    assert found == {"shared": shared, "rest": rest}
    assert set(found) == set(payloads.PiecesShard.__annotations__)


@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=45), min_size=1, max_size=200))
def test_the_shard_gives_back_every_text(texts):
    found = made(texts, list(range(len(texts))))
    assert common_texts(found.payload) == found.texts


def test_a_dataset_without_examples_has_common_pieces_too(tmp_path):
    from tests.support.synthetic import make_atlas

    store = make_atlas(tmp_path / "data", n_features=2, saes=("alpha",), dead=(0, 1))
    vocabulary = Vocabulary(store.read("vocabulary"))
    assert len(common_pieces(store, vocabulary).texts) == vocabulary.size
