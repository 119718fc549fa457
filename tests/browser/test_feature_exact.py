"""What the script draws is the dataset: every number and every text of a feature page, against the tables."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from atlas.config import RenderConfig
from atlas.render.numbers import decimal, integer, percent
from atlas.render.output import Output
from atlas.render.site import render_site
from atlas.schema import column_info
from atlas.store import AtlasStore
from tests.support.rich import DENSE, FEATURES, SINGLE, SLUG, TWIN, UNEXPLAINED, make_rich_atlas

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.browser import Visitor

pytestmark = pytest.mark.slow

TABLES = ("features", "logits", "weights", "neighbours", "coords")
CHOSEN = (0, 3, DENSE, SINGLE, 7, TWIN, UNEXPLAINED, FEATURES - 1)
WHOLE = {"tokens", "contexts", "documents", "count", "id", "none"}
EXAMPLES_NEVER = {"examples", "id"}
Record = dict[str, Any]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> AtlasStore:
    """The dataset behind the pages."""
    return make_rich_atlas(tmp_path_factory.mktemp("exact") / "data")


@pytest.fixture(scope="module")
def site(store: AtlasStore, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its site."""
    folder = tmp_path_factory.mktemp("exact-site")
    with Output(folder / "site") as out:
        render_site(store, RenderConfig(), out, lambda *_: None, base=folder)
    return folder / "site"


@pytest.fixture
def page_of(site: Path, visit: Visitor) -> Iterator[Callable[[int], Page]]:
    """`page_of(7)` is the drawn page of a feature."""
    page = visit().page

    def opened(feature: int) -> Page:
        page.goto(f"{site.as_uri()}/{SLUG}/0/{feature}.html")
        page.wait_for_selector("atlas-feature[data-ready]", state="attached")
        return page

    return opened


