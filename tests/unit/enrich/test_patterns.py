"""What the firings of a feature have in common, from examples written as text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atlas.enrich.patterns import (
    COLUMNS,
    ENOUGH_EXAMPLES,
    ENOUGH_FIRINGS,
    ENOUGH_USUAL,
    REACH,
    SHARED,
    Pattern,
    Patterns,
    common,
    either,
    strongest,
    windows,
)
from atlas.enrich.token_names import token_name
from atlas.schema import EXAMPLES

SCHEMA = pa.schema([EXAMPLES.field(name) for name in COLUMNS])
USUAL = " the quick [[_]] ran"


def q(text: str) -> str:
    return f"\u2018{text}\u2019"


class World:
    """A vocabulary that grows, and examples written as text: the peak in [[ ]], tokens cut at |."""

    def __init__(self, usual: Sequence[str] = (USUAL,) * ENOUGH_USUAL) -> None:
        self.ids: dict[str, int] = {}
        self.rows: list[dict[str, Any]] = []
        for text in usual:
            self.add(99, "random", text)
        self.first = self.table()

    def add(self, feature: int, group: str, text: str, *, fires: bool = True) -> None:
        """One example; of those in 'random', only the peak fires."""
        left, peak, right = re.fullmatch(r"(.*)\[\[(.*)\]\](.*)", text, re.DOTALL).groups()  # type: ignore[union-attr]
        before, after = _cut(left), _cut(right)
        tokens = [self.ids.setdefault(token, len(self.ids)) for token in (*before, peak, *after)]
        activations = [0.0] * len(tokens)
        activations[len(before)] = float(fires)
        values = (feature, group, len(before), tokens, activations)
        self.rows.append(dict(zip(COLUMNS, values, strict=True)))

    def table(self) -> pa.Table:
        """All examples so far."""
        return pa.Table.from_pylist(self.rows, schema=SCHEMA)

    def find(self, **row: Any) -> Pattern:
        """The pattern of feature 0, whose row of `features` holds `row`."""
        finder = Patterns({number: text for text, number in self.ids.items()}, self.first)
        features = [{"feature_idx": 0, "firing_tokens": 100, **row}]
        table = self.table()
        return finder.find(features, strongest(table), table)[0]

    def tokens(self, counts: dict[str, int]) -> list[dict[str, Any]]:
        """A list of tokens as in `features`."""
        return [
            {"token_id": self.ids.setdefault(text, len(self.ids)), "count": count, "value": 1.0}
            for text, count in counts.items()
        ]


def _cut(text: str) -> list[str]:
    """Tokens of `text`: a word with the space before it, anything else, or what lies between bars."""
    return re.findall(r" ?\w+|[^\w|]", text)


def of_tops(texts: Sequence[str]) -> Pattern:
    """The pattern of a feature with these strongest examples."""
    world = World()
    for text in texts:
        world.add(0, "top", text)
    return world.find()


# ---- when strongest


@pytest.mark.parametrize(
    ("texts", "what", "where"),
    [
        (["x = Python[[ 3]].1"] * 8, q("3"), f"after {q('Python')}"),
        (["a[[ ter]]|min"] * 4 + ["b[[ ter]]|min"] * 4, q("ter"), f"in {q('termin')}"),
        ([f"{c}[[ (]]x" for c in "abcdefgh"], q("("), f"before {q('x')}"),
        ([f"{c} is[[ {w}]]" for c, w in zip("abcdefgh", "ijklmnop", strict=True)], "lower-case words",
         f"after {q('is')}"),
        ([f"{c} when|e[[ver]]" for c in "abcdefgh"], q("ver"), f"in {q('whenever')}"),
        ([f"wh[[{c}]]|never" for c in "abababab"], f"{q('a')} or {q('b')}",
         f"in {q('whanever')} or {q('whbnever')}"),
        ([f"{c} {w} {c}[[ z{c}]] {w}{c}" for c, w in zip("abcdefgh", "ijklmnop", strict=True)], "", ""),
        ([f" acute {c} {c}{c}[[ z{c}]] {c}" for c in "abcdefgh"], "lower-case words", f"near {q('acute')}"),
        ([f" acute {c} {c}{c}[[ {n}]] {c}" for n, c in enumerate("abcdefgh")], "digits",
         f"near {q('acute')}"),
        ([f" the {c} {c}{c}[[ {n}]] {c}" for n, c in enumerate("abcdefgh")], "digits", ""),
        (["x = Python[[ 3]].1"] * 7, "", ""),
        (["[[x]]"] * 8, q("x"), ""),
        ([f" foo {c},[[ z{c}]]" for c in "abcdefgh"], "lower-case words", f"after {q(',')} near {q('foo')}"),
        ([f" foo {c},[[ z]] {c}" for c in "abcdefgh"], q("z"), f"after {q(',')}"),
        ([f" {c}{c} foo[[ z{c}]] {c}" for c in "abcdefgh"], "lower-case words", f"after {q('foo')}"),
        ([f" {c} f|oo[[ z{c}]] {c}" for c in "abcdefgh"], "lower-case words",
         f"after {q('oo')} near {q('foo')}"),
    ],
)  # fmt: skip
def test_what_the_strongest_have_in_common(texts, what, where):
    assert (of_tops(texts).what, of_tops(texts).where) == (what, where)


def test_only_named_tokens_count():
    assert of_tops(["x = Python[[ 3]].1"] * 8).tokens == (q("3"),)
    assert of_tops([f"a{c}[[ {n}]] {c}" for n, c in enumerate("abcdefgh")]).tokens == ()


def test_three_quarters_must_agree():
    agree = ["a Python[[ 3]].1"] * 15
    assert of_tops([*agree, *(f"{c}[[ {c}]] {c}" for c in "abcde")]).what == q("3")
    assert of_tops([*agree[:14], *(f"{c}[[ {c}]] {c}" for c in "abcdef")]).what == ""


def test_a_word_cut_by_the_window_is_not_nearby():
    long = "".join(f"|{'xyz'}" for _ in range(REACH))
    texts = [f" acute{long} {c}[[ z{c}]] {c}" for c in "abcdefgh"]
    assert "near" not in of_tops(texts).where


def test_spaces_end_words():
    assert of_tops([f"{c}{c} ab[[ cd]] ef" for c in "abcdefgh"]).where == f"after {q('ab')}"


def test_a_peak_that_is_no_word_is_in_none():
    assert of_tops([f"{c}|foo[[_]]|bar" for c in "abcdefgh"]).where == f"after {q('foo')}"


def test_without_strongest_examples_nothing_is_said():
    assert World().find() == Pattern()


def test_without_a_measure_of_the_usual_no_kind_and_no_word_nearby_are_named():
    world = World([USUAL] * (ENOUGH_USUAL - 1))
    for number, c in enumerate("abcdefgh"):
        world.add(0, "top", f" acute {c} {c}{c}[[ {number}]] {c}")
    for number in range(ENOUGH_FIRINGS):
        world.add(0, "random", f"x[[ {number}]] y")
    assert world.find() == Pattern()


# ---- everywhere


def test_a_kind_that_four_fifths_of_the_sampled_firings_are_of():
    world = World()
    for number in range(16):
        world.add(0, "random", f"x[[ {number}]] y")
    for c in "abcd":
        world.add(0, "random", f"x[[ {c}]] y")
    assert world.find().everywhere == "digits"
    world.add(0, "random", "x[[ e]] y")
    assert world.find().everywhere == ""


def test_what_does_not_fire_is_no_sample():
    world = World()
    for number in range(ENOUGH_FIRINGS):
        world.add(0, "random", f"x[[ {number}]] y", fires=number > 0)
    assert world.find().everywhere == ""
    world.add(0, "random", "x[[ 3]] y")
    assert world.find().everywhere == "digits"


def test_groups_other_than_random_are_no_sample():
    world = World()
    for number in range(ENOUGH_FIRINGS):
        world.add(0, "interval", f"x[[ {number}]] y")
    assert world.find().everywhere == ""


def test_what_is_usual_is_not_worth_saying():
    world = World([f"x[[ {number}]] y" for number in range(ENOUGH_USUAL)])
    for number in range(ENOUGH_FIRINGS):
        world.add(0, "random", f"x[[ {number}]] y")
    assert world.find().everywhere == ""


def test_neighbours_of_a_window_are_unknown():
    world = World()
    for c in "abcdefghijklmnopqrst":
        world.add(5, "random", "[[x]]x")
        world.add(0, "random", f"[[{c}]]")
        world.add(5, "random", "_[[x]]x")
    assert world.find().everywhere == "lower-case words"


@pytest.mark.parametrize(
    ("counts", "share", "firings", "words"),
    [
        ({" the": 55, " a": 20}, None, 100, f"mostly after {q('the')} (55 %)"),
        ({" the": 30, "the": 25}, 1.0, 100, f"mostly after {q('the')} (55 %)"),
        ({" the": 14}, 0.25, 100, f"mostly after {q('the')} (56 %)"),
        ({" the": 49}, 1.0, 100, ""),
        ({" the": 19}, 1.0, 19, ""),
        ({" the": 10}, 0.1, 100, ""),
        ({}, 1.0, 100, ""),
    ],
)
def test_the_token_before_most_firings(counts, share, firings, words):
    world = World()
    row = {"tokens_before": world.tokens(counts), "tokens_before_share": share, "firing_tokens": firings}
    assert world.find(**row).everywhere == words


def test_the_token_after_most_firings():
    world = World()
    assert world.find(tokens_after=world.tokens({"(": 60})).everywhere == f"mostly before {q('(')} (60 %)"


@pytest.mark.parametrize(
    ("count", "value", "firings", "words"),
    [
        (83, 0.5, 100, f"mostly in {q('curses')} (83 %)"),
        (79, 0.5, 100, ""),
        (83, 0.19, 100, ""),
        (16, 0.5, 19, ""),
    ],
)
def test_the_source_of_most_firings(count, value, firings, words):
    sources = [{"name": "curses", "count": count, "value": value}, {"name": "abc", "count": 1, "value": 0.6}]
    row = {"sources": sources, "activation_density": 0.1, "firing_tokens": firings}
    assert World().find(**row).everywhere == words


def test_all_further_sources_together_are_no_source():
    sources = [{"name": "other", "count": 90, "value": 0.5}, {"name": "abc", "count": 1, "value": 0.6}]
    assert World().find(sources=sources, activation_density=0.1).everywhere == ""


def test_a_kind_is_said_once():
    world = World()
    for number in range(ENOUGH_FIRINGS):
        world.add(0, "random", f"x[[ {number}]] y")
        world.add(0, "top", f"Python[[ {number}]] y")
    assert world.find() == Pattern("digits", "", f"after {q('Python')}")


# ---- its parts


def test_windows_are_cut_at_their_ends():
    world = World([])
    world.add(5, "top", "a[[b]]c")
    found, owner = windows(world.table())
    assert owner.tolist() == [5]
    ids = [world.ids[text] for text in "abc"]
    assert found[0, REACH - 1 : REACH + 2].tolist() == ids
    assert np.delete(found[0], [REACH - 1, REACH, REACH + 1]).tolist() == [-1] * (2 * REACH - 2)


def test_long_windows_are_read_within_reach():
    world = World([])
    world.add(5, "top", "abcdefghijkl[[m]]nopqrstuvwxyz".replace("", "|").replace("|[|[|m|]|]|", "|[[m]]|"))
    found, _ = windows(world.table())
    names = {number: text for text, number in world.ids.items()}
    assert "".join(names[number] for number in found[0].tolist()) == "efghijklmnopqrstu"


def test_strongest_reads_top_windows_only():
    world = World([])
    for feature, group in [(3, "top"), (1, "random"), (0, "top"), (3, "top"), (3, "interval")]:
        world.add(feature, group, f"a[[{feature}]]b")
    found = strongest(world.table())
    assert {feature: len(rows) for feature, rows in found.items()} == {0: 1, 3: 2}
    for feature, rows in found.items():
        assert set(rows[:, REACH].tolist()) == {world.ids[str(feature)]}
    assert strongest(world.table().slice(0, 0)) == {}
    assert strongest(SCHEMA.empty_table()) == {}


@pytest.mark.parametrize(
    ("names", "most", "found"),
    [
        (["x"] * 8, 2, ("x",)),
        (["x"] * 7, 2, ()),
        (["x"] * 14 + ["y"] * 6, 1, ()),
        (["x"] * 14 + ["y"] * 6, 2, ("x", "y")),
        (["x"] * 14 + ["y"] * 4 + ["z"] * 2, 2, ()),
        (["x"] * 14 + ["y"] * 4 + ["z"] * 2, 3, ()),
        (["x"] * 6 + ["y"] * 5 + ["z"] * 5, 3, ("x", "y", "z")),
        (["y"] * 5 + ["x"] * 5, 2, ("x", "y")),
        (["x"] * 14 + [""] * 6, 2, ()),
        ([""] * ENOUGH_EXAMPLES, 2, ()),
    ],
)
def test_what_is_common(names, most, found):
    assert common(names, most) == found


def test_names_in_words():
    assert either([]) == ""
    assert either(["a"]) == "a"
    assert either(["a", "b", "c"]) == "a, b or c"


# ---- whatever is drawn

PIECES = [" a", "b", "_", ".", " 1", "2", "(", ")", " sum", "mary", "\n    ", " The", "X"]
DRAWN = st.lists(st.tuples(*[st.sampled_from(PIECES)] * 5), min_size=ENOUGH_EXAMPLES, max_size=14)


@settings(max_examples=60)
@given(DRAWN, st.integers(1, 4))
def test_every_claim_holds_of_three_quarters_of_the_strongest(drawn, repeats):
    world = World()
    examples = drawn + drawn[:1] * (repeats * 8)
    for pieces in examples:
        ids = [world.ids.setdefault(text, len(world.ids)) for text in pieces]
        values = (0, "top", 2, ids, [0.0] * 5)
        world.rows.append(dict(zip(COLUMNS, values, strict=True)))
    pattern = world.find()
    needed = SHARED * len(examples)
    if pattern.tokens:
        assert sum(token_name(pieces[2]) in pattern.tokens for pieces in examples) >= needed
    place = {"after": 1, "before": 3}.get(pattern.where.split(" ")[0])
    if place is not None:
        beside = pattern.where.split(" near ")[0].partition(" ")[2]
        names = [token_name(pieces[place]) for pieces in examples]
        assert sum(name in beside for name in names) >= needed
    if pattern.where.startswith("in "):
        words = re.findall("\u2018(.*?)\u2019", pattern.where)
        assert sum(any(word in "".join(pieces) for word in words) for pieces in examples) >= needed
    if " near " in f" {pattern.where}":
        word = re.findall("near \u2018(.*?)\u2019", pattern.where)[0]
        assert sum(word in "".join(pieces[:2]).lower() for pieces in examples) >= needed


@given(DRAWN)
def test_the_order_of_the_examples_says_nothing(drawn):
    found = set()
    for examples in (drawn, drawn[::-1]):
        world = World()
        for text in PIECES:
            world.ids.setdefault(text, len(world.ids))
        for pieces in examples:
            values = (0, "top", 2, [world.ids[text] for text in pieces], [0.0] * 5)
            world.rows.append(dict(zip(COLUMNS, values, strict=True)))
        found.add(world.find())
    assert len(found) == 1
