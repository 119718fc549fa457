"""Panels: columns as records that templates draw."""

from __future__ import annotations

import math

import pytest

from atlas.render.numbers import percent
from atlas.render.panels import (
    BY_COLUMN,
    METER_STEPS,
    FeatureView,
    coords,
    feature_list,
    full_text,
    heading_unit,
    number_text,
    scalars,
    source_list,
    text,
    token_list,
    unit_words,
)
from atlas.render.strips import shown
from atlas.schema import KINDS, UNITS, ColumnInfo

TOKENS = {1: " raise", 2: "\n", 3: "<b>", 4: "\u202e"}


def view(largest: float = 10.0, shown_from: float = math.inf) -> FeatureView:
    return FeatureView(
        feature_idx=7,
        max_activation=largest,
        shown_from=shown_from,
        token=lambda token: TOKENS.get(token, "?"),
        title=lambda feature: shown(f"title of {feature}"),
        href=lambda feature: f"{feature}.html",
        cluster=lambda cluster: shown(f"group {cluster}"),
    )


def column(name: str, kind: str, unit: str = "none") -> ColumnInfo:
    return ColumnInfo(name, name.replace("_", " "), "Doc.", kind, unit)


LOGITS = column("positive_logits", "token_list", "logit")
FIRINGS = column("top_tokens", "token_list", "activation")
COSINES = column("neighbours", "feature_list", "cosine")
SOURCES = column("sources", "source_list", "fraction")


@pytest.mark.parametrize("share", [None, 1.0])
def test_a_list_counted_everywhere_says_nothing_of_it(share: float | None):
    panel = token_list(FIRINGS, [(1, 3, 2.0)], view(), share=share)
    assert panel is not None
    assert panel.note == ""


def test_a_list_counted_in_a_sample_says_so():
    panel = token_list(FIRINGS, [(1, 3, 2.0)], view(), share=1 / 64)
    assert panel is not None
    assert panel.note == "Counted in 1 of 64 contexts, drawn by a hash."


def test_logit_effects_show_sign_bar_and_exact_value():
    panel = token_list(LOGITS, [(1, 0, 2.3125), (2, 0, 1.0)], view())
    assert panel is not None
    assert panel.css == "positive"
    assert [(str(row.token), row.value, row.exact, row.width) for row in panel.rows] == [
        ("␣raise", "+2.31", "2.3125", METER_STEPS),
        ("↵", "+1.00", "1", 9),
    ]


def test_negative_logits_have_their_own_colour_and_share_a_scale():
    panel = token_list(LOGITS, [(1, 0, -1.0)], view(), scale=4.0)
    assert panel is not None
    assert panel.css == "negative"
    assert (panel.rows[0].value, panel.rows[0].width) == ("\N{MINUS SIGN}1.00", 5)


def test_tokens_it_fires_on_show_their_count_with_the_mean_as_bar():
    panel = token_list(FIRINGS, [(1, 1234, 5.0), (3, 1, 10.0)], view(largest=10.0))
    assert panel is not None
    assert panel.css == ""
    assert [(row.value, row.exact, row.width) for row in panel.rows] == [
        ("1,234", "1,234 firings, mean 5", 10),
        ("1", "1 firing, mean 10", 20),
    ]


def test_bars_never_leave_their_range():
    panel = token_list(FIRINGS, [(1, 3, 99.0), (2, 3, 0.0)], view(largest=10.0))
    assert panel is not None
    assert [row.width for row in panel.rows] == [METER_STEPS, 0]
    flat = token_list(LOGITS, [(1, 0, 0.0)], view())
    assert flat is not None
    assert flat.rows[0].width == 0


def test_tokens_are_escaped_and_visible():
    panel = token_list(LOGITS, [(3, 0, 1.0), (4, 0, 1.0)], view())
    assert panel is not None
    assert str(panel.rows[0].token) == "&lt;b&gt;"
    assert "U+202E" in str(panel.rows[1].token)


@pytest.mark.parametrize("value", [None, []])
def test_empty_lists_are_not_drawn(value: list[tuple[int, int, float]] | None):
    assert token_list(LOGITS, value, view()) is None
    assert feature_list(COSINES, value, view()) is None
    assert source_list(SOURCES, value, view()) is None


