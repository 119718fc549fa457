from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas.enrich.explanations import (
    EXPLANATIONS,
    MAX_LENGTH,
    METHOD,
    SCORE_NAME,
    explain,
    of_many_tokens,
)
from atlas.enrich.patterns import Pattern
from atlas.enrich.token_names import token_name
from atlas.errors import ConfigError
from tests.support.enrichment import context, make_store


def q(text: str) -> str:
    return f"\u2018{text}\u2019"


def shares(**parts: float) -> dict[str, float]:
    return {q(name): share for name, share in parts.items()}


# ---- the words


@pytest.mark.parametrize(
    ("parts", "text", "score"),
    [
        (shares(a=1.0), q("a"), 1.0),
        (shares(a=0.9, b=0.1), q("a"), 0.9),
        (shares(a=0.89, b=0.06, c=0.02), f"Mostly {q('a')} (89 %), also {q('b')}", 0.95),
        (shares(a=0.5, b=0.2, c=0.1, d=0.1, e=0.1),
         f"Mostly {q('a')} (50 %), also {q('b')}, {q('c')}, {q('d')}", 0.9),
        (shares(a=0.83), f"Mostly {q('a')} (83 %)", 0.83),
        ({q("%"): 0.6, q("b"): 0.4}, f"Mostly {q('%')} (60 %), also {q('b')}", 1.0),
        (shares(a=0.45, b=0.4, c=0.15), f"{q('a')} and {q('b')}", 0.85),
        (shares(a=0.3, b=0.3, c=0.3, d=0.1), f"{q('a')}, {q('b')} and {q('c')}", 0.9),
        (shares(a=0.4, b=0.25, c=0.05), f"{q('a')}, {q('b')}, {q('c')}, …", 0.7),
        (shares(a=0.1, b=0.05), f"Many tokens: {q('a')}, {q('b')}, …", 0.15),
        (shares(a=0.1, b=0.09, c=0.08, d=0.07, e=0.06, f=0.05),
         f"Many tokens: {q('a')}, {q('b')}, {q('c')}, …", 0.27),
        ({"newline": 0.95}, "Newline", 0.95),
        ({"newline + 4 spaces": 0.45, "newline + 8 spaces": 0.4}, "Newline + 4 or 8 spaces", 0.85),
    ],
)  # fmt: skip
def test_phrases(parts, text, score):
    explanation = explain(parts)
    assert explanation.text == text
    assert explanation.score == pytest.approx(score)


def test_equal_shares_are_named_in_alphabetical_order():
    assert explain(shares(b=0.5, a=0.5)).text == f"Mostly {q('a')} (50 %), also {q('b')}"


def test_a_score_is_never_above_one():
    assert explain(shares(a=0.7, b=0.35)).score == 1.0


AFTER = [q("raise")] * 15 + ["x"] * 5


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        (shares(a=1.0), f"{q('a')}, strongest after {q('raise')}"),
        (shares(a=0.6, b=0.4), f"Mostly {q('a')} (60 %), also {q('b')}; strongest after {q('raise')}"),
        (shares(a=0.45, b=0.45), f"{q('a')} and {q('b')}; strongest after {q('raise')}"),
        (shares(a=0.35, b=0.3), f"{q('a')}, {q('b')}, …; strongest after {q('raise')}"),
    ],
)
def test_phrases_with_a_common_context(parts, text):
    assert explain(parts, AFTER).text == text


@pytest.mark.parametrize(
    ("previous", "words"),
    [
        ([q("x")] * 8, q("x")),
        ([q("x")] * 7, ""),
        ([q("x")] * 15 + [q("y")] * 5, q("x")),
        ([q("x")] * 14 + [q("y")] * 6, f"{q('x')} or {q('y')}"),
        ([q("x")] * 14 + [q("y")] * 4 + [q("z")] * 2, ""),
        ([q("x")] * 14 + [""] * 6, ""),
        ([q("y")] * 10 + [q("x")] * 10, f"{q('x')} or {q('y')}"),
        ([""] * 20, ""),
        ([str(i) for i in range(20)], ""),
        (["newline + 8 spaces"] * 10 + ["newline + 4 spaces"] * 10, "newline + 4 or 8 spaces"),
    ],
)
def test_what_counts_as_a_common_context(previous, words):
    expected = f"{q('a')}, strongest after {words}" if words else q("a")
    assert explain(shares(a=1.0), previous).text == expected


