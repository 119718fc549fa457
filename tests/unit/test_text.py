"""Text made visible: golden cases shared with the TypeScript twin, and laws over arbitrary text."""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from atlas.config import SLUG_PATTERN
from atlas.text import (
    INVISIBLE_RANGES,
    RESERVED_SLUGS,
    RTL_RANGES,
    Piece,
    badges,
    display_text,
    group_pieces,
    inline_text,
    is_bidi,
    is_plain,
    search_key,
    slugify,
    words,
)

CASES: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parents[1] / "support/text_cases.json").read_text(encoding="utf-8")
)
ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()))
EVERY_CHARACTER = [chr(code) for code in range(sys.maxunicode + 1)]
KEPT_FORMAT = {"\ufe0e", "\ufe0f"}
"""Text and emoji style selectors: part of ordinary emoji."""


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """`data` cut at `places`."""
    edges = [0, *sorted(min(place, len(data)) for place in places), len(data)]
    return [data[start:stop] for start, stop in pairwise(edges)]


class TestGolden:
    @pytest.mark.parametrize("case", CASES["text"], ids=lambda case: ascii(case["input"])[:30])
    def test_text(self, case: dict[str, Any]):
        text = case["input"]
        assert display_text(text) == case["display"]
        assert display_text(text, visible_spaces=True) == case["display_spaces"]
        assert display_text(text, newlines=True) == case["display_block"]
        assert inline_text(text) == case["inline"]
        assert [list(run) for run in badges(text)] == case["badges"]
        assert is_bidi(text) is case["bidi"]

    @pytest.mark.parametrize("case", CASES["words"], ids=lambda case: ascii(case["input"])[:30])
    def test_words(self, case: dict[str, Any]):
        assert words(case["input"]) == case["words"]

    def test_there_are_cases_of_every_kind(self):
        shown = {run[0] for case in CASES["text"] for run in case["badges"]}
        assert shown == {"text", "badge"}
        assert {case["bidi"] for case in CASES["text"]} == {True, False}
        assert len(CASES["text"]) >= 40


class TestPieces:
    def test_whole_characters_from_cut_ones(self):
        data = "日本 🤗".encode()
        tokens = [data[:2], data[2:4], data[4:6], data[6:7], data[7:9], data[9:]]
        assert group_pieces(tokens) == [Piece("日本", 0, 3), Piece(" ", 3, 4), Piece("🤗", 4, 6)]

    def test_ordinary_tokens_stand_alone(self):
        assert group_pieces([b"def", b" f", b"(", b"\n"]) == [
            Piece("def", 0, 1), Piece(" f", 1, 2), Piece("(", 2, 3), Piece("\n", 3, 4)
        ]  # fmt: skip

    def test_nothing(self):
        assert group_pieces([]) == []

    @pytest.mark.parametrize(
        ("tokens", "texts"),
        [
            ([b"\xe6"], ["<0xE6>"]),
            ([b"\xe6", b"\x97"], ["<0xE6>", "<0x97>"]),
            ([b"a\xe6", b"b"], ["a<0xE6>", "b"]),
            ([b"\xff\xfe"], ["<0xFF><0xFE>"]),
            ([b"\xed\xa0\x80"], ["<0xED><0xA0><0x80>"]),
            ([b"\xc0\x80"], ["<0xC0><0x80>"]),
            ([b"\xf4\x90\x80\x80"], ["<0xF4><0x90><0x80><0x80>"]),
            ([b"\xe6\x97", b"x"], ["<0xE6><0x97>", "x"]),
            ([b"\x00"], ["\x00"]),
        ],
    )
    def test_bytes_that_are_no_character(self, tokens: list[bytes], texts: list[str]):
        assert [piece.text for piece in group_pieces(tokens)] == texts

    def test_special_tokens_cut(self):
        data = "日".encode()
        assert group_pieces([None, data[:1], None, data[1:], None]) == [
            Piece("", 0, 1), Piece("<0xE6>", 1, 2), Piece("", 2, 3),
            Piece("<0x97><0xA5>", 3, 4), Piece("", 4, 5),
        ]  # fmt: skip

    def test_an_empty_token_inside_a_character_joins_it(self):
        data = "日".encode()
        assert group_pieces([data[:1], b"", data[1:]]) == [Piece("日", 0, 3)]

    @given(text=st.text(), places=st.lists(st.integers(0, 60), max_size=8))
    @example(text="é", places=[1])
    def test_pieces_hold_the_exact_text_and_all_tokens(self, text: str, places: list[int]):
        tokens = cut(text.encode(), places)
        pieces = group_pieces(tokens)
        assert "".join(piece.text for piece in pieces) == text
        assert [piece.start for piece in pieces] == [0, *(piece.stop for piece in pieces[:-1])][: len(pieces)]
        assert pieces[-1].stop == len(tokens)
        for piece in pieces:
            assert b"".join(tokens[piece.start : piece.stop]).decode() == piece.text

    @given(text=st.text(min_size=1), places=st.lists(st.integers(0, 60), max_size=8))
    def test_pieces_are_as_small_as_possible(self, text: str, places: list[int]):
        tokens = cut(text.encode(), places)
        for piece in group_pieces(tokens):
            for middle in range(piece.start + 1, piece.stop):
                with pytest.raises(UnicodeDecodeError):
                    b"".join(tokens[piece.start : middle]).decode()

    @given(tokens=st.lists(st.none() | st.binary(max_size=6), max_size=8))
    def test_any_bytes_are_covered(self, tokens: list[bytes | None]):
        pieces = group_pieces(tokens)
        assert [number for piece in pieces for number in range(piece.start, piece.stop)] == list(
            range(len(tokens))
        )
        shown = "".join(piece.text for piece in pieces)
        shown.encode()

    def test_many_undecodable_bytes_take_no_time_to_speak_of(self):
        (piece,) = group_pieces([b"\xff" * 200_000])
        assert len(piece.text) == 6 * 200_000


