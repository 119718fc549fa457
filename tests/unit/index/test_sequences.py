"""Sequences of tokens around peaks: facts of tokens, windows, whole words, distinct rows, against loops."""

from __future__ import annotations

import itertools
import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas.index.sequences import NONE, TokenFacts, around, distinct, runs
from tests.support.oracle_search import token_runs, undecoded

ALPHABET = "aZ9_ .-\n\u00e9\u0301\u0928\u093f\u4e2d\ufffd\u20ac\u200b\U0001d7d8\U0001f600"
"""Characters of one to four bytes: letters, marks, digits, others; U+FFFD itself, too."""

WORDS = "aZ9_\u00e9\u0301\u0928\u093f\u4e2d\U0001d7d8"
"""Those of them that belong to words."""


def facts_of(tokens: list[bytes | None]) -> TokenFacts:
    """Facts of a vocabulary of `tokens`, None a special one."""
    special = [token is None for token in tokens]
    content = [b"<s>" if token is None else token for token in tokens]
    return TokenFacts.of(pa.table({"bytes": pa.array(content, pa.binary()), "special": special}))


def flags(token: bytes | None) -> str:
    """Which of usable, wordy, opens, closes and cut (x) hold, by their initials."""
    facts = facts_of([token])
    arrays = {"u": facts.usable, "w": facts.wordy, "o": facts.opens, "c": facts.closes, "x": facts.cut}
    return "".join(letter for letter, array in arrays.items() if array[0])


def cut(data: bytes, places: set[int]) -> list[bytes]:
    """`data` cut at places that lie inside it."""
    ends = sorted({0, len(data), *(place for place in places if place < len(data))})
    return [data[first:last] for first, last in itertools.pairwise(ends)]


def rows_of(*rows: list[int]) -> np.ndarray:
    return np.array(rows, np.int32)


def some_runs(facts: TokenFacts, tokens: np.ndarray, near=(0, 99), longest=8) -> list[tuple[int, list[int]]]:
    """What `runs` finds, without padding."""
    row, sequences = runs(tokens, facts, near, longest)
    assert sequences.shape == (row.size, longest)
    found = [[token for token in sequence if token != NONE] for sequence in sequences.tolist()]
    for sequence, padded in zip(found, sequences.tolist(), strict=True):
        assert padded == sequence + [NONE] * (longest - len(sequence))
    return list(zip(row.tolist(), found, strict=True))


# ---- facts of tokens


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        (None, ""),
        (b"", ""),
        (b"word", "uwoc"),
        (b" word", "uwc"),
        (b"word ", "uwo"),
        (b" word.", "uw"),
        (b" ", "u"),
        (b"...", "u"),
        (b"\x00", "u"),
        (b"_", "uwoc"),
        (b"7", "uwoc"),
        ("\u00bd".encode(), "uwoc"),  # a number that is no digit
        ("\u0301".encode(), "uwoc"),  # a mark alone
        ("\U0001f600".encode(), "u"),
        ("\u200b".encode(), "u"),
        ("\ufffd".encode(), "u"),  # whole, not cut
        ("a\ufffd".encode(), "uwo"),
        ("\ufffda".encode(), "uwc"),
        (b".\xe4\xb8", "uwx"),  # the beginning of a cut character
        (b"\xad.", "uwx"),  # the rest of one
        (b"\xb8", "uwx"),  # the middle
        (b"a\xffb", "uwx"),  # no character at all
    ],
)
def test_facts_of_a_token(token, expected):
    assert flags(token) == expected


def test_the_last_entry_stands_for_no_token():
    facts = facts_of([b"a", None, b"b"])
    assert facts.content == [b"a", b"", b"b"]
    for array in (facts.usable, facts.wordy, facts.opens, facts.closes):
        assert array.dtype == np.bool_
        assert array.tolist() == [True, False, True, False]
        assert not array[NONE]


def test_an_empty_vocabulary_knows_no_token():
    facts = facts_of([])
    assert facts.content == []
    assert facts.usable.tolist() == facts.closes.tolist() == [False]


