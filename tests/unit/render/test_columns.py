"""The feature table's data files: exact numbers, small types, honest histograms."""

from __future__ import annotations

import typing

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from atlas.render import columns as module
from atlas.render import payloads
from atlas.render.builder import Builder, SaeFiles
from atlas.render.columns import FeatureTable, bin_edges, numbers, stored_column, table_files
from atlas.render.numbers import percent
from atlas.render.shards import encode_shard
from atlas.schema import ColumnInfo
from atlas.store import AtlasStore
from tests.support.sites import Site, read_bytes

SCALAR = ColumnInfo("x", "x label", "What x is.", "scalar", "none")
MINUS = "\N{MINUS SIGN}"
NARROW = "\N{NARROW NO-BREAK SPACE}"
FINITE = st.floats(allow_nan=False, allow_infinity=False)


def read_back(column: module.StoredColumn) -> list[float]:
    """The values as a script reads them, NaN for none."""
    dtype = np.dtype(column.info["type"]).newbyteorder("<")
    stored = np.frombuffer(b"".join(column.parts()), dtype)
    if dtype.kind == "f":
        return stored.astype(np.float64).tolist()
    limits = np.iinfo(dtype)
    missing = limits.max if dtype.kind == "u" else limits.min
    return [float("nan") if value == missing else float(value) for value in stored]


def same(left: list[float], right: list[float]) -> bool:
    return bool(np.array_equal(np.array(left, np.float64), np.array(right, np.float64), equal_nan=True))


@given(st.lists(st.none() | FINITE, max_size=20))
def test_any_double_comes_back_exactly(values: list[float | None]):
    given_values = np.array([np.nan if value is None else value for value in values], np.float64)
    column = stored_column(SCALAR, given_values, narrow=False)
    assert same(read_back(column), given_values.tolist())
    assert column.info["missing"] == sum(value is None for value in values)


@given(st.lists(st.none() | st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=20))
def test_any_float32_comes_back_exactly_in_four_bytes(values: list[float | None]):
    given_values = np.array([np.nan if value is None else value for value in values], np.float64)
    column = stored_column(SCALAR, given_values, narrow=True)
    assert same(read_back(column), given_values.tolist())
    assert column.stored.itemsize <= 4


@given(st.lists(st.none() | st.integers(-(2**40), 2**40), max_size=20))
def test_any_whole_number_comes_back_exactly(values: list[int | None]):
    given_values = np.array([np.nan if value is None else value for value in values], np.float64)
    assert same(read_back(stored_column(SCALAR, given_values, narrow=False)), given_values.tolist())


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([], "uint8"),
        ([np.nan], "uint8"),
        ([0, 254], "uint8"),
        ([0, 255], "uint16"),
        ([65534], "uint16"),
        ([65535], "uint32"),
        ([2**32 - 2], "uint32"),
        ([2**32 - 1], "float64"),
        ([-1, 3], "int32"),
        ([-(2**31) + 1], "int32"),
        ([-(2**31)], "float64"),
        ([0.5], "float64"),
    ],
)
def test_the_smallest_type_that_holds_all_values_and_a_mark_for_none(values: list[float], kind: str):
    assert stored_column(SCALAR, np.array(values, np.float64), narrow=False).info["type"] == kind


def test_infinity_and_groups_below_zero_are_no_values():
    infinite = stored_column(SCALAR, np.array([np.inf, 1.0, -np.inf]), narrow=False)
    assert (infinite.info["missing"], infinite.info["least"], infinite.info["largest"]) == (2, 1, 1)
    group = ColumnInfo("g", "g", "A group.", "category", "none")
    grouped = stored_column(group, np.array([-1.0, 0.0, 7.0]), narrow=False)
    assert (grouped.info["missing"], grouped.info["type"]) == (1, "uint8")
    assert stored_column(SCALAR, np.array([-1.0, 0.0, 7.0]), narrow=False).info["missing"] == 0