def test_neighbours_link_to_their_pages():
    panel = feature_list(COSINES, [(12, 0.7071), (3, -0.05)], view())
    assert panel is not None
    assert [(row.href, str(row.title), row.value, row.exact) for row in panel.rows] == [
        ("12.html", "title of 12", "0.71", "0.7071"),
        ("3.html", "title of 3", "\N{MINUS SIGN}0.050", "-0.05"),
    ]


def test_what_more_is_said_of_a_feature_is_left_out():
    short, long = (feature_list(COSINES, [value], view()) for value in ((12, 0.5), (12, 0.5, 7, 1.5)))
    assert short == long is not None


def test_sources_by_the_share_of_their_tokens():
    panel = source_list(SOURCES, [("json", 12, 0.02), ("<b>", 1, 0.005), ("", 3, 0.0)], view())
    assert panel is not None
    assert panel.label == "sources"
    assert [(str(row.name), row.width, row.value, row.exact) for row in panel.rows] == [
        ("json", METER_STEPS, percent(0.02), "12 firings, 0.02 of the tokens"),
        ("&lt;b&gt;", METER_STEPS // 4, percent(0.005), "1 firing, 0.005 of the tokens"),
        ("(no name)", 0, percent(0.0), "3 firings, 0 of the tokens"),
    ]
    assert heading_unit(SOURCES) == "share of its tokens"


def test_sources_of_no_density_have_no_bars():
    panel = source_list(SOURCES, [("json", 0, 0.0)], view())
    assert panel is not None
    assert panel.rows[0].width == 0


def test_invisible_characters_in_a_source_show():
    panel = source_list(SOURCES, [("a\u202eb", 1, 0.5)], view())
    assert panel is not None
    assert "U+202E" in str(panel.rows[0].name)


def test_text_columns_are_escaped():
    panel = text(column("remark", "text"), "a <b>", view())
    assert panel is not None
    assert str(panel.text) == "a &lt;b&gt;"
    assert text(column("remark", "text"), "", view()) is None
    assert text(column("remark", "text"), None, view()) is None


def test_scalars_become_one_table():
    columns = [
        column("firing_tokens", "scalar", "tokens"),
        column("activation_density", "scalar", "fraction"),
        column("mean_activation", "scalar", "activation"),
        column("skew", "scalar"),
    ]
    panel = scalars(columns, [1234, 0.0125, 3.14159, None])
    assert panel is not None
    assert [(row.name, row.label, row.text, row.exact, row.unit) for row in panel.rows] == [
        ("firing_tokens", "firing tokens", "1,234", "1234", "tokens"),
        ("activation_density", "activation density", "1.25\u202f%", "0.0125", ""),
        ("mean_activation", "mean activation", "3.142", "3.14159", "activation"),
        ("skew", "skew", "\N{EN DASH}", "\N{EN DASH}", ""),
    ]
    assert scalars([], []) is None


def test_a_place_on_the_map_names_its_group():
    panel = coords({"x": 1.0, "y": 2.0, "cluster": 4}, view())
    assert panel is not None
    assert str(panel.cluster) == "group 4"


@pytest.mark.parametrize("cluster", [-1, None])
def test_a_place_without_a_group(cluster: int | None):
    panel = coords({"x": 1.0, "y": 2.0, "cluster": cluster}, view())
    assert panel is not None
    assert str(panel.cluster) == ""


def test_no_place_is_no_panel():
    assert coords({"x": None, "y": None, "cluster": None}, view()) is None


@pytest.mark.parametrize("unit", UNITS)
def test_every_unit_can_be_written(unit: str):
    assert number_text(3, unit)
    assert number_text(2.5, unit)
    assert number_text(None, unit) == "\N{EN DASH}"
    assert isinstance(unit_words(unit), str)


def test_whole_numbers_are_written_in_full():
    assert full_text(1234567) == "1234567"
    assert full_text(0.5) == "0.5"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_either_drawn_or_known_not_to_be(kind: str):
    together = {"scalar", "coords", "category"}
    undrawn = {"id", "examples", "hidden"}
    assert (kind in BY_COLUMN) + (kind in together) + (kind in undrawn) == 1


def test_headings_say_what_the_numbers_are():
    assert heading_unit(LOGITS) == "logits"
    assert heading_unit(COSINES) == "cosine"
    assert heading_unit(column("coactivation", "feature_list", "correlation")) == "phi"
    assert heading_unit(FIRINGS) == "firings, mean as bar"
    assert heading_unit(column("activation_histogram", "histogram", "activation")) == ""
