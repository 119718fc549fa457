"""Data text as HTML: the one place of this project where strings become markup.

All text that strangers wrote (tokens, explanations, names) passes through `shown` or `strip`. Both
escape every character they are given and add only the elements written here; templates then print
the result as it is. Everything else is escaped by the templates themselves. Audited: every argument
of `Markup(` below is made of `escape(…)`ed text and of literals.
"""

from __future__ import annotations

import html
import unicodedata
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup, escape

from atlas.text import SPACE_MARK, badges, display_text, is_bidi, is_plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

Shown = Markup
"""Data text made visible and escaped."""

HEAT_STEPS = 9
"""Heat classes a1 … a9; the ramp is linear in the activation and zero has no class."""

_NEWLINE = "<i>↵</i>\n"
_KEPT = {ord("\n"): None, ord("\t"): None}
_ASCII = [html.escape(display_text(chr(code)), quote=False) for code in range(128)]
"""What `_between(display_text(…))` makes of single characters, for texts of nothing else."""


@lru_cache(maxsize=1 << 16)
def shown(text: str, *, spaces: bool = False) -> Shown:
    """`text` for one line: names, explanations, and with `spaces` single tokens (outer spaces as ␣).

    Control characters become pictures, invisible ones badges.
    """
    if is_plain(text):
        return escape(_marked(text) if spaces else text)
    runs = (
        _badge(run) if kind == "badge" else escape(display_text(run, visible_spaces=spaces))
        for kind, run in badges(text)
    )
    return Markup("".join(runs))  # noqa: S704 - escaped above


class Words(dict[int, Shown]):
    """Token → its text for one line, outer spaces as ␣; made when first asked for: all pages share them."""

    def __init__(self, text: Callable[[int], str]) -> None:
        """`text` gives the exact text of a token."""
        super().__init__()
        self._text = text

    def __missing__(self, token_id: int) -> Shown:
        word = self[token_id] = shown(self._text(token_id), spaces=True)
        return word


def entries(words: Sequence[Shown]) -> Shown:
    """Each of `words` as an entry of a `<dl>`; nothing for none."""
    return Markup(f"<dd>{'<dd>'.join(words)}" if words else "")  # noqa: S704 - escaped by shown


def _marked(text: str) -> str:
    """Printable `text` with its outer spaces as marks, as `display_text` has them."""
    inner = text.strip(" ")
    if len(inner) == len(text):
        return text
    before = len(text) - len(text.lstrip(" ")) if inner else len(text)
    return f"{SPACE_MARK * before}{inner}{SPACE_MARK * (len(text) - before - len(inner))}"


def heat_class(activation: float, max_activation: float) -> int:
    """1 … `HEAT_STEPS`, linear: ceil(9 * activation / max_activation); 0 for no activation."""
    if activation <= 0 or max_activation <= 0:
        return 0
    return min(HEAT_STEPS, max(1, -int(-HEAT_STEPS * activation // max_activation)))


def strip(pieces: Sequence[str], activations: Mapping[int, float], peak: int, max_activation: float) -> Shown:
    """The inside of a strip: the window of whole-character `pieces` with its heat.

    `activations` maps the index of each piece that fired to its activation, `peak` is the index of
    the example's own piece. Only these pieces get an element, except in a window with right-to-left
    text: there every piece does, so that each is isolated from its neighbours.
    """
    whole = "".join(pieces)
    alone = range(len(pieces)) if not whole.isascii() and is_bidi(whole) else sorted({peak, *activations})
    html: list[str] = []
    done = 0
    for index in alone:
        if index > done:
            html.append(_block("".join(pieces[done:index])))
        value = activations.get(index, 0.0)
        step = heat_class(value, max_activation)
        css = (f" a{step}" if step else "") + (" peak" if index == peak else "")
        title = f' title="{value:.4g}"' if step else ""
        html.append(f'<span class="token{css}"{title}>{_block(pieces[index])}</span>')
        done = index + 1
    html.append(_block("".join(pieces[done:])))
    return Markup("".join(html))  # noqa: S704 - escaped by _block


def brief(pieces: Sequence[str], peak: int) -> Shown:
    """The window of whole-character `pieces` on one line, that at `peak` in a `<mark>`."""
    before, own, after = "".join(pieces[:peak]).lstrip(), pieces[peak], "".join(pieces[peak + 1 :]).rstrip()
    return Markup(f"{_inline(before)}<mark>{_inline(own)}</mark>{_inline(after)}")  # noqa: S704 - escaped by _inline


class BriefPieces:
    """Pieces of text as `brief` writes them, made once for many windows.

    Each character is written alike whatever stands beside it, so pieces can be written one by one.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        plain = [_inline(text) for text in texts]
        pairs = list(zip(texts, plain, strict=True))
        self.blank = np.array([not text.strip() for text in texts], np.bool_)
        """[n_texts] whether it is nothing but white space."""
        self._forms = np.array(
            [
                plain,
                [self._stripped(text, text.lstrip(), whole) for text, whole in pairs],
                [self._stripped(text, text.rstrip(), whole) for text, whole in pairs],
                [f"<mark>{whole}</mark>" for whole in plain],
                [""] * len(plain),
            ],
            object,
        )

    @staticmethod
    def _stripped(text: str, rest: str, whole: str) -> str:
        return whole if len(rest) == len(text) else _inline(rest)

    def lines(
        self, texts: NDArray[np.integer], forms: NDArray[np.integer], bounds: Sequence[int]
    ) -> list[Shown]:
        """Windows on one line each: window n is texts[bounds[n]:bounds[n + 1]], each by its number.

        `forms` says how each is written: one of `WHOLE`, `NO_SPACE_BEFORE`, `NO_SPACE_AFTER`, `MARKED` and
        `LEFT_OUT`.
        """
        pieces: list[str] = self._forms[forms, texts].tolist()
        return [Markup("".join(pieces[first:last])) for first, last in pairwise(bounds)]  # noqa: S704 - escaped by _inline


WHOLE, NO_SPACE_BEFORE, NO_SPACE_AFTER, MARKED, LEFT_OUT = range(5)
"""How `BriefPieces` writes a piece."""


def _inline(text: str) -> str:
    """`text` for one line; as `shown`, but seen once and so not remembered."""
    if text.isascii():
        return text.translate(_ASCII)
    runs = badges(text)
    return "".join(_badge(run) if kind == "badge" else _between(display_text(run)) for kind, run in runs)


def _between(text: str) -> str:
    """`text` escaped for a place between elements, where quotes mean nothing and stay short."""
    return html.escape(text, quote=False)


def _block(text: str) -> str:
    """`text` for preformatted places: newlines marked and kept, tabs kept, invisible characters as badges."""
    if text.isascii() and text.translate(_KEPT).isprintable():
        return str(escape(text)).replace("\n", _NEWLINE)
    runs = (
        _badge(run) if kind == "badge" else _NEWLINE.join(_line(line) for line in run.split("\n"))
        for kind, run in badges(text)
    )
    return "".join(runs)


def _line(text: str) -> str:
    return escape(display_text(text, newlines=True))


def _badge(code: str) -> str:
    name = unicodedata.name(chr(int(code.removeprefix("U+"), 16)), "invisible character")
    return f'<span class="badge" title="{escape(name.capitalize())}">{escape(code)}</span>'
