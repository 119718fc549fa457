"""Parquet corpora: columns, kinds of text, token lists, damage, order; read a few rows at a time."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas.config import CorpusConfig
from atlas.errors import InputError
from atlas.sources.corpora.base import Document
from atlas.sources.corpora.parquet import ParquetCorpus, open_parquet


def write(path: Path, columns: dict[str, Any], **settings: Any) -> Path:
    pq.write_table(pa.table(columns), path, **settings)
    return path


def corpus(path: Path, **settings: Any) -> ParquetCorpus:
    return open_parquet(CorpusConfig(kind="parquet", paths=[path.name], **settings), path.parent)


def documents(path: Path, **settings: Any) -> list[Document]:
    found = list(corpus(path, **settings).documents())
    assert {document.source for document in found} <= {path.name}
    return [replace(document, source="") for document in found]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data.parquet"


def test_one_document_a_row(path: Path):
    write(path, {"text": ["one", "two"], "n": [1, 2]})
    assert documents(path) == [Document("data.parquet:1", "one"), Document("data.parquet:2", "two")]


def test_names_nulls_and_empty_rows(path: Path):
    write(path, {"body": ["a", None, "", "d"], "title": ["A", "B", "C", None]})
    assert documents(path, text_column="body", name_column="title") == [
        Document("A", "a"),
        Document("data.parquet:4", "d"),
    ]


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]
)
def test_every_kind_of_string(path: Path, kind: pa.DataType):
    write(path, {"text": pa.array(["one", "日本"]).cast(kind)})
    assert [d.text for d in documents(path)] == ["one", "日本"]


@pytest.mark.parametrize(
    "kind",
    [pa.list_(pa.int32()), pa.large_list(pa.int64()), pa.list_(pa.uint16()), pa.list_(pa.int32(), 3)],
)
def test_every_kind_of_token_list(path: Path, kind: pa.DataType):
    write(path, {"input_ids": pa.array([[1, 2, 3], [4, 5, 6]], type=kind)})
    assert [d.token_ids for d in documents(path, text_column="input_ids")] == [(1, 2, 3), (4, 5, 6)]


def test_the_description_counts(path: Path):
    write(path, {"text": ["x"] * 1234})
    assert corpus(path).description == "1 parquet file with 1,234 rows, one document each."


def test_files_follow_each_other(tmp_path: Path):
    (tmp_path / "d").mkdir()
    write(tmp_path / "d" / "b.parquet", {"text": ["3"]})
    write(tmp_path / "d" / "a.parquet", {"text": ["1", "2"]})
    found = open_parquet(CorpusConfig(kind="parquet", paths=["d"]), tmp_path)
    assert [(d.name, d.text) for d in found.documents()] == [
        ("d/a.parquet:1", "1"),
        ("d/a.parquet:2", "2"),
        ("d/b.parquet:1", "3"),
    ]


def test_rows_are_read_a_few_at_a_time(path: Path, monkeypatch: pytest.MonkeyPatch):
    write(path, {"text": [f"text {n}" for n in range(5000)]}, row_group_size=5000)
    sizes: list[int] = []
    original = pq.ParquetFile.iter_batches

    def counted(file: pq.ParquetFile, *args: Any, **kwargs: Any) -> Any:
        for batch in original(file, *args, **kwargs):
            sizes.append(batch.num_rows)
            assert batch.schema.names == ["text"]
            yield batch

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", counted)
    found = corpus(path).documents()
    assert next(found).text == "text 0"
    assert sizes == [256]


# --- mistakes ------------------------------------------------------------------------------------


def test_a_missing_column_lists_those_there_are(path: Path):
    write(path, {"content": ["a"], "input_ids": [[1]]})
    with pytest.raises(InputError) as caught:
        corpus(path)
    error = caught.value
    assert "'content', 'input_ids'" in error.what
    assert "text_column: input_ids" in error.what
    assert error.where == f"corpus.text_column; {path}"


def test_a_missing_name_column(path: Path):
    write(path, {"text": ["a"]})
    with pytest.raises(InputError, match="'title'"):
        corpus(path, name_column="title")


@pytest.mark.parametrize("values", [[1, 2], [1.5], [True], [["a"]], [[1.5]], [{"a": 1}], [b"bytes"]])
def test_a_column_of_another_kind(path: Path, values: list[Any]):
    write(path, {"text": values})
    with pytest.raises(InputError, match="column 'text' holds") as caught:
        documents(path)
    assert caught.value.where == f"{path}, row 1"


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no parquet at all", b"PAR1" + b"\0" * 100 + b"PAR1"])
def test_a_file_that_is_no_parquet(path: Path, content: bytes):
    path.write_bytes(content)
    with pytest.raises(InputError, match="not a readable parquet file") as caught:
        corpus(path)
    assert caught.value.where == str(path)


def test_truncated_files(path: Path):
    write(path, {"text": [f"some text {n}" for n in range(500)]})
    whole = path.read_bytes()
    for keep in range(0, len(whole), max(1, len(whole) // 40)):
        path.write_bytes(whole[:keep])
        with pytest.raises(InputError, match="not a readable parquet file"):
            documents(path)


def test_a_flipped_bit_is_found_where_the_file_has_checksums(path: Path):
    write(
        path, {"text": [f"some text {n}" for n in range(500)]}, write_page_checksum=True, compression="none"
    )
    whole = bytearray(path.read_bytes())
    place = whole.index(b"some text 123")
    whole[place] ^= 0x40
    path.write_bytes(bytes(whole))
    with pytest.raises(InputError, match="not a readable parquet file"):
        documents(path)
    with pytest.raises(InputError, match="not a readable parquet file"):
        documents(path, shuffle=True)


def test_a_file_that_vanishes(path: Path):
    write(path, {"text": ["a"]})
    found = corpus(path)
    path.unlink()
    with pytest.raises(InputError, match="not there any more"):
        list(found.documents())


# --- order and fingerprint -----------------------------------------------------------------------


@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 3))
def test_shuffled_documents_are_the_same_ones(
    tmp_path_factory: pytest.TempPathFactory, rows: int, group: int, seed: int
):
    path = tmp_path_factory.mktemp("shuffled") / "data.parquet"
    write(path, {"text": [f"t{n}" for n in range(rows)]}, row_group_size=group)
    plain = documents(path)
    mixed = documents(path, shuffle=True, seed=seed)
    assert sorted(mixed, key=lambda d: int(d.text[1:])) == plain
    assert mixed == documents(path, shuffle=True, seed=seed)
    # One row group at a time: its rows stand together.
    groups = [int(d.text[1:]) // group for d in mixed]
    assert len([a for a, b in pairwise(groups) if a != b]) == len(set(groups)) - 1


def test_seeds_differ(path: Path):
    write(path, {"text": [f"t{n}" for n in range(30)]}, row_group_size=10)
    orders = {tuple(d.text for d in documents(path, shuffle=True, seed=seed)) for seed in range(5)}
    assert len(orders) == 5


def test_the_fingerprint_is_of_the_bytes(path: Path):
    write(path, {"text": ["a"]})
    first = corpus(path).fingerprint()
    assert corpus(path, shuffle=True).fingerprint() == first
    write(path, {"text": ["b"]})
    assert corpus(path).fingerprint() != first