@given(st.text(ALPHABET, min_size=1, max_size=6), st.sets(st.integers(1, 20)))
def test_facts_of_texts_cut_anywhere(text, places):
    ends = list(itertools.accumulate(len(character.encode()) for character in text))
    tokens = cut(text.encode(), places)
    facts = facts_of(tokens)
    first = 0
    for number, token in enumerate(tokens):
        last = first + len(token)
        whole = {first, last} <= {0, *ends}
        letters = [letter for end, letter in zip(ends, text, strict=True) if first < end <= last]
        assert facts.usable[number]
        assert facts.cut[number] != whole
        assert facts.opens[number] == (whole and is_wordy(letters[0]))
        assert facts.closes[number] == (whole and is_wordy(letters[-1]))
        assert facts.wordy[number] == (not whole or any(map(is_wordy, letters)))
        first = last


def is_wordy(character: str) -> bool:
    """A letter, mark, digit or underscore."""
    return character == "_" or unicodedata.category(character).startswith(("L", "M", "N"))


def test_the_alphabets_are_what_they_say():
    assert set(filter(is_wordy, ALPHABET)) == set(WORDS)
    assert {len(character.encode()) for character in WORDS} == {1, 2, 3, 4}


# ---- text


@given(st.lists(st.binary(max_size=5), min_size=1, max_size=5), st.data())
def test_text_of_any_bytes(tokens, data):
    facts = facts_of(tokens)
    chosen = data.draw(st.lists(st.integers(0, len(tokens) - 1), max_size=6))
    expected = undecoded(b"".join(tokens[number] for number in chosen))
    assert facts.text(np.array(chosen, np.int32)) == expected
    assert facts.text(np.array([NONE, *chosen, NONE, NONE], np.int32)) == expected


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        ([], ""),
        ([NONE, NONE], ""),
        ([0], "<0xE4><0xB8>"),
        ([0, 1], "\u4e2d"),
        ([1, 0], "<0xAD><0xE4><0xB8>"),
        ([2, 0, 1, 3], "a\u4e2d"),  # the special token has no text
        ([0, 3, 1], "\u4e2d"),
        ([0, 2], "<0xE4><0xB8>a"),
        ([4, 2], "\ufeffa"),
    ],
)
def test_text_of_characters_cut_and_whole(tokens, text):
    facts = facts_of([b"\xe4\xb8", b"\xad", b"a", None, "\ufeff".encode()])
    assert facts.text(np.array(tokens, np.int32)) == text


@pytest.mark.parametrize(
    ("tokens", "found"),
    [
        ([], []),
        ([NONE, 0, 1, NONE], ["\u4e2d"]),
        ([2, 0, 2], ["a"]),
        ([2, 0, 1], ["a\u4e2d"]),
        ([0], []),
        ([4, 5, 2], ["a"]),
    ],
)
def test_words_hold_whole_characters_only(tokens, found):
    facts = facts_of([b"\xe4\xb8", b"\xad", b"a", None, b"\xf0\x9f", b"\x98\x80"])
    assert facts.words(np.array(tokens, np.int32)) == found


# ---- around a peak


WINDOWS = st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=7), max_size=6)


@given(WINDOWS, st.integers(0, 9), st.integers(0, 9), st.data())
def test_around_takes_the_neighbours_within_each_window(windows, before, after, data):
    peaks = [data.draw(st.integers(0, len(window) - 1)) for window in windows]
    expected = [
        [
            window[place] if 0 <= place < len(window) else NONE
            for place in range(peak - before, peak + after + 1)
        ]
        for window, peak in zip(windows, peaks, strict=True)
    ]
    starts = np.array([0, *itertools.accumulate(map(len, windows))], np.int64)
    tokens = np.array([token for window in windows for token in window], np.int32)
    found = around(tokens, starts, np.array(peaks, np.int64), before, after)
    assert found.shape == (len(windows), before + 1 + after)
    assert found.tolist() == expected