class TestDisplay:
    def test_controls_become_pictures(self):
        for code in [*range(0x0A), *range(0x0B, 0x20)]:
            assert display_text(chr(code)) == chr(0x2400 + code)
            assert unicodedata.name(display_text(chr(code))).startswith("SYMBOL FOR")
        assert unicodedata.name(display_text("\x7f")) == "SYMBOL FOR DELETE"

    @given(text=ANY_TEXT)
    def test_html_can_carry_it(self, text: str):
        for shown in (display_text(text), display_text(text, newlines=True), inline_text(text)):
            shown.encode()
            assert "\x7f" not in shown
            assert not any(ord(char) < 0x20 and char not in "\n\t" for char in shown)

    @given(text=ANY_TEXT)
    def test_one_line_unless_asked(self, text: str):
        assert "\n" not in display_text(text)
        assert display_text(text, newlines=True).count("\n") == text.count("\n")

    @given(text=st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)))
    def test_printable_ascii_stays(self, text: str):
        assert display_text(text) == text == inline_text(text)

    def test_what_is_plain_is_shown_as_it_is(self):
        plain = "".join(filter(is_plain, EVERY_CHARACTER))
        assert set(map(chr, range(0x20, 0x7F))) | set("é“”…—") <= set(plain)
        assert display_text(plain) == plain
        assert badges(plain) == [("text", plain)]
        assert not any(map(is_plain, ["a\n", "\xa0", "\xad", "\u2028"]))

    @given(text=ANY_TEXT)
    def test_a_second_time_changes_nothing(self, text: str):
        assert display_text(display_text(text)) == display_text(text)

    @given(text=st.text(" ab", max_size=8))
    def test_outer_spaces_are_seen(self, text: str):
        shown = display_text(text, visible_spaces=True)
        assert len(shown) == len(text)
        assert shown == shown.strip(" ")
        assert shown.replace("␣", " ") == text


