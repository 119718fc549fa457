"""Activations of a text against the toy model's dense reference; windows, odd texts, tops and strips."""

from __future__ import annotations

import numpy as np
import pytest

import atlas
from atlas.errors import InputError
from atlas.reader import model
from tests.support.synthetic import BOS, SPECIAL
from tests.support.toy_model import WINDOW
from tests.unit.reader.conftest import Toy

TEXT = "def parse(text):\n    return json.loads(text)  # naïve café 日本語 🤗\n"


def dense(toy: Toy, slug: str, text: str) -> tuple[list[int], np.ndarray]:
    """Token ids and activations of `text`, window by window, from the definitions."""
    own = list(text.encode())
    bos = [BOS] if slug == "alpha" else []
    room = WINDOW[slug] - len(bos)
    windows = [bos + own[start : start + room] for start in range(0, len(own), room)]
    values = [toy.model.activations(slug, window) for window in windows]
    return [number for window in windows for number in window], np.concatenate(values)


class TestValues:
    @pytest.mark.parametrize("slug", ["alpha", "beta"])
    @pytest.mark.parametrize("text", [TEXT, "a", "abcdefg", "abcdefghijk", "abcdefghijkl"])
    def test_they_are_the_reference(self, toy: Toy, slug: str, text: str):
        found = toy.data.activations(text, slug)
        ids, values = dense(toy, slug, text)
        assert list(found.token_ids) == ids
        assert found.values.dtype == np.float32
        np.testing.assert_allclose(found.values, values, atol=1e-4, rtol=1e-4)
        assert (values > 0).mean() > 0.05

    def test_the_harness_sees_a_window_that_is_not_cut(self, toy: Toy):
        _, values = dense(toy, "alpha", TEXT)
        whole = toy.model.activations("alpha", [BOS, *TEXT.encode()])
        assert np.abs(values[: len(whole)] - whole[: len(values)]).max() > 0.1

    def test_equal_calls_give_equal_bits(self, toy: Toy):
        first, second = (toy.data.activations(TEXT, "alpha").values for _ in range(2))
        assert first.tobytes() == second.tobytes()
        again = atlas.open(toy.data.store.path).activations(TEXT, "alpha").values
        assert again.tobytes() == first.tobytes()

    def test_facts(self, toy: Toy):
        found = toy.data.activations(TEXT, "alpha")
        assert found.sae.slug == "alpha"
        assert found.windows == -(-len(TEXT.encode()) // (WINDOW["alpha"] - 1))
        assert found.bos.sum() == found.windows
        assert found.replaced == 0
        assert found.values.shape == (len(found.token_ids), 48)
        assert len(found.tokens) == len(found.token_ids)

    def test_the_only_sae_need_not_be_named(self, alone: atlas.Atlas):
        assert alone.activations("abc").sae.slug == "alpha"


class TestTexts:
    def test_tokens_and_pieces(self, toy: Toy):
        found = toy.data.activations("é 🤗", "beta")
        assert found.tokens == ("<0xC3>", "<0xA9>", " ", "<0xF0>", "<0x9F>", "<0xA4>", "<0x97>")
        assert [piece.text for piece in found.pieces] == ["é", " ", "🤗"]
        assert [(piece.start, piece.stop) for piece in found.pieces] == [(0, 2), (2, 3), (3, 7)]

    def test_a_special_token_spelt_out_becomes_it(self, toy: Toy):
        found = toy.data.activations(f"a{SPECIAL}b", "alpha")
        assert found.token_ids == (BOS, ord("a"), BOS, ord("b"))
        assert found.tokens == (SPECIAL, "a", SPECIAL, "b")
        assert found.bos.tolist() == [True, False, False, False]

    def test_lone_surrogates_are_replaced_and_counted(self, toy: Toy):
        found = toy.data.activations("a\ud800b\udc00", "beta")
        assert found.replaced == 2
        assert "".join(piece.text for piece in found.pieces) == "a\ufffdb\ufffd"
        expected = toy.data.activations("a\ufffdb\ufffd", "beta")
        assert found.values.tobytes() == expected.values.tobytes()
        assert "2 lone surrogates replaced by U+FFFD" in repr(found)

    @pytest.mark.parametrize("slug", ["alpha", "beta"])
    def test_an_empty_text_runs_nothing(self, toy: Toy, slug: str):
        found = toy.data.activations("", slug)
        assert found.values.shape == (0, 48)
        assert (found.windows, found.token_ids, found.tokens, found.pieces) == (0, (), (), ())
        assert found.top() == []
        assert repr(found) == "The text is empty: nothing was run"
        assert repr(found[5]).endswith("does not fire")
        assert "nothing was run" in found._repr_html_()

    @pytest.mark.parametrize("text", ["\x00", "\u202e", "\r\n", "\ufeff", " ", "\U0010ffff"])
    def test_odd_characters(self, toy: Toy, text: str):
        found = toy.data.activations(text, "beta")
        assert found.token_ids == tuple(text.encode())
        assert "".join(piece.text for piece in found.pieces) == text

    def test_a_hundred_thousand_characters(self, toy: Toy):
        text = (TEXT * 2000)[:100_000]
        found = toy.data.activations(text, "alpha")
        assert found.values.shape[0] == len(text.encode()) + found.windows
        room = WINDOW["alpha"] - 1
        ids = [BOS, *text.encode()[room * 5000 : room * 5001]]
        start = 5000 * WINDOW["alpha"]
        assert list(found.token_ids[start : start + WINDOW["alpha"]]) == ids
        reference = toy.model.activations("alpha", ids)
        np.testing.assert_allclose(found.values[start : start + len(ids)], reference, atol=1e-4, rtol=1e-4)

    def test_a_text_too_long_for_memory_is_refused(self, toy: Toy, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(model, "MOST_VALUES", 480)
        assert toy.data.activations("a" * 10, "beta").values.size == 480
        with pytest.raises(InputError, match="11 tokens times 48 features") as caught:
            toy.data.activations("a" * 11, "beta")
        assert "parts" in caught.value.fix


class TestTop:
    def test_it_is_a_sort(self, toy: Toy):
        found = toy.data.activations(TEXT, "alpha")
        own = found.values[~found.bos]
        strongest = sorted(range(48), key=lambda feature: (-own[:, feature].max(), feature))
        assert [top.feature_idx for top in found.top(48)] == [f for f in strongest if own[:, f].max() > 0]
        for top in found.top(5):
            assert (
                found.values[top.position, top.feature_idx] == top.activation == own[:, top.feature_idx].max()
            )
            assert not found.bos[top.position]
            assert top.text in TEXT

    def test_bos_counts_for_nothing(self, toy: Toy):
        found = toy.data.activations("a", "alpha")
        everything = {f for f in range(48) if found.values[:, f].max() > 0}
        assert {top.feature_idx for top in found.top(48)} == {f for f in range(48) if found.values[1, f] > 0}
        assert {top.feature_idx for top in found.top(48)} < everything

    def test_at_one_token(self, toy: Toy):
        found = toy.data.activations("abc", "alpha")
        tops = found.top(3, position=2)
        assert [top.position for top in tops] == [2, 2, 2]
        assert tops[0].activation == found.values[2].max()
        assert tops[0].text == "b"
        assert found.top(1, position=np.int64(0))[0].text == SPECIAL

    def test_the_number_of_features(self, toy: Toy):
        found = toy.data.activations("abc", "alpha")
        assert len(found.top()) == 10
        assert found.top(0) == found.top(-3) == []

    @pytest.mark.parametrize("position", [-1, 4])
    def test_a_token_that_is_not_there(self, toy: Toy, position: int):
        with pytest.raises(InputError, match=f"no token {position}") as caught:
            toy.data.activations("abc", "alpha").top(3, position=position)
        assert caught.value.fix == "the text has tokens 0 to 3"


class TestStrip:
    def test_one_feature_along_the_text(self, toy: Toy):
        found = toy.data.activations("é 🤗", "beta")
        feature = found.top(1)[0].feature_idx
        strip = found[feature]
        assert [text for text, _ in strip.pieces] == ["é", " ", "🤗"]
        bounds = [(0, 2), (2, 3), (3, 7)]
        assert [value for _, value in strip.pieces] == [
            found.values[start:stop, feature].max() for start, stop in bounds
        ]
        assert strip.activation == found.values[:, feature].max()
        assert strip.pieces[strip.peak][1] == strip.activation

    def test_inserted_bos_is_left_out(self, toy: Toy):
        strip = toy.data.activations("abc" * 10, "alpha")[0]
        assert "".join(text for text, _ in strip.pieces) == "abc" * 10

    def test_a_silent_feature(self, toy: Toy):
        found = toy.data.activations("a", "beta")
        silent = int(np.flatnonzero(found.values[0] == 0)[0])
        assert repr(found[silent]) == f"   0.000  feature {silent}: does not fire"

    @pytest.mark.parametrize("feature", [-1, 48])
    def test_a_feature_that_is_not_there(self, toy: Toy, feature: int):
        with pytest.raises(InputError, match=f"no feature {feature} in SAE 'beta'"):
            _ = toy.data.activations("abc", "beta")[feature]
