"""What an atlas and its features look like in a terminal and in a notebook.

Everything shown may have been written by strangers. Terminals get text without control or bidi
characters (`inline_text`). Notebooks get HTML that is made by `element` alone, which escapes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from markupsafe import escape

from atlas.text import inline_text

if TYPE_CHECKING:
    from atlas.reader.atlas import Atlas, Example, Feature, Token
    from atlas.reader.results import Continuation, Strip, TextActivations

SHOWN_EXAMPLES = 5
"""Top examples on a card."""
SHOWN_FEATURES = 10
"""Features on the card of a text."""
SHOWN_TOKENS = 8
"""Tokens of each list on a card."""
SHOWN_PIECES = 24
"""Pieces of an example on each side of its own token, in a terminal."""
SHOWN_AROUND = 100
"""Pieces on each side of a feature's strongest token, on the card of a text in a notebook."""


_TEXT = "font-family:monospace;white-space:pre-wrap"


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
    around = _around(example.pieces, example.peak)
    return f"{example.activation:8.3f}  {inline_text(example.document)}: {around}"


def strip_line(strip: Strip) -> str:
    """A feature along a text on one line: what is around its strongest token, in brackets."""
    around = _around(strip.pieces, strip.peak) if strip.activation > 0 else "does not fire"
    return f"{strip.activation:8.3f}  {strip.label}: {around}"


def strip_html(strip: Strip) -> str:
    """A feature along the whole text, for a notebook."""
    return _strip(strip.pieces, strip.peak, strip.activation, strip.label).markup


def activations_text(found: TextActivations) -> str:
    """A text with its strongest features, for the terminal."""
    strips = [found[top.feature_idx] for top in found.top(SHOWN_FEATURES)]
    return "\n".join([*_activation_lines(found), *map(strip_line, strips)])


def activations_html(found: TextActivations) -> str:
    """A text with its strongest features, for a notebook."""
    heading, *notes = _activation_lines(found)
    strips = [found[top.feature_idx] for top in found.top(SHOWN_FEATURES)]
    return element(
        "div",
        element("h3", heading),
        *(element("p", note) for note in notes),
        *(_excerpt(strip) for strip in strips),
    ).markup


def continuation_text(made: Continuation) -> str:
    """A continuation for the terminal: the text that was given, then what follows in brackets."""
    return f"{_continuation_line(made)}\n  {inline_text(made.prompt)}[[{inline_text(made.text)}]]"


def continuation_html(made: Continuation) -> str:
    """A continuation for a notebook; the darker the ground of a new token, the likelier it was."""
    chances = [float(made.probabilities[piece.start : piece.stop].min()) for piece in made.pieces]
    new = [
        element("bdi", piece.text, style=f"{_ground(chance, 1.0)}font-weight:bold")
        for piece, chance in zip(made.pieces, chances, strict=True)
    ]
    text = element("div", element("bdi", made.prompt), *new, style=_TEXT)
    return element("div", element("h3", _continuation_line(made)), text).markup


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


def _around(pieces: Sequence[tuple[str, float]], peak: int) -> str:
    """What stands around piece number `peak`, which is in brackets."""
    first = max(0, peak - SHOWN_PIECES)
    texts = [inline_text(text) for text, _ in pieces[first : peak + SHOWN_PIECES + 1]]
    texts[peak - first : peak - first + 1] = [
        f"[[{text}]]" for text in texts[peak - first : peak - first + 1]
    ]
    return "".join(texts)


def _excerpt(strip: Strip) -> Html:
    """A feature along what is around its strongest token."""
    first = max(0, strip.peak - SHOWN_AROUND)
    near = strip.pieces[first : strip.peak + SHOWN_AROUND + 1]
    return _strip(near, strip.peak - first, strip.activation, strip.label)


def _example_html(example: Example) -> Html:
    return _strip(example.pieces, example.peak, example.activation, example.document)


def _strip(pieces: Sequence[tuple[str, float]], peak: int, activation: float, label: str) -> Html:
    """A text as a paragraph; the darker the ground, the stronger the activation."""
    strongest = max((strength for _, strength in pieces), default=0.0)
    spans = [
        element(
            "bdi",
            text,
            style=_ground(strength, strongest) + ("font-weight:bold" if place == peak else ""),
        )
        for place, (text, strength) in enumerate(pieces)
    ]
    where = element("small", f"{activation:.3f} · ", element("bdi", label))
    return element("div", where, element("div", *spans, style=_TEXT), style="margin:0.5em 0")


def _activation_lines(found: TextActivations) -> list[str]:
    """What was read, and what the reader should know of it."""
    if not found.windows:
        return ["The text is empty: nothing was run"]
    through = f"{found.sae.slug} ({found.values.shape[1]:,} features)"
    read = _counted(int((~found.bos).sum()), "token")
    lines = [f"{read} in {_counted(found.windows, 'window')} through {through}"]
    if found.replaced:
        lines.append(f"{_counted(found.replaced, 'lone surrogate')} replaced by U+FFFD")
    return lines


def _continuation_line(made: Continuation) -> str:
    drawn = f"temperature {number(made.sampling.temperature)}, seed {made.sampling.seed}"
    how = drawn if made.sampling.temperature else "greedy"
    strong = ", ".join(
        str(feature) if made.mode == "ablate" else f"{feature} at {number(strength)}"
        for feature, strength in made.strengths.items()
    )
    steered = f"{made.mode} {strong} of {made.sae.slug}" if strong else "nothing steered"
    return f"{_counted(len(made.token_ids), 'new token')}, {how}, {steered}"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


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
