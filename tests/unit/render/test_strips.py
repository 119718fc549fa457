"""Data text as HTML: exact, visible, harmless."""

from __future__ import annotations

import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas.render.strips import HEAT_STEPS, Words, entries, heat_class, shown, strip
from atlas.text import badges, display_text, is_bidi

CASES = json.loads((Path(__file__).parents[2] / "support" / "text_cases.json").read_text(encoding="utf-8"))
HOSTILE = [
    "<script>alert(1)</script>",
    "</pre><img src=x onerror=alert(1)>",
    '" onmouseover="x',
    "' autofocus onfocus='x",
    "&lt;b&gt;",
    "]]>",
    "<!--",
    "{{ 7 * 7 }}",
    "{% raw %}",
    "\u202eevil",
    "a\u200db",
    "\ufeff",
    "\x00\x1b[31m",
    "\r\n",
    "שלום",
    "<" * 50,
    "&#60;",
    "\u2028",
    "javascript:alert(1)",
    "</span >",
    "\t",
    "  ",
    "",
]
TEXT = st.one_of(st.sampled_from(HOSTILE), st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
ALLOWED = {"span": {"class", "title"}, "i": set()}


class Reader(HTMLParser):
    """The text of some HTML, its elements, and for each stretch of text the classes around it."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text = ""
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.runs: list[tuple[tuple[str, ...], str]] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == [], "an element is not closed"

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._open.append(dict(attrs).get("class") or tag)

    def handle_endtag(self, tag):
        self._open.pop()

    def handle_data(self, data):
        self.text += data
        self.runs.append((tuple(self._open), data))


def harmless(reader: Reader) -> None:
    """Only the elements and attributes of strips.py stand in the markup."""
    for tag, attributes in reader.elements:
        assert set(attributes) <= ALLOWED[tag], (tag, attributes)


def policy(text: str, *, block: bool = False) -> str:
    """What people are to read in place of `text`, from the definition of `badges` and `display_text`."""
    return "".join(
        run if kind == "badge" else display_text(run, newlines=block) for kind, run in badges(text)
    )


@given(TEXT)
def test_shown_text_is_the_policy_text_and_harmless(text: str):
    reader = Reader(str(shown(text)))
    harmless(reader)
    assert reader.text == policy(text)


@pytest.mark.parametrize("case", CASES["text"], ids=lambda case: ascii(case["input"])[:40])
def test_shown_text_meets_the_golden_cases(case: dict[str, object]):
    reader = Reader(str(shown(str(case["input"]))))
    marks = [text for classes, text in reader.runs if classes == ("badge",)]
    assert marks == [text for kind, text in case["badges"] if kind == "badge"]


@given(st.text(st.sampled_from(" ab<&\n\x7fé"), max_size=6))
def test_spaces_of_tokens_are_marked_as_everywhere(text: str):
    assert Reader(str(shown(text, spaces=True))).text == display_text(text, visible_spaces=True)


@pytest.mark.parametrize("text", HOSTILE)
def test_tokens_in_lists_show_their_outer_spaces(text: str):
    padded = f" {text} "
    reader = Reader(str(shown(padded, spaces=True)))
    harmless(reader)
    assert reader.text.startswith("␣")
    assert reader.text.endswith("␣")


def test_words_are_entries_and_remembered():
    asked: list[int] = []
    words = Words(lambda token: asked.append(token) or f" <{token}>")
    assert entries([words[3], words[3], words[0]]) == "<dd>␣&lt;3&gt;<dd>␣&lt;3&gt;<dd>␣&lt;0&gt;"
    assert asked == [3, 0]
    assert entries([]) == ""


def test_a_badge_says_what_it_is():
    assert str(shown("a\u202eb")) == 'a<span class="badge" title="Right-to-left override">U+202E</span>b'


@pytest.mark.parametrize(
    ("activation", "largest", "step"),
    [
        (0, 9, 0),
        (-1, 9, 0),
        (0.01, 9, 1),
        (1, 9, 1),
        (1.01, 9, 2),
        (8.5, 9, 9),
        (9, 9, 9),
        (10, 9, 9),
        (1, 0, 0),
    ],
)
def test_heat_is_linear_and_rounds_up(activation: float, largest: float, step: int):
    assert heat_class(activation, largest) == step


@given(st.floats(0, 1e6), st.floats(1e-6, 1e6))
def test_heat_follows_its_definition(activation: float, largest: float):
    step = heat_class(activation, largest)
    assert 0 <= step <= HEAT_STEPS
    assert (step == 0) == (activation == 0)
    if 0 < step < HEAT_STEPS:
        assert (step - 1) * largest / HEAT_STEPS < activation * (1 + 1e-9)
        assert activation <= step * largest / HEAT_STEPS * (1 + 1e-9)


def test_cold_text_needs_no_element():
    assert (
        str(strip(["raise", " Value", "Error"], {}, 0, 1.0))
        == '<span class="token peak">raise</span> ValueError'
    )


def test_the_example_of_the_contract():
    html_text = str(strip(["if x:", "\n", "    ", "raise", " Err"], {3: 14.2131}, 3, 14.2131))
    assert html_text == ('if x:<i>↵</i>\n    <span class="token a9 peak" title="14.21">raise</span> Err')


WINDOW = st.lists(TEXT, min_size=1, max_size=8).flatmap(
    lambda pieces: st.tuples(
        st.just(pieces),
        st.dictionaries(st.integers(0, len(pieces) - 1), st.floats(0.001, 50)),
        st.integers(0, len(pieces) - 1),
    )
)


@given(WINDOW)
def test_a_strip_reads_as_its_window_and_is_harmless(window: tuple[list[str], dict[int, float], int]):
    pieces, activations, peak = window
    reader = Reader(str(strip(pieces, activations, peak, 50.0)))
    harmless(reader)
    assert reader.text == "".join(policy(piece, block=True) for piece in pieces)


@given(WINDOW)
def test_every_token_that_fired_has_its_own_element_with_heat(
    window: tuple[list[str], dict[int, float], int],
):
    pieces, activations, peak = window
    reader = Reader(str(strip(pieces, activations, peak, 50.0)))
    tokens = [
        attributes for tag, attributes in reader.elements if str(attributes.get("class")).startswith("token")
    ]
    bidi = is_bidi("".join(pieces))
    alone = list(range(len(pieces))) if bidi else sorted({peak, *activations})
    assert len(tokens) == len(alone)
    for place, attributes in zip(alone, tokens, strict=True):
        classes = str(attributes["class"]).split()
        step = heat_class(activations.get(place, 0.0), 50.0)
        assert (f"a{step}" in classes) == (step > 0)
        assert ("peak" in classes) == (place == peak)
        assert ("title" in attributes) == (step > 0)


def test_right_to_left_text_isolates_every_piece():
    html_text = str(strip(["one", " שלום", " two", "!"], {0: 1.0}, 0, 1.0))
    assert html_text.count('<span class="token') == 4


def test_newlines_are_marked_and_kept_everywhere():
    reader = Reader(str(strip(["a\n\nb", "\n"], {1: 2.0}, 1, 2.0)))
    assert reader.text == "a↵\n↵\nb↵\n"
    assert [tag for tag, _ in reader.elements].count("i") == 3


def test_escaping_holds_in_attributes_too():
    text = str(shown("\"'><x y=z>"))
    assert not re.search(r"[\"'<>]", text)
    assert html.unescape(text) == "\"'><x y=z>"
