"""The dataset as pages read it: any table, any column, in feature order."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from atlas.config import RenderConfig
from atlas.errors import InputError
from atlas.render.builder import Builder
from atlas.render.dataset import SaeData
from atlas.render.output import Output
from atlas.render.site import render_site
from atlas.schema import COACTIVATION_LIST, FEATURE_IDX, HISTOGRAM, TOKEN_LIST, column
from atlas.store import AtlasStore
from tests.support.sites import Site
from tests.support.synthetic import make_atlas


def sae_data(store: AtlasStore) -> SaeData:
    builder = Builder(store, RenderConfig(), Path(), scripts=False)
    return SaeData(store, store.manifest.saes[0], builder.vocabulary)


def test_every_drawable_column_is_known_with_its_table(store: AtlasStore):
    data = sae_data(store)
    assert data.table_of("max_activation") == "features"
    assert data.table_of("positive_logits") == "logits"
    assert data.table_of("cluster") == "coords"
    assert "feature_idx" not in data.columns
    assert "token_ids" not in data.columns
    assert "text" not in data.columns


def test_blocks_cover_all_features_once(store: AtlasStore):
    data = sae_data(store)
    blocks = list(data.blocks(7, 3))
    assert [(block.start, block.stop) for block in blocks] == [(s, min(s + 7, 40)) for s in range(0, 40, 7)]
    counts = [value for block in blocks for value in block.values["firing_tokens"]]
    assert counts == store.read("features", "alpha")["firing_tokens"].to_pylist()
    assert all(len(column) == block.size for block in blocks for column in block.values.values())


def test_a_block_knows_what_was_read_with_it(store: AtlasStore):
    reads = [block.read for block in sae_data(store).blocks(7, 3)]
    assert [(read.start, read.stop) for read in reads] == [(0, 21)] * 3 + [(21, 40)] * 3
    assert len({id(read) for read in reads}) == 2
    assert reads[0].read is reads[0]
    assert reads[0].part(2, 9).part(1, 3).read is reads[0]


def test_windows_are_the_same_in_every_cut(store: AtlasStore):
    data = sae_data(store)
    whole = data.block(0, 40)
    for block in data.blocks(7, 2):
        for feature in range(block.start, block.stop):
            assert block.windows.top(feature, 99) == whole.windows.top(feature, 99)


def test_lists_arrive_as_tuples(store: AtlasStore):
    data = sae_data(store)
    row = store.read("logits", "alpha").to_pylist()[5]
    (found,) = data.block(5, 6).values["positive_logits"]
    assert found == [(entry["token_id"], entry["count"], entry["value"]) for entry in row["positive_logits"]]


def with_table(tmp_path: Path, name: str, fields: list[pa.Field], rows: list[dict]) -> AtlasStore:
    """A small atlas with one more table, as an extension would write it."""
    store = make_atlas(tmp_path / "data", n_features=6, saes=("alpha",))
    schema = pa.schema([FEATURE_IDX, *fields])
    with store.lock(), store.writer(name, sae="alpha", schema=schema) as writer:
        writer.write(pa.Table.from_pylist(rows, schema=schema))
    return store


NOVEL = column("novelty", pa.float32(), doc="How new it is.", kind="scalar", unit="nats")
GAPS = column(
    "gaps",
    HISTOGRAM,
    doc="Distances between firings.",
    kind="histogram",
    unit="tokens",
    label="gaps between firings",
)


def test_a_statistic_nobody_knew_is_drawn_listed_and_explained(tmp_path: Path):
    rows = [
        {"feature_idx": f, "novelty": f / 2, "gaps": [{"lower": 0.0, "upper": 8.0, "count": f + 1}]}
        for f in range(6)
    ]
    store = with_table(tmp_path, "extras", [NOVEL, GAPS], rows)
    with Output(tmp_path / "site") as out:
        render_site(store, RenderConfig(), out, scripts=False)
    site = Site(tmp_path / "site")
    (sae,) = site.shard("site")["saes"]
    assert {
        "id": "c-gaps",
        "title": "gaps between firings",
        "panel": "",
        "columns": ["gaps"],
        "kept": False,
    } in sae["cards"]
    assert "novelty" in next(card["columns"] for card in sae["cards"] if card["id"] == "numbers")
    names = [column["name"] for column in sae["columns"]]
    (feature,) = (f for f in site.features("alpha", 0)["features"] if f["feature_idx"] == 4)
    assert feature["values"][names.index("novelty")] == 2
    assert feature["values"][names.index("gaps")] == [0, 8, 5]
    about = site.page("about.html").source
    assert 'id="c-novelty"' in about
    assert "How new it is." in about
    columns = {entry["name"]: entry for entry in site.shard("alpha/table")["columns"]}
    novelty = {key: columns["novelty"][key] for key in ("name", "label", "doc", "unit", "kind")}
    assert list(novelty.values()) == ["novelty", "novelty", "How new it is.", "nats", "scalar"]


def test_a_table_may_lack_features(tmp_path: Path):
    store = with_table(
        tmp_path,
        "extras",
        [NOVEL],
        [{"feature_idx": 4, "novelty": 1.5}, {"feature_idx": 1, "novelty": 0.5}][::-1],
    )
    assert sae_data(store).block(0, 6).values["novelty"] == [None, 0.5, None, None, 1.5, None]
    assert sae_data(store).block(3, 5).values["novelty"] == [None, 1.5]


def test_nan_is_no_number(tmp_path: Path):
    rows = [{"feature_idx": f, "novelty": float("nan") if f % 2 else 1.0} for f in range(6)]
    store = with_table(tmp_path, "extras", [NOVEL], rows)
    assert sae_data(store).block(0, 4).values["novelty"] == [1.0, None, 1.0, None]


def test_null_lists_are_no_value(tmp_path: Path):
    field = column("more_tokens", TOKEN_LIST, doc="More.", kind="token_list", unit="logit")
    rows = [
        {"feature_idx": f, "more_tokens": None if f == 2 else [{"token_id": f, "count": 0, "value": 1.0}]}
        for f in range(6)
    ]
    store = with_table(tmp_path, "extras", [field], rows)
    assert sae_data(store).block(1, 4).values["more_tokens"] == [[(1, 0, 1.0)], None, [(3, 0, 1.0)]]


def test_a_column_that_lies_about_its_kind_is_refused_by_name(tmp_path: Path):
    field = pa.field("gaps", pa.list_(pa.int32()), metadata={"atlas.kind": "histogram", "atlas.doc": "x"})
    store = with_table(tmp_path, "extras", [field], [{"feature_idx": 0, "gaps": [1]}])
    with pytest.raises(InputError) as caught:
        sae_data(store)
    assert "'gaps'" in caught.value.what
    assert "histogram" in caught.value.what
    assert caught.value.where == "table alpha/extras"


def test_columns_without_metadata_are_kept_out(tmp_path: Path):
    store = with_table(
        tmp_path, "extras", [pa.field("mystery", pa.int32())], [{"feature_idx": 0, "mystery": 1}]
    )
    assert "mystery" not in sae_data(store).columns


def test_of_two_columns_of_one_name_the_first_table_counts(tmp_path: Path):
    field = column("max_activation", pa.float32(), doc="Another.", kind="scalar")
    store = with_table(
        tmp_path, "zzz", [field], [{"feature_idx": f, "max_activation": -1.0} for f in range(6)]
    )
    data = sae_data(store)
    assert data.table_of("max_activation") == "features"
    assert -1.0 not in data.block(0, 6).values["max_activation"]
    assert data.columns["max_activation"].doc != "Another."


def test_a_damaged_table_is_an_input_error_that_names_the_file(tmp_path: Path):
    store = make_atlas(tmp_path / "data", n_features=6, saes=("alpha",))
    path = tmp_path / "data" / store.manifest.tables["alpha/features"][0].path
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(InputError) as caught, Output(tmp_path / "site") as out:
        render_site(AtlasStore.open(tmp_path / "data"), RenderConfig(), out, scripts=False)
    assert str(path) in caught.value.where
    assert not (tmp_path / "site").exists()


TOGETHER = column(
    "together", COACTIVATION_LIST, doc="Who fires with it.", kind="feature_list", unit="correlation"
)


def test_a_list_of_features_may_say_more_of_each(tmp_path: Path):
    """Co-activation has counts beside its phi: the page links the features by phi."""
    rows = [
        {"feature_idx": f, "together": [{"feature_idx": 5 - f, "value": 0.25, "count": 7, "pmi": 1.5}]}
        for f in range(6)
    ]
    store = with_table(tmp_path, "extras", [TOGETHER], rows)
    assert sae_data(store).block(1, 2).values["together"] == [[(4, 0.25, 7, 1.5)]]
    with Output(tmp_path / "site") as out:
        render_site(store, RenderConfig(), out, scripts=False)
    site = Site(tmp_path / "site")
    columns = site.shard("site")["saes"][0]["columns"]
    at = [column["name"] for column in columns].index("together")
    assert columns[at]["fields"] == ["feature_idx", "value", "count", "pmi"]
    assert site.features("alpha", 0)["features"][1]["values"][at] == [4, 0.25, 7, 1.5]


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        ("token_list", COACTIVATION_LIST),
        ("feature_list", TOKEN_LIST),
        ("feature_list", pa.list_(pa.int32())),
        ("feature_list", pa.int32()),
        ("token_list", pa.list_(pa.struct([*TOKEN_LIST.value_type, pa.field("more", pa.int32())]))),
    ],
)
def test_lists_of_other_records_are_refused(kind: str, dtype: pa.DataType, tmp_path: Path):
    field = column("strange", dtype, doc="Not what it says.", kind=kind)
    store = with_table(tmp_path, "extras", [field], [{"feature_idx": 0, "strange": None}])
    with pytest.raises(InputError, match=f"'strange' says it is a {kind} but is a"):
        sae_data(store)