@given(st.lists(FINITE, min_size=1, max_size=50))
def test_a_histogram_holds_every_value_in_few_ascending_bins(values: list[float]):
    edges = bin_edges(np.array(values))
    assert edges == sorted(set(edges))
    assert 2 <= len(edges) <= 35
    assert np.isfinite(edges).all()
    assert edges[0] <= min(values)
    assert edges[-1] >= max(values)
    assert sum(np.histogram(values, edges)[0]) == len(values)


@given(st.lists(st.integers(-500, 500), min_size=1, max_size=50))
def test_whole_numbers_of_a_small_range_get_a_bin_each(values: list[int]):
    edges = bin_edges(np.array(values, np.float64))
    if max(values) - min(values) < 32:
        assert edges == [*range(min(values), max(values) + 2)]


def test_positive_values_over_orders_of_magnitude_get_bins_of_equal_ratio():
    values = np.geomspace(1e-6, 1, 1000)
    edges = bin_edges(values)
    counts = np.histogram(values, edges)[0]
    assert counts.min() > 20
    with_zeros = bin_edges(np.concatenate([values, [0.0]]))
    assert with_zeros[:2] == [0.0, pytest.approx(1e-6, rel=0.01)]


def test_a_wide_range_with_negative_values_gets_bins_of_equal_width():
    widths = np.diff(bin_edges(np.linspace(-1000, 1e6, 999)))
    assert widths.max() / widths.min() < 1.2


@given(FINITE)
def test_bounds_have_few_digits(value: float):
    for edge in bin_edges(np.array([value])):
        assert float(f"{edge:.3g}") == edge or edge == int(edge) or abs(edge) > 1e300


def test_numbers_of_any_type_become_doubles():
    assert numbers(pa.chunked_array([[True, None, False]])).tolist()[::2] == [1.0, 0.0]
    assert np.isnan(numbers(pa.chunked_array([[1, None]])))[1]
    assert numbers(pa.chunked_array([pa.array([0.1], pa.float32())])).tolist() == [float(np.float32(0.1))]
    assert numbers(pa.chunked_array([pa.array([2**53], pa.int64())])).tolist() == [2.0**53]


@pytest.fixture(scope="module")
def table(builder: Builder, store: AtlasStore) -> FeatureTable:
    return SaeFiles(builder, store.manifest.saes[0]).table


def typed(value: dict, payload: type) -> None:
    """Has `value` exactly the fields of `payload`?"""
    assert list(value) == list(typing.get_type_hints(payload))


def test_the_site_holds_every_number_of_the_tables_exactly(site: Site, store: AtlasStore):
    infos = site.shard("alpha/table")["columns"]
    for info in infos:
        typed(info, payloads.TableColumn)
    names = [info["name"] for info in infos]
    assert len(names) == len(set(names))
    assert {"score", "activation_density", "encoder_norm", "logit_skew", "cluster"} <= set(names)
    for table in ("features", "logits", "weights", "coords", "explanations"):
        rows = {row["feature_idx"]: row for row in store.read(table, "alpha").to_pylist()}
        for name in set(names) & set(store.schema(table, "alpha").names):
            found = site.column("alpha", name)
            for feature in range(40):
                expected = rows.get(feature, {}).get(name)
                if expected == -1 and name == "cluster":
                    expected = None
                assert found[feature] == expected, (name, feature)


def test_what_columns_say_of_their_range_is_true(site: Site):
    for info in site.shard("beta/table")["columns"]:
        present = [value for value in site.column("beta", info["name"]) if value is not None]
        assert info["missing"] == 40 - len(present)
        assert info["least"] == min(present, default=None)
        assert info["largest"] == max(present, default=None)
        assert sum(info["counts"]) == len(present)
        assert len(info["edges"]) == (len(info["counts"]) + 1 if present else 0)


def test_groups_have_their_names(site: Site, store: AtlasStore):
    labels = store.read("clusters", "alpha", ["label"])["label"].to_pylist()
    (cluster,) = [info for info in site.shard("alpha/table")["columns"] if info["name"] == "cluster"]
    assert cluster["labels"] == labels
    assert cluster["kind"] == "category"


