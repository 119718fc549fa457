from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas.enrich.token_names import (
    NAME_LENGTH,
    listing,
    merged_shares,
    read_token_texts,
    share_columns,
    token_name,
    token_text,
)
from tests.support.enrichment import make_store

OPEN, CLOSE = "\u2018", "\u2019"


def q(text: str) -> str:
    return f"{OPEN}{text}{CLOSE}"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("raise", q("raise")),
        (" raise", q("raise")),
        ("  raise", f"2 spaces + {q('raise')}"),
        ("raise ", f"{q('raise')} + space"),
        ("\n", "newline"),
        ("\n\n", "2 newlines"),
        ("\n        ", "newline + 8 spaces"),
        ("\n\n\t", "2 newlines + tab"),
        ("\r\n", "CRLF newline"),
        ("\r\n\r\n  ", "2 CRLF newlines + 2 spaces"),
        ("\r", "carriage return"),
        (" ", "space"),
        ("    ", "4 spaces"),
        ("\t\t", "2 tabs"),
        (" \n", "space + newline"),
        ("):\n\n    ", f"{q('):')} + 2 newlines + 4 spaces"),
        ("a\nb\nc", f"{q('a')} + newline + {q('b')} + …"),
        ("of the", q("of the")),
        ('"""', q('"""')),
        ("'", q("'")),
        ("\u2019", "\u201c\u2019\u201d"),
        ("\u2018\u2018", "\u201c\u2018\u2018\u201d"),
        ("=" * 64, f"64 times {q('=')}"),
        (" " + "-" * 6, f"6 times {q('-')}"),
        ("-----", q("-----")),
        ("\x07", "U+0007"),
        ("\x00\x00\x00", "3 times U+0000"),
        ("a\x1bb", f"{q('a')} + U+001B + {q('b')}"),
        ("\u2028", "line separator"),
        ("\x85", "U+0085"),
        ("\u00a0", "no-break space"),
        ("\u3000\u3000", "2 times ideographic space"),
        ("\u200b", q("\u200b")),
        ("\u202e", q("\u202e")),
        ("日本", q("日本")),
        ("🏳️‍🌈", q("🏳️‍🌈")),
        ("", "the empty token"),
        ("<script>alert(1)</script>", q("<script>alert(1)</script>")),
        ("x" * 31 + "y" * 31, q("x" * 31 + "…")),
    ],
)  # fmt: skip
def test_names(text, name):
    assert token_name(text) == name


@given(st.text(max_size=80))
def test_every_name_is_one_short_line(text):
    name = token_name(text)
    assert name
    assert len(name) <= 3 * (NAME_LENGTH + 20)
    assert not any(unicodedata.category(c) in {"Cc", "Zl", "Zp"} for c in name)
    assert len(name.splitlines()) == 1


@given(st.text(alphabet="abcdefgh:()=", min_size=1, max_size=5))
def test_short_plain_text_is_quoted_as_it_is(text):
    assert token_name(text) == q(text) == token_name(" " + text)


@pytest.mark.parametrize(
    ("names", "together"),
    [
        (["a"], "a"),
        (["a", "b"], "a, b"),
        (["a", "b", "c"], "a, b, c"),
        (["newline + 4 spaces", "newline + 12 spaces"], "newline + 4 or 12 spaces"),
        (["newline + 8 spaces", "x", "newline + 4 spaces"], "newline + 4 or 8 spaces, x"),
        (["x", "newline + 12 spaces", "newline + 8 spaces", "y", "newline + 10 spaces"],
         "x, newline + 8, 10 or 12 spaces, y"),
        (["newline + 8 spaces", "newline"], "newline + 8 spaces, newline"),
    ],
)  # fmt: skip
def test_lists(names, together):
    assert listing(names) == together


def test_the_last_name_may_be_joined_by_a_word():
    assert listing(["a", "b", "c"], " and ") == "a, b and c"
    assert listing(["a", "b"], " or ") == "a or b"
    assert listing(["a"], " and ") == "a"


@pytest.mark.parametrize(
    ("token", "text"),
    [(b" a", " a"), ("é".encode(), "é"), (b"\xc3", "<0xC3>"), (b" \xe2\x80", " <0xE2><0x80>"), (b"", "")],
)
def test_texts_are_exact(token, text):
    assert token_text(token, special=False, piece="ignored") == text


def test_special_tokens_have_their_own_spelling():
    assert token_text(b"", special=True, piece="<bos>") == "<bos>"


def test_the_vocabulary_is_read_whole(tmp_path):
    store = make_store(tmp_path / "data", {"one": []}, [None, b" a", b"\xff"])
    assert read_token_texts(store) == {0: "<|s|>", 1: " a", 2: "<0xFF>"}


def test_shares_are_of_the_total_activation():
    row = {
        "feature_idx": 0,
        "firing_tokens": 10,
        "mean_activation": 2.0,
        "top_tokens": [{"token_id": 1, "count": 2, "value": 5.0}, {"token_id": 2, "count": 4, "value": 0.5},
                       {"token_id": 9, "count": 1, "value": 1.0}],
    }  # fmt: skip
    assert merged_shares(row, {1: "a", 2: "a"}) == {"a": pytest.approx(0.6), "token 9": pytest.approx(0.05)}
    sampled = {**row, "top_tokens_share": 0.5}
    assert merged_shares(sampled, {1: "a", 2: "a"})["a"] == pytest.approx(1.2)


@pytest.mark.parametrize(
    "change",
    [
        {"firing_tokens": 0},
        {"firing_tokens": None},
        {"mean_activation": None},
        {"top_tokens": []},
        {"top_tokens": None},
    ],
)
def test_a_feature_that_never_fired_has_no_shares(change):
    row = {
        "firing_tokens": 1,
        "mean_activation": 1.0,
        "top_tokens": [{"token_id": 0, "count": 1, "value": 1.0}],
    }
    assert merged_shares(row, {}) != {}
    assert merged_shares({**row, **change}, {}) == {}


def test_the_share_of_sampled_contexts_is_read_where_there_is_one(tmp_path):
    plain = make_store(tmp_path / "a", {"one": [[]]}, [b"a"])
    sampled = make_store(tmp_path / "b", {"one": [[]]}, [b"a"], sampled=0.125)
    assert set(share_columns(sampled, "one")) - set(share_columns(plain, "one")) == {"top_tokens_share"}
    assert re.fullmatch("feature_idx", share_columns(plain, "one")[0])
