"""Terms that examples of features give to the search, each against its definition in plain loops."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas.index.examples import LEAST_EXAMPLES, LONGEST_WORD, NEAR, PHRASES, ExampleReader, Found
from atlas.index.postings import Postings
from atlas.index.sequences import TokenFacts
from atlas.text import words

VOCABULARY = [
    b"sub",
    b"process",
    b" run",
    b".",
    b" getItem",
    b"",
    None,
    b"\n",
    b"_",
    b" ",
    b"na\xc3",
    b"\xafve",
    b"\xc3",
    b"\xaf",
    b"\xf0\x9f",
    b"\x98\x80",
]
SUB, PROCESS, RUN, DOT, GET_ITEM, EMPTY, SPECIAL, NEWLINE, UNDERSCORE, SPACE, CUT, REST = range(12)
HEAD, TAIL, SMILE, SMILE_TAIL = range(12, 16)
WHOLE = [SUB, PROCESS, RUN, DOT, GET_ITEM, EMPTY, SPECIAL, NEWLINE, UNDERSCORE, SPACE]
"""The tokens that cut no character."""

LARGEST = np.array([4.0, 3.0, 0.7], np.float32)
"""Largest activation of three features."""

NO_TERMS = Found(np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.float32))


class Example(NamedTuple):
    feature: int
    group: str
    peak: int
    tokens: list[int]
    activations: list[float]

    @property
    def activation(self) -> np.float32:
        return np.float32(self.activations[self.peak])


def top(peak: int, *tokens: int, feature: int = 0, activation: float = 2.0) -> Example:
    """A top example that fires on its peak alone."""
    activations = [activation if place == peak else 0.0 for place in range(len(tokens))]
    return Example(feature, "top", peak, list(tokens), activations)


def table(examples: list[Example]) -> pa.Table:
    return pa.table(
        {
            "feature_idx": pa.array([example.feature for example in examples], pa.int32()),
            "group": pa.array([example.group for example in examples], pa.string()),
            "activation": pa.array([example.activation for example in examples], pa.float32()),
            "peak": pa.array([example.peak for example in examples], pa.int16()),
            "token_ids": pa.array([example.tokens for example in examples], pa.list_(pa.int32())),
            "activations": pa.array([example.activations for example in examples], pa.list_(pa.float32())),
        }
    )


class Reader:
    """An `ExampleReader` whose terms are told by their texts."""

    def __init__(self, terms: list[int] | None = None) -> None:
        content = [b"<s>" if token is None else token for token in VOCABULARY]
        special = [token is None for token in VOCABULARY]
        facts = TokenFacts.of(pa.table({"bytes": pa.array(content, pa.binary()), "special": special}))
        numbers = [*(range(len(VOCABULARY)) if terms is None else terms), -1]
        self._word, self._phrase = Postings(), Postings()
        self._reader = ExampleReader(facts, np.array(numbers, np.int32), self._word, self._phrase)

    def seen(self, rows: pa.Table, listed: Found = NO_TERMS) -> dict[tuple[int, int], float]:
        """(feature, term) → weight; no pair comes twice."""
        found = self._reader.seen(rows, LARGEST, listed)
        named = {
            (int(feature), int(term)): float(weight) for term, feature, weight in zip(*found, strict=True)
        }
        assert len(named) == found.term.size
        assert (found.term.dtype, found.feature.dtype, found.weight.dtype) == ("int32", "int32", "float32")
        return named

    def around(self, rows: pa.Table) -> tuple[dict[tuple[int, str], float], dict[tuple[int, str], float]]:
        """(words, phrases), each (feature, text) → largest weight."""
        both = self._reader.around_peaks(rows, LARGEST)
        named: list[dict[tuple[int, str], float]] = []
        for found, postings in zip(both, (self._word, self._phrase), strict=True):
            texts = postings.texts()
            assert found.weight.dtype == np.float32
            best: dict[tuple[int, str], float] = {}
            for term, feature, weight in zip(*found, strict=True):
                key = (int(feature), texts[term])
                best[key] = max(best.get(key, 0.0), float(weight))
            named.append(best)
        return named[0], named[1]

    def words(self, *examples: Example) -> dict[str, float]:
        return {text: weight for (_, text), weight in self.around(table([*examples]))[0].items()}

    def phrases(self, *examples: Example) -> dict[str, float]:
        return {text: weight for (_, text), weight in self.around(table([*examples]))[1].items()}


# ---- the definitions


def seen_by_definition(examples: list[Example], terms: list[int], listed: set[tuple[int, int]]):
    """The strongest activation of each feature on each term, as a share of its largest."""
    best: dict[tuple[int, int], float] = {}
    for example in examples:
        for token, activation in zip(example.tokens, example.activations, strict=True):
            key = (example.feature, terms[token])
            silent = example.group in {"same_token", "near_miss"} or activation <= 0
            if not silent and terms[token] >= 0 and key not in listed:
                share = np.float32(activation) / LARGEST[example.feature]
                best[key] = max(best.get(key, 0.0), float(share))
    return best


def words_near(example: Example) -> set[str]:
    """The words of an example that cuts no character: found in its text, then placed among its tokens."""
    text, owner = "", []
    for place, token in enumerate(example.tokens):
        part = (VOCABULARY[token] or b"").decode() or "\x00"  # no word reaches across a token without text
        text += part
        owner += [place] * len(part)
    found: set[str] = set()
    for match in re.finditer(r"\w+", text):
        first, last = owner[match.start()], owner[match.end() - 1]
        is_near = first <= example.peak + NEAR[1] and last >= example.peak + NEAR[0]
        if is_near and last - first < LONGEST_WORD:
            found.update(words(match[0]))
    return found


def phrases_at(example: Example) -> set[tuple[int, ...]]:
    """The tokens of each phrase at the peak."""
    found: set[tuple[int, ...]] = set()
    for first, last in PHRASES:
        places = range(example.peak + first, example.peak + last + 1)
        if all(0 <= place < len(example.tokens) for place in places):
            tokens = tuple(example.tokens[place] for place in places)
            if all(VOCABULARY[token] for token in tokens):
                found.add(tokens)
    return found


def around_by_definition(examples: list[Example]):
    """(words, phrases) of top examples, each (feature, text) → weight."""
    word: dict[tuple[int, str], float] = {}
    phrase: dict[tuple[int, str], float] = {}
    for feature in {example.feature for example in examples}:
        own = [example for example in examples if (example.feature, example.group) == (feature, "top")]
        for text in {text for example in own for text in words_near(example)}:
            count = sum(text in words_near(example) for example in own)
            if count >= LEAST_EXAMPLES:
                word[feature, text] = float(np.float32(count / len(own)))
        for tokens in {tokens for example in own for tokens in phrases_at(example)}:
            having = [example.activation for example in own if tokens in phrases_at(example)]
            text = b"".join(VOCABULARY[token] or b"" for token in tokens).decode()
            if len(having) >= LEAST_EXAMPLES and text.strip():
                weight = float(max(having) / LARGEST[feature])
                phrase[feature, text] = max(weight, phrase.get((feature, text), 0.0))
    return word, phrase


@st.composite
def an_example(draw, tokens=WHOLE) -> Example:
    window = draw(st.lists(st.sampled_from(tokens), min_size=1, max_size=16))
    group = draw(st.sampled_from(["top", "top", "top", "interval", "random", "same_token", "near_miss"]))
    values = st.sampled_from([0.0, 0.25, 1 / 3, 0.5, 0.7])
    activations = draw(st.lists(values, min_size=len(window), max_size=len(window)))
    return Example(draw(st.integers(0, 2)), group, draw(st.integers(0, len(window) - 1)), window, activations)


EXAMPLES = st.lists(an_example(), max_size=10)
DENSE = st.lists(an_example([SUB, PROCESS, RUN, DOT, UNDERSCORE]), min_size=4, max_size=12)
"""Few different tokens, so that most terms occur in several examples."""


# ---- seen


TERMS = st.lists(st.integers(-1, 5), min_size=len(VOCABULARY), max_size=len(VOCABULARY))


@given(EXAMPLES, TERMS, st.sets(st.tuples(st.integers(0, 2), st.integers(0, 5))))
def test_seen_equals_the_definition(examples, terms, listed):
    pairs = np.array(sorted(listed), np.int32).reshape(-1, 2)
    already = Found(pairs[:, 1], pairs[:, 0], np.ones(len(pairs), np.float32))
    found = Reader(terms).seen(table(examples), already)
    assert found == seen_by_definition(examples, terms, listed)


def test_nothing_is_seen_in_no_examples():
    assert Reader().seen(table([])) == {}
    assert Reader().seen(table([Example(0, "near_miss", 0, [SUB], [1.0])])) == {}


def test_the_strongest_of_equal_terms_counts_and_ties_count_once():
    terms = [0, 0, *range(1, 11)]
    rows = table([Example(0, "random", 0, [SUB, PROCESS, SUB, RUN, RUN], [1.0, 2.0, 1.5, 1.0, 1.0])])
    assert Reader(terms).seen(rows) == {(0, 0): 0.5, (0, 1): 0.25}


def test_a_term_listed_for_one_feature_is_still_seen_for_another():
    rows = table([top(0, SUB, feature=0), top(0, SUB, feature=1)])
    listed = Found(np.array([SUB], np.int32), np.array([0], np.int32), np.ones(1, np.float32))
    assert set(Reader().seen(rows, listed)) == {(1, SUB)}


@pytest.mark.parametrize("activation", [0.0, -1.0])
def test_tokens_that_do_not_fire_are_not_seen(activation):
    rows = table([Example(0, "top", 1, [SUB, RUN], [activation, 1.0])])
    assert Reader().seen(rows) == {(0, RUN): 0.25}


# ---- words and phrases


@given(EXAMPLES)
def test_words_and_phrases_equal_the_definition(examples):
    assert Reader().around(table(examples)) == around_by_definition(examples)


@given(DENSE)
def test_words_and_phrases_of_similar_examples_equal_the_definition(examples):
    assert Reader().around(table(examples)) == around_by_definition(examples)


@given(DENSE, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(examples, random):
    order = list(range(len(examples)))
    random.shuffle(order)
    rows = table(examples)
    assert Reader().around(rows.take(order)) == Reader().around(rows)
    assert Reader().seen(rows.take(order)) == Reader().seen(rows)


@given(DENSE, st.integers(0, 12))
def test_chunks_and_slices_of_the_table_do_not_matter(examples, place):
    rows = table(examples)
    padded = pa.concat_tables([table([top(0, SUB, PROCESS)]), rows]).combine_chunks().slice(1)
    for same in (pa.concat_tables([rows.slice(0, place), rows.slice(place)]), padded):
        assert Reader().around(same) == Reader().around(rows)
        assert Reader().seen(same) == Reader().seen(rows)


@given(DENSE)
def test_features_do_not_touch_each_other(examples):
    reader = Reader()
    word, phrase = reader.around(table(examples))
    for feature in range(len(LARGEST)):
        # With the same reader: what it remembers of words must not change what it finds.
        own = reader.around(table([example for example in examples if example.feature == feature]))
        assert own[0] == {key: weight for key, weight in word.items() if key[0] == feature}
        assert own[1] == {key: weight for key, weight in phrase.items() if key[0] == feature}


def test_no_examples_and_none_at_the_top_have_no_terms():
    assert Reader().around(table([])) == ({}, {})
    other = Example(0, "random", 1, [SUB, PROCESS, RUN], [0.0, 1.0, 0.0])
    assert Reader().around(table([other, other])) == ({}, {})


def test_a_window_of_one_token_has_a_word_but_no_phrase():
    assert Reader().around(table([top(0, RUN), top(0, RUN)])) == ({(0, "run"): 1.0}, {})


def test_a_word_twice_in_one_example_is_in_one_example():
    once = top(1, RUN, RUN, RUN)
    assert Reader().around(table([once, top(0, DOT)])) == ({}, {})
    assert Reader().words(once, once, top(0, DOT), top(0, DOT)) == {"run": 0.5}
    # Both ' run' before the peak and ' run' after it.
    assert Reader().phrases(once, once) == {" run run": 0.5, " run run run": 0.5}


def test_parts_of_a_word_are_words_too():
    assert set(Reader().words(*[top(0, GET_ITEM)] * 2)) == {"getitem", "get", "item"}
    assert set(Reader().words(*[top(0, SUB, UNDERSCORE, PROCESS)] * 2)) == {"sub_process", "sub", "process"}


@pytest.mark.parametrize(
    "tokens", [[UNDERSCORE], [UNDERSCORE, UNDERSCORE], [DOT], [SPECIAL], [EMPTY], [SPACE]]
)
def test_tokens_without_a_word_have_none(tokens):
    assert Reader().words(*[top(0, *tokens)] * 2) == {}


@pytest.mark.parametrize(
    ("distance", "near"), [(-6, False), (-5, False), (-4, True), (0, True), (1, True), (2, False)]
)
def test_how_far_from_the_peak_a_word_may_stand(distance, near):
    tokens = [DOT] * 15
    tokens[7 + distance] = RUN
    assert Reader().words(*[top(7, *tokens)] * 2) == ({"run": 1.0} if near else {})


@pytest.mark.parametrize("length", [1, 2, LONGEST_WORD, LONGEST_WORD + 1, 2 * LONGEST_WORD])
@pytest.mark.parametrize("side", ["before", "after"])
def test_words_at_the_rim_are_whole_or_left_out(side, length):
    reach = [SUB] * length
    tokens = [DOT, *reach, DOT, DOT, DOT, DOT] if side == "before" else [DOT, *reach, DOT]
    peak = length + NEAR[1] - 1 - NEAR[0] if side == "before" else 0
    expected = {"sub" * length: 1.0} if length <= LONGEST_WORD else {}
    assert Reader().words(*[top(peak, *tokens)] * 2) == expected


def test_a_character_cut_by_tokens_is_whole_in_words_and_phrases():
    examples = [top(1, CUT, REST)] * 2
    assert Reader().words(*examples) == {"na\u00efve": 1.0}
    assert Reader().phrases(*examples) == {"na\u00efve": 0.5}


def test_a_word_may_hold_a_character_that_is_tokens_of_its_own():
    assert Reader().words(*[top(1, SUB, HEAD, TAIL, SUB)] * 2) == {"sub\u00efsub": 1.0}
    # The peak is the character's last part, and the last token of the example.
    assert Reader().words(*[top(2, SUB, HEAD, TAIL)] * 2) == {"sub\u00ef": 1.0}


def test_a_character_of_no_word_parts_words_even_where_tokens_cut_it():
    assert Reader().words(*[top(2, SUB, SMILE, SMILE_TAIL, PROCESS)] * 2) == {"sub": 1.0, "process": 1.0}


@pytest.mark.parametrize(("odd", "left"), [(HEAD, "sub"), (TAIL, "sub"), (SMILE, "sub"), (CUT, "subna")])
def test_a_byte_that_is_no_character_is_no_word(odd, left):
    assert Reader().words(*[top(1, SUB, odd, PROCESS)] * 2) == {left: 1.0, "process": 1.0}


@pytest.mark.parametrize("length", [5, 6, 7])
def test_a_character_cut_at_the_rim_belongs_to_its_word(length):
    # é and its word have length + 2 tokens, of which the last is 4 before the peak.
    tokens = [DOT, HEAD, TAIL, *[SUB] * length, DOT, DOT, DOT, DOT]
    found = {"\u00ef" + "sub" * length: 1.0} if length + 2 <= LONGEST_WORD else {}
    assert Reader().words(*[top(len(tokens) - 2, *tokens)] * 2) == found


def test_bytes_that_are_no_character_are_spelled_in_phrases():
    assert Reader().phrases(*[top(0, CUT, DOT)] * 2) == {"na<0xC3>.": 0.5}


@pytest.mark.parametrize("hole", [SPECIAL, EMPTY])
def test_no_phrase_holds_a_token_without_text(hole):
    assert Reader().phrases(*[top(2, DOT, hole, RUN, DOT)] * 2) == {" run.": 0.5}
    assert Reader().phrases(*[top(1, RUN, hole, RUN)] * 2) == {}


def test_phrases_of_white_space_are_left_out_but_it_stays_within_others():
    assert Reader().phrases(*[top(1, NEWLINE, SPACE, NEWLINE)] * 2) == {}
    assert set(Reader().phrases(*[top(1, NEWLINE, RUN, SPACE)] * 2)) == {"\n run", " run ", "\n run "}


def test_a_phrase_weighs_the_strongest_of_its_examples():
    weak, strong, other = top(0, SUB, DOT, activation=1.0), top(0, SUB, DOT, activation=3.0), top(1, RUN, SUB)
    assert Reader().phrases(weak, strong, other._replace(activations=[0.0, 4.0])) == {"sub.": 0.75}


def test_the_same_words_in_two_features_are_not_the_same_feature_twice():
    assert Reader().around(table([top(0, SUB, DOT), top(0, SUB, DOT, feature=1)])) == ({}, {})