@given(st.integers(1, 10**7), st.integers(1, 10**7))
@example(2893, 995_959)
@example(1, 3)
@example(1, 10**7)
@example(999_951, 10**7)
def test_a_share_is_rounded_once(count: int, more: int):
    """What a list says of a feature is what its own page says, to the last digit."""
    share = count / (count + more)
    kept = module.shown_share(share)
    assert kept is not None
    # A zero at the end may differ: 0.0999951 % is read as 0.1000 %, and 0.1 % as 0.100 %.
    said, exactly = (float(percent(value).split(NARROW)[0].replace(MINUS, "-")) for value in (kept, share))
    assert said == exactly


def test_a_share_that_is_not_known_is_none():
    assert module.shown_share(float("nan")) is None


def test_titles_hold_what_lists_show(site: Site, store: AtlasStore):
    shard = site.shard("alpha/titles/0")
    typed(shard, payloads.TitleShard)
    texts = {row["feature_idx"]: row["text"] for row in store.read("explanations", "alpha").to_pylist()}
    assert shard["explanations"] == [texts.get(feature, "") for feature in range(40)]
    assert all(len(tokens) <= 5 for tokens in shard["tokens"])
    assert shard["tokens"][3] == []
    exact = site.column("alpha", "activation_density")
    assert [percent(value) for value in shard["densities"]] == [percent(value) for value in exact]
    vocabulary = {row["token_id"]: row for row in store.read("vocabulary").to_pylist()}
    first = store.read("features", "alpha", ["top_tokens"])["top_tokens"].to_pylist()
    for tokens, entries in zip(shard["tokens"], first, strict=True):
        for text, entry in zip(tokens, entries or (), strict=False):
            known = vocabulary[entry["token_id"]]
            assert known["special"] or text.encode() == known["bytes"] or text.startswith("<0x")


def test_files_are_cut_at_their_size_and_counted(
    table: FeatureTable, monkeypatch: pytest.MonkeyPatch, builder: Builder
):
    monkeypatch.setattr(module, "ROWS_PER_TITLE_SHARD", 16)
    monkeypatch.setattr(module, "ROWS_PER_COLUMN_SHARD", 32)
    found = dict(table.shards())
    assert len(found) == table_files(40, len(table)) == 1 + 2 * len(table) + 2 + 3
    starts = [found[f"alpha/titles/{number}"]["start"] for number in range(3)]
    assert starts == [0, 16, 32]
    texts = [found["alpha/texts/0"], found["alpha/texts/1"]]
    for kind in ("explanations", "tokens"):
        whole = [entry for number in range(3) for entry in found[f"alpha/titles/{number}"][kind]]
        assert [entry for part in texts for entry in part[kind]] == whole == table.titles(0, 40)[kind]
    infos = found["alpha/table"]["columns"]
    assert len(infos) == len(table)
    for number, info in enumerate(infos):
        width = np.dtype(info["type"]).itemsize
        assert [len(found[f"alpha/columns/{number}/{part}"]) for part in (0, 1)] == [32 * width, 8 * width]
    assert len(found["alpha/titles/2"]["tokens"]) == 8


def test_a_stretch_of_features_is_that_stretch_of_every_column(table: FeatureTable):
    whole = {column.info["name"]: read_back(column) for column in table.columns(0, 40)}
    for column in table.columns(7, 19):
        assert same(read_back(column), whole[column.info["name"]][7:19])
    part = table.titles(7, 19)
    assert part["start"] == 7
    assert part["tokens"] == table.titles(0, 40)["tokens"][7:19]


def test_bytes_are_packed_as_they_are_and_equal_ones_equally():
    content = bytes(range(256)) * 3
    assert read_bytes("a/columns/0/0", encode_shard("a/columns/0/0", content)) == content
    assert encode_shard("k", content) == encode_shard("k", bytes(content))
    assert read_bytes("k", encode_shard("k", b"")) == b""
