"""Examples on one line, made for many features at once, against each window by itself."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas.render.briefs import Briefs
from atlas.render.strips import LEFT_OUT, MARKED, NO_SPACE_AFTER, NO_SPACE_BEFORE, WHOLE, BriefPieces, brief
from atlas.render.windows import Vocabulary, Windows
from atlas.schema import EXAMPLES
from tests.unit.render.test_windows import make_vocabulary

HUG = "🤗".encode()
TOKENS = [
    b"a",
    b" b",
    b"c ",
    b" ",
    b"\n\t",
    b"<&\"'>",
    b"",
    "\u202e".encode(),
    "日".encode(),
    HUG[:2],
    HUG[2:],
]
"""Plain ones, white space, markup, nothing at all, hidden ones, and a character in two parts."""

WHOLE_TOKENS = TOKENS.index(HUG[:2])
"""So many of them are whole characters; a window with another is written by itself."""

WINDOW = st.sampled_from([WHOLE_TOKENS - 1, len(TOKENS)]).flatmap(
    lambda last: st.lists(st.integers(0, last), min_size=1, max_size=12)
)


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return make_vocabulary(TOKENS)


def windows_of(vocabulary: Vocabulary, ids: list[list[int]], peaks: list[int]) -> Windows:
    """One top example per list of tokens, all of feature 0."""
    plain: dict[str, object] = {
        field.name: "top" if pa.types.is_string(field.type) else 0 for field in EXAMPLES
    }
    rows = [
        plain | {"rank": at, "peak": peak, "token_ids": window, "activations": [1.0] * len(window)}
        for at, (window, peak) in enumerate(zip(ids, peaks, strict=True))
    ]
    return Windows(pa.Table.from_pylist(rows, EXAMPLES), vocabulary, 0, 1)


@given(st.lists(WINDOW, max_size=5), st.data())
def test_each_is_the_window_by_itself(vocabulary: Vocabulary, ids: list[list[int]], data: st.DataObject):
    peaks = [data.draw(st.integers(0, len(window) - 1)) for window in ids]
    before, after = data.draw(st.integers(0, 4)), data.draw(st.integers(0, 4))
    windows = windows_of(vocabulary, ids, peaks)
    numbers, counts = windows.all_tops(99)
    assert counts.tolist() == [len(ids)]
    lines = Briefs(vocabulary, before, after).lines(windows, numbers)
    assert lines == [brief(*windows.brief(number, before, after)) for number in numbers.tolist()]


@pytest.mark.parametrize("most", [0, 1, 2, 9])
def test_all_tops_are_those_of_each_feature(vocabulary: Vocabulary, most: int):
    windows = windows_of(vocabulary, [[0], [1], [2]], [0, 0, 0])
    numbers, counts = windows.all_tops(most)
    assert numbers.tolist() == windows.tops(0, most) == [0, 1, 2][:most]
    assert counts.tolist() == [min(3, most)]


def test_any_number_of_windows_in_any_order(vocabulary: Vocabulary):
    windows = windows_of(vocabulary, [[0, 1], [2, 5], [3, 9, 10]], [0, 1, 2])
    briefs = Briefs(vocabulary, 5, 5)
    assert briefs.lines(windows, np.empty(0, np.int64)) == []
    assert briefs.lines(windows, np.array([2, 0])) == ["<mark>🤗</mark>", "<mark>a</mark> b"]
    assert briefs.lines(windows, np.array([1])) == ["c <mark>&lt;&amp;\"'&gt;</mark>"]


def test_a_piece_is_written_in_every_form():
    pieces = BriefPieces(["<", " x\n", " "])
    assert pieces.blank.tolist() == [False, False, True]
    forms = np.array([WHOLE, NO_SPACE_BEFORE, NO_SPACE_AFTER, MARKED, LEFT_OUT])
    bounds = list(range(6))
    assert pieces.lines(np.full(5, 0), forms, bounds) == ["&lt;", "&lt;", "&lt;", "<mark>&lt;</mark>", ""]
    assert pieces.lines(np.full(5, 1), forms, bounds) == [" x↵", "x↵", " x", "<mark> x↵</mark>", ""]
    assert pieces.lines(np.array([1, 0]), forms[:2], (0, 2, 2)) == [" x↵&lt;", ""]
