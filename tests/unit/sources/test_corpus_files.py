"""Finding, decoding and hashing files; the corpus of text files; the seeded order."""

from __future__ import annotations

import codecs
import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas.config import CorpusConfig
from atlas.errors import DiskError, InputError
from atlas.sources.corpora import files
from atlas.sources.corpora.order import shuffled
from atlas.sources.corpora.text import SUFFIXES, TextCorpus, open_text


def write(folder: Path, contents: dict[str, str | bytes]) -> Path:
    for name, content in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def corpus(base: Path, *paths: str, **settings: Any) -> TextCorpus:
    return open_text(CorpusConfig(kind="text", paths=list(paths), **settings), base)


def names(base: Path, *paths: str, **settings: Any) -> list[str]:
    return [document.name for document in corpus(base, *paths, **settings).documents()]


def texts(base: Path, *paths: str) -> list[str]:
    return [document.text for document in corpus(base, *paths).documents()]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return write(
        tmp_path,
        {
            "top.txt": "top",
            "books/b.txt": "b",
            "books/a.md": "a",
            "books/deep/er/c.rst": "c",
            "books/cover.png": b"\x89PNG",
            "books/.hidden.txt": "hidden",
            "books/.git/x.txt": "hidden too",
            "code/one.py": "print(1)",
            "code/sub/two.py": "print(2)",
            "other/b.txt": "another b",
        },
    )


# --- which files, and what they are called -------------------------------------------------------


def test_a_file(tree: Path):
    assert names(tree, "top.txt") == ["top.txt"]
    assert names(tree, "books/b.txt") == ["books/b.txt"]


def test_a_folder_stands_for_its_text_files_sorted(tree: Path):
    assert names(tree, "books") == ["books/a.md", "books/b.txt", "books/deep/er/c.rst"]


def test_the_folder_of_the_config_itself_adds_no_prefix(tree: Path):
    assert names(tree, ".")[0] == "books/a.md"
    assert "top.txt" in names(tree, ".")


def test_a_glob_takes_any_file(tree: Path):
    assert names(tree, "code/*.py") == ["code/one.py"]
    assert names(tree, "code/**/*.py") == ["code/one.py", "code/sub/two.py"]
    assert names(tree, "*/b.txt") == ["books/b.txt", "other/b.txt"]


def test_entries_keep_their_order_and_no_file_comes_twice(tree: Path):
    assert names(tree, "other", "books/b.txt", "books", "*/b.txt") == [
        "other/b.txt",
        "books/b.txt",
        "books/a.md",
        "books/deep/er/c.rst",
    ]


def test_absolute_paths_do_not_show_the_machine(tree: Path):
    elsewhere = tree / "code"
    assert names(elsewhere, str(tree / "books" / "b.txt"), str(tree / "other")) == [
        "books/b.txt",
        "other/b.txt",
    ]
    assert names(elsewhere, str(tree / "books" / "*.md")) == ["books/a.md"]


def test_paths_out_of_the_folder_of_the_config(tree: Path):
    assert names(tree / "code", "../books/b.txt") == ["books/b.txt"]


def test_a_home_folder_is_expanded(tree: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(tree))
    assert names(tree / "code", "~/books/b.txt") == ["books/b.txt"]


def test_a_folder_whose_name_looks_like_a_pattern(tmp_path: Path):
    base = write(tmp_path / "a[b]", {"x.txt": "x", "sub/y.txt": "y"})
    assert names(base, "x.txt") == ["x.txt"]
    assert names(base, "*.txt") == ["x.txt"]
    assert names(base, ".") == ["sub/y.txt", "x.txt"]


def test_names_of_any_language(tmp_path: Path):
    write(tmp_path, {"文書/日本 語.txt": "x", "文書/é ü.txt": "y"})
    assert sorted(names(tmp_path, "文書")) == ["文書/é ü.txt", "文書/日本 語.txt"]


def test_suffixes_in_capitals_count(tmp_path: Path):
    write(tmp_path, {"t/A.TXT": "x"})
    assert names(tmp_path, "t") == ["t/A.TXT"]


def test_a_link_to_a_file_is_read_once(tree: Path):
    (tree / "other" / "link.txt").symlink_to(tree / "books" / "b.txt")
    assert names(tree, "books/b.txt", "other") == ["books/b.txt", "other/b.txt"]


# --- nothing found -------------------------------------------------------------------------------


def problem(base: Path, *paths: str) -> InputError:
    with pytest.raises(InputError) as caught:
        corpus(base, *paths)
    assert caught.value.where == "corpus.paths"
    return caught.value