# ---- features of many tokens

MANY = shares(a=0.1, b=0.09, c=0.08, d=0.07, e=0.06)
ALSO = f"{q('a')}, {q('b')}, {q('c')}, …"


@pytest.mark.parametrize(
    ("pattern", "text", "score"),
    [
        (Pattern(), f"Many tokens: {ALSO}", 0.27),
        (Pattern(everywhere="digits"), f"Digits: {ALSO}", 0.27),
        (Pattern(where=f"after {q('x')}"), f"After {q('x')} when strongest; many tokens: {ALSO}", 0.27),
        (Pattern(what="digits"), f"Digits when strongest; many tokens: {ALSO}", 0.27),
        (Pattern(what=q("y"), where=f"after {q('x')}", tokens=(q("y"),)),
         f"{q('y')} after {q('x')} when strongest; many tokens: {ALSO}", 0.27),
        (Pattern(what=q("a"), tokens=(q("a"),)),
         f"{q('a')} when strongest; many tokens: {q('b')}, {q('c')}, {q('d')}, …", 0.34),
        (Pattern("digits", where=f"in {q('x1')}"), f"Digits: {ALSO}; strongest in {q('x1')}", 0.27),
        (Pattern(everywhere="mostly in x", what=q("e"), where=f"before {q('x')}", tokens=(q("e"),)),
         f"Mostly in x: {ALSO}; strongest on {q('e')} before {q('x')}", 0.33),
    ],
)  # fmt: skip
def test_what_many_tokens_have_in_common_comes_first(pattern, text, score):
    explanation = explain(MANY, [], pattern)
    assert explanation.text == text
    assert explanation.score == pytest.approx(score)


def test_no_token_is_left_to_list():
    pattern = Pattern(what=q("a"), tokens=(q("a"),))
    assert explain(shares(a=0.3), [], pattern).text == f"{q('a')} when strongest; many tokens"


def test_a_pattern_is_for_many_tokens_only():
    assert explain(shares(a=0.9), [], Pattern(everywhere="digits")).text == q("a")


@pytest.mark.parametrize(
    ("parts", "many"),
    [
        (shares(a=0.5), False),
        (shares(a=0.49), True),
        (shares(a=0.12, b=0.12, c=0.12, d=0.12, e=0.12), False),
        (shares(a=0.12, b=0.12, c=0.12, d=0.12, e=0.11, f=0.11), True),
    ],
)
def test_what_counts_as_many_tokens(parts, many):
    assert of_many_tokens(parts) is many


def test_a_long_pattern_goes_before_the_tokens_do():
    long = Pattern(what="x" * 60, where="y" * 60)
    assert explain(MANY, [], long).text == f"Many tokens: {ALSO}"
    longer = explain(MANY, [], Pattern(everywhere="z" * 130))
    assert longer.text == f"Many tokens: {q('a')}, …"
    assert longer.score == pytest.approx(0.1)


def test_long_lists_are_shortened_and_the_score_follows():
    names = {q(letter * 5 + "x" * 27): 0.19 - i / 1000 for i, letter in enumerate("abcde")}
    assert not of_many_tokens(names)
    explanation = explain(names)
    assert len(explanation.text) <= MAX_LENGTH
    named = [name for name in names if name in explanation.text]
    assert 1 < len(named) < 5
    assert explanation.score == pytest.approx(sum(names[name] for name in named))


def test_the_context_goes_when_nothing_else_can():
    long = token_name("x y" * 20 + "\n" + "z w" * 20)
    explanation = explain({long: 0.6}, [token_name("c d" * 20 + "\n" + "e f" * 20)] * 20)
    assert "strongest" not in explanation.text
    assert long in explanation.text


