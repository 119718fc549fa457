"""Numbers of the tables weights and logits reach the pages by their metadata alone, and effects wait."""

from __future__ import annotations

from pathlib import Path

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


def test_every_scalar_is_a_row_of_the_numbers_table(site: Site):
    page = text(site, "alpha/0/7.html")
    for name in SCALARS:
        assert f"#c-{name}" in page, name
    assert "0.7500" in page  # logit_kurtosis of feature 7, 7 / 4 - 1
    about = text(site, "about.html")
    for name in SCALARS:
        assert f'id="c-{name}"' in about, name


def test_every_scalar_can_be_sorted_and_filtered_by(site: Site):
    columns = [column["name"] for column in site.shard("alpha/table/0")["columns"]]
    assert set(SCALARS) <= set(columns)
    values = site.shard("alpha/table/0")["values"][columns.index("encoder_norm")]
    assert values[:3] == [1, 1.1, 1.2]
    skews = site.shard("alpha/table/0")["values"][columns.index("logit_skew")]
    assert skews[5] is None


def test_lists_that_are_kept_are_not_drawn(site: Site):
    page = text(site, "alpha/0/7.html")
    assert "top neurons" not in page
    assert "raw positive logits" not in page


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
    assert "#c-threshold" not in text(site, "alpha/0/7.html")
    assert "#c-encoder_bias" in text(site, "alpha/0/7.html")


@pytest.mark.parametrize(("folded", "shown", "kept"), [(True, "", "raw_"), (False, "raw_", "")])
def test_the_page_shows_one_kind_of_logit_effects_and_says_which(own, tmp_path, folded, shown, kept):
    final = Unembedding(torch.zeros(4, 4), torch.ones(4), "rms_norm")
    site = rendered(rewritten(own, "logits", table_schema(final, folded=folded)), tmp_path / "site")
    page, about = text(site, "alpha/0/7.html"), text(site, "about.html")
    card = page[page.index('id="logits"') : page.index('id="tokens"')]
    for end in ("positive", "negative"):
        name = f"{end} logits"
        assert (f"raw {name}" in card) is (shown == "raw_")
        assert f'id="c-{shown}{end}_logits"' in about
        assert f'id="c-{kept}{end}_logits"' not in about
    assert f"#c-{shown}positive_logits" in card
    words = "Final norm folded" if folded else "nothing folded, no mean removed"
    definition = about[about.index(f'id="c-{shown}positive_logits"') :]
    assert words in definition[: definition.index("</dd>")]
