"""Hugging Face data sets from local folders, and what the Hub's absence, bad names and bad files give."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from atlas.config import CorpusConfig
from atlas.errors import InputError
from atlas.sources.corpora.base import Document
from atlas.sources.corpora.huggingface import HuggingFaceCorpus, open_huggingface

ROWS = {"text": ["one", "", "three", "four"], "title": ["A", "B", None, "D"], "n": [1, 2, 3, 4]}


def corpus(base: Path, name: str | None, **settings: Any) -> HuggingFaceCorpus:
    return open_huggingface(CorpusConfig(kind="huggingface", name=name, **settings), base)


def problem(base: Path, name: str | None, **settings: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        list(corpus(base, name, **settings).documents())
    return caught.value


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data sets of each form."""
    from datasets import Dataset, DatasetDict

    folder = tmp_path_factory.mktemp("datasets")
    Dataset.from_dict(ROWS).save_to_disk(folder / "saved")
    splits = {"train": Dataset.from_dict(ROWS), "test": Dataset.from_dict({"text": ["held out"]})}
    DatasetDict(splits).save_to_disk(folder / "splits")
    Dataset.from_dict({"input_ids": [[5, 6], [], [7]]}).save_to_disk(folder / "tokenised")
    (folder / "files").mkdir()
    lines = [json.dumps(dict(zip(ROWS, values, strict=True))) for values in zip(*ROWS.values(), strict=True)]
    (folder / "files" / "train.jsonl").write_text("\n".join(lines))
    (folder / "files" / "test.jsonl").write_text('{"text": "t", "title": "T", "n": 9}')
    (folder / "parquet").mkdir()
    Dataset.from_dict({"input_ids": [[1, 2, 3]], "text": ["x"]}).to_parquet(folder / "parquet" / "a.parquet")
    return folder


@pytest.fixture(autouse=True)
def no_bars():
    """datasets draws progress bars on stderr."""
    import datasets

    datasets.disable_progress_bars()


EXPECTED = [
    Document("A", "one", source="saved"),
    Document("saved:3", "three", source="saved"),
    Document("D", "four", source="saved"),
]


def test_a_saved_data_set(base: Path):
    assert list(corpus(base, "saved", name_column="title").documents()) == EXPECTED


def test_names_without_a_name_column(base: Path):
    assert [d.name for d in corpus(base, "saved").documents()] == ["saved:1", "saved:3", "saved:4"]


def test_an_absolute_folder_does_not_show_the_machine(base: Path):
    found = corpus(Path("/"), str(base / "saved"))
    assert next(found.documents()).name == "saved:1"
    assert found.description == "The data set saved, split train."


def test_a_split_of_a_saved_dictionary(base: Path):
    assert [d.text for d in corpus(base, "splits", split="test").documents()] == ["held out"]
    assert len(list(corpus(base, "splits").documents())) == 3


def test_a_missing_split_names_those_there_are(base: Path):
    error = problem(base, "splits", split="tset")
    assert "'tset'" in error.what
    assert "'test'" in error.fix
    assert error.where == "corpus.split"


def test_token_columns(base: Path):
    found = corpus(base, "tokenised", text_column="input_ids")
    assert [(d.text, d.token_ids) for d in found.documents()] == [("", (5, 6)), ("", (7,))]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
class TestDataFiles:
    """A folder of files that `datasets` streams."""

    def test_json_lines(self, base: Path):
        found = corpus(base, "files", name_column="title")
        assert [d.text for d in found.documents()] == ["one", "three", "four"]
        assert [d.name for d in found.documents()] == ["A", "files:3", "D"]

    def test_another_split(self, base: Path):
        assert [d.text for d in corpus(base, "files", split="test").documents()] == ["t"]

    def test_parquet_files(self, base: Path):
        assert [d.text for d in corpus(base, "parquet").documents()] == ["x"]
        assert [d.token_ids for d in corpus(base, "parquet", text_column="input_ids").documents()] == [
            (1, 2, 3)
        ]

    def test_a_stream_cannot_be_shuffled(self, base: Path):
        error = problem(base, "files", shuffle=True)
        assert error.where == "corpus.shuffle"
        assert "save_to_disk" in error.fix

    def test_a_missing_split(self, base: Path):
        assert "'parquet'" in problem(base, "parquet", split="validation").what

    def test_a_missing_column(self, base: Path):
        error = problem(base, "files", text_column="body")
        assert "'body'" in error.what
        assert "'text', 'title', 'n'" in error.what

    def test_broken_files(self, tmp_path: Path):
        (tmp_path / "bad").mkdir()
        (tmp_path / "bad" / "train.jsonl").write_text('{"text": "a"}\n{"text": oh no\n')
        error = problem(tmp_path, "bad")
        assert "'bad'" in error.what
        assert error.where == "corpus.name"

    def test_a_folder_of_nothing(self, tmp_path: Path):
        (tmp_path / "empty").mkdir()
        assert "cannot be opened" in problem(tmp_path, "empty").what

    def test_a_script_is_never_run(self, tmp_path: Path):
        folder = tmp_path / "scripted"
        folder.mkdir()
        (folder / "scripted.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()")
        problem(tmp_path, "scripted")
        assert not (tmp_path / "ran").exists()


