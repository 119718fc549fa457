"""Tokens named for a sentence: white space in words, everything else in quotes."""

from __future__ import annotations

import itertools
import re
import unicodedata
from typing import TYPE_CHECKING, Any

from atlas.text import group_pieces

if TYPE_CHECKING:
    from atlas.store import AtlasStore

NAME_LENGTH = 32
"""Longest quoted text in a name, in characters; the rest becomes an ellipsis."""
_REPEATED = 6
"""A run of one character from this length on is counted instead of shown."""
_MOST_PARTS = 3
"""A token of more runs of white space and text than this is cut."""

_LINE_BREAKERS = "\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff"
_PARTS = re.compile(rf"\r\n|[^\s{_LINE_BREAKERS}]+(?: [^\s{_LINE_BREAKERS}]+)*|.", re.DOTALL)
_WHITE_SPACE = {
    " ": ("space", "spaces"),
    "\n": ("newline", "newlines"),
    "\r\n": ("CRLF newline", "CRLF newlines"),
    "\r": ("carriage return", "carriage returns"),
    "\t": ("tab", "tabs"),
}
SHARE_COLUMNS = ("feature_idx", "firing_tokens", "mean_activation", "top_tokens", "top_tokens_share")
"""Columns of `features` from which shares of activation follow; the last one may be missing."""

_INDENT = re.compile(r"newline \+ (\d+) spaces")


def token_text(token: bytes, *, special: bool, piece: str) -> str:
    """The exact text of one token: its own spelling if special, `<0xE6>` for a byte that is no character."""
    return piece if special else "".join(part.text for part in group_pieces([token]))


def read_token_texts(store: AtlasStore) -> dict[int, str]:
    """token_id → `token_text`, for the whole table `vocabulary`."""
    table = store.read("vocabulary", columns=["token_id", "bytes", "special", "piece"])
    columns = (table[name].to_pylist() for name in ("token_id", "bytes", "special", "piece"))
    return {
        number: token_text(token, special=special, piece=piece)
        for number, token, special, piece in zip(*columns, strict=True)
    }


def token_name(text: str) -> str:
    """How a sentence calls the token `text`: one line without control characters.

    Text stands in curly quotes, one leading space left out (the tokenizer's, not the word's); white
    space in words: 'newline + 8 spaces'; long runs are counted: "40 times '='"; other controls are
    'U+0007'.
    """
    if not text:
        return "the empty token"
    if re.match(rf" [^\s{_LINE_BREAKERS}]", text):
        text = text[1:]
    parts = [_name_run(part, len(list(run))) for part, run in itertools.groupby(_PARTS.findall(text))]
    shown = " + ".join(parts[:_MOST_PARTS])
    return shown if len(parts) <= _MOST_PARTS else f"{shown} + …"


def _name_run(part: str, count: int) -> str:
    """`count` times the same `part` (white space, a control, or visible text) in words."""
    if part in _WHITE_SPACE:
        one, many = _WHITE_SPACE[part]
        return one if count == 1 else f"{count} {many}"
    if re.fullmatch(rf"[\s{_LINE_BREAKERS}]", part):
        name = unicodedata.name(part, "").lower() or f"U+{ord(part):04X}"
        return name if count == 1 else f"{count} times {name}"
    if len(part) >= _REPEATED and part == part[0] * len(part):
        return f"{len(part)} times {quoted(part[0])}"
    return quoted(part if len(part) <= NAME_LENGTH else part[: NAME_LENGTH - 1] + "…")


def quoted(text: str) -> str:
    """`text` between curly quotes that do not occur in it, as far as that is possible."""
    if "\u2018" in text or "\u2019" in text:
        return f"\u201c{text}\u201d"
    return f"\u2018{text}\u2019"


def listing(names: list[str], last: str = ", ") -> str:
    """`names` as one list: 'a, b and c' with last=' and '. Newlines with different indents are gathered.

    ['newline + 4 spaces', 'newline + 8 spaces'] becomes 'newline + 4 or 8 spaces'.
    """
    indents = [match[1] for name in names if (match := _INDENT.fullmatch(name))]
    if len(indents) > 1:
        ordered = sorted(indents, key=int)
        gathered = f"newline + {', '.join(ordered[:-1])} or {ordered[-1]} spaces"
        first = next(i for i, name in enumerate(names) if _INDENT.fullmatch(name))
        others = [name for name in names if not _INDENT.fullmatch(name)]
        names = [*others[:first], gathered, *others[first:]]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])}{last}{names[-1]}"


def share_columns(store: AtlasStore, slug: str) -> list[str]:
    """The `SHARE_COLUMNS` that the table `features` of the SAE has."""
    present = store.schema("features", slug).names
    return [name for name in SHARE_COLUMNS if name in present or name != "top_tokens_share"]


def merged_shares(feature: dict[str, Any], names: dict[int, str]) -> dict[str, float]:
    """Token name → share of the feature's total activation, for a row of `features`; {} if it never fired.

    Reads the columns of `SHARE_COLUMNS`; tokens of one name are added up. Where top_tokens was
    counted over a sample of the contexts (top_tokens_share), the shares are estimates.
    """
    counted = feature.get("top_tokens_share") or 1.0
    total = (feature["firing_tokens"] or 0) * (feature["mean_activation"] or 0.0) * counted
    merged: dict[str, float] = {}
    for token in (feature["top_tokens"] or []) if total > 0 else []:
        name = names.get(token["token_id"], f"token {token['token_id']}")
        merged[name] = merged.get(name, 0.0) + token["count"] * token["value"] / total
    return merged
