from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas.enrich.token_classes import CLASSES, VAGUE, class_counts, classes_of, token_bits


def classes(before: str, token: str, after: str = "") -> set[str]:
    """The classes of `token` between its neighbours ('': unknown)."""
    bits = token_bits({0: before, 1: token, 2: after})
    places = [
        np.array([number if text else -1], np.int32) for number, text in enumerate((before, token, after))
    ]
    found = int(classes_of(bits, *places)[0])
    return {name for place, name in enumerate(CLASSES) if found >> place & 1}


@pytest.mark.parametrize(
    ("before", "token", "after", "expected"),
    [
        ("", "12", "", {"digits"}),
        ("", " 3", ".", {"digits"}),
        ("1", "2", "", {"digits", "parts of words"}),
        ("", "\n", "", {"newlines"}),
        ("", "\r\n\n", "", {"newlines"}),
        ("", "\n    ", "", {"indented newlines"}),
        ("", "\n\t", "", {"indented newlines"}),
        ("", "   ", "", {"spaces"}),
        ("", "\t", "", set()),
        ("", "\u3000", "", set()),
        ("", ")", "", {"closing brackets", "punctuation"}),
        ("", "):", "", {"closing brackets", "punctuation"}),
        ("", " [", "", {"opening brackets", "punctuation"}),
        ("", "=[", "", {"opening brackets", "punctuation"}),
        ("", "('", "", {"quotation marks", "punctuation"}),
        ("", ' """', "", {"quotation marks", "punctuation"}),
        ("", " !=", "", {"operators", "punctuation"}),
        ("", ";", "", {"punctuation"}),
        ("", "_", "", set()),
        ("", "__", "x", set()),
        ("", "NAME", "", {"capitals"}),
        ("", " A", "", {"capitals"}),
        ("", " Return", "", {"capitalised words"}),
        ("", "VaL", "", set()),
        ("Val", "ue", "", {"parts of words"}),
        ("x", "NAME", "", {"capitals", "parts of words"}),
        ("Val", " ue", "", {"lower-case words"}),
        ("(", "ue", "", {"lower-case words"}),
        ("", "ue", "", {"lower-case words"}),
        ("\u00e9", "t\u00e9", "", {"parts of words"}),
        ("my_", "name", "", {"parts of snake_case names", "lower-case words"}),
        ("", " my", "_", {"parts of snake_case names", "lower-case words"}),
        ("", " my", " _x", {"lower-case words"}),
        ("_", "3", "", {"digits", "parts of snake_case names"}),
        ("os.", "path", ".", {"names after a dot", "lower-case words"}),
        (".", " path", "", {"lower-case words"}),
        (".", "_", "x", set()),
    ],
)  # fmt: skip
def test_what_a_token_is(before, token, after, expected):
    assert classes(before, token, after) == expected


def test_vague_classes_are_classes():
    assert set(CLASSES) >= VAGUE


def test_unknown_and_empty_tokens_are_nothing():
    bits = token_bits({0: "", 3: "a"})
    assert bits.tolist()[:3] == [0, 0, 0]
    assert bits.size == 5
    assert bits[-1] == 0
    assert token_bits({}).tolist() == [0]


@given(st.text(max_size=6), st.text(min_size=1, max_size=6), st.text(max_size=6))
def test_every_text_has_an_answer_that_holds(before, token, after):
    found = classes(before, token, after)
    core = token.strip(" ")
    if "digits" in found:
        assert core.isdecimal()
    if found & {"newlines", "indented newlines", "spaces"}:
        assert not core.strip()
        assert len(found) == 1
    if found & {"punctuation", "operators", "quotation marks", "closing brackets", "opening brackets"}:
        assert not any(char.isalnum() or char == "_" for char in token)
    if "parts of words" in found:
        assert before[-1].isalnum()
        assert token[0].isalnum()
    if "parts of snake_case names" in found:
        assert before.endswith("_") or after.startswith("_")
    if "lower-case words" in found:
        assert core[0].islower()
        assert token[0] == " " or not before[-1:].isalnum()


@given(st.lists(st.tuples(st.integers(0, (1 << len(CLASSES)) - 1), st.integers(0, 3)), max_size=30))
def test_counts_are_those_of_a_loop(drawn):
    found = class_counts(
        np.array([bits for bits, _ in drawn], np.uint32), np.array([row for _, row in drawn], np.int64), 4
    )
    expected = np.zeros((4, len(CLASSES)), int)
    for bits, row in drawn:
        for place in range(len(CLASSES)):
            expected[row, place] += bits >> place & 1
    assert found.tolist() == expected.tolist()
