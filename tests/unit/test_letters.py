"""Bytes as letters of a data file: they come back, whatever they are, and nothing else passes for them."""

from __future__ import annotations

import os
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas.store.letters import ENCODING, MARK, from_letters, to_letters

TWIN = [
    (b"", "\u3030"),
    (b"\0", "\u3030\u3030\u3030\u3030\u3036"),
    (b"\1\2\3", "\u3070\u7060\u3030\u3030\u3034"),
    (bytes([255, 0, 128, 7, 1, 2, 3]), "\uaf70\u4030\u6834\u3433\u3030"),
]
"""What `themes/default/test/letters.test.ts` has for the same bytes."""


def letters(data: bytes) -> str:
    return to_letters(data).decode(ENCODING)


def by_definition(data: bytes) -> str:
    """The letters of `data`, bit by bit as the module's text says."""
    fill = -len(data) % 7
    bits = "".join(f"{byte:08b}" for byte in data + bytes(fill))
    numbers = [int(bits[at : at + 14], 2) for at in range(0, len(bits), 14)]
    return "".join(chr(0x3030 + 256 * (number // 128) + number % 128) for number in [*numbers, fill])


@given(st.binary(max_size=200))
def test_bytes_come_back(data: bytes):
    assert letters(data) == by_definition(data)
    assert from_letters(letters(data)) == data


@pytest.mark.parametrize("value", [0, 1, 127, 128, 255])
def test_every_length_comes_back(value: int):
    for length in range(70):
        data = bytes([value]) * length
        assert from_letters(letters(data)) == data


@pytest.mark.parametrize(("data", "text"), TWIN)
def test_letters_are_what_scripts_read(data: bytes, text: str):
    assert letters(data) == text
    assert from_letters(text) == data


def test_every_letter_is_one_that_no_host_and_no_script_reads_otherwise():
    every = b"".join(number.to_bytes(7, "big") for number in range(0, 1 << 56, (1 << 56) // 9973))
    found = set(letters(every + bytes(range(256)) * 64))
    assert all(0x30 <= byte < 0xB0 for letter in found for byte in divmod(ord(letter), 256))
    assert MARK == b"\xff\xfe"


@given(st.text(max_size=12))
def test_what_was_made_of_no_bytes_is_refused(text: str):
    with pytest.raises(ValueError, match="not the letters"):
        from_letters(text + "\u0022")


@pytest.mark.parametrize(
    "letter", ["\0", '"', "A", "\u302f", "\u30b0", "\u312f", "\uafb0", "\ud800", "\ufeff"]
)
def test_a_strange_letter_is_refused_wherever_it_stands(letter: str):
    good = letters(bytes(range(40)))
    for at in range(len(good)):
        with pytest.raises(ValueError, match="not the letters"):
            from_letters(good[:at] + letter + good[at + 1 :])


@pytest.mark.parametrize("text", ["", "\u3031", "\u3030\u3030", "\u3030\u3030\u3030\u3030\u3037"])
def test_a_wrong_number_of_letters_is_refused(text: str):
    with pytest.raises(ValueError, match="not the letters"):
        from_letters(text)


def test_a_file_is_a_seventh_larger_and_a_host_that_compresses_takes_that_back():
    data = os.urandom(70_000)
    text = to_letters(data)
    assert len(text) == len(data) * 8 // 7 + 2
    assert len(zlib.compress(text, 6)) < 1.01 * len(data)


@given(st.binary(min_size=1, max_size=60), st.data())
def test_a_changed_letter_is_seen_or_gives_other_bytes(data: bytes, chosen: st.DataObject):
    good = letters(data)
    at = chosen.draw(st.integers(0, len(good) - 2))
    other = chosen.draw(st.characters(min_codepoint=0x3030, max_codepoint=0xAFAF))
    bad = good[:at] + other + good[at + 1 :]
    try:
        found = from_letters(bad)
    except ValueError:
        return
    # A letter of the last group may carry nothing but the zeros it was filled with.
    assert (found == data) == (bad == good) or at // 4 == (len(good) - 2) // 4


def test_a_reader_that_obeys_the_mark_gets_the_letters_back():
    file = MARK + f'f("{letters(b"any bytes")}");'.encode(ENCODING)
    assert from_letters(file.decode("utf-16").split('"')[1]) == b"any bytes"


def test_an_editor_that_saves_as_utf_8_keeps_the_letters():
    text = letters(bytes(range(256)))
    assert from_letters(text.encode("utf-8").decode("utf-8")) == bytes(range(256))
