"""Every way in which the model of a dataset can be damaged is named; a whole one has no problem."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from atlas import schema
from atlas.check import check_dataset
from atlas.store import AtlasStore
from tests.support.synthetic import make_atlas
from tests.support.toy_model import add_toy_model


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = make_atlas(tmp_path_factory.mktemp("whole") / "data", n_features=12)
    add_toy_model(store)
    return store.path


@pytest.fixture
def store(whole: Path, tmp_path: Path) -> AtlasStore:
    shutil.copytree(whole, tmp_path / "data")
    return AtlasStore.open(tmp_path / "data")


def problems(store: AtlasStore) -> list[str]:
    return check_dataset(store.path)


def rewrite(store: AtlasStore, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> None:
    """Replace the rows of `model_files`."""
    rows = change(store.read("model_files").to_pylist())
    with store.writer("model_files", schema=schema.MODEL_FILES) as writer:
        writer.write(pa.Table.from_pylist(rows, schema=schema.MODEL_FILES))


def redescribe(store: AtlasStore, **changes: Any) -> None:
    store.update(browser_model={**store.manifest.browser_model, **changes})


def test_a_whole_model_has_no_problem(store: AtlasStore):
    assert problems(store) == []


def test_a_dataset_without_one_misses_nothing(tmp_path: Path):
    assert check_dataset(make_atlas(tmp_path / "data", n_features=4).path) == []


@pytest.mark.parametrize(("table", "sae"), [("model_files", None), ("directions", "beta")])
def test_a_missing_table_is_named(store: AtlasStore, table: str, sae: str | None):
    store.drop(table, sae)
    assert problems(store) == [f"{f'{sae}/' if sae else ''}{table}: the table is missing"]


def test_tables_of_no_model_are_named(store: AtlasStore):
    store.update(browser_model={})
    found = problems(store)
    assert len(found) == 3
    assert all("knows of no model" in line for line in found)


FILES = {
    "a missing file": (
        lambda rows: [row for row in rows if row["name"] != "checks.json"],
        "the file 'checks.json' is missing",
    ),
    "a missing part": (
        lambda rows: [row for row in rows if row != rows[1]],
        "parts in order",
    ),
    "parts out of order": (lambda rows: [rows[1], rows[0], *rows[2:]], "parts in order"),
    "another byte": (
        lambda rows: [{**rows[0], "data": bytes([rows[0]["data"][0] ^ 1]) + rows[0]["data"][1:]}, *rows[1:]],
        "is not the file that was compared",
    ),
    "a byte more": (
        lambda rows: [*rows[:-1], {**rows[-1], "data": rows[-1]["data"] + b"x"}],
        "is not the file that was compared",
    ),
    "a file too many": (
        lambda rows: [*rows, {"name": "virus.bin", "part": 0, "data": b"x"}],
        "does not name the file 'virus.bin'",
    ),
}


@pytest.mark.parametrize("case", FILES)
def test_files_are_those_that_were_gated(store: AtlasStore, case: str):
    change, words = FILES[case]
    rewrite(store, change)
    found = problems(store)
    assert len(found) == 1, found
    assert found[0].startswith("model_files: ")
    assert words in found[0]


def test_a_flipped_bit_on_the_disk_is_named_once(store: AtlasStore):
    (path,) = (store.path / "tables/model_files").iterdir()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    (found,) = problems(store)
    assert "damaged" in found
    assert path.name in found


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (lambda rows: rows[:-1], "1 features have no row (the first is 11)"),
        (
            lambda rows: [*rows[:-1], {**rows[-1], "direction": rows[-1]["direction"][:-1]}],
            "not all of length",
        ),
        (
            lambda rows: [{**rows[0], "direction": [float("nan"), *rows[0]["direction"][1:]]}, *rows[1:]],
            "not always finite",
        ),
    ],
)
def test_directions_are_whole(store: AtlasStore, rows: Any, words: str):
    changed = rows(store.read("directions", "alpha").to_pylist())
    with store.writer("directions", sae="alpha", schema=schema.DIRECTIONS) as writer:
        writer.write(pa.Table.from_pylist(changed, schema=schema.DIRECTIONS))
    (found,) = problems(store)
    assert words in found
    assert found.startswith("alpha/directions: ")


class TestDescription:
    """What the manifest says of the model."""

    def test_an_sae_that_is_left_out_is_named(self, store: AtlasStore):
        redescribe(store, saes=store.manifest.browser_model["saes"][:1])
        assert "manifest.json: browser_model does not have SAE 'beta'" in problems(store)

    def test_a_graph_that_is_not_there_is_named(self, store: AtlasStore):
        saes = [dict(sae) for sae in store.manifest.browser_model["saes"]]
        saes[0]["steer_files"] = ["weights-9.bin"]
        redescribe(store, saes=saes)
        (found,) = problems(store)
        assert "no file 'weights-9.bin', which 'alpha' needs" in found

    def test_another_number_of_features_is_named(self, store: AtlasStore):
        saes = [{**sae, "d_sae": 13} for sae in store.manifest.browser_model["saes"]]
        redescribe(store, saes=saes)
        assert any("13 features" in line for line in problems(store))

    @pytest.mark.parametrize(
        "value", [{"files": 3}, {"files": []}, {"files": [1], "saes": []}, {"precision": "x"}]
    )
    def test_nonsense_is_a_problem_and_no_crash(self, store: AtlasStore, value: dict[str, Any]):
        store.update(browser_model=value)
        found = problems(store)
        assert any("browser_model is not what an export writes" in line for line in found), found
