"""Numbers of the tables weights and logits reach the pages by their metadata alone, and effects wait."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from atlas.config import RenderConfig
from atlas.enrich.logit_effects import table_schema
from atlas.render.builder import Builder
from atlas.render.dataset import SaeData
from atlas.render.output import Output
from atlas.render.site import render_site
from atlas.schema import LOGITS, WEIGHTS, scalar_columns, with_kinds
from atlas.sources.engines.base import Unembedding
from atlas.store import AtlasStore
from tests.support.sites import Site
from tests.support.synthetic import make_atlas

SCALARS = [info.name for table in (LOGITS, WEIGHTS) for info in scalar_columns(table)]


def rewritten(store: AtlasStore, table: str, schema: pa.Schema) -> AtlasStore:
    """`store` with that table of alpha written anew in `schema`."""
    rows = store.read(table, "alpha").to_pylist()
    with store.writer(table, sae="alpha", schema=schema) as writer:
        writer.write(pa.Table.from_pylist(rows, schema=schema))
    return store


def text(site: Site, path: str) -> str:
    return site.files[path].decode()


def rendered(store: AtlasStore, folder: Path) -> Site:
    with Output(folder) as out:
        render_site(store, RenderConfig(), out, scripts=False)
    return Site(folder)


def columns(site: Site) -> dict[str, dict]:
    """The columns of alpha's feature pages, by name."""
    return {column["name"]: column for column in site.shard("site")["saes"][0]["columns"]}


def test_every_scalar_is_on_the_numbers_card_and_explained(site: Site):
    cards = {card["id"]: card["columns"] for card in site.shard("site")["saes"][0]["cards"]}
    assert set(SCALARS) <= set(cards["numbers"])
    feature = site.features("alpha", 0)["features"][7]
    assert feature["values"][list(columns(site)).index("logit_kurtosis")] == 0.75
    about = text(site, "about.html")
    for name in SCALARS:
        assert f'id="c-{name}"' in about, name


def test_every_scalar_can_be_sorted_and_filtered_by(site: Site):
    columns = [column["name"] for column in site.shard("alpha/table")["columns"]]
    assert set(SCALARS) <= set(columns)
    assert site.column("alpha", "encoder_norm")[:3] == [np.float32(value) for value in (1, 1.1, 1.2)]
    assert site.column("alpha", "logit_skew")[5] is None


def test_lists_that_are_kept_are_there_on_demand(site: Site):
    found = columns(site)
    assert found["top_neurons"]["kind"] == "neuron_list"
    assert found["top_neurons"]["fields"] == ["dimension", "value", "share"]
    hidden = {name for name, column in found.items() if column["hidden"]}
    assert {"top_neurons", "raw_positive_logits", "raw_negative_logits"} <= hidden
    feature = site.features("alpha", 0)["features"][7]
    assert len(feature["values"][list(found).index("top_neurons")]) % 3 == 0


def test_effects_have_many_rows_a_feature_and_no_column_on_the_page(store: AtlasStore):
    builder = Builder(store, RenderConfig(), Path(), scripts=False)
    data = SaeData(store, store.manifest.saes[0], builder.vocabulary)
    assert store.has("effects", "alpha")
    assert not {"effects", "raised", "lowered", "rank"} & data.columns.keys()


@pytest.fixture
def own(tmp_path: Path) -> AtlasStore:
    return make_atlas(tmp_path / "data", n_features=8, saes=("alpha",))


def test_what_an_architecture_lacks_is_no_row(own: AtlasStore, tmp_path: Path):
    without = with_kinds(WEIGHTS, {"threshold": "hidden"})
    site = rendered(rewritten(own, "weights", without), tmp_path / "site")
    (numbers,) = (c["columns"] for c in site.shard("site")["saes"][0]["cards"] if c["id"] == "numbers")
    assert "threshold" not in numbers
    assert "encoder_bias" in numbers


@pytest.mark.parametrize(("folded", "shown", "kept"), [(True, "", "raw_"), (False, "raw_", "")])
def test_the_page_shows_one_kind_of_logit_effects_and_says_which(own, tmp_path, folded, shown, kept):
    final = Unembedding(torch.zeros(4, 4), torch.ones(4), "rms_norm")
    site = rendered(rewritten(own, "logits", table_schema(final, folded=folded)), tmp_path / "site")
    about, found = text(site, "about.html"), columns(site)
    for end in ("positive", "negative"):
        assert found[f"{shown}{end}_logits"]["hidden"] is False
        assert found[f"{kept}{end}_logits"]["hidden"] is True
        assert f'id="c-{shown}{end}_logits"' in about
    words = "Final norm folded" if folded else "nothing folded, no mean removed"
    definition = about[about.index(f'id="c-{shown}positive_logits"') :]
    assert words in definition[: definition.index("</dd>")]
