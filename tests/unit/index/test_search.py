from __future__ import annotations

import itertools
import subprocess
import sys

import numpy as np
import pytest

from atlas import schema
from atlas.index import search
from atlas.index.search import build_postings
from atlas.schema import POSTINGS, conforms
from atlas.text import words
from tests.support.enrichment import make_store, write
from tests.support.synthetic import make_atlas

VOCABULARY = [
    b"lawyer",
    b" lawyer",
    b" Lawyer",
    b"LAWYER",
    b"\n",
    b" ",
    b"\xe2\x80",
    b"",
    None,
    b" \xc4\xb0",
    b"a\n",
    " Maß".encode(),
]


def explained(path, **texts: dict[int, str]):
    """A dataset in which every feature of each SAE fires on tokens 0 and 1, with these explanations."""
    store = make_store(path, {slug: [[(0, 3, 1.0), (1, 1, 0.5)]] * 4 for slug in texts}, VOCABULARY)
    for slug, rows in texts.items():
        table = [
            {"feature_idx": i, "text": text, "method": "", "score": None, "score_name": ""}
            for i, text in sorted(rows.items())
        ]
        write(store, "explanations", schema.EXPLANATIONS, table, slug)
    return store


def postings(store) -> dict[tuple[str, str], list[tuple[int, int, float]]]:
    """(field, term) → its (sae, feature, weight), as they are stored."""
    return {
        (row["field"], row["term"]): list(zip(row["sae"], row["feature_idx"], row["weight"], strict=True))
        for row in store.read("postings").to_pylist()
    }


def by_definition(store) -> dict[tuple[str, str], list[tuple[int, int, float]]]:
    """The index as the module's description says, one feature and one token at a time."""
    texts = {}
    for row in store.read("vocabulary").to_pylist():
        text = row["piece"] if row["special"] else row["bytes"].decode("utf-8", "backslashreplace")
        texts[row["token_id"]] = text.replace("\\x", "<0x") if row["special"] else undecoded(row["bytes"])
    best: dict[tuple[str, str], dict[tuple[int, int], float]] = {}
    for sae, entry in enumerate(store.manifest.saes):
        for row in store.read("explanations", entry.slug).to_pylist():
            terms = words(row["text"])
            for term in terms:
                best.setdefault(("word", term), {})[sae, row["feature_idx"]] = float(
                    np.float32(1 / len(terms))
                )
        for row in store.read("features", entry.slug).to_pylist():
            for token in row["top_tokens"]:
                text = texts[token["token_id"]]
                weight = float(np.float32(token["value"]) / np.float32(row["max_activation"]))
                if text:
                    found = best.setdefault(("token", text), {})
                    key = (sae, row["feature_idx"])
                    found[key] = max(found.get(key, 0), weight)
    return {
        key: [(sae, feature, weight) for (sae, feature), weight in
              sorted(found.items(), key=lambda entry: (-entry[1], entry[0]))]
        for key, found in best.items()
    }  # fmt: skip


def undecoded(token: bytes) -> str:
    try:
        return token.decode()
    except UnicodeDecodeError:
        head = token.decode(errors="ignore")
        return head + "".join(f"<0x{byte:02X}>" for byte in token[len(head.encode()) :])


# ---- the whole index


def test_equals_the_definition_on_a_whole_atlas(tmp_path):
    store = make_atlas(tmp_path / "data", n_features=40)
    build_postings(store)
    assert postings(store) == by_definition(store)
    assert store.verify() == []


def test_hostile_texts_are_terms_like_any_other(tmp_path, shared_dir):
    import json

    strings = json.loads((shared_dir / "data/nasty/blns_even.json").read_text(encoding="utf-8"))
    strings = [text for text in strings if text][:120]
    store = make_atlas(tmp_path / "data", n_features=130, saes=("one",), texts=[], hostile=strings)
    build_postings(store)
    assert postings(store) == by_definition(store)


def test_rows_are_sorted_by_code_points(tmp_path):
    vocabulary = ["\U0001f600".encode(), "\uff5e".encode(), b"Z", b"a", " é".encode()]
    store = make_store(tmp_path / "data", {"one": [[(i, 1, 1.0) for i in range(5)]]}, vocabulary)
    build_postings(store)
    rows = [(row["field"], row["term"]) for row in store.read("postings").to_pylist()]
    assert rows == [("token", term) for term in [" é", "Z", "a", "\uff5e", "\U0001f600"]]


def test_order_and_uniqueness(tmp_path):
    store = make_atlas(tmp_path / "data", n_features=60)
    build_postings(store)
    rows = store.read("postings").to_pylist()
    keys = [(row["field"], row["term"]) for row in rows]
    assert all(left < right for left, right in itertools.pairwise(keys))
    for row in rows:
        entries = list(zip(row["sae"], row["feature_idx"], row["weight"], strict=True))
        assert entries == sorted(entries, key=lambda entry: (-entry[2], entry[0], entry[1]))
        assert len({entry[:2] for entry in entries}) == len(entries) > 0
        assert all(0 < weight <= 1 for *_, weight in entries)


