"""Cards of texts and continuations: readable, complete, and inert whatever the text holds."""

from __future__ import annotations

import pytest

import atlas
from atlas.reader.cards import SHOWN_AROUND
from atlas.text import inline_text
from tests.support.notebook import HOSTILE, check_card
from tests.unit.reader.conftest import Toy

TEXT = "def parse(text): 日本"


class TestTerminal:
    def test_a_text(self, toy: Toy):
        lines = repr(toy.data.activations(TEXT, "alpha")).splitlines()
        assert lines[0] == "23 tokens in 3 windows through alpha (48 features)"
        assert len(lines) == 11
        top = toy.data.activations(TEXT, "alpha").top(1)[0]
        assert lines[1].startswith(f"{top.activation:8.3f}  feature {top.feature_idx}: ")
        assert f"[[{top.text}]]" in lines[1]

    def test_one_window_one_token(self, toy: Toy):
        assert repr(toy.data.activations("a", "alpha")).startswith("1 token in 1 window through alpha")

    def test_long_texts_are_cut_around_the_peak(self, toy: Toy):
        found = toy.data.activations("abcdefghij" * 50, "alpha")
        assert all(len(line) < 120 for line in repr(found).splitlines())

    def test_a_continuation(self, toy: Toy):
        made = toy.data.steer(TEXT, {5: 2.0, 7: -1}, sae="alpha", n_tokens=6)
        first, second = repr(made).splitlines()
        assert first == "6 new tokens, greedy, add 5 at 2, 7 at -1 of alpha"
        assert second == f"  {TEXT}[[{inline_text(made.text)}]]"

    @pytest.mark.parametrize(
        ("arguments", "line"),
        [
            ({"strengths": {}}, "1 new token, greedy, nothing steered"),
            ({"strengths": {3: 9}, "mode": "ablate"}, "1 new token, greedy, ablate 3 of beta"),
            (
                {"strengths": {5: 1}, "mode": "clamp", "temperature": 0.5, "seed": 8},
                "1 new token, temperature 0.5, seed 8, clamp 5 at 1 of beta",
            ),
        ],
    )
    def test_how_it_was_made(self, toy: Toy, arguments: dict, line: str):
        assert repr(toy.data.steer("a", sae="beta", n_tokens=1, **arguments)).splitlines()[0] == line

    @pytest.mark.parametrize("text", [text for text in HOSTILE if text])
    def test_nothing_steers_the_terminal(self, toy: Toy, text: str):
        shown = [
            repr(toy.data.activations(text, "alpha")),
            repr(toy.data.steer(text, {5: 1}, sae="beta", n_tokens=2)),
        ]
        for line in shown:
            assert all(char == "\n" or char.isprintable() for char in line), ascii(line)


class TestNotebookCards:
    def test_a_text(self, toy: Toy):
        found = toy.data.activations(TEXT, "beta")
        shown = check_card(found._repr_html_()).text
        assert shown.startswith("23 tokens in 4 windows through beta (48 features)")
        assert shown.count("feature ") == 10

    def test_a_long_text_is_cut_around_each_peak(self, toy: Toy):
        found = toy.data.activations("abcdefghij" * 200, "beta")
        html = found._repr_html_()
        assert html.count("<bdi") <= 10 * (2 * SHOWN_AROUND + 2)
        assert html.count("font-weight:bold") == 10
        for top in found.top(10):
            assert f"{top.activation:.3f} · feature {top.feature_idx}" in check_card(html).text

    def test_a_feature_along_the_whole_text(self, toy: Toy):
        found = toy.data.activations("a few words, " * 20, "beta")
        assert "a few words, " * 20 in check_card(found[found.top(1)[0].feature_idx]._repr_html_()).text

    def test_a_continuation(self, toy: Toy):
        made = toy.data.steer(TEXT, {5: 2.0}, sae="beta", n_tokens=6, temperature=1, seed=5)
        shown = check_card(made._repr_html_()).text
        assert shown.endswith(TEXT + "".join(inline_text(piece.text) for piece in made.pieces))
        grounds = made._repr_html_().count("rgba")
        assert grounds == len(made.pieces)

    @pytest.mark.parametrize("text", [text for text in HOSTILE if text])
    def test_hostile_text_is_shown_and_never_markup(self, toy: Toy, text: str):
        found = toy.data.activations(text, "beta")
        spelt = "".join(inline_text(piece.text) for piece in found.pieces)
        assert spelt in check_card(found._repr_html_()).text
        made = toy.data.steer(text, {}, sae="beta", n_tokens=2)
        assert inline_text(text) in check_card(made._repr_html_()).text


def test_the_types_are_names_of_the_package(toy: Toy):
    assert isinstance(toy.data.activations("a", "beta"), atlas.TextActivations)
    assert isinstance(toy.data.steer("a", {}, sae="beta", n_tokens=1), atlas.Continuation)
