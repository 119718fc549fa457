from __future__ import annotations

import itertools
import subprocess
import sys

import pytest

from atlas import schema
from atlas.index import postings as postings_module
from atlas.index import search
from atlas.index.search import build_postings
from atlas.schema import POSTINGS, conforms
from atlas.store import AtlasStore
from atlas.text import words
from tests.support import oracle_search
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
    """The index as its description says, in its order."""
    return {
        key: [(*feature, weight) for feature, weight in
              sorted(found.items(), key=lambda entry: (-entry[1], entry[0]))]
        for key, found in oracle_search.index(store).items()
    }  # fmt: skip


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
    monkeypatch.setattr(postings_module, "_TERMS_PER_WRITE", terms)
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


# ---- examples


def shown(path, windows: list[tuple], vocabulary=None, firing=((0, 1, 4.0),)) -> AtlasStore:
    """A dataset of one feature that fires on `firing`; examples are (group, peak, token_ids, activations)."""
    store = make_store(path, {"one": [list(firing)]}, vocabulary or VOCABULARY)
    rows = [
        {
            "feature_idx": 0, "group": group, "interval": -1, "interval_lower": 0.0, "interval_upper": 0.0,
            "rank": rank, "activation": activations[peak], "context_idx": rank, "position": peak,
            "document_idx": 0, "copies": 1, "peak": peak, "token_ids": tokens, "activations": activations,
        }
        for rank, (group, peak, tokens, activations) in enumerate(windows)
    ]  # fmt: skip
    write(store, "examples", schema.EXAMPLES, rows, "one")
    build_postings(store)
    assert postings(store) == by_definition(store)
    return store


def terms(store, field: str) -> dict[str, float]:
    return {term: found[0][2] for (of, term), found in postings(store).items() if of == field}


def test_other_tokens_that_fire_in_an_example_are_seen_with_the_strongest(tmp_path):
    store = shown(
        tmp_path / "data",
        [
            ("top", 1, [1, 2, 3], [0.0, 4.0, 1.0]),
            ("random", 0, [2, 3], [2.0, 2.0]),
            ("interval", 0, [0], [1.0]),
            ("near_miss", 0, [4], [0.0]),
        ],
    )
    # The maximum of `make_store` is twice the largest mean, 8; token 0 is in the list already.
    assert terms(store, "seen") == {" Lawyer": 0.5, "LAWYER": 0.25}
    assert terms(store, "token") == {"lawyer": 0.5}


def test_tokens_that_are_silent_or_of_counter_examples_are_not_seen(tmp_path):
    store = shown(tmp_path / "data", [("same_token", 0, [1, 2], [3.0, 3.0]), ("top", 0, [0, 1], [1.0, 0.0])])
    assert terms(store, "seen") == {}


PIECES = [
    b"sub",
    b"process",
    b".",
    b" run",
    b" Popen",
    None,
    b"",
    "na\u00efve".encode()[:3],
    b"\xafve",
    b"\n",
]


def test_words_are_whole_and_near_the_peak_of_several_top_examples(tmp_path):
    window = [4, 2, 2, 2, 2, 0, 1, 2, 3, 3]
    activations = [0.0] * 8 + [1.0, 0.0]
    again = ("top", 8, window, activations)
    far = ("top", 2, [3, 2, 2, 2, 0, 1], [0.0, 0.0, 1.0, 0.0, 0.0, 0.0])
    store = shown(tmp_path / "data", [again, again, far, ("random", 8, window, activations)], PIECES)
    # Popen stands 8 tokens before the peak, and the third example shows none of the words near enough.
    assert terms(store, "example") == {"subprocess": pytest.approx(2 / 3), "run": pytest.approx(1)}


def test_a_word_cut_inside_a_character_is_still_one(tmp_path):
    example = ("top", 1, [7, 8], [0.0, 1.0])
    assert terms(shown(tmp_path / "data", [example, example], PIECES), "example") == {"na\u00efve": 1}


def test_phrases_are_exact_hold_the_peak_and_no_special_token(tmp_path):
    example = ("top", 2, [3, 2, 3, 4], [0.0, 0.0, 2.0, 0.0])
    special = ("top", 1, [5, 4, 6], [0.0, 1.0, 0.0])
    blank = ("top", 1, [9, 9], [0.0, 1.0])
    store = shown(tmp_path / "data", [example, example, special, special, blank, blank], PIECES)
    assert terms(store, "phrase") == dict.fromkeys([". run", " run. run", " run Popen", ". run Popen"], 0.25)


def test_one_example_is_not_enough(tmp_path):
    store = shown(tmp_path / "data", [("top", 1, [0, 1, 2], [0.0, 1.0, 0.0])], PIECES)
    assert terms(store, "phrase") == terms(store, "example") == {}


def test_a_word_of_too_many_tokens_is_left_out(tmp_path):
    long, short = [0] * 9, [2, *[0] * 8]
    windows = [
        ("top", 4, tokens, [0.0, 0.0, 0.0, 0.0, 1.0, *[0.0] * 4]) for tokens in (long, long, short, short)
    ]
    assert terms(shown(tmp_path / "data", windows, PIECES), "example") == {"sub" * 8: 0.5}


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
