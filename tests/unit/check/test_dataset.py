"""`check_dataset`: silent on a whole dataset, and one line for each way a dataset can be wrong."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from atlas.check import check_dataset
from atlas.store import AtlasStore
from tests.support.synthetic import make_atlas


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return make_atlas(tmp_path_factory.mktemp("whole") / "data").path


@pytest.fixture
def store(tmp_path):
    return make_atlas(tmp_path / "data", n_features=24)


def rewrite(store: AtlasStore, table: str, sae: str | None, change) -> None:
    """Write `table` again, changed, with right hashes: only its meaning is wrong afterwards."""
    rows = store.read(table, sae)
    with store.lock(), store.writer(table, sae=sae, schema=store.schema(table, sae)) as writer:
        writer.write(change(rows))


def with_column(rows: pa.Table, name: str, values) -> pa.Table:
    field = rows.schema.field(name)
    return rows.set_column(rows.column_names.index(name), field, pa.array(values, field.type))


def problems(store: AtlasStore) -> list[str]:
    return check_dataset(store.path)


def test_a_whole_dataset_has_no_problems(whole):
    calls = []
    assert check_dataset(whole, lambda done, total: calls.append((done, total))) == []
    assert calls[0][0] == 0
    assert all(done < total for done, total in calls)


def test_checking_changes_nothing(whole):
    before = {path: path.read_bytes() for path in whole.rglob("*") if path.is_file()}
    check_dataset(whole)
    assert {path: path.read_bytes() for path in whole.rglob("*") if path.is_file()} == before


def test_no_dataset_is_a_problem_not_an_exception(tmp_path):
    assert len(check_dataset(tmp_path)) == 1
    assert len(check_dataset(tmp_path / "nothing")) == 1


def test_every_flipped_byte_and_every_cut_is_found(store):
    rng = np.random.default_rng(7)
    for path in [*sorted(store.path.rglob("*.parquet")), store.path / "manifest.json"]:
        original = path.read_bytes()
        for _ in range(2):
            data = bytearray(original)
            data[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
            path.write_bytes(data)
            assert problems(store), path
        path.write_bytes(original[: int(rng.integers(len(original)))])
        assert problems(store), path
        path.write_bytes(original)
    assert problems(store) == []


def test_a_missing_file_and_a_foreign_file_are_named(store):
    first = next(store.path.rglob("*.parquet"))
    first.unlink()
    (store.path / "notes.txt").write_text("mine")
    found = "\n".join(problems(store))
    assert first.name in found
    assert "notes.txt" in found


@pytest.mark.parametrize(
    "key", ["vocabulary", "documents", "postings", "alpha/features", "beta/coords", "beta/report"]
)
def test_a_missing_table_is_named(store, key):
    tables = {name: files for name, files in store.manifest.tables.items() if name != key}
    store.update(tables=tables)
    store.sweep()
    assert f"{key}: the table is missing" in problems(store)


def test_a_table_that_an_enricher_could_not_make_is_no_problem(store):
    tables = {name: files for name, files in store.manifest.tables.items() if name != "alpha/logits"}
    store.update(
        tables=tables, enrichers={"alpha/logit_effects": "Not available: hook_z has no direct path."}
    )
    store.sweep()
    assert problems(store) == []


def test_a_dataset_without_saes_was_never_finished(tmp_path):
    found = problems(AtlasStore.create(tmp_path / "data"))
    assert any("no SAE" in line for line in found)


@pytest.mark.parametrize("table", ["features", "logits", "neighbours"])
def test_a_feature_without_a_row_is_named(store, table):
    rewrite(store, table, "alpha", lambda rows: rows.filter(np.arange(rows.num_rows) != 5))
    assert problems(store) == [f"alpha/{table}: 1 features have no row (the first is 5)"]


@pytest.mark.parametrize("table", ["features", "coords", "explanations"])
def test_a_feature_with_two_rows_is_named(store, table):
    rewrite(store, table, "beta", lambda rows: pa.concat_tables([rows.slice(0, 4), rows.slice(3)]))
    (line,) = problems(store)
    assert line.startswith(f"beta/{table}: feature ")
    assert line.endswith(" has 2 rows")


@pytest.mark.parametrize("table", ["features", "examples", "coords", "explanations"])
def test_rows_of_a_feature_that_does_not_exist_are_counted(store, table):
    rewrite(
        store,
        table,
        "alpha",
        lambda rows: pa.concat_tables([rows, with_column(rows.slice(0, 1), "feature_idx", [24])]),
    )
    assert problems(store) == [f"alpha/{table}: 1 rows of features that the SAE does not have"]


def test_ids_of_documents_and_tokens_count_from_zero(store):
    rewrite(store, "documents", None, lambda rows: rows.slice(1))
    rewrite(store, "vocabulary", None, lambda rows: rows.take([1, 0, *range(2, rows.num_rows)]))
    found = problems(store)
    assert "documents: document_idx does not count from 0 without gaps" in found
    assert "vocabulary: token_id does not count from 0 without gaps" in found


def bad_tokens(rows):
    values = rows["token_ids"].to_pylist()
    values[2] = [99999, *values[2][1:]]
    return with_column(rows, "token_ids", values)


def bad_document(rows):
    return with_column(rows, "document_idx", [-1, *rows["document_idx"].to_pylist()[1:]])


def bad_peak(rows):
    return with_column(rows, "peak", [999, *rows["peak"].to_pylist()[1:]])


def bad_lengths(rows):
    values = rows["activations"].to_pylist()
    return with_column(rows, "activations", [[*values[0], 0.0], *values[1:]])


def bad_activation(rows):
    return with_column(rows, "activation", [123.0, *rows["activation"].to_pylist()[1:]])


def infinite_activation(rows):
    values = rows["activations"].to_pylist()
    return with_column(rows, "activations", [[float("inf")] * len(values[0]), *values[1:]])


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (bad_tokens, "token_ids: 1 values are not in 0.."),
        (bad_document, "document_idx: 1 values are not in 0.."),
        (bad_peak, "peak lies outside its window"),
        (bad_lengths, "token_ids and activations differ in length"),
        (bad_activation, "activation is not the value at peak"),
        (infinite_activation, "an activation is negative or not a finite number"),
    ],
)
def test_examples_that_contradict_themselves_are_found(store, change, text):
    rewrite(store, "examples", "alpha", change)
    (line,) = problems(store)
    assert line.startswith(f"alpha/examples: {text}")


def test_references_inside_lists_are_followed(store):
    def lost_neighbour(rows):
        values = rows["neighbours"].to_pylist()
        values[0][0]["feature_idx"] = 24
        return with_column(rows, "neighbours", values)

    def lost_token(rows):
        values = rows["positive_logits"].to_pylist()
        values[0][0]["token_id"] = -1
        values[0][1]["value"] = float("nan")
        return with_column(rows, "positive_logits", values)

    rewrite(store, "neighbours", "alpha", lost_neighbour)
    rewrite(store, "logits", "beta", lost_token)
    found = problems(store)
    assert "alpha/neighbours: neighbours.feature_idx: 1 values are not in 0..23" in found
    assert any(
        line.startswith("beta/logits: positive_logits.token_id: 1 values are not in") for line in found
    )
    assert "beta/logits: positive_logits.value: not always a finite number" in found


def test_numbers_are_numbers_or_missing(store):
    def spoil(rows):
        values = rows["max_activation"].to_pylist()
        return with_column(rows, "max_activation", [None, float("nan"), float("inf"), *values[3:]])

    rewrite(store, "features", "alpha", spoil)
    assert problems(store) == ["alpha/features: max_activation: 2 values are not finite numbers"]


def test_shares_of_sources_are_numbers(store):
    def spoil(rows):
        lists = rows["sources"].to_pylist()
        next(entries for entries in lists if entries)[0]["value"] = float("nan")
        return with_column(rows, "sources", lists)

    rewrite(store, "features", "alpha", spoil)
    assert problems(store) == ["alpha/features: sources.value: not always a finite number"]


def test_postings_point_at_features_that_exist(store):
    def spoil(rows):
        saes, features = rows["sae"].to_pylist(), rows["feature_idx"].to_pylist()
        saes[0][0], features[1][0] = 2, 24
        return with_column(with_column(rows, "sae", saes), "feature_idx", features)

    rewrite(store, "postings", None, spoil)
    assert problems(store) == [
        "postings: 1 postings name an SAE that does not exist",
        "postings: 1 postings name a feature that does not exist",
    ]


def test_postings_of_one_term_have_one_length(store):
    def spoil(rows):
        weights = rows["weight"].to_pylist()
        return with_column(rows, "weight", [weights[0][:-1], *weights[1:]])

    rewrite(store, "postings", None, spoil)
    assert problems(store) == ["postings: lists of one term differ in length"]


def test_vectors_are_of_one_length_and_of_features_that_exist(store):
    def spoil(rows: pa.Table) -> pa.Table:
        vectors = rows["vector"].to_pylist()
        vectors[0] = vectors[0][:-1]
        numbers = rows["number"].to_pylist()
        numbers[-1] = 10_000
        return with_column(with_column(rows, "vector", vectors), "number", numbers)

    rewrite(store, "vectors", None, spoil)
    assert problems(store) == [
        "vectors: vectors differ in length",
        "vectors: a vector is of a feature that does not exist",
    ]
