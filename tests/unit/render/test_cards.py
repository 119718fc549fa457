"""Cards: every column finds its place on the feature page, known or not."""

from __future__ import annotations

import math

import pytest

from atlas.render.cards import CardPlans
from atlas.render.panels import Card, FeatureView
from atlas.render.strips import shown
from atlas.render.themes import CardSpec, Templates, open_theme
from atlas.schema import ColumnInfo


@pytest.fixture(scope="module")
def templates() -> Templates:
    return Templates(open_theme("default"))


VIEW = FeatureView(
    0, 10.0, math.inf, str, lambda f: shown(str(f)), lambda f: f"{f}.html", lambda c: shown(str(c))
)

COLUMNS = [
    ("firing_tokens", "scalar", "tokens"),
    ("max_activation", "scalar", "activation"),
    ("activation_histogram", "histogram", "activation"),
    ("top_tokens", "token_list", "activation"),
    ("positive_logits", "token_list", "logit"),
    ("negative_logits", "token_list", "logit"),
    ("logit_histogram", "histogram", "logit"),
    ("neighbours", "feature_list", "cosine"),
    ("x", "coords", "none"),
    ("y", "coords", "none"),
    ("cluster", "category", "none"),
    ("gap_histogram", "histogram", "tokens"),
    ("remark", "text", "text"),
    ("secret", "hidden", "none"),
]
VALUES = {
    "firing_tokens": 12,
    "max_activation": 10.0,
    "activation_histogram": [(0.0, 1.0, 3)],
    "top_tokens": [(1, 2, 5.0)],
    "positive_logits": [(1, 0, 2.0)],
    "negative_logits": [(2, 0, -4.0)],
    "logit_histogram": [(-1.0, 0.0, 2)],
    "neighbours": [(3, 0.5)],
    "x": 1.0,
    "y": 2.0,
    "cluster": 0,
    "gap_histogram": [(0.0, 2.0, 5)],
    "remark": "odd",
    "secret": 1,
}


def infos(*names: str) -> dict[str, ColumnInfo]:
    wanted = names or [name for name, *_ in COLUMNS]
    return {
        name: ColumnInfo(name, name.replace("_", " "), "Doc.", kind, unit)
        for name, kind, unit in COLUMNS
        if name in wanted
    }


def cards(templates: Templates, specs: list[CardSpec] | None = None, **values: object) -> dict[str, Card]:
    chosen = open_theme("default").cards if specs is None else specs
    plans = CardPlans(chosen, infos(), templates)
    return {card.id: card for card in plans.cards(VALUES | values, VIEW)}


def test_the_default_cards_stand_in_the_themes_order(templates: Templates):
    assert list(cards(templates)) == [
        "activations",
        "logits",
        "tokens",
        "neighbours",
        "map",
        "c-gap_histogram",
        "c-remark",
        "numbers",
        "data",
    ]


def test_a_column_nobody_named_gets_a_card_by_its_kind(templates: Templates):
    card = cards(templates)["c-gap_histogram"]
    assert card.title == "gap histogram"
    assert card.definition == "gap_histogram"
    assert [panel.template for panel in card.panels] == ["panels/histogram/panel.html"]


def test_hidden_columns_are_not_drawn(templates: Templates):
    assert "c-secret" not in cards(templates)


def test_all_scalars_stand_in_one_table(templates: Templates):
    (panel,) = cards(templates)["numbers"].panels
    assert [row.name for row in panel.data.rows] == ["firing_tokens", "max_activation"]


def test_logits_of_both_signs_share_a_scale(templates: Templates):
    positive, negative, _ = cards(templates)["logits"].panels
    assert positive.data.rows[0].width == 10
    assert negative.data.rows[0].width == 20


def test_headings_link_to_the_definition_of_their_column(templates: Templates):
    found = cards(templates)
    assert found["neighbours"].definition == "neighbours"
    assert found["neighbours"].unit == "cosine"
    assert found["numbers"].definition == ""
    assert found["data"].definition == ""


@pytest.mark.parametrize(
    ("name", "value", "gone"),
    [
        ("activation_histogram", [], "activations"),
        ("top_tokens", None, "tokens"),
        ("neighbours", [], "neighbours"),
        ("x", None, "map"),
        ("remark", None, "c-remark"),
    ],
)
def test_a_card_with_nothing_to_draw_is_left_out(templates: Templates, name: str, value: object, gone: str):
    assert gone not in cards(templates, **{name: value})


def test_a_card_keeps_the_panels_that_have_something(templates: Templates):
    (panel,) = cards(templates, positive_logits=[], logit_histogram=None)["logits"].panels
    assert panel.data.css == "negative"


def test_columns_that_the_dataset_lacks_are_no_problem(templates: Templates):
    plans = CardPlans(open_theme("default").cards, infos("max_activation"), templates)
    assert [card.id for card in plans.cards({"max_activation": 1.0}, VIEW)] == ["numbers", "data"]


def test_a_panel_without_columns_gets_no_data(templates: Templates):
    found = cards(templates, [CardSpec(id="cite", title="Cite", panel="cite")])
    (panel,) = found["cite"].panels
    assert (panel.template, panel.data) == ("panels/cite/panel.html", None)


def test_a_named_panel_draws_the_column_it_is_given(templates: Templates):
    found = cards(templates, [CardSpec(id="a", title="A", panel="text", columns=("top_tokens",))])
    (panel,) = found["a"].panels
    assert panel.template == "panels/text/panel.html"
    assert panel.data.label == "top tokens"


def test_a_card_of_kinds_takes_what_no_other_card_names(templates: Templates):
    specs = [
        CardSpec(id="one", title="One", columns=("max_activation",)),
        CardSpec(id="two", title="Two", kinds=("scalar",)),
    ]
    found = cards(templates, specs)
    assert [row.name for row in found["one"].panels[0].data.rows] == ["max_activation"]
    assert [row.name for row in found["two"].panels[0].data.rows] == ["firing_tokens"]