@given(
    st.dictionaries(st.text(max_size=60).map(token_name), st.floats(1e-6, 1), min_size=1, max_size=12),
    st.lists(st.text(max_size=40).map(token_name), max_size=3).map(
        lambda names: [n for n in names for _ in range(7)]
    ),
    st.sampled_from(["", "digits", f"mostly after {q('the')} (55 %)"]),
    st.text(max_size=60).map(token_name),
)
def test_any_tokens_give_one_short_line_and_a_score(parts, previous, everywhere, what):
    total = sum(parts.values())
    pattern = Pattern(everywhere, what, f"after {what}", (what,))
    explanation = explain({name: share / total for name, share in parts.items()}, previous, pattern)
    assert 0 < len(explanation.text) <= MAX_LENGTH
    assert not any(unicodedata.category(c) in {"Cc", "Zl", "Zp"} for c in explanation.text)
    assert 0 < explanation.score <= 1


# ---- the table

VOCABULARY = [None, b" raise", b"raise", b"\n    ", b" ValueError", b"self", b"<b>", b"\xe2\x80"]


def test_rows_for_firing_features_only(tmp_path):
    features = [
        [(1, 6, 10.0), (2, 4, 10.0)],
        [],
        [(4, 1, 5.0), (5, 3, 1.0)],
        [(3, 10, 1.0)],
        [(6, 1, 1.0), (7, 1, 1.0)],
    ]
    store = make_store(tmp_path / "data", {"one": features}, VOCABULARY)
    EXPLANATIONS.run(context(store)[0])
    rows = store.read("explanations", "one").to_pylist()
    assert [(row["feature_idx"], row["text"]) for row in rows] == [
        (0, q("raise")),
        (2, f"Mostly {q('ValueError')} (62 %), also {q('self')}"),
        (3, "Newline + 4 spaces"),
        (4, f"Mostly {q('<0xE2><0x80>')} (50 %), also {q('<b>')}"),
    ]
    assert {row["method"] for row in rows} == {METHOD}
    assert {row["score_name"] for row in rows} == {SCORE_NAME}
    assert rows[0]["score"] == pytest.approx(1)
    assert store.verify() == []


def test_the_score_is_the_share_of_the_activation_by_definition(tmp_path):
    firing = [(token, token + 1, 1.0 + token) for token in range(1, 8)]
    store = make_store(tmp_path / "data", {"one": [firing]}, VOCABULARY)
    EXPLANATIONS.run(context(store)[0])
    row = store.read("explanations", "one").to_pylist()[0]
    mass: dict[str, float] = {}
    texts = [
        token_name(" raise"),
        token_name("\n    "),
        q("ValueError"),
        q("self"),
        q("<b>"),
        q("<0xE2><0x80>"),
    ]
    for (_, count, mean), name in zip(firing, [texts[0], *texts], strict=True):
        mass[name] = mass.get(name, 0) + count * mean
    named = sum(value for name, value in mass.items() if name.lower() in row["text"].lower())
    assert row["score"] == pytest.approx(named / sum(mass.values()), rel=1e-6)


def test_tokens_counted_over_a_sample_are_scaled_up(tmp_path):
    firing = [(1, 6, 10.0), (5, 4, 10.0)]
    whole = make_store(tmp_path / "a", {"one": [firing]}, VOCABULARY)
    sampled = make_store(tmp_path / "b", {"one": [firing]}, VOCABULARY, sampled=0.125)
    rows = []
    for store in (whole, sampled):
        EXPLANATIONS.run(context(store)[0])
        rows.append(store.read("explanations", "one").to_pylist())
    assert rows[0] == rows[1]


