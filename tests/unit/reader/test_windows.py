"""Texts as windows: every token once, BOS in front of each window, lone surrogates replaced and counted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas.reader.windows import cut, well_formed

IDS = st.lists(st.integers(0, 99), max_size=60)


class TestCut:
    def test_by_hand(self):
        windows = cut([1, 2, 3, 4, 5], 3, 9)
        assert windows.token_ids.tolist() == [9, 1, 2, 9, 3, 4, 9, 5]
        assert windows.bos.tolist() == [True, False, False, True, False, False, True, False]
        assert windows.bounds == ((0, 3), (3, 6), (6, 8))

    def test_without_bos(self):
        windows = cut([1, 2, 3, 4, 5], 3, None)
        assert windows.token_ids.tolist() == [1, 2, 3, 4, 5]
        assert not windows.bos.any()
        assert windows.bounds == ((0, 3), (3, 5))

    def test_a_full_window_is_one(self):
        assert cut([1, 2], 3, 9).bounds == ((0, 3),)

    def test_no_tokens_no_windows(self):
        windows = cut([], 8, 9)
        assert (windows.token_ids.shape, windows.bos.shape, windows.bounds) == ((0,), (0,), ())

    def test_a_bos_of_the_text_is_text(self):
        windows = cut([9, 1], 8, 9)
        assert windows.token_ids.tolist() == [9, 9, 1]
        assert windows.bos.tolist() == [True, False, False]

    def test_a_context_without_room_still_goes_on(self):
        assert cut([1, 2], 1, 9).token_ids.tolist() == [9, 1, 9, 2]

    @given(IDS, st.integers(2, 9), st.none() | st.just(99))
    def test_every_token_once_and_no_window_too_long(self, ids: list[int], size: int, bos: int | None):
        windows = cut(ids, size, bos)
        assert windows.token_ids[~windows.bos].tolist() == ids
        flat = [place for start, stop in windows.bounds for place in range(start, stop)]
        assert flat == list(range(windows.token_ids.size))
        for start, stop in windows.bounds:
            assert stop - start <= size
            assert windows.bos[start] == (bos is not None)
            assert not windows.bos[start + 1 : stop].any()
        full = [stop - start for start, stop in windows.bounds[:-1]]
        assert full == [size] * len(full)


class TestWellFormed:
    @pytest.mark.parametrize(
        ("text", "valid", "replaced"),
        [
            ("plain", "plain", 0),
            ("", "", 0),
            ("a\ud800b", "a\ufffdb", 1),
            ("\udc00\ud800", "\ufffd\ufffd", 2),
            ("\ud83e\udd17", "🤗", 0),
            ("\ud83e\ud83e\udd17\udd17", "\ufffd🤗\ufffd", 2),
            ("\ufffd", "\ufffd", 0),
            ("🤗\udfff", "🤗\ufffd", 1),
        ],
    )
    def test_cases(self, text: str, valid: str, replaced: int):
        assert well_formed(text) == (valid, replaced)

    @given(st.text())
    def test_valid_text_is_left_alone(self, text: str):
        assert well_formed(text) == (text, 0)

    @given(st.text(st.characters(min_codepoint=0xD7F0, max_codepoint=0xE00F)))
    def test_what_comes_out_is_what_utf_16_holds(self, text: str):
        valid, replaced = well_formed(text)
        valid.encode("utf-8")
        assert valid == text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        assert valid.count("\ufffd") == replaced