class TestBadges:
    @given(text=ANY_TEXT)
    def test_runs_hold_the_whole_text(self, text: str):
        back = "".join(
            run if kind == "text" else chr(int(run.replace("U+", "0x"), 0)) for kind, run in badges(text)
        )
        assert back == text

    @given(text=ANY_TEXT)
    def test_text_runs_are_maximal_and_hold_nothing_unseen(self, text: str):
        runs = badges(text)
        assert all(run for _, run in runs)
        for (kind, run), (next_kind, _) in pairwise(runs):
            assert "badge" in (kind, next_kind), run
        assert all(badges(run) == [("text", run)] for kind, run in runs if kind == "text")

    def test_every_invisible_format_character_is_a_badge(self):
        """Unicode's own list of characters that change text without being seen."""
        visible_format = {"\u0600", "\u0601", "\u0602", "\u0603", "\u0604", "\u0605", "\u06dd", "\u070f",
                          "\u0890", "\u0891", "\u08e2", "\U000110bd", "\U000110cd",
                          *map(chr, range(0x13430, 0x13460))}  # fmt: skip
        unseen = [char for char in EVERY_CHARACTER if unicodedata.category(char) == "Cf"]
        missed = [hex(ord(char)) for char in unseen if not inline_text(char).startswith("[U+")]
        assert set(missed) == {
            hex(ord(char)) for char in visible_format if unicodedata.category(char) == "Cf"
        }

    def test_every_bidi_control_is_a_badge(self):
        controls = {"LRE", "LRO", "RLE", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
        found = [char for char in EVERY_CHARACTER if unicodedata.bidirectional(char) in controls]
        assert len(found) == 9
        assert all(badges(char)[0][0] == "badge" for char in found)

    def test_noncharacters_are_badges(self):
        codes = [
            *range(0xFDD0, 0xFDF0),
            *(plane << 16 | last for plane in range(17) for last in (0xFFFE, 0xFFFF)),
        ]
        assert len(codes) == 66
        assert all(badges(chr(code)) == [("badge", f"U+{code:04X}")] for code in codes)

    def test_letters_of_all_scripts_are_text(self):
        letters = [char for char in EVERY_CHARACTER if unicodedata.category(char)[0] in "LNPS"]
        hidden = {char for char in letters if badges(char)[0][0] == "badge"}
        assert {unicodedata.name(char) for char in hidden} == {
            "HANGUL CHOSEONG FILLER", "HANGUL JUNGSEONG FILLER", "HANGUL FILLER", "HALFWIDTH HANGUL FILLER",
            "BRAILLE PATTERN BLANK",
        }  # fmt: skip

    @pytest.mark.parametrize("ranges", [INVISIBLE_RANGES, RTL_RANGES])
    def test_ranges_are_sorted_and_apart(self, ranges: tuple[tuple[int, int], ...]):
        flat = [edge for low, high in ranges for edge in (low, high)]
        assert flat == sorted(flat)
        assert all(high < low for (_, high), (low, _) in pairwise(ranges))

    def test_nothing_unseen_is_left_inline(self):
        for char in EVERY_CHARACTER:
            shown = inline_text(char)
            if unicodedata.category(char) in {"Cc", "Cs"}:
                assert shown.isprintable(), hex(ord(char))
            assert char in KEPT_FORMAT or unicodedata.bidirectional(shown[0]) not in {
                "RLO",
                "LRO",
                "RLE",
                "LRE",
            }


class TestBidi:
    def test_every_right_to_left_character_counts(self):
        strong = [char for char in EVERY_CHARACTER if unicodedata.bidirectional(char) in {"R", "AL", "AN"}]
        # Two blocks of mathematical and numeric symbols lie outside the right-to-left planes.
        missed = [hex(ord(char)) for char in strong if not is_bidi(char)]
        assert missed == []

    @pytest.mark.parametrize("text", ["", "abc", "日本語", "123", "é", "\ufeff", "\u200b", "😀"])
    def test_left_to_right_does_not(self, text: str):
        assert not is_bidi(text)

    def test_one_character_is_enough(self):
        assert is_bidi("abc א def")


class TestWords:
    @given(text=st.text())
    def test_terms_are_distinct_and_stable(self, text: str):
        found = words(text)
        assert len(found) == len(set(found))
        assert all(term and term == term.lower() for term in found)

    @given(text=st.text(st.sampled_from("abAB1_ .é日"), max_size=20))
    def test_every_term_stands_in_the_text(self, text: str):
        lower = unicodedata.normalize("NFKC", text).lower()
        assert all(term in lower for term in words(text))

    def test_parts_follow_their_word(self):
        assert words("XMLHttpRequest parse_json") == [
            "xmlhttprequest", "xml", "http", "request", "parse_json", "parse", "json"
        ]  # fmt: skip


class TestSlugs:
    @pytest.mark.parametrize(
        ("name", "slug"),
        [
            ("blocks.8.hook_resid_pre", "blocks-8-hook-resid-pre"),
            ("GPT-2 Small  (res)", "gpt-2-small-res"),
            ("Ünïcode Näme", "unicode-name"),
            ("../../etc", "etc"),
            ("日本語", "sae"),
            ("", "sae"),
            ("data", "sae-data"),
            ("CON", "sae-con"),
            ("x" * 100, "x" * 60),
            ("a" * 59 + "-b", "a" * 59),
        ],
    )
    def test_examples(self, name: str, slug: str):
        assert slugify(name) == slug

    @given(name=ANY_TEXT)
    def test_always_a_valid_slug(self, name: str):
        slug = slugify(name)
        assert re.fullmatch(SLUG_PATTERN.removesuffix("$"), slug)
        assert len(slug) <= 60
        assert slug not in RESERVED_SLUGS
        assert slugify(slug) == slug


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (" Raise", "raise"),
        ("RAISE\n", "raise"),
        ("\uff52aise", "raise"),
        ("\u3000a\u00a0b\t", "a b"),
        ("\n ", ""),
        ("", ""),
    ],
)
def test_a_search_key_is_the_same_for_all_spellings(text: str, key: str):
    assert search_key(text) == key
    assert search_key(key) == key


def test_words_of_plain_text_are_those_of_any_text():
    """ASCII has a way of its own, which a character beyond it turns off."""
    for text in ("get_HTTP_x1 -- a.b(c)", "", "___", "a" * 50, "x\ny\tz", "0x1F"):
        assert words(f"{text} \u00e9") == [*words(text), "\u00e9"]
