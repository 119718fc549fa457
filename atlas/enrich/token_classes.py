"""Kinds of tokens that a sentence can name in one word, told from a token's text and its neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

CLASSES = (
    "digits",
    "indented newlines",
    "newlines",
    "spaces",
    "closing brackets",
    "opening brackets",
    "quotation marks",
    "operators",
    "parts of snake_case names",
    "names after a dot",
    "capitals",
    "capitalised words",
    "parts of words",
    "lower-case words",
    "punctuation",
)
"""What a token can be, most telling first; class c is bit c. A token can be several of them.

*Parts of snake_case names* have letters or digits and an underscore directly before or after; *names after a
dot* have a dot directly before; *capitals* are all upper case, *capitalised words* begin with one capital and
go on in lower case; *lower-case words* are words in lower case or their first parts, *parts of words* go on
with the letters or digits before them. *Quotation marks*, *brackets* and *operators* hold no letter, digit or
underscore; *punctuation* is whatever holds none of these, and more than white space.
"""

VAGUE = frozenset({"lower-case words", "parts of words"})
"""Classes too wide to tell features apart where nothing is said of their surroundings or members."""

_BIT = {name: 1 << place for place, name in enumerate(CLASSES)}
_STARTS_WORD, _ENDS_WORD, _STARTS_UNDERSCORE, _ENDS_UNDERSCORE, _ENDS_DOT, _LOWER = (
    1 << place for place in range(len(CLASSES), len(CLASSES) + 6)
)
_OPERATORS = frozenset("+-*/%=<>&|^~!@")


def token_bits(texts: Mapping[int, str]) -> NDArray[np.uint32]:
    """[largest token_id + 2] what the text of each token tells of it; 0 for unknown ids, and for id -1."""
    bits = np.zeros(max(texts, default=-1) + 2, np.uint32)
    for token_id, text in texts.items():
        bits[token_id] = _own(text)
    return bits


def _own(text: str) -> int:
    core = text.strip(" ")
    if not core:
        return _BIT["spaces"] if text else 0
    if not core.strip():
        return _white(text)
    if not any(char.isalnum() or char == "_" for char in core):
        found = _marks(core)
    elif core.isdecimal():
        found = _BIT["digits"]
    elif core.isalpha() and core.isupper():
        found = _BIT["capitals"]
    elif core.isalpha() and core.istitle():
        found = _BIT["capitalised words"]
    else:
        found = _LOWER if core[0].islower() else 0
    edges = (
        (_STARTS_WORD, text[0].isalnum()),
        (_ENDS_WORD, text[-1].isalnum()),
        (_STARTS_UNDERSCORE, text[0] == "_"),
        (_ENDS_UNDERSCORE, text[-1] == "_"),
        (_ENDS_DOT, text[-1] == "."),
    )
    return found | sum(bit for bit, holds in edges if holds)


def _white(text: str) -> int:
    if not text.startswith(("\n", "\r")):
        return 0
    return _BIT["indented newlines" if text.strip("\r\n") else "newlines"]


def _marks(core: str) -> int:
    """The classes of a token without letters, digits and underscores."""
    found = _BIT["punctuation"]
    if any(char in "\"'`" for char in core):
        return found | _BIT["quotation marks"]
    if core[0] in ")]}":
        found |= _BIT["closing brackets"]
    elif core[-1] in "([{":
        found |= _BIT["opening brackets"]
    elif set(core) <= _OPERATORS:
        found |= _BIT["operators"]
    return found


def classes_of(
    bits: NDArray[np.uint32], before: NDArray[np.int32], token: NDArray[np.int32], after: NDArray[np.int32]
) -> NDArray[np.uint32]:
    """[n] the classes, as bits, of each `token` [n] between its neighbours [n] (-1: none is known).

    `bits` is that of `token_bits`. A token at the edge of what is known goes on with no word.
    """
    left, own, right = bits[before], bits[token], bits[after]
    named = own & (_STARTS_WORD | _ENDS_WORD) > 0
    starts = own & _STARTS_WORD > 0
    found = own & np.uint32((1 << len(CLASSES)) - 1)
    goes_on = starts & (left & _ENDS_WORD > 0)
    underscored = (starts & (left & _ENDS_UNDERSCORE > 0)) | (
        (own & _ENDS_WORD > 0) & (right & _STARTS_UNDERSCORE > 0)
    )
    dotted = starts & (left & _ENDS_DOT > 0)
    lower = named & (own & _LOWER > 0) & ~goes_on
    for name, holds in (
        ("parts of words", goes_on),
        ("parts of snake_case names", named & underscored),
        ("names after a dot", dotted),
        ("lower-case words", lower),
    ):
        found = found | np.where(holds, np.uint32(_BIT[name]), np.uint32(0))
    return found


def class_counts(classes: NDArray[np.uint32], row: NDArray[np.int64], n_rows: int) -> NDArray[np.int64]:
    """[n_rows, classes] how many of the tokens of each `row` [n] are of each class (`classes` [n])."""
    return np.stack(
        [np.bincount(row[classes >> place & 1 > 0], minlength=n_rows) for place in range(len(CLASSES))],
        axis=1,
    )