def test_no_paths_at_all(tmp_path: Path):
    error = problem(tmp_path)
    assert "'text'" in error.what
    assert "*.txt" in error.fix


def test_a_missing_path_names_the_nearest(tree: Path):
    error = problem(tree, "boks")
    assert "'boks'" in error.what
    assert "'books'" in error.fix
    assert "'b.txt'" in problem(tree, "books/bb.txt").fix


def test_a_missing_path_with_nothing_like_it(tree: Path):
    assert str(tree / "zzzzzz") in problem(tree, "zzzzzz").fix
    assert problem(tree, "no/such/thing.txt").what


def test_one_missing_path_among_others(tree: Path):
    assert "'nothing.txt'" in problem(tree, "top.txt", "nothing.txt").what


def test_a_glob_that_matches_nothing(tree: Path):
    assert "'code/*.rs'" in problem(tree, "code/*.rs").what


def test_a_folder_without_text_names_what_it_holds(tree: Path):
    error = problem(tree, "code")
    assert ".txt" in error.what
    assert "code/**/*.py" in error.fix


def test_an_empty_folder(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    assert problem(tmp_path, "empty").fix == "the folder is empty"


# --- what they say -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"plain", "plain"),
        ("é 日本 🙂".encode(), "é 日本 🙂"),
        (codecs.BOM_UTF8 + "é".encode(), "é"),
        (codecs.BOM_UTF16_LE + "é日".encode("utf-16-le"), "é日"),
        (codecs.BOM_UTF16_BE + "é日".encode("utf-16-be"), "é日"),
        (codecs.BOM_UTF32_LE + "é🙂".encode("utf-32-le"), "é🙂"),
        (codecs.BOM_UTF32_BE + "é🙂".encode("utf-32-be"), "é🙂"),
        (b"a\r\nb\r\n", "a\nb\n"),
        (b"a\rb\n\rc", "a\rb\n\rc"),
        (b"caf\xe9!", "caf\ufffd!"),
        (b"\xed\xa0\x80", "\ufffd\ufffd\ufffd"),
        (b"a\x00b\x1b", "a\x00b\x1b"),
        (codecs.BOM_UTF16_LE + b"a\x00b", "a\ufffd"),
        (b"", ""),
        (codecs.BOM_UTF8, ""),
    ],
)
def test_decoding(data: bytes, text: str):
    assert files.decode(data) == text


@given(st.binary(max_size=60))
def test_any_bytes_become_text_that_utf8_can_carry(data: bytes):
    assert files.decode(data).encode().decode() == files.decode(data)


@given(st.text(st.characters(exclude_characters="\r\ufeff\ufffe", exclude_categories=("Cs",)), max_size=60))
def test_valid_text_is_unchanged(text: str):
    assert files.decode(text.encode()) == text
    assert files.decode(codecs.BOM_UTF16_BE + text.encode("utf-16-be")) == text


@given(st.text(max_size=30))
def test_surrogates_never_remain(text: str):
    cleaned = files.without_surrogates(text)
    cleaned.encode()
    if not any("\ud800" <= character <= "\udfff" for character in text):
        assert cleaned == text


def test_a_pair_of_surrogates_is_the_character_it_stands_for():
    assert files.without_surrogates("\ud83d\ude42!") == "🙂!"
    assert files.without_surrogates("a\ud83db\ude42") == "a\ufffdb\ufffd"


def test_documents_are_the_files(tmp_path: Path):
    write(tmp_path, {"a.txt": codecs.BOM_UTF8 + b"one\r\ntwo", "b.txt": b"\xff"})
    assert texts(tmp_path, ".") == ["one\ntwo", "\ufffd"]


def test_empty_and_blank_files_are_left_out(tmp_path: Path):
    write(tmp_path, {"a.txt": "", "b.txt": " \n\t\r\n", "c.txt": codecs.BOM_UTF8, "d.txt": "text"})
    assert names(tmp_path, ".") == ["d.txt"]


def test_reading_again_gives_the_same(tree: Path):
    found = corpus(tree, ".")
    assert list(found.documents()) == list(found.documents())


def test_documents_are_read_one_at_a_time(tree: Path, monkeypatch: pytest.MonkeyPatch):
    read: list[str] = []
    original = files.SourceFile.read
    monkeypatch.setattr(files.SourceFile, "read", lambda file: read.append(file.name) or original(file))
    documents = corpus(tree, "books").documents()
    assert read == []
    next(documents)
    assert read == ["books/a.md"]