def test_around_a_window_of_one_token():
    starts = np.array([0, 1, 2, 3], np.int64)
    found = around(np.array([5, 6, 7], np.int32), starts, np.zeros(3, np.int64), 1, 2)
    assert found.tolist() == [[NONE, token, NONE, NONE] for token in (5, 6, 7)]


# ---- whole words


VOCABULARY = [b"sub", b"process", b" run", b".", b"", None, b"\xe4\xb8", b"\xad", b"a.b", b"\n", b"_",
              b"\xc3", b"\xa9", b"\xf0\x9f\x98", b"\x80", b"\x80c", b"\xff", b".\xc3"]  # fmt: skip
FACTS = facts_of(VOCABULARY)
SUB, PROCESS, RUN, DOT, EMPTY, SPECIAL, CUT, REST, DOTTED, NEWLINE, UNDERSCORE = range(11)
E_HEAD, E_TAIL, SMILE, SMILE_TAIL, SMILE_TAIL_C, NO_CHARACTER, DOT_E_HEAD = range(11, 18)


def runs_by_definition(rows: list[list[int]], near: tuple[int, int], longest: int):
    """(row, tokens) of each run, one character after another."""
    nothing = {"special": True, "bytes": b""}
    for number, row in enumerate(rows):
        tokens = [
            {"special": VOCABULARY[token] is None, "bytes": VOCABULARY[token] or b""}
            if token >= 0
            else nothing
            for token in row
        ]
        for first, last in token_runs(tokens):
            run = row[first : last + 1]
            touches = first <= near[1] and last >= near[0]
            if touches and len(run) <= longest and FACTS.wordy[run].any():
                yield number, run


@given(
    st.integers(1, 9).flatmap(
        lambda width: st.lists(
            st.tuples(
                st.integers(0, 2),
                st.lists(st.integers(0, len(VOCABULARY) - 1), min_size=width, max_size=width),
                st.integers(0, 2),
            ),
            min_size=1,
            max_size=6,
        )
    ),
    st.tuples(st.integers(0, 8), st.integers(0, 8)).map(sorted).map(tuple),
    st.integers(1, 5),
)
def test_runs_equal_the_definition(padded, near, longest):
    rows = []
    for before, row, after in padded:
        kept = max(len(row) - before - after, 0)
        rows.append(([NONE] * before + row[:kept] + [NONE] * after)[: len(row)])
    assert some_runs(FACTS, rows_of(*rows), near, longest) == list(runs_by_definition(rows, near, longest))


@given(st.text(WORDS, min_size=1, max_size=8), st.sets(st.integers(1, 30)))
def test_a_word_cut_anywhere_is_one_run(text, places):
    tokens = cut(text.encode(), places)
    facts = facts_of(tokens)
    row = list(range(len(tokens)))
    [(_, found)] = some_runs(facts, rows_of([NONE, *row, NONE]), longest=32)
    assert found == row
    assert facts.text(np.array(found, np.int32)) == text


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ([SUB], [[SUB]]),
        ([NONE, NONE], []),
        ([DOT, EMPTY, SPECIAL, NEWLINE], []),
        ([SUB, PROCESS, RUN], [[SUB, PROCESS], [RUN]]),
        ([SUB, EMPTY, PROCESS], [[SUB], [PROCESS]]),
        ([SUB, SPECIAL, PROCESS], [[SUB], [PROCESS]]),
        ([SUB, DOT, PROCESS], [[SUB], [PROCESS]]),
        ([SUB, DOTTED, SUB], [[SUB, DOTTED, SUB]]),
        ([DOT, CUT, REST, SUB, DOT], [[CUT, REST, SUB]]),
        ([SUB, E_HEAD, E_TAIL, SUB], [[SUB, E_HEAD, E_TAIL, SUB]]),
        ([SUB, SMILE, SMILE_TAIL, SUB], [[SUB], [SMILE, SMILE_TAIL], [SUB]]),
        ([SUB, SMILE, SMILE_TAIL_C, SUB], [[SUB], [SMILE, SMILE_TAIL_C, SUB]]),
        ([SUB, NO_CHARACTER, SUB], [[SUB], [NO_CHARACTER], [SUB]]),
        ([SUB, DOT_E_HEAD, E_TAIL, SUB], [[SUB], [DOT_E_HEAD, E_TAIL, SUB]]),
        ([SUB, E_TAIL, E_HEAD], [[SUB], [E_TAIL], [E_HEAD]]),
        ([E_HEAD, SPECIAL, E_TAIL], [[E_HEAD], [E_TAIL]]),
        ([UNDERSCORE, SUB], [[UNDERSCORE, SUB]]),
    ],
)
def test_runs_of_one_row(row, found):
    assert some_runs(FACTS, rows_of(row)) == [(0, tokens) for tokens in found]


