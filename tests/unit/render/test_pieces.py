"""Pieces of text: the common ones once for the site, the others once a shard."""

from __future__ import annotations

import numpy as np
import pytest

from atlas.render import payloads
from atlas.render.builder import Builder
from atlas.render.pieces import CommonPieces, ShardPieces, common_pieces
from atlas.render.windows import Vocabulary
from atlas.store import AtlasStore
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
    assert set(found.payload) == set(payloads.PiecesShard.__annotations__)


def test_a_shard_numbers_its_own_after_the_common_ones(vocabulary, monkeypatch):
    pieces = ShardPieces(common(vocabulary, monkeypatch, t257=9, t66=4, t65=4))
    assert pieces.tokens(np.array([RAISE, HUG, 65, HUG, HALF])).tolist() == [0, 4, 1, 4, 3]
    assert pieces.own == ["<0xE6><0x97>", "🤗"]
    assert pieces.tokens(np.array([HUG])).tolist() == [4]
    assert pieces.text("日") == 5
    assert pieces.text("日") == 5
    assert pieces.own == ["<0xE6><0x97>", "🤗", "日"]
    assert pieces.tokens(np.empty(0, np.int32)).tolist() == []


def test_neighbours_that_are_parts_of_characters_are_grouped(vocabulary, monkeypatch):
    pieces = ShardPieces(common(vocabulary, monkeypatch, t65=1))
    assert pieces.group([HALF, REST, HALF, 0xFF]) == [("日", 2), ("<0xE6><0x97>", 1), ("<0xFF>", 1)]
    assert pieces.group([]) == []


def test_unknown_tokens_have_a_piece(vocabulary, monkeypatch):
    pieces = ShardPieces(common(vocabulary, monkeypatch, t65=1))
    (number,) = pieces.tokens(pieces.known(np.array([len(TOKENS) + 5], np.int32)))
    assert pieces.own[number - 3] == "<unknown token>"


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


def test_a_dataset_without_examples_has_common_pieces_too(tmp_path):
    from tests.support.synthetic import make_atlas

    store = make_atlas(tmp_path / "data", n_features=2, saes=("alpha",), dead=(0, 1))
    vocabulary = Vocabulary(store.read("vocabulary"))
    assert len(common_pieces(store, vocabulary).texts) == vocabulary.size