def test_a_saved_data_set_that_is_damaged(base: Path, tmp_path: Path):
    import shutil

    shutil.copytree(base / "saved", tmp_path / "saved")
    for path in (tmp_path / "saved").glob("*.arrow"):
        path.write_bytes(path.read_bytes()[:20])
    assert "cannot be opened" in problem(tmp_path, "saved").what


def test_a_column_of_another_kind(base: Path):
    error = problem(base, "saved", text_column="n")
    assert "holds a int" in error.what
    assert error.where == "saved, row 1"


def test_a_missing_column_lists_those_there_are(base: Path):
    error = problem(base, "saved", text_column="txt")
    assert "'text', 'title', 'n'" in error.what
    assert "'text'" in error.fix


def test_no_name(tmp_path: Path):
    assert problem(tmp_path, None).where == "corpus.name"
    assert problem(tmp_path, "").fix


def test_a_hub_name_without_a_network(tmp_path: Path):
    error = problem(tmp_path, "nobody/nothing-at-all")
    assert "'nobody/nothing-at-all'" in error.what
    assert "network" in error.fix


def test_a_hub_data_set_is_asked_for_as_configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import datasets

    asked: list[Any] = []

    def load(path: str, name: str | None, **settings: Any) -> Any:
        asked.append((path, name, settings))
        return datasets.Dataset.from_dict({"content": ["a", "b"]}).to_iterable_dataset()

    monkeypatch.setattr(datasets, "load_dataset", load)
    found = corpus(tmp_path, "org/set", subset="en", split="train[:5]", revision="abc", text_column="content")
    settings = {"split": "train[:5]", "revision": "abc", "streaming": True}
    assert asked == [("org/set", "en", settings)]
    assert [d.name for d in found.documents()] == ["org/set:1", "org/set:2"]
    assert found.description == "The data set org/set, subset en, split train[:5], revision abc."


def test_a_lost_connection_while_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import datasets

    class Lost:
        features = None

        def __iter__(self) -> Any:
            yield {"text": "first"}
            raise ConnectionError("the network is gone\nwith details")

    monkeypatch.setattr(datasets, "load_dataset", lambda *_args, **_settings: Lost())
    found = corpus(tmp_path, "org/set").documents()
    assert next(found).text == "first"
    with pytest.raises(InputError, match="the network is gone") as caught:
        next(found)
    assert "details" not in caught.value.what


def test_a_stream_without_features_is_checked_row_by_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import datasets

    class Rows:
        features = None

        def __iter__(self) -> Any:
            return iter([{"body": "x"}])

    monkeypatch.setattr(datasets, "load_dataset", lambda *_args, **_settings: Rows())
    assert "'body'" in problem(tmp_path, "org/set").what


# --- order and fingerprint -----------------------------------------------------------------------


def test_a_saved_data_set_can_be_shuffled(base: Path):
    plain = list(corpus(base, "saved").documents())
    orders = set()
    for seed in range(8):
        mixed = list(corpus(base, "saved", shuffle=True, seed=seed).documents())
        assert sorted(mixed, key=lambda d: d.name) == plain
        orders.add(tuple(d.name for d in mixed))
    assert len(orders) > 1


def test_the_fingerprint_of_a_folder_is_of_its_files(base: Path, tmp_path: Path):
    import shutil

    shutil.copytree(base / "files", tmp_path / "files")
    first = corpus(base, "files").fingerprint()
    assert corpus(tmp_path, "files").fingerprint() == first
    (tmp_path / "files" / ".cache").mkdir()
    (tmp_path / "files" / ".cache" / "x").write_text("made by a library")
    assert corpus(tmp_path, "files").fingerprint() == first
    (tmp_path / "files" / "more.jsonl").write_text('{"text": "x", "title": "y", "n": 1}')
    assert corpus(tmp_path, "files").fingerprint() != first


def test_the_fingerprint_of_a_hub_data_set_is_its_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import datasets
    import huggingface_hub

    rows = datasets.Dataset.from_dict({"text": ["a"]})
    monkeypatch.setattr(datasets, "load_dataset", lambda *_args, **_settings: rows)
    offline = corpus(tmp_path, "org/set").fingerprint()
    commits = {"main": "1" * 40, "v2": "2" * 40}

    def dataset_info(_self: Any, _name: str, revision: str | None = None) -> Any:
        return SimpleNamespace(sha=commits[revision or "main"])

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", dataset_info)
    online = corpus(tmp_path, "org/set").fingerprint()
    second = corpus(tmp_path, "org/set", revision="v2").fingerprint()
    other = corpus(tmp_path, "org/set", split="test").fingerprint()
    assert len({offline, online, second, other}) == 4
    assert corpus(tmp_path, "org/set", revision="main").fingerprint() == online