@pytest.mark.parametrize(("step", "terms"), [(1, 1), (7, 3), (1000, 1000)])
def test_the_table_does_not_depend_on_how_it_is_cut(tmp_path, monkeypatch, step, terms):
    whole, cut = (make_atlas(tmp_path / name, n_features=20) for name in ("whole", "cut"))
    build_postings(whole)
    monkeypatch.setattr(search, "_STEP", step)
    monkeypatch.setattr(search, "_TERMS_PER_WRITE", terms)
    build_postings(cut)
    assert [file.sha256 for file in whole.manifest.tables["postings"]] == [
        file.sha256 for file in cut.manifest.tables["postings"]
    ]


def test_twice_gives_the_same_bytes(tmp_path):
    store = make_atlas(tmp_path / "data")
    build_postings(store)
    first = store.manifest.tables["postings"]
    build_postings(store)
    assert store.manifest.tables["postings"] == first


# ---- words


def test_words_weigh_one_over_their_number(tmp_path):
    store = explained(
        tmp_path / "data", one={0: "raise", 2: "raise ValueError; raise"}, two={1: "Raise", 3: "<b>!</b>"}
    )
    build_postings(store)
    found = postings(store)
    assert words("raise ValueError; raise") == ["raise", "valueerror", "value", "error"]
    assert found["word", "raise"] == [(0, 0, 1.0), (1, 1, 1.0), (0, 2, 0.25)]
    assert found["word", "value"] == [(0, 2, 0.25)]
    assert found["word", "b"] == [(1, 3, 1.0)]


def test_explanations_without_words_and_saes_without_explanations(tmp_path):
    store = explained(tmp_path / "data", one={0: "…!"})
    build_postings(store)
    assert {field for field, _ in postings(store)} == {"token"}
    bare = make_store(tmp_path / "bare", {"one": [[(0, 1, 1.0)]]}, VOCABULARY)
    build_postings(bare)
    assert set(postings(bare)) == {("token", "lawyer")}


# ---- tokens


def tokens_of(path, firing) -> dict[str, list[tuple[int, float]]]:
    store = make_store(path, {"one": firing}, VOCABULARY)
    build_postings(store)
    return {
        term: [(feature, weight) for _, feature, weight in found]
        for (_, term), found in postings(store).items()
    }


def test_every_spelling_finds_only_itself(tmp_path):
    # Half of the maximum: `make_store` gives each feature twice the largest mean as its maximum.
    found = tokens_of(tmp_path / "data", [[(1, 2, 4.0)], [(2, 1, 1.0)], [(3, 1, 1.0)], [(0, 1, 8.0)]])
    assert found == {
        " lawyer": [(0, 0.5)],
        " Lawyer": [(1, 0.5)],
        "LAWYER": [(2, 0.5)],
        "lawyer": [(3, 0.5)],
    }


def test_a_token_weighs_its_mean_over_the_maximum(tmp_path):
    found = tokens_of(tmp_path / "data", [[(1, 2, 2.0), (2, 1, 4.0), (0, 9, 1.0)]])
    assert found == {" lawyer": [(0, 0.25)], " Lawyer": [(0, 0.5)], "lawyer": [(0, 0.125)]}


@pytest.mark.parametrize(
    ("token", "terms"),
    [
        (4, {"\n"}),
        (5, {" "}),
        (6, {"<0xE2><0x80>"}),
        (7, set()),
        (8, {"<|s|>"}),
        (9, {" İ"}),
        (10, {"a\n"}),
        (11, {" Maß"}),
    ],
)
def test_terms_of_odd_tokens(tmp_path, token, terms):
    assert set(tokens_of(tmp_path / "data", [[(token, 1, 1.0)]])) == terms


def test_tokens_that_nothing_fires_on_are_no_terms(tmp_path):
    assert tokens_of(tmp_path / "data", [[], []]) == {}


def test_logits_are_no_part_of_it(tmp_path):
    store = make_store(tmp_path / "data", {"one": [[(0, 1, 1.0)]]}, VOCABULARY)
    row = {
        "feature_idx": 0,
        "positive_logits": [{"token_id": 2, "count": 0, "value": 9.0}],
        "negative_logits": [],
        "logit_histogram": [],
    }
    write(store, "logits", schema.LOGITS, [row], "one")
    build_postings(store)
    assert set(postings(store)) == {("token", "lawyer")}


def test_an_atlas_without_features(tmp_path):
    store = make_store(tmp_path / "data", {"one": []}, VOCABULARY)
    build_postings(store)
    table = store.read("postings")
    assert table.num_rows == 0
    assert conforms(table.schema, POSTINGS) == []


def test_saes_are_numbered_as_in_the_manifest(tmp_path):
    slugs = {f"s{i}": [[(0, 1, 1.0)]] for i in range(12)}
    store = make_store(tmp_path / "data", slugs, VOCABULARY)
    build_postings(store)
    assert [sae for sae, _, _ in postings(store)["token", "lawyer"]] == list(range(12))


def test_no_machine_learning_library_is_imported():
    code = (
        "import sys, atlas.index.search\n"
        "print([name for name in ('torch', 'umap', 'sklearn', 'transformers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
