"""Text that strangers wrote, made visible: whole characters from token bytes, and marks for the unseen.

The exact text lives in the dataset; what this module returns is for people to look at. It does not
escape HTML (templates do). `tests/support/text_cases.json` holds golden cases that the TypeScript
twin must meet too.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

CONTROL_PICTURES = 0x2400
"""Control character c (below U+0020) is shown as U+2400 + c; DEL as `DELETE_PICTURE`."""
DELETE_PICTURE = "␡"
NEWLINE_MARK = "↵"
SPACE_MARK = "␣"
REPLACEMENT = "\ufffd"
"""Stands for a lone surrogate, which no UTF-8 file can carry."""

INVISIBLE_RANGES: tuple[tuple[int, int], ...] = (
    (0x0080, 0x009F),  # C1 controls
    (0x00AD, 0x00AD),  # soft hyphen
    (0x034F, 0x034F),  # combining grapheme joiner
    (0x061C, 0x061C),  # Arabic letter mark
    (0x115F, 0x1160),  # Hangul fillers
    (0x17B4, 0x17B5),  # Khmer inherent vowels
    (0x180B, 0x180F),  # Mongolian selectors and vowel separator
    (0x200B, 0x200F),  # zero width space, non-joiner, joiner, LRM, RLM
    (0x2028, 0x202E),  # line and paragraph separators, bidi embeddings and overrides
    (0x2060, 0x206F),  # word joiner, invisible operators, bidi isolates
    (0x2800, 0x2800),  # blank Braille pattern
    (0x3164, 0x3164),  # Hangul filler
    (0xFDD0, 0xFDEF),  # noncharacters
    (0xFE00, 0xFE0D),  # variation selectors, but for the text and emoji styles
    (0xFEFF, 0xFEFF),  # byte order mark
    (0xFFA0, 0xFFA0),  # halfwidth Hangul filler
    (0xFFF0, 0xFFFB),  # specials: interlinear annotation
    (0x1BCA0, 0x1BCA3),  # shorthand format controls
    (0x1D173, 0x1D17A),  # musical format controls
    (0xE0000, 0xE0FFF),  # tag characters and further variation selectors
)
"""Characters that change text without being seen, as inclusive ranges; shown as badges. The last two
code points of every plane (noncharacters) belong to them too."""

RTL_RANGES: tuple[tuple[int, int], ...] = (
    (0x0590, 0x08FF),
    (0x200E, 0x200F),
    (0x202A, 0x202E),
    (0x2066, 0x2069),
    (0xFB1D, 0xFDFF),
    (0xFE70, 0xFEFE),
    (0x10800, 0x10FFF),
    (0x1E800, 0x1EFFF),
)
"""Blocks of right-to-left scripts and all bidi controls, as inclusive ranges."""


def _character_class(ranges: Sequence[tuple[int, int]]) -> str:
    """The ranges as the inside of a regular expression's character class."""
    return "".join(f"{re.escape(chr(low))}-{re.escape(chr(high))}" for low, high in ranges)


_NONCHARACTERS = "".join(chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
_INVISIBLE = re.compile(f"[{_character_class(INVISIBLE_RANGES)}{_NONCHARACTERS}]")
_RTL = re.compile(f"[{_character_class(RTL_RANGES)}]")
_PLAIN = re.compile("[ -~\u00a1-\u00ac\u00ae-\u024f\u2010-\u2027]*")
_OUTER_SPACES = re.compile(r"^ +| +$")
_CONTROLS = {code: chr(CONTROL_PICTURES + code) for code in range(0x20)} | {0x7F: DELETE_PICTURE}
_SURROGATES = dict.fromkeys(range(0xD800, 0xE000), REPLACEMENT)
_VISIBLE = _CONTROLS | _SURROGATES | {0x0A: NEWLINE_MARK}
_VISIBLE_BLOCK = _VISIBLE | {0x0A: f"{NEWLINE_MARK}\n", 0x09: "\t"}
_ESCAPED, _ESCAPED_LAST = "\udc80", "\udcff"
_ASCII_RUN = re.compile(r"\w+")
_HUMPS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]{2})|_+")


@dataclass(frozen=True)
class Piece:
    """Consecutive tokens that together are whole characters."""

    text: str
    """The exact text; a byte that is no part of a character stands as `<0xE6>`."""
    start: int
    """First token of the piece."""
    stop: int
    """One past its last token."""


def group_pieces(tokens: Sequence[bytes | None]) -> list[Piece]:
    """Group tokens, given as their bytes, so that no character is cut: as few tokens a piece as possible.

    None is a special token: it is a piece of its own with empty text (the caller has its spelling)
    and no character reaches across it. The pieces cover all tokens in order.
    """
    pieces: list[Piece] = []
    run_start = 0
    for index, token in enumerate([*tokens, None]):
        if token is None:
            pieces.extend(_group_run(tokens, run_start, index))
            if index < len(tokens):
                pieces.append(Piece("", index, index + 1))
            run_start = index + 1
    return pieces