def test_a_run_ends_with_its_row():
    assert some_runs(FACTS, rows_of([DOT, SUB], [PROCESS, DOT])) == [(0, [SUB]), (1, [PROCESS])]


def test_the_longest_run_is_kept_whole_and_a_longer_one_left_out():
    row = rows_of([SUB] * 3 + [NONE], [SUB] * 4)
    assert some_runs(FACTS, row, longest=3) == [(0, [SUB] * 3)]
    assert some_runs(FACTS, row, longest=4) == [(0, [SUB] * 3), (1, [SUB] * 4)]


@pytest.mark.parametrize(
    ("near", "found"),
    [
        ((0, 0), [[SUB]]),
        ((1, 1), []),
        ((2, 2), [[SUB, PROCESS]]),
        ((3, 3), [[SUB, PROCESS]]),
        ((3, 4), [[SUB, PROCESS], [RUN]]),
        ((4, 9), [[RUN]]),
    ],
)
def test_a_run_counts_where_any_of_its_tokens_is_near(near, found):
    row = rows_of([SUB, DOT, SUB, PROCESS, RUN])
    assert [tokens for _, tokens in some_runs(FACTS, row, near)] == found


def test_no_rows_have_no_runs():
    assert some_runs(FACTS, np.zeros((0, 4), np.int32)) == []


# ---- distinct rows


SEQUENCES = st.integers(1, 4).flatmap(
    lambda width: st.lists(
        st.lists(st.sampled_from([0, 1, 2, 50_000, 2**31 - 3]), min_size=1, max_size=width).map(
            lambda row: row + [NONE] * (width - len(row))
        ),
        min_size=1,
        max_size=12,
    )
)


@given(SEQUENCES)
def test_distinct_rows_are_each_kept_once_and_found_again(rows):
    different, which = distinct(rows_of(*rows))
    kept = [tuple(row) for row in different.tolist()]
    assert len(set(kept)) == len(kept)
    assert set(kept) == {tuple(row) for row in rows}
    assert [kept[number] for number in which] == [tuple(row) for row in rows]


@given(SEQUENCES, st.randoms(use_true_random=False))
def test_distinct_rows_do_not_depend_on_their_order(rows, random):
    order = list(range(len(rows)))
    random.shuffle(order)
    tokens = rows_of(*rows)
    different, which = distinct(tokens)
    again, which_again = distinct(tokens[order])
    assert again.tolist() == different.tolist()
    assert which_again.tolist() == which[order].tolist()


def test_a_sequence_is_not_its_own_beginning():
    rows = [[0, NONE, NONE], [0, 0, NONE], [0, 0, 0], [1, NONE, NONE], [1, 0, NONE]]
    different, which = distinct(rows_of(*rows, *rows))
    assert sorted(different.tolist()) == sorted(rows)
    assert which.tolist()[:5] == which.tolist()[5:]


def test_distinct_of_nothing_and_of_no_tokens():
    different, which = distinct(np.zeros((0, 3), np.int32))
    assert (different.shape, which.tolist()) == ((0, 3), [])
    different, which = distinct(rows_of([NONE, NONE], [0, NONE], [NONE, NONE]))
    assert sorted(different.tolist()) == [[NONE, NONE], [0, NONE]]
    assert which[0] == which[2] != which[1]
