"""JSON Lines and JSON lists: documents, names, and every mistake with file and line."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas.config import CorpusConfig
from atlas.errors import InputError
from atlas.sources.corpora.base import Document
from atlas.sources.corpora.jsonl import JsonlCorpus, open_jsonl


def corpus(path: Path, **settings: Any) -> JsonlCorpus:
    return open_jsonl(CorpusConfig(kind="jsonl", paths=[path.name], **settings), path.parent)


def documents(path: Path, content: str | bytes, **settings: Any) -> list[Document]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    found = list(corpus(path, **settings).documents())
    assert {document.source for document in found} <= {path.name}
    return [replace(document, source="") for document in found]


def problem(path: Path, content: str | bytes, **settings: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        documents(path, content, **settings)
    return caught.value


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    return tmp_path / "data.jsonl"


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    return tmp_path / "data.json"


# --- lines ---------------------------------------------------------------------------------------


def test_one_document_a_line(lines: Path):
    found = documents(lines, '{"text": "one"}\n{"text": "two", "other": 1}\n')
    assert found == [Document("data.jsonl:1", "one"), Document("data.jsonl:2", "two")]


def test_a_line_may_be_a_string(lines: Path):
    assert documents(lines, '"one"\n"two"') == [
        Document("data.jsonl:1", "one"),
        Document("data.jsonl:2", "two"),
    ]


def test_blank_lines_null_and_empty_texts_are_left_out(lines: Path):
    content = '\n{"text": ""}\n   \n{"text": null}\n""\n{"text": "kept"}\n\n'
    assert documents(lines, content) == [Document("data.jsonl:6", "kept")]


def test_other_columns(lines: Path):
    content = '{"question": "Why?", "id": 7}\n{"question": "How?", "id": null}'
    found = documents(lines, content, text_column="question", name_column="id")
    assert found == [Document("7", "Why?"), Document("data.jsonl:2", "How?")]


def test_a_byte_order_mark_and_windows_lines(lines: Path):
    found = documents(lines, b'\xef\xbb\xbf{"text": "a\\r\\nb"}\r\n{"text": "c"}\r\n')
    assert [d.text for d in found] == ["a\r\nb", "c"]
    assert documents(lines, b'\xef\xbb\xbf\n{"text": "c"}') == [Document("data.jsonl:2", "c")]
    assert documents(lines, b"\xef\xbb\xbf") == []


def test_invalid_utf8_becomes_the_replacement_character(lines: Path):
    assert documents(lines, b'{"text": "caf\xe9"}')[0].text == "caf\ufffd"


def test_lone_surrogates_spelt_in_json_become_the_replacement_character(lines: Path):
    found = documents(
        lines, r'{"text": "a\ud800b", "n": "\udc00"}' + "\n" + r'"\ud83d\ude42"', name_column=None
    )
    assert [d.text for d in found] == ["a\ufffdb", "🙂"]
    named = documents(lines, r'{"text": "x", "n": "\udc00"}', name_column="n")
    assert named[0].name == "\ufffd"


def test_lists_of_token_ids_are_a_tokenised_corpus(lines: Path):
    found = documents(lines, '{"input_ids": [5, 6, 7]}\n{"input_ids": []}', text_column="input_ids")
    assert found == [Document("data.jsonl:1", "", (5, 6, 7))]


def test_other_suffixes(tmp_path: Path):
    assert documents(tmp_path / "x.ndjson", '{"text": "a"}')[0].name == "x.ndjson:1"
    assert documents(tmp_path / "x.json", '{"text": "a"}\n{"text": "b"}')[1].name == "x.json:2"
    assert documents(tmp_path / "noend.jsonl", '{"text": "a"}')[0].text == "a"


def test_a_list_in_a_jsonl_file_is_a_line(lines: Path):
    assert "a JSON list" in problem(lines, '["a", "b"]').what


# --- lists ---------------------------------------------------------------------------------------


def test_a_json_list_of_strings_or_objects(whole: Path):
    content = '[\n "one",\n {"text": "two"},\n "",\n "four"]'
    assert documents(whole, content) == [
        Document("data.json:1", "one"),
        Document("data.json:2", "two"),
        Document("data.json:4", "four"),
    ]


def test_a_list_with_a_byte_order_mark_or_space_before_it(whole: Path):
    assert documents(whole, b'\xef\xbb\xbf ["a"]')[0].text == "a"
    assert documents(whole, '\n\n  ["a"]')[0].text == "a"


def test_the_stories(shared_dir: Path):
    path = shared_dir / "data/corpora/tinystories_1000.json"
    found = list(corpus(path).documents())
    assert len(found) == 1000
    assert found[0].text == json.loads(path.read_text(encoding="utf-8"))[0]
    assert found[999].name == "tinystories_1000.json:1000"


def test_gsm8k(shared_dir: Path):
    path = shared_dir / "data/corpora/gsm8k_train.jsonl"
    found = list(corpus(path, text_column="question").documents())
    assert len(found) == 7473
    assert found[0].text.startswith("Natalia sold clips")
    with pytest.raises(InputError, match="'question', 'answer'"):
        next(corpus(path).documents())


# --- gzip ----------------------------------------------------------------------------------------


def test_a_gzip_file(tmp_path: Path):
    path = tmp_path / "data.jsonl.gz"
    assert documents(path, gzip.compress(b'{"text": "one"}\n\n"three"')) == [
        Document("data.jsonl.gz:1", "one"),
        Document("data.jsonl.gz:3", "three"),
    ]


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-9], lambda _: b"no gzip", lambda data: data[:30] + b"x" * 30]
)
def test_a_damaged_gzip_file(tmp_path: Path, damage: Any):
    data = gzip.compress(b"".join(b'{"text": "%d"}\n' % n for n in range(999)))
    error = problem(tmp_path / "data.jsonl.gz", damage(data))
    assert "gzip" in error.what or "JSON" in error.what
    assert error.where.startswith(str(tmp_path))


def test_a_folder_takes_all_its_json_files(tmp_path: Path):
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / "b.jsonl").write_text('"b"')
    (folder / "a.json").write_text('["a"]')
    (folder / "c.jsonl.gz").write_bytes(gzip.compress(b'"c"'))
    (folder / "readme.txt").write_text("no")
    found = open_jsonl(CorpusConfig(kind="jsonl", paths=["d"]), tmp_path)
    assert [d.text for d in found.documents()] == ["a", "b", "c"]
    assert found.description == "3 JSON files, one document a line or item."


# --- mistakes ------------------------------------------------------------------------------------


def test_bad_json_is_named_by_file_and_line(lines: Path):
    error = problem(lines, '{"text": "a"}\n\n{"text": b}\n')
    assert "not valid JSON" in error.what
    assert error.where == f"{lines}:3"
    assert error.fix


def test_bad_json_in_a_list_is_named_by_file_and_line(whole: Path):
    error = problem(whole, '["a",\n"b",\n c]')
    assert error.where == f"{whole}:3"


def test_documents_before_a_mistake_are_given(lines: Path):
    lines.write_text('"one"\n"two"\n{')
    found = corpus(lines).documents()
    assert [next(found).text, next(found).text] == ["one", "two"]
    with pytest.raises(InputError):
        next(found)


def test_a_missing_column_lists_those_there_are(lines: Path):
    error = problem(lines, '{"texts": "a", "title": "b"}')
    assert "'text'" in error.what
    assert "'texts', 'title'" in error.what
    assert "'texts'" in error.fix
    assert error.where == f"corpus.text_column; {lines}:1"


def test_a_missing_name_column_says_so(lines: Path):
    error = problem(lines, '{"text": "a"}', name_column="title")
    assert "'title'" in error.what
    assert error.where.startswith("corpus.name_column")


def test_a_line_that_lacks_the_column_is_named(lines: Path):
    assert problem(lines, '{"text": "a"}\n{"body": "b"}').where.endswith(":2")


def test_tokens_in_another_column_are_offered(lines: Path):
    assert "text_column: input_ids" in problem(lines, '{"input_ids": [1, 2]}').what


@pytest.mark.parametrize(
    ("value", "kind"),
    [("3", "int"), ("1.5", "float"), ("true", "bool"), ('{"a": 1}', "dict"), ('["a"]', "a list with str"),
     ("[1, 2.5]", "a list with float"), ("[true]", "a list with bool"), ("[[1]]", "a list with list")],
)  # fmt: skip
def test_a_column_of_another_kind_is_refused(lines: Path, value: str, kind: str):
    error = problem(lines, f'{{"text": {value}}}')
    assert kind in error.what
    assert error.where == f"{lines}:1"


@pytest.mark.parametrize("line", ["3", "null", "true", "[1]", "1.5"])
def test_a_line_that_is_no_document(lines: Path, line: str):
    error = problem(lines, f'"ok"\n{line}')
    assert "is no document" in error.what
    assert error.where == f"{lines}:2"


@pytest.mark.parametrize("content", ["[" * 200_000, '{"a":' * 200_000])
def test_json_nested_too_deeply(lines: Path, content: str):
    assert "nested" in problem(lines, content).what


def test_a_number_of_too_many_digits(lines: Path):
    assert problem(lines, '{"text": ' + "9" * 5000 + "}").where == f"{lines}:1"


def test_a_json_object_over_several_lines_is_no_list(whole: Path):
    assert "one list" in problem(whole, '{\n"text": "a"\n}').fix


@pytest.mark.parametrize("content", ["", "\n\n", "[]", '[""]', '{"text": null}'])
def test_an_empty_file_has_no_documents(tmp_path: Path, content: str):
    assert documents(tmp_path / "x.json", content) == []


# --- order and fingerprint -----------------------------------------------------------------------


@given(st.lists(st.text('abé日\n"\\', max_size=8), max_size=12), st.integers(0, 3))
def test_shuffled_documents_are_the_same_ones(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], seed: int
):
    folder = tmp_path_factory.mktemp("shuffled")
    content = "\n".join(json.dumps({"text": text}, ensure_ascii=len(text) % 2 == 0) for text in texts)
    for name, data in (
        ("x.jsonl", b"\xef\xbb\xbf" + content.encode()),
        ("y.jsonl.gz", gzip.compress(content.encode())),
        ("z.json", json.dumps(texts).encode()),
    ):
        plain = documents(folder / name, data)
        mixed = documents(folder / name, data, shuffle=True, seed=seed)
        assert sorted(mixed, key=lambda d: d.name) == sorted(plain, key=lambda d: d.name)
        assert mixed == documents(folder / name, data, shuffle=True, seed=seed)


def test_seeds_differ(lines: Path):
    content = "\n".join(f'"{number}"' for number in range(30))
    orders = {tuple(d.text for d in documents(lines, content, shuffle=True, seed=s)) for s in range(5)}
    assert len(orders) == 5


def test_mistakes_keep_their_line_when_shuffled(lines: Path):
    content = "\n".join('"x"' for _ in range(20)) + "\n{bad\n"
    assert problem(lines, content, shuffle=True).where == f"{lines}:21"


def test_the_fingerprint_is_of_the_bytes(lines: Path):
    documents(lines, '"a"')
    first = corpus(lines).fingerprint()
    documents(lines, '"b"')
    assert corpus(lines).fingerprint() != first
    documents(lines, '"a"')
    assert corpus(lines).fingerprint() == first


def test_a_file_that_vanishes(lines: Path):
    lines.write_text('"a"')
    found = [corpus(lines), corpus(lines, shuffle=True)]
    lines.unlink()
    for one in found:
        with pytest.raises(InputError, match="not there any more"):
            list(one.documents())
