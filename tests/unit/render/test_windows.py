"""Windows of the corpus: text, heat and codes agree with the dataset, token by token."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas.render.choice import Choice
from atlas.render.windows import STRENGTHS, Vocabulary, Windows, short, strengths
from atlas.schema import EXAMPLES, VOCABULARY
from atlas.text import group_pieces

TOKENS = [*(bytes([value]) for value in range(256)), b"", b" raise", b"\xe6\x97", b"\xa5", "🤗".encode()]
SPECIAL, RAISE, HALF, REST, HUG = range(256, 261)


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return make_vocabulary()


def make_vocabulary(tokens: Sequence[bytes] = TOKENS) -> Vocabulary:
    rows = [
        {
            "token_id": number,
            "bytes": data,
            "special": number == SPECIAL,
            "piece": "<|end|>" if number == SPECIAL else "",
        }
        for number, data in enumerate(tokens)
    ]
    return Vocabulary(pa.Table.from_pylist(rows, schema=VOCABULARY))


def example(
    feature: int, ids: list[int], activations: list[float], peak: int, **more: object
) -> dict[str, object]:
    row = {
        "feature_idx": feature,
        "group": "top",
        "interval": -1,
        "interval_lower": 0.0,
        "interval_upper": 0.0,
        "rank": 0,
        "activation": activations[peak],
        "context_idx": 7,
        "position": 3,
        "document_idx": 0,
        "copies": 1,
        "peak": peak,
        "token_ids": ids,
        "activations": activations,
    }
    return row | more


def windows(
    rows: list[dict[str, object]], start: int = 0, stop: int = 4, choice: Choice | None = None
) -> Windows:
    return Windows(pa.Table.from_pylist(rows, schema=EXAMPLES), make_vocabulary(), start, stop, choice)


def test_tokens_have_their_exact_text(vocabulary: Vocabulary):
    assert vocabulary.text(RAISE) == " raise"
    assert vocabulary.text(SPECIAL) == "<|end|>"
    assert vocabulary.text(HUG) == "🤗"
    assert vocabulary.text(HALF) == "<0xE6><0x97>"
    assert vocabulary.text(0xA5) == "<0xA5>"


@pytest.mark.parametrize("token", [-1, len(TOKENS), 10**6])
def test_unknown_tokens_are_said_to_be_unknown(vocabulary: Vocabulary, token: int):
    assert vocabulary.text(token) == "<unknown token>"


def test_an_empty_vocabulary_knows_nothing():
    empty = Vocabulary(VOCABULARY.empty_table())
    assert empty.text(0) == "<unknown token>"
    assert empty.known(np.array([-1, 0, 5], np.int32)).tolist() == [0, 0, 0]


def test_a_window_of_whole_tokens():
    window = windows([example(1, [RAISE, 65, HUG], [0.5, 0.0, 2.0], 2)]).window(0)
    assert window.pieces == [" raise", "A", "🤗"]
    assert window.heat == {0: 0.5, 2: 2.0}
    assert window.peak == 2
    assert window.activation == 2.0


def test_parts_of_a_character_become_one_piece_with_the_strongest_heat():
    window = windows([example(1, [65, HALF, REST, 66], [0.0, 1.0, 3.0, 0.5], 2)]).window(0)
    assert window.pieces == ["A", "日", "B"]
    assert window.heat == {1: 3.0, 2: 0.5}
    assert window.peak == 1


def test_special_and_unknown_tokens_stand_for_themselves():
    window = windows([example(1, [SPECIAL, HALF, -1, 9999], [0.0, 1.0, 0.0, 0.0], 1)]).window(0)
    assert window.pieces == ["<|end|>", "<0xE6><0x97>", "<unknown token>", "<unknown token>"]
    assert window.peak == 1


def test_windows_belong_to_their_features():
    rows = [example(5, [65], [1.0], 0), example(5, [66], [2.0], 0), example(7, [67], [3.0], 0)]
    found = windows(rows, start=5, stop=8)
    assert [found.range(feature, feature + 1) for feature in (5, 6, 7)] == [(0, 2), (2, 2), (2, 3)]
    assert found.bounds(5, 8) == [0, 2, 2, 3]


def test_top_examples_come_in_order_and_number():
    rows = [example(0, [65 + rank], [9.0 - rank], 0, rank=rank) for rank in range(4)]
    rows.append(example(0, [90], [1.0], 0, group="random"))
    found = windows(rows)
    assert [window.pieces for window in found.top(0, 3)] == [["A"], ["B"], ["C"]]
    assert len(found.top(0, 99)) == 4
    assert found.top(1, 3) == []


def test_near_cuts_around_the_peak():
    window = windows([example(0, list(range(65, 75)), [float(n) for n in range(1, 11)], 6)]).window(0)
    cut = window.near(2, 1)
    assert cut.pieces == ["E", "F", "G", "H"]
    assert cut.peak == 2
    assert cut.heat == {0: 5.0, 1: 6.0, 2: 7.0, 3: 8.0}
    assert window.near(100, 100) == window


IDS = st.sampled_from([65, 66, RAISE, HALF, REST, HUG, SPECIAL, 0xE6, 0x97, 0xA5, -1])
EXAMPLE = st.lists(st.tuples(IDS, st.sampled_from([0.0, 0.0, 0.25, 3.0])), min_size=1, max_size=12)


@given(st.lists(EXAMPLE, min_size=1, max_size=4), st.integers(0, 4), st.integers(0, 4))
def test_a_choice_cuts_as_near_does_before_characters_are_made(examples, before: int, after: int):
    rows = [
        example(0, [token for token, _ in tokens], [value for _, value in tokens], len(tokens) // 2)
        for tokens in examples
    ]
    whole, cut = windows(rows), windows(rows, choice=Choice(before=before, after=after))
    for at, tokens in enumerate(examples):
        peak = len(tokens) // 2
        assert cut.peak[at] == min(peak, before)
        assert cut.skipped[at] == max(0, peak - before)
        assert cut.whole[at] == len(tokens)
        length = cut.ends[at] - cut.starts[at]
        assert length == min(peak, before) + 1 + min(after, len(tokens) - peak - 1)
        if not whole.strange[at]:
            assert cut.window(at) == whole.window(at).near(before, after)


@given(EXAMPLE, st.integers(0, 5), st.integers(0, 5))
def test_brief_is_the_middle_of_the_window(tokens: list[tuple[int, float]], before: int, after: int):
    peak = len(tokens) // 2
    found = windows([example(0, [token for token, _ in tokens], [value for _, value in tokens], peak)])
    near = found.window(0).near(before, after)
    assert found.brief(0, before, after) == (near.pieces, near.peak)


def test_a_choice_keeps_the_first_of_each_group_and_interval():
    rows = [example(0, [65 + rank], [9.0 - rank], 0, rank=rank) for rank in range(4)]
    rows += [
        example(0, [70], [1.0], 0, rank=rank, group="interval", interval=at)
        for at in (0, 1)
        for rank in (0, 1)
    ]
    rows += [example(1, [71], [1.0], 0, rank=rank, group="random") for rank in range(3)]
    found = windows(rows, choice=Choice(top=3, others=1))
    names = [found.groups[code] for code in found.group]
    assert names == ["top"] * 3 + ["interval"] * 2 + ["random"]
    assert found.bounds(0, 2) == [0, 5, 6]
    assert [window.pieces for window in found.top(0, 99)] == [["A"], ["B"], ["C"]]


@given(EXAMPLE)
def test_windows_are_grouped_as_the_text_rules_say(tokens: list[tuple[int, float]]):
    """The oracle: decode the whole window's bytes; special and unknown tokens cut it."""
    window = windows([example(0, [token for token, _ in tokens], [value for _, value in tokens], 0)]).window(
        0
    )
    data = [None if token in {-1, SPECIAL} else TOKENS[token] for token, _ in tokens]
    named = {SPECIAL: "<|end|>", -1: "<unknown token>"}
    expected = [
        piece.text if data[piece.start] is not None else named[tokens[piece.start][0]]
        for piece in group_pieces(data)
    ]
    if all(vocabulary_is_whole(token) for token, _ in tokens):
        assert len(window.pieces) == len(tokens)
    assert "".join(window.pieces) == "".join(expected)


def vocabulary_is_whole(token: int) -> bool:
    return token not in {HALF, REST, 0xE6, 0x97, 0xA5}


def test_no_windows_at_all():
    found = windows([])
    assert found.bounds(0, 4) == [0] * 5
    assert found.top(0, 3) == []
    assert len(found.tokens) == 0


def test_strengths_are_linear_and_never_vanish():
    found = strengths(np.array([0.0, 1e-9, 1.0, 2.0, 4.0, 5.0]), np.array([4.0] * 6))
    assert found.tolist() == [0, 1, 64, 128, STRENGTHS, STRENGTHS]


def test_a_feature_without_a_maximum_is_drawn_full():
    assert strengths(np.array([2.0]), np.array([0.0])).tolist() == [STRENGTHS]


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_short_floats_are_exact_as_float32(value: float):
    assert np.float32(short(value)) == np.float32(value)
    assert len(repr(short(value))) <= len(repr(value))