def _group_run(tokens: Sequence[bytes | None], start: int, stop: int) -> Iterator[Piece]:
    """The pieces of tokens[start:stop], none of which is None."""
    units = list(_units(b"".join(token or b"" for token in tokens[start:stop])))
    unit = 0
    reached = 0
    token_end = 0
    text: list[str] = []
    first = start
    for index in range(start, stop):
        token_end += len(tokens[index] or b"")
        while unit < len(units) and reached + units[unit][1] <= token_end:
            text.append(units[unit][0])
            reached += units[unit][1]
            unit += 1
        if reached == token_end:
            yield Piece("".join(text), first, index + 1)
            text.clear()
            first = index + 1


def _units(data: bytes) -> Iterator[tuple[str, int]]:
    """`data` as (text, number of bytes): one character, or one undecodable byte, at a time."""
    for character in data.decode("utf-8", "surrogateescape"):
        # Strict UTF-8 holds no surrogates, so one here always stands for an undecodable byte.
        if _ESCAPED <= character <= _ESCAPED_LAST:
            yield f"<0x{ord(character) & 0xFF:02X}>", 1
        else:
            yield character, len(character.encode("utf-8"))


def is_plain(text: str) -> bool:
    """Whether `text` holds only the commonest characters that are shown as they are: most texts do.

    A quick look that saves a thorough one: `display_text`, `badges` and `inline_text` would change nothing.
    """
    return _PLAIN.fullmatch(text) is not None


def display_text(text: str, *, visible_spaces: bool = False, newlines: bool = False) -> str:
    """`text` with nothing hidden and nothing that HTML cannot carry.

    C0 controls and DEL become control pictures (U+2400 …), a newline becomes ↵, lone surrogates
    become U+FFFD. With `visible_spaces` each leading and trailing space becomes ␣. With `newlines`
    a newline becomes ↵ and a line break, and a tab stays a tab: for preformatted blocks. Invisible
    characters stay; see `badges` and `inline_text`.
    """
    shown = text.translate(_VISIBLE_BLOCK if newlines else _VISIBLE)
    if visible_spaces:
        shown = _OUTER_SPACES.sub(lambda match: SPACE_MARK * len(match[0]), shown)
    return shown


def badges(text: str) -> list[tuple[str, str]]:
    """`text` cut into runs ('text', as it is) and ('badge', 'U+202E') for each invisible character.

    Invisible are bidi controls, zero-width characters, the byte order mark, soft hyphens, tag
    characters, C1 controls, noncharacters and the like (`INVISIBLE_RANGES`). Text runs are not yet
    displayable: give each to `display_text`. Empty text has no runs.
    """
    runs: list[tuple[str, str]] = []
    reached = 0
    for match in _INVISIBLE.finditer(text):
        if match.start() > reached:
            runs.append(("text", text[reached : match.start()]))
        runs.append(("badge", f"U+{ord(match[0]):04X}"))
        reached = match.end()
    if reached < len(text):
        runs.append(("text", text[reached:]))
    return runs


def inline_text(text: str, *, visible_spaces: bool = False) -> str:
    """`display_text` for places that hold no elements (titles, attributes): badges as `[U+202E]`."""
    if not visible_spaces and is_plain(text):
        return text
    shown = display_text(text, visible_spaces=visible_spaces)
    return _INVISIBLE.sub(lambda match: f"[U+{ord(match[0]):04X}]", shown)


def is_bidi(text: str) -> bool:
    """Whether `text` holds a right-to-left character or a bidi control."""
    return _RTL.search(text) is not None


def words(text: str) -> list[str]:
    """The search terms of `text`: distinct, in order of first occurrence, lower case, NFKC.

    A word is a run of letters, marks, digits and underscores. The parts of snake_case and CamelCase
    words follow the whole word: `getHTTPResponse` gives gethttpresponse, get, http, response.
    """
    found: dict[str, None] = {}
    for word in _runs(unicodedata.normalize("NFKC", text)):
        for term in (word, *_HUMPS.split(word)):
            if term.strip("_"):
                found[term.lower()] = None
    return list(found)


def search_key(text: str) -> str:
    """`text` as a search finds it whatever its spelling: NFKC, lower case, without white space around it."""
    return unicodedata.normalize("NFKC", text).lower().strip(" \t\n\r\f\v")


def _runs(text: str) -> Iterator[str]:
    """Maximal runs of letters, marks, digits and underscores."""
    if text.isascii():
        yield from _ASCII_RUN.findall(text)
        return
    run: list[str] = []
    for character in text:
        # The regular expression \w lacks combining marks and so cuts Hindi or Thai words.
        if character == "_" or unicodedata.category(character)[0] in "LMN":
            run.append(character)
        elif run:
            yield "".join(run)
            run.clear()
    if run:
        yield "".join(run)


def slugify(name: str) -> str:
    """`name` as a path segment of `[a-z0-9-]`, at most 60 long; 'sae' when nothing is left of it."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60].strip("-")
    if not slug:
        return "sae"
    return f"sae-{slug}"[:60].strip("-") if slug in RESERVED_SLUGS else slug


RESERVED_SLUGS = frozenset(
    {"assets", "data", "lists", "con", "prn", "aux", "nul"}
    | {f"{device}{number}" for device in ("com", "lpt") for number in range(1, 10)}
)
"""Slugs that no SAE can have: folders of the site, and names that Windows keeps for devices."""
