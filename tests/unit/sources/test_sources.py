"""The source of every document, for each kind of corpus; and the numbers packing gives them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas.config import CorpusConfig
from atlas.errors import InputError
from atlas.sources.corpora.base import Document
from atlas.sources.corpora.python_stdlib import PythonStdlibCorpus
from atlas.sources.open import open_corpus
from atlas.sources.packing import OTHER_SOURCES, OWN_SOURCES, Packing, pack
from atlas.sources.tokens import TokenBytes
from atlas.stream.batches import Mask, in_batches
from tests.support import models

ROWS = [
    {"text": "one", "from": "books"},
    {"text": "two", "from": None},
    {"text": "three", "from": 7},
    {"text": "four", "from": "<b>\ud83e\udd17"},
]


def sources(base: Path, kind: str, **settings: Any) -> list[str]:
    return [
        document.source for document in open_corpus(CorpusConfig(kind=kind, **settings), base).documents()
    ]


def write(base: Path, *names: str, text: str = "some text") -> None:
    for name in names:
        (base / name).parent.mkdir(parents=True, exist_ok=True)
        (base / name).write_text(text)


class TestText:
    def test_a_folder_is_one_source(self, tmp_path: Path):
        write(tmp_path, "books/a.txt", "books/deep/b.txt")
        assert sources(tmp_path, "text", paths=["books"]) == ["books", "books"]

    def test_every_entry_is_a_source(self, tmp_path: Path):
        write(tmp_path, "books/a.txt", "books/b.txt", "notes/x/c.log", "notes/y/d.log", "e.txt")
        found = sources(tmp_path, "text", paths=["books", "notes/*/*.log", "e.txt"])
        assert found == ["books", "books", "notes/*/*.log", "notes/*/*.log", "e.txt"]

    def test_no_source_shows_where_on_this_machine_it_is(self, tmp_path: Path):
        write(tmp_path, "books/a.txt", "books/b.log", "c.txt")
        paths = [str(tmp_path / "books"), str(tmp_path / "books" / "*.log"), str(tmp_path / "c.txt")]
        (tmp_path / "elsewhere").mkdir()
        for base in (tmp_path, tmp_path / "elsewhere"):
            found = sources(base, "text", paths=paths)
            assert not any(str(tmp_path.parent) in name for name in found)
            assert len(set(found)) == 3

    def test_shuffling_keeps_each_with_its_own(self, tmp_path: Path):
        for number in range(10):
            write(tmp_path, f"odd/{2 * number + 1}.txt", text="odd")
            write(tmp_path, f"even/{2 * number}.txt", text="even")
        config = CorpusConfig(kind="text", paths=["odd", "even"], shuffle=True)
        found = list(open_corpus(config, tmp_path).documents())
        assert len(found) == 20
        assert all(document.source == document.text for document in found)


class TestStandardLibrary:
    def test_packages_and_modules(self, tmp_path: Path):
        write(tmp_path, "abc.py", "json/decoder.py", "json/__init__.py", "a/b/c.py", text="x = 1\n")
        write(tmp_path, "pydoc_data/topics.py", text="topics = {'assert': 'The assert statement'}\n")
        for seed in (None, 1):
            corpus = PythonStdlibCorpus(tmp_path, "3.11", shuffle_seed=seed)
            found = {document.name: document.source for document in corpus.documents()}
            assert found == {
                "abc.py": "abc",
                "json/decoder.py": "json",
                "json/__init__.py": "json",
                "a/b/c.py": "a",
                "pydoc_data/topics/assert": "pydoc_data",
            }


class TestRows:
    def files(self, base: Path) -> dict[str, dict[str, Any]]:
        """The same rows in every format; the settings that read each."""
        import datasets
        import pyarrow as pa
        import pyarrow.parquet as pq

        rows = [{**row, "from": None if row["from"] is None else str(row["from"])} for row in ROWS[:3]]
        (base / "rows.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
        pq.write_table(pa.Table.from_pylist(rows), base / "rows.parquet")
        datasets.disable_progress_bars()
        datasets.Dataset.from_list(rows).save_to_disk(base / "saved")
        return {
            "jsonl": {"paths": ["rows.jsonl"]},
            "parquet": {"paths": ["rows.parquet"]},
            "huggingface": {"name": "saved"},
        }

    def test_the_column_or_the_file(self, tmp_path: Path):
        names = {"jsonl": "rows.jsonl", "parquet": "rows.parquet", "huggingface": "saved"}
        for kind, settings in self.files(tmp_path).items():
            plain = sources(tmp_path, kind, **settings)
            assert set(plain) == {names[kind]}
            found = sources(tmp_path, kind, source_column="from", **settings)
            assert found[:3] == ["books", names[kind], "7"]
            shuffled = sources(tmp_path, kind, source_column="from", shuffle=True, **settings)
            assert sorted(shuffled) == sorted(found)

    def test_surrogates_are_joined(self, tmp_path: Path):
        self.files(tmp_path)
        found = sources(tmp_path, "jsonl", paths=["rows.jsonl"], source_column="from")
        assert found[3] == "<b>\N{HUGGING FACE}"

    def test_a_missing_column_is_named(self, tmp_path: Path):
        for kind, settings in self.files(tmp_path).items():
            with pytest.raises(InputError) as caught:
                sources(tmp_path, kind, source_column="form", **settings)
            assert "'form'" in caught.value.what
            assert "source_column" in (caught.value.where or "")
            assert "from" in (caught.value.fix or "")

    def test_plain_strings_are_of_their_file(self, tmp_path: Path):
        (tmp_path / "a.json").write_text('["x", {"text": "y", "from": "z"}]')
        assert sources(tmp_path, "jsonl", paths=["a.json"], source_column="from") == ["a.json", "z"]

    def test_one_column_may_serve_twice(self, tmp_path: Path):
        settings = self.files(tmp_path)["parquet"]
        found = sources(tmp_path, "parquet", source_column="from", name_column="from", **settings)
        assert found[0] == "books"

    def test_a_subset_is_the_source_of_its_rows(self, tmp_path: Path):
        self.files(tmp_path)
        found = sources(tmp_path, "huggingface", name="saved", subset="english")
        assert set(found) == {"english"}


@dataclass
class Lists:
    """A corpus of token ids, each with its source."""

    lists: Sequence[tuple[str, Sequence[int]]]
    description: str = "Token lists."

    def documents(self) -> Iterator[Document]:
        for number, (source, ids) in enumerate(self.lists):
            yield Document(f"d{number}", "", tuple(ids), source)

    def fingerprint(self) -> str:
        return ""


@pytest.fixture(scope="module")
def tokens() -> TokenBytes:
    return TokenBytes(models.byte_tokenizer(), bos_token_id=0, eos_token_id=5)


def packed(tokens: TokenBytes, lists: Sequence[tuple[str, Sequence[int]]], budget: int = 10**9) -> Packing:
    return pack(Lists(lists), tokens, context_size=8, prepend_bos=True, token_budget=budget)


class TestPacking:
    def test_numbers_in_the_order_of_appearance(self, tokens: TokenBytes):
        packing = packed(tokens, [("b", [1, 2]), ("a", [3]), ("b", [4]), ("c", [6] * 9)])
        contexts = list(packing)
        assert packing.sources == ["b", "a", "c"]
        assert [document.source for document in packing.documents] == ["b", "a", "b", "c"]
        # BOS 1 2 | BOS 3 | BOS 4 | BOS, then BOS 6 6 6 …; an inserted token goes with the document after it.
        assert contexts[0].source_idx.tolist() == [0, 0, 0, 1, 1, 0, 0, 2]
        assert contexts[1].source_idx.tolist() == [2] * 8
        assert contexts[2].source_idx.tolist() == [2] * 3 + [-1] * 5
        assert contexts[0].source_idx.dtype == np.int16

    def test_documents_without_tokens_have_no_say(self, tokens: TokenBytes):
        packing = packed(tokens, [("empty", []), ("full", [1])])
        list(packing)
        assert packing.sources == ["full"]

    def test_what_the_budget_leaves_out_has_no_say(self, tokens: TokenBytes):
        packing = packed(tokens, [("read", [1] * 7), ("unread", [1] * 7)], budget=8)
        list(packing)
        assert packing.sources == ["read"]

    @pytest.mark.parametrize("count", [1, OWN_SOURCES - 1, OWN_SOURCES, OWN_SOURCES + 1, 100])
    def test_the_first_ones_and_the_rest(self, tokens: TokenBytes, count: int):
        names = [f"source {number}" for number in range(count)]
        packing = packed(tokens, [(name, [1] * 7) for name in [*names, *names]])
        found = [context.source_idx[0] for context in packing]
        own = names[:OWN_SOURCES]
        assert packing.sources == own + [OTHER_SOURCES] * (count > OWN_SOURCES)
        assert found == [min(number, OWN_SOURCES) for number in range(count)] * 2
        assert [document.source for document in packing.documents] == names * 2

    @given(names=st.lists(st.sampled_from("abcdefg"), min_size=1), seed=st.integers(0, 99))
    def test_every_token_has_the_source_of_its_document(
        self, tokens: TokenBytes, names: list[str], seed: int
    ):
        rng = np.random.default_rng(seed)
        packing = packed(tokens, [(name, [1] * int(rng.integers(1, 20))) for name in names])
        for context in packing:
            real = context.token_ids >= 0
            assert (context.source_idx[~real] == -1).all()
            for document, source in zip(context.document_idx[real], context.source_idx[real], strict=True):
                assert packing.sources[source] == packing.documents[document].source
        assert packing.sources == list(dict.fromkeys(names))

    def test_batches_keep_them(self, tokens: TokenBytes):
        lists = [(str(number), [1] * 5) for number in range(7)]
        contexts = list(packed(tokens, lists))
        mask = Mask(np.zeros(0, np.int32), 0)
        batches = list(in_batches(packed(tokens, lists), 2, mask))
        found = np.concatenate([batch.source_idx for batch in batches])
        assert found.tolist() == [context.source_idx.tolist() for context in contexts]
        assert found.dtype == np.int16