def test_contexts_come_from_the_top_examples(tmp_path):
    before = {0: [1] * 10, 1: [-1] * 10, 2: [1, 2] * 5}
    store = make_store(tmp_path / "data", {"one": [[(4, 5, 1.0)]] * 3}, VOCABULARY, before)
    EXPLANATIONS.run(context(store)[0])
    texts = store.read("explanations", "one")["text"].to_pylist()
    after = f"{q('ValueError')}, strongest after {q('raise')}"
    assert texts == [after, q("ValueError"), after]


def test_a_feature_of_many_tokens_gets_what_its_tables_say(tmp_path):
    """From the tables to the text, for a feature on many tokens and one whose strongest follow one token."""
    many = [(token, 1, 1.0) for token in range(1, 8)]
    vocabulary = [*VOCABULARY, *(b" word%c" % letter for letter in b"abcdefghij")]
    wide = [*many, *((token, 1, 1.0) for token in range(8, 18))]
    store = make_store(tmp_path / "data", {"one": [wide, wide, many]}, vocabulary, {1: [4] * 10, 2: [4] * 7})
    EXPLANATIONS.run(context(store)[0])
    rows = store.read("explanations", "one").to_pylist()
    named = f"{q('raise')}, newline + 4 spaces, {q('<0xE2><0x80>')}, …"
    assert rows[0]["text"] == f"Many tokens: {named}"
    others = f"newline + 4 spaces, {q('<0xE2><0x80>')}, {q('<b>')}, …"
    assert rows[1]["text"] == f"{q('raise')} after {q('ValueError')} when strongest; many tokens: {others}"
    assert [row["score"] for row in rows[:2]] == pytest.approx([4 / 17, 5 / 17])
    assert "strongest" not in rows[2]["text"]
    assert store.verify() == []


def test_twice_gives_the_same_bytes(tmp_path):
    digests = set()
    for name in ("a", "b"):
        store = make_store(tmp_path / name, {"one": [[(1, 2, 1.0), (4, 2, 1.0), (5, 2, 1.0)]]}, VOCABULARY)
        EXPLANATIONS.run(context(store)[0])
        digests.add(tuple(file.sha256 for file in store.manifest.tables["one/explanations"]))
    assert len(digests) == 1


# ---- the user's file


def test_the_users_explanations_win_also_for_dead_features(tmp_path):
    store = make_store(
        tmp_path / "data", {"one": [[(1, 2, 1.0)], [], [(5, 1, 1.0)]], "two": [[]]}, VOCABULARY
    )
    own = tmp_path / "own.jsonl"
    lines = [
        {"sae": "one", "feature_idx": 1, "text": "silent\nhere <i>"},
        {
            "sae": "one",
            "feature_idx": 0,
            "text": "raise",
            "method": "by hand",
            "score": 0.5,
            "score_name": "F1",
        },
        {"sae": "two", "feature_idx": 0, "text": "other"},
    ]
    own.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    made, notes = context(store, explanations=str(own))
    EXPLANATIONS.run(made)
    rows = store.read("explanations", "one").to_pylist()
    assert rows == [
        {"feature_idx": 0, "text": "raise", "method": "by hand", "score": 0.5, "score_name": "F1"},
        {
            "feature_idx": 1,
            "text": "silent\nhere <i>",
            "method": "explanations file",
            "score": None,
            "score_name": "",
        },
        {
            "feature_idx": 2,
            "text": q("self"),
            "method": METHOD,
            "score": pytest.approx(1),
            "score_name": SCORE_NAME,
        },
    ]
    assert notes == ["2 of them are from the user's file."]


def test_a_bad_file_leaves_the_old_table(tmp_path):
    store = make_store(tmp_path / "data", {"one": [[(1, 2, 1.0)]]}, VOCABULARY)
    EXPLANATIONS.run(context(store)[0])
    before = store.manifest
    own = tmp_path / "own.jsonl"
    own.write_text('{"sae": "one", "feature_idx": 7, "text": "x"}\n', encoding="utf-8")
    with pytest.raises(ConfigError, match=r"no feature 7"):
        EXPLANATIONS.run(context(store, explanations=str(own))[0])
    assert store.manifest == before
    assert store.verify() == []
