"""Which examples a site shows, and how it says so."""

from __future__ import annotations

import itertools

import pytest

from atlas.config import RenderConfig
from atlas.errors import InputError
from atlas.render import payloads
from atlas.render.choice import (
    EVERYTHING,
    LEAST,
    SHORTER,
    Choice,
    budget_bytes,
    choice_payload,
    choices,
    configured,
    shown_words,
)


def test_the_configured_choice_comes_first_and_each_next_is_less():
    found = list(choices(RenderConfig(examples_per_feature=12)))
    assert found[0] == configured(RenderConfig(examples_per_feature=12)) == Choice(top=12)
    for more, less in itertools.pairwise(found):
        for name in ("top", "others", "before", "after"):
            assert getattr(less, name) <= getattr(more, name)
        assert less != more
    assert found[-1] == LEAST


def test_nothing_is_more_than_was_asked_for():
    assert all(choice.top <= 2 for choice in choices(RenderConfig(examples_per_feature=2)))


def test_every_step_is_below_the_one_before():
    for more, less in itertools.pairwise(SHORTER):
        assert all(a >= b for a, b in zip(more, less, strict=True))
        assert more != less


def test_the_budget_in_bytes():
    assert budget_bytes(RenderConfig(site_budget=None)) == 0
    assert budget_bytes(RenderConfig(site_budget="2 MB")) == 2_000_000
    with pytest.raises(InputError):
        budget_bytes(RenderConfig(site_budget="plenty"))


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        (Choice(), ""),
        (Choice(top=20), "the 20 strongest examples of each feature"),
        (
            Choice(5, 1, 8, 5),
            (
                "the 5 strongest examples of each feature, 1 of each other group and interval, windows of at"
                " most 8 tokens before the example's own and 5 after it"
            ),
        ),
    ],
)
def test_words(choice: Choice, words: str):
    assert choice.words() == words


def test_the_site_says_what_a_budget_made_it_leave_out():
    config = RenderConfig(site_budget="900MB")
    assert "which keeps it below 900MB" in shown_words(LEAST, config)
    assert "below" not in shown_words(configured(config), config)
    assert shown_words(Choice(), config) == ""


def test_scripts_are_told_the_same():
    config = RenderConfig(site_budget="1GB")
    found = choice_payload(LEAST, config)
    assert set(found) == set(payloads.ChoicePayload.__annotations__)
    assert found == {"budget": 10**9, "fitted": True, "top": 3, "others": 1, "before": 5, "after": 3}
    assert choice_payload(configured(config), config)["fitted"] is False
    assert choice_payload(Choice(), config)["others"] == EVERYTHING
