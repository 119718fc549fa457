"""Cards: every column finds its place on the feature page, known or not, drawn by a script or a template."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from atlas.render.cards import CardPlans, column_payloads
from atlas.render.dataset import Drawn
from atlas.render.themes import CardSpec, Templates, open_theme
from atlas.schema import ColumnInfo

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
]
HIDDEN = [("raw_positive_logits", "token_list", "logit"), ("share", "hidden", "fraction")]


def drawn(*names: str) -> dict[str, Drawn]:
    found: dict[str, Drawn] = {}
    for name, kind, unit in COLUMNS + HIDDEN:
        if not names or name in names:
            info = ColumnInfo(name, name.replace("_", " "), "Doc.", kind, unit)
            fields = ("token_id", "count", "value") if kind == "token_list" else ()
            found[name] = Drawn(info, fields, (name, kind, unit) in HIDDEN)
    return found


@pytest.fixture(scope="module")
def templates() -> Templates:
    return Templates(open_theme("default"))


def payloads(
    templates: Templates, specs: list[CardSpec] | None = None, columns: dict[str, Drawn] | None = None
) -> dict[str, dict[str, Any]]:
    chosen = open_theme("default").cards if specs is None else specs
    plans = CardPlans(chosen, drawn() if columns is None else columns, templates)
    return {card["id"]: dict(card) for card in plans.payloads}


def test_the_default_cards_stand_in_the_themes_order(templates: Templates):
    found = payloads(templates)
    named = [card.id for card in open_theme("default").cards]
    place = named.index("rest")
    assert list(found) == [*named[:place], "c-gap_histogram", "c-remark", *named[place + 1 :]]
    assert not any(card["kept"] for card in found.values())


def test_a_column_nobody_named_gets_a_card_of_its_own(templates: Templates):
    assert payloads(templates)["c-gap_histogram"] == {
        "id": "c-gap_histogram",
        "title": "gap histogram",
        "panel": "",
        "columns": ["gap_histogram"],
        "kept": False,
    }


def test_hidden_columns_stand_only_where_a_card_names_them(templates: Templates):
    found = payloads(templates)
    assert found["logits"]["columns"] == [
        "positive_logits",
        "negative_logits",
        "raw_positive_logits",
        "logit_histogram",
    ]
    everywhere = [name for card in found.values() for name in card["columns"]]
    assert "share" not in everywhere
    assert everywhere.count("raw_positive_logits") == 1


def test_all_scalars_stand_on_one_card(templates: Templates):
    card = payloads(templates)["numbers"]
    assert (card["columns"], card["panel"]) == (["firing_tokens", "max_activation"], "scalar")


def test_columns_that_the_dataset_lacks_are_no_problem(templates: Templates):
    found = payloads(templates, columns=drawn("max_activation"))
    assert found["numbers"]["columns"] == ["max_activation"]
    assert found["neighbours"]["columns"] == []


def test_a_card_of_kinds_takes_what_no_other_card_names(templates: Templates):
    specs = [
        CardSpec(id="one", title="One", columns=("max_activation",)),
        CardSpec(id="two", title="Two", kinds=("scalar",)),
    ]
    found = payloads(templates, specs)
    assert found["one"]["columns"] == ["max_activation"]
    assert found["two"]["columns"] == ["firing_tokens"]


def test_a_panel_without_columns_and_without_a_template_is_the_scripts(templates: Templates):
    found = payloads(templates, [CardSpec(id="data", title="Data", panel="data")])
    assert found["data"] == {"id": "data", "title": "Data", "panel": "data", "columns": [], "kept": False}


@pytest.fixture
def own(tmp_path: Path) -> Templates:
    """A theme with templates for one panel, one column and one kind."""
    for name in ("cite", "remark", "feature_list"):
        folder = tmp_path / "mine" / "panels" / name
        folder.mkdir(parents=True)
        (folder / "panel.html").write_text("{#- x -#}")
    (tmp_path / "mine" / "theme.yaml").write_text("extends: default\n")
    return Templates(open_theme("mine", tmp_path))


def test_what_a_template_draws_is_kept_and_not_the_scripts(own: Templates):
    specs = [
        CardSpec(id="cite", title="Cite", panel="cite"),
        CardSpec(id="mixed", title="Mixed", columns=("remark", "top_tokens", "neighbours")),
    ]
    plans = CardPlans(specs, drawn(), own)
    found = {card["id"]: dict(card) for card in plans.payloads}
    assert (found["cite"]["kept"], found["cite"]["columns"]) == (True, [])
    assert (found["mixed"]["kept"], found["mixed"]["columns"]) == (True, ["top_tokens"])
    assert plans.kept_columns == {"remark", "neighbours"}
    cards = plans.cards({"remark": "odd", "neighbours": [(3, 0.5)]})
    assert [card.id for card in cards] == ["cite", "mixed"]
    assert [panel.template for card in cards for panel in card.panels] == [
        "panels/cite/panel.html",
        "panels/remark/panel.html",
        "panels/feature_list/panel.html",
    ]
    assert cards[0].panels[0].columns == ()
    (value,) = cards[1].panels[0].columns
    assert (value.info.name, value.value) == ("remark", "odd")


def test_a_panel_that_a_card_names_gets_all_its_columns(own: Templates):
    specs = [CardSpec(id="a", title="A", panel="cite", columns=("max_activation", "remark"))]
    plans = CardPlans(specs, drawn(), own)
    (card,) = plans.cards({"max_activation": 2.0})
    (panel,) = card.panels
    assert [(each.info.name, each.value) for each in panel.columns] == [
        ("max_activation", 2.0),
        ("remark", None),
    ]


def test_the_default_theme_has_no_templates_of_panels(templates: Templates):
    assert CardPlans(open_theme("default").cards, drawn(), templates).cards({}) == ()


def test_columns_as_scripts_get_them():
    found = {column["name"]: column for column in column_payloads(drawn())}
    assert list(found) == [name for name, *_ in COLUMNS + HIDDEN]
    assert found["raw_positive_logits"] == {
        "name": "raw_positive_logits",
        "label": "raw positive logits",
        "doc": "Doc.",
        "unit": "logit",
        "kind": "token_list",
        "fields": ["token_id", "count", "value"],
        "hidden": True,
    }