def record_of(page: Page, folder: Path) -> Record:
    """The file that the page gives its reader."""
    with page.expect_download() as waiting:
        page.locator("#data").get_by_role("button", name="JSON").click()
    waiting.value.save_as(folder / "record.json")
    return json.loads((folder / "record.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def texts(store: AtlasStore) -> dict[int, str]:
    """Token → its text, of those that are whole characters."""
    found: dict[int, str] = {}
    for row in store.read("vocabulary").to_pylist():
        try:
            found[row["token_id"]] = row["piece"] if row["special"] else row["bytes"].decode()
        except UnicodeDecodeError:
            continue
    return found


def same(dtype: pa.DataType, shown: float | None, stored: float | None) -> bool:
    """Whether a number is the stored one, as exactly as its type can tell."""
    if stored is None or shown is None:
        return stored is shown
    return np.float32(shown) == np.float32(stored) if pa.types.is_float32(dtype) else shown == stored


def rows_of(store: AtlasStore, feature: int) -> Iterator[tuple[pa.Field, Any]]:
    """Every column of a feature with its value."""
    for name in TABLES:
        table = store.read(name, SLUG)
        row = table.filter(pa.array(table["feature_idx"].to_numpy() == feature)).to_pylist()[0]
        for field in table.schema:
            if column_info(field).kind not in EXAMPLES_NEVER:
                yield field, row[field.name]


class TestNumbers:
    @pytest.mark.parametrize("feature", CHOSEN)
    def test_every_column_is_the_stored_one(
        self,
        page_of: Callable[[int], Page],
        store: AtlasStore,
        texts: dict[int, str],
        tmp_path: Path,
        feature: int,
    ):
        record = record_of(page_of(feature), tmp_path)["columns"]
        for field, value in rows_of(store, feature):
            if not pa.types.is_list(field.type):
                assert same(field.type, record[field.name], value), (field.name, record[field.name], value)
                continue
            entries = record[field.name] or []
            assert len(entries) == len(value or []), field.name
            for entry, stored in zip(entries, value or [], strict=True):
                for part in field.type.value_type:
                    if part.name == "token_id":
                        assert stored["token_id"] not in texts or entry["token"] == texts[stored["token_id"]]
                    elif isinstance(stored[part.name], str):
                        assert entry[part.name] == stored[part.name]
                    else:
                        assert same(part.type, entry[part.name], stored[part.name]), (field.name, part.name)

    @pytest.mark.parametrize("feature", CHOSEN)
    def test_every_scalar_is_written_as_python_writes_it(
        self, page_of: Callable[[int], Page], store: AtlasStore, feature: int
    ):
        page = page_of(feature)
        drawn = dict(
            zip(
                [address.split("#c-")[1] for address in hrefs(page, "#numbers dt a")],
                page.locator("#numbers dd span").all_inner_texts(),
                strict=True,
            )
        )
        stored = {
            field.name: (column_info(field), value)
            for field, value in rows_of(store, feature)
            if column_info(field).kind == "scalar"
        }
        assert drawn.keys() == stored.keys()
        for name, (info, value) in stored.items():
            if value is None:
                assert drawn[name] == "\u2013", name
            elif info.unit == "fraction":
                assert drawn[name] == percent(value), name
            elif info.unit in WHOLE and float(value).is_integer():
                assert drawn[name] == integer(int(value)), name
            else:
                assert drawn[name] == decimal(float(str(np.float32(value)))), name

    def test_the_numbers_of_the_reading_copy_are_those_of_the_whole_page(
        self, page_of: Callable[[int], Page], visit: Visitor, site: Path
    ):
        for feature in CHOSEN:
            plain = visit(javascript=False).open(f"{site.as_uri()}/{SLUG}/0/{feature}.html")
            labels = plain.locator("dl.brief dt").all_inner_texts()
            values = plain.locator("dl.brief dd").all_inner_texts()
            page = page_of(feature)
            names = page.locator("#numbers dt").all_inner_texts()
            numbers = page.locator("#numbers dd span").all_inner_texts()
            drawn = dict(zip(names, numbers, strict=True))
            assert labels
            for label, value in zip(labels, values, strict=True):
                assert re.fullmatch(rf"{re.escape(drawn[label])}( [a-z]+)?", value.strip()), (feature, label)


def hrefs(page: Page, selector: str) -> list[str]:
    """The addresses of links."""
    return page.locator(selector).evaluate_all("(all) => all.map((one) => one.getAttribute('href'))")


class TestExamples:
    @pytest.mark.parametrize("feature", [feature for feature in CHOSEN if feature != 3])
    def test_every_example_is_a_stored_one_with_its_text_and_its_activations(
        self,
        page_of: Callable[[int], Page],
        store: AtlasStore,
        texts: dict[int, str],
        tmp_path: Path,
        feature: int,
    ):
        shown = record_of(page_of(feature), tmp_path)["examples"]
        documents = store.read("documents")["name"].to_pylist()
        stored = {
            (row["group"], row["interval_lower"] if row["group"] == "interval" else 0, row["rank"]): row
            for row in store.read("examples", SLUG).to_pylist()
            if row["feature_idx"] == feature
        }
        assert len(shown) == len(stored)
        largest = max(row["activation"] for row in stored.values())
        for example in shown:
            lower = (example["interval"] or [0])[0]
            key = next(
                key
                for key in stored
                if key[0] == example["group"]
                and key[2] == example["rank"]
                and np.float32(key[1]) == np.float32(lower)
            )
            row = stored.pop(key)
            assert np.float32(example["activation"]) == np.float32(row["activation"])
            assert example["document"] == documents[row["document_idx"]]
            for name in ("context_idx", "position", "copies"):
                assert example[name] == row[name]
            if all(token in texts for token in row["token_ids"]):
                assert example["tokens"] == [texts[token] for token in row["token_ids"]]
                assert example["token"] == texts[row["token_ids"][row["peak"]]]
                assert example["activations"] == pytest.approx(row["activations"], abs=largest / 255)
        assert stored == {}

    def test_loss_effects_are_the_stored_ones(
        self, page_of: Callable[[int], Page], store: AtlasStore, tmp_path: Path
    ):
        rows = {row["feature_idx"]: row for row in store.read("effects", SLUG).to_pylist()}
        for feature in (0, 7):
            (effect,) = record_of(page_of(feature), tmp_path)["effects"]
            known = [value for value in rows[feature]["effects"] if value is not None]
            assert effect["rank"] == rows[feature]["rank"]
            assert [value for value in effect["loss_effects"] if value is not None] == pytest.approx(
                known[: len(effect["loss_effects"])], rel=0.01
            )
            measured = [entry["measured"] for entry in effect["raised"]]
            assert measured == pytest.approx(
                [entry["measured"] for entry in rows[feature]["raised"]], rel=0.01
            )
            assert [entry["direct"] for entry in effect["lowered"]] == [None] * len(effect["lowered"])


class TestHeader:
    def test_explanation_score_and_hash_are_those_of_the_dataset(
        self, page_of: Callable[[int], Page], store: AtlasStore, tmp_path: Path
    ):
        rows = {row["feature_idx"]: row for row in store.read("explanations", SLUG).to_pylist()}
        hashes: set[str] = set()
        for feature in CHOSEN:
            page = page_of(feature)
            record = record_of(page, tmp_path)
            row = rows.get(feature)
            assert record["explanation"] == (row["text"] if row else "")
            assert record["explanation_method"] == (row["method"] if row else "")
            if row:
                assert np.float32(record["explanation_score"]) == np.float32(row["score"])
            assert record["content_hash"] in page.locator("#data").inner_text()
            hashes.add(record["content_hash"])
        assert len(hashes) == len(CHOSEN)