def test_the_description_counts(tree: Path):
    assert corpus(tree, "books").description == "3 text files, one document each."
    assert corpus(tree, "top.txt").description == "1 text file, one document each."


def test_a_file_that_vanishes(tree: Path):
    found = corpus(tree, "books")
    (tree / "books" / "b.txt").unlink()
    with pytest.raises(InputError, match=r"b\.txt is not there any more"):
        list(found.documents())
    with pytest.raises(InputError, match=r"b\.txt"):
        found.fingerprint()


def test_a_file_that_may_not_be_read(tree: Path, monkeypatch: pytest.MonkeyPatch):
    found = corpus(tree, "top.txt")

    def refused(path: Path, *args: Any, **kwargs: Any) -> Any:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, "read_bytes", refused)
    with pytest.raises(DiskError, match="Permission denied") as caught:
        list(found.documents())
    assert caught.value.where == str(tree / "top.txt")
    assert caught.value.exit_code == 4


# --- fingerprint ---------------------------------------------------------------------------------


def test_the_fingerprint_is_of_names_and_bytes(tmp_path: Path):
    first = write(tmp_path / "1", {"t/a.txt": "x", "t/b.txt": "y"})
    same = write(tmp_path / "2", {"t/b.txt": "y", "t/a.txt": "x"})
    changed = write(tmp_path / "3", {"t/a.txt": "x", "t/b.txt": "z"})
    renamed = write(tmp_path / "4", {"t/a.txt": "x", "t/c.txt": "y"})
    swapped = write(tmp_path / "5", {"t/a.txt": "y", "t/b.txt": "x"})
    prints = [corpus(base, "t").fingerprint() for base in (first, same, changed, renamed, swapped)]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 4
    assert all(len(value) == 64 for value in prints)


def test_the_fingerprint_cannot_be_shifted_between_name_and_content(tmp_path: Path):
    first = write(tmp_path / "1", {"t/a.txt": "bc.txt"})
    second = write(tmp_path / "2", {"t/a.txtb": "c.txt"})
    assert corpus(first, "t/*").fingerprint() != corpus(second, "t/*").fingerprint()


# --- order ---------------------------------------------------------------------------------------


@given(st.integers(0, 300), st.integers(-(2**70), 2**70))
def test_a_shuffle_is_a_permutation(length: int, seed: int):
    assert sorted(shuffled(length, seed)) == list(range(length))
    assert np.array_equal(shuffled(length, seed), shuffled(length, seed))


def test_seeds_and_lengths_give_other_orders():
    orders = {tuple(shuffled(50, seed)) for seed in range(200)}
    assert len(orders) == 200
    firsts = [int(shuffled(10, seed)[0]) for seed in range(4000)]
    counts = np.bincount(firsts, minlength=10)
    assert counts.min() > 300
    assert counts.max() < 500


def test_the_order_is_fixed_for_all_time():
    """The SplitMix64 finaliser, once more in plain Python."""
    mask = (1 << 64) - 1

    def mix(state: int) -> int:
        state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 & mask
        state = (state ^ (state >> 27)) * 0x94D049BB133111EB & mask
        return state ^ (state >> 31)

    golden = 0x9E3779B97F4A7C15
    for seed in (0, 1, 12345, -3):
        key = mix(((seed & mask) + golden) & mask)
        expected = sorted(range(40), key=lambda number: mix((number * golden & mask) ^ key))
        assert shuffled(40, seed).tolist() == expected


def test_a_shuffled_corpus_has_the_same_documents_in_another_order(tree: Path):
    plain = names(tree, ".")
    once = names(tree, ".", shuffle=True, seed=1)
    assert sorted(once) == sorted(plain)
    assert once == names(tree, ".", shuffle=True, seed=1)
    assert len({tuple(names(tree, ".", shuffle=True, seed=seed)) for seed in range(8)}) > 1
    assert corpus(tree, ".", shuffle=True).fingerprint() == corpus(tree, ".").fingerprint()


def test_real_files(shared_dir: Path):
    found = list(
        corpus(shared_dir / "data", "corpora/gutenberg_*.txt", "corpora/tinyshakespeare.txt").documents()
    )
    assert [document.name for document in found] == [
        "corpora/gutenberg_alice_11-0.txt",
        "corpora/gutenberg_pride_1342-0.txt",
        "corpora/tinyshakespeare.txt",
    ]
    alice = found[0].text
    assert "\ufeff" not in alice
    assert "\r\n" not in alice
    assert "\ufffd" not in alice
    assert "Down the Rabbit-Hole" in alice
    assert SUFFIXES[0] == ".txt"
