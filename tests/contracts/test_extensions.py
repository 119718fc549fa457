"""Built-ins go through the same door as outsiders, and every one of them opens."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pyarrow as pa
import pytest

from atlas import plugins
from atlas.config import CorpusConfig, ModelConfig, SaeConfig
from atlas.errors import InputError
from atlas.schema import column_info
from atlas.stats.base import Statistic
from tests.support.requirements import ROOT

DECLARED: dict[str, dict[str, str]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
    "entry-points"
]
EVERY = [(group, name) for group, entries in DECLARED.items() for name in entries]


def load(group: str, name: str) -> Any:
    return plugins.load(group, name)


def test_the_groups_are_the_declared_ones():
    assert set(DECLARED) == set(plugins.GROUPS)


@pytest.mark.parametrize(("group", "name"), EVERY)
def test_every_built_in_loads(group: str, name: str):
    assert re.fullmatch(r"[a-z][a-z0-9_]*", name)
    assert load(group, name) is not None
    assert (load(group, name).__doc__ or "").strip()


@pytest.mark.parametrize("name", DECLARED["atlas.statistics"])
def test_a_statistic_says_what_it_is(name: str):
    statistic = load("atlas.statistics", name)
    assert issubclass(statistic, Statistic)
    assert statistic.name == name
    for column in statistic.columns:
        assert isinstance(column, pa.Field)
        assert column_info(column).doc.strip().endswith((".", ")")), column.name


def test_no_two_statistics_write_the_same_column():
    columns = [
        field.name
        for name in DECLARED["atlas.statistics"]
        for field in load("atlas.statistics", name).columns
    ]
    assert len(columns) == len(set(columns))


@pytest.mark.parametrize("name", DECLARED["atlas.engines"])
def test_an_engine_has_its_entry_points_name(name: str):
    assert load("atlas.engines", name).name == name


@pytest.mark.parametrize("name", DECLARED["atlas.enrichers"])
def test_an_enricher_says_what_it_reads_and_writes(name: str):
    enricher = load("atlas.enrichers", name)
    assert enricher.name == name
    assert enricher.writes
    assert len(enricher.notes) > 20
    assert not set(enricher.reads) & set(enricher.writes)


def test_no_two_enrichers_write_the_same_table():
    tables = [table for name in DECLARED["atlas.enrichers"] for table in load("atlas.enrichers", name).writes]
    assert len(tables) == len(set(tables))


@pytest.mark.parametrize(
    ("group", "section", "key"),
    [
        ("atlas.engines", ModelConfig, "engine"),
        ("atlas.saes", SaeConfig, "format"),
        ("atlas.corpora", CorpusConfig, "kind"),
    ],
)
def test_the_configs_help_names_the_built_ins(group: str, section: type, key: str):
    text = section.model_fields[key].description or ""
    if group == "atlas.saes":
        assert group in text
    else:
        assert [name for name in DECLARED[group] if name not in text] == []


def test_an_unknown_name_gets_the_nearest_one():
    with pytest.raises(InputError, match="transformer_lens"):
        load("atlas.engines", "transformerlens")
