"""What an atlas and its features look like in a terminal and in a notebook.

Everything shown may have been written by strangers. Terminals get text without control or bidi
characters (`inline_text`). Notebooks get HTML that is made by `element` alone, which escapes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from markupsafe import escape

from atlas.text import inline_text

if TYPE_CHECKING:
    from atlas.store.reader import Atlas, Example, Feature, Token

SHOWN_EXAMPLES = 5
"""Top examples on a card."""
SHOWN_TOKENS = 8
"""Tokens of each list on a card."""
SHOWN_PIECES = 24
"""Pieces of an example on each side of its own token, in a terminal."""


class Html(NamedTuple):
    """Finished markup; only `element` makes it."""

    markup: str
    """The HTML source."""


def element(name: str, *children: Html | str, style: str = "") -> Html:
    """The element `name` around `children`: texts are made visible and escaped, markup stays.

    `name` and `style` are literals of this module or numbers formatted by it, never text of others.
    """
    inner = "".join(
        child.markup if isinstance(child, Html) else str(escape(inline_text(child))) for child in children
    )
    attribute = f' style="{escape(style)}"' if style else ""
    return Html(f"<{name}{attribute}>{inner}</{name}>")


def number(value: object) -> str:
    """A figure in few characters: integers with separators, floats with four significant digits."""
    if value is None:
        return "none"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def example_line(example: Example) -> str:
    """One example on one line, its own token in brackets."""
    first = max(0, example.peak - SHOWN_PIECES)
    shown = list(example.pieces)[first : example.peak + SHOWN_PIECES + 1]
    texts = [inline_text(text) for text, _ in shown]
    texts[example.peak - first : example.peak - first + 1] = [
        f"[[{text}]]" for text in texts[example.peak - first : example.peak - first + 1]
    ]
    return f"{example.activation:8.3f}  {inline_text(example.document)}: {''.join(texts)}"


def feature_text(feature: Feature) -> str:
    """A feature for the terminal."""
    lines = [f"Feature {feature.feature_idx} of {_sae_name(feature)}"]
    if feature.explanation:
        lines.append(f"  {inline_text(feature.explanation)}")
    lines += [f"  {inline_text(label)}: {value}" for label, value in _scalars(feature)]
    lines += [
        f"  {inline_text(column.replace('_', ' '))}: {_token_line(tokens)}"
        for column, tokens in feature.tokens.items()
        if tokens
    ]
    lines += [example_line(example) for example in _shown(feature)]
    return "\n".join(lines)


def feature_html(feature: Feature) -> str:
    """A feature for a notebook."""
    parts = [element("h3", f"Feature {feature.feature_idx} of {_sae_name(feature)}")]
    if feature.explanation:
        parts.append(element("p", element("em", feature.explanation)))
    rows = [(label, value) for label, value in _scalars(feature)]
    rows += [
        (column.replace("_", " "), _token_line(tokens)) for column, tokens in feature.tokens.items() if tokens
    ]
    parts.append(_table(rows))
    parts += [_example_html(example) for example in _shown(feature)]
    return element("div", *parts).markup


def atlas_text(atlas: Atlas) -> str:
    """An atlas for the terminal."""
    lines = [f"Atlas {inline_text(atlas.title)!r}, build {atlas.build_id}"]
    lines += [f"  {inline_text(label)}: {inline_text(value)}" for label, value in _atlas_rows(atlas)]
    return "\n".join(lines)


def atlas_html(atlas: Atlas) -> str:
    """An atlas for a notebook."""
    heading = element("h3", atlas.title or "Atlas")
    return element("div", heading, _table([("build", atlas.build_id), *_atlas_rows(atlas)])).markup


def _sae_name(feature: Feature) -> str:
    hook = str(feature.sae.facts.get("hook_name", ""))
    return inline_text(f"{feature.sae.slug} ({feature.sae.title}{', ' if hook else ''}{hook})")


def _scalars(feature: Feature) -> list[tuple[str, str]]:
    """(label, figure) of the scalar columns."""
    row = (feature.rows.get("features") or [{}])[0]
    return [
        (info.label, number(row.get(name))) for name, info in feature.columns.items() if info.kind == "scalar"
    ]


def _token_line(tokens: tuple[Token, ...]) -> str:
    shown = [
        f"{inline_text(token.text, visible_spaces=True)} {number(token.value)}"
        for token in tokens[:SHOWN_TOKENS]
    ]
    return " · ".join(shown)


def _shown(feature: Feature) -> list[Example]:
    return [example for example in feature.examples if example.group == "top"][:SHOWN_EXAMPLES]


def _example_html(example: Example) -> Html:
    """An example as a paragraph; the darker the ground, the stronger the activation."""
    strongest = max((strength for _, strength in example.pieces), default=0.0)
    pieces = [
        element(
            "bdi",
            text,
            style=_ground(strength, strongest) + ("font-weight:bold" if place == example.peak else ""),
        )
        for place, (text, strength) in enumerate(example.pieces)
    ]
    where = element("small", f"{example.activation:.3f} · ", element("bdi", example.document))
    text = element("div", *pieces, style="font-family:monospace;white-space:pre-wrap")
    return element("div", where, text, style="margin:0.5em 0")


def _ground(strength: float, strongest: float) -> str:
    share = strength / strongest if strength > 0 and strongest > 0 else 0.0
    return f"background:rgba(245,158,11,{share * 0.7:.2f});" if share else ""


def _atlas_rows(atlas: Atlas) -> list[tuple[str, str]]:
    manifest = atlas.store.manifest
    rows = [
        ("model", str(manifest.model.get("name", ""))),
        ("corpus", str(manifest.corpus.get("description", ""))),
        ("counted tokens", number(manifest.stream.get("n_tokens"))),
    ]
    rows += [
        (
            f"SAE {entry.slug}",
            f"{entry.title}, {entry.n_features:,} features, {entry.facts.get('hook_name', '')}",
        )
        for entry in manifest.saes
    ]
    shared = [key for key in atlas.tables if "/" not in key]
    own = sorted({key.rpartition("/")[2] for key in atlas.tables if "/" in key})
    return [*rows, ("tables", ", ".join(shared)), ("tables of each SAE", ", ".join(own))]


def _table(rows: Iterable[tuple[str, str]]) -> Html:
    return element(
        "table", *(element("tr", element("th", label), element("td", value)) for label, value in rows)
    )
