"""The preview picture of a feature: what link previews show beside its title.

It has no words: any script of the world would need its font, and the title stands beside it anyway. It is
the feature's own look: its strongest examples as rows of heat above the histogram of its activations.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas.render.strips import HEAT_STEPS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

WIDTH, HEIGHT = 1200, 630
"""Pixels: the size that link previews ask for."""

_PAPER, _INK, _EMBER, _LINE = (251, 250, 246), (28, 31, 36), (232, 89, 12), (228, 224, 214)
_STRONGEST = 0.78
_MARGIN = 72
_ROW, _GAP = 34, 12
PREVIEW_ROWS = 7
"""Examples that the picture shows."""

_TOKENS = 24
_BASE = HEIGHT - 64
_TALLEST = 170
_BARS = 48

Strength = tuple["Mapping[int, float]", int, int]
"""(place of a token → strength 0 … 1, place of the example's own token, number of tokens)."""


def palette() -> list[tuple[int, int, int]]:
    """Colours by number: paper, ink, hairline, then the heat of the classes 1 … `HEAT_STEPS` on paper."""
    heat = [
        tuple(
            round(p + (e - p) * _STRONGEST * step / HEAT_STEPS) for p, e in zip(_PAPER, _EMBER, strict=True)
        )
        for step in range(1, HEAT_STEPS + 1)
    ]
    return [_PAPER, _INK, _LINE, *((red, green, blue) for red, green, blue in heat)]


def preview_png(examples: Sequence[Strength], bins: Sequence[tuple[float, float, int]]) -> bytes:
    """The picture as PNG, `WIDTH` x `HEIGHT`; equal arguments give equal bytes.

    `examples` are drawn from the top, `bins` (lower, upper, count) are the histogram of activations; both
    may be empty, as they are of a feature that never fires.
    """
    picture = np.zeros((HEIGHT, WIDTH), np.uint8)
    for row, example in enumerate(examples[:PREVIEW_ROWS]):
        _draw_example(picture, _MARGIN - 20 + row * (_ROW + _GAP), example)
    _draw_bars(picture, bins)
    picture[_BASE : _BASE + 2, _MARGIN : WIDTH - _MARGIN] = 1
    return _png(picture)


def _draw_example(picture: NDArray[np.uint8], top: int, example: Strength) -> None:
    """One row of tokens around the example's own, which is underlined."""
    strengths, peak, count = example
    width = (WIDTH - 2 * _MARGIN) // _TOKENS
    first = peak - _TOKENS * 2 // 3
    for place in range(max(0, first), min(count, first + _TOKENS)):
        left = _MARGIN + (place - first) * width
        strength = min(1.0, max(0.0, strengths.get(place, 0.0)))
        step = -int(-HEAT_STEPS * strength // 1)
        cell = picture[top : top + _ROW, left : left + width - 3]
        cell[-3:] = 2
        if step:
            cell[:] = 2 + step
        if place == peak:
            cell[-4:] = 1


def _draw_bars(picture: NDArray[np.uint8], bins: Sequence[tuple[float, float, int]]) -> None:
    """Counts by activation, in bars of equal width; a wide bin fills several."""
    if not bins:
        return
    least, most = bins[0][0], max(upper for _, upper, _ in bins)
    scale = _BARS / ((most - least) or 1.0)
    counts = np.zeros(_BARS)
    for lower, upper, count in bins:
        first = min(_BARS - 1, int((lower - least) * scale))
        last = max(first + 1, min(_BARS, round((upper - least) * scale)))
        counts[first:last] += count / (last - first)
    width = (WIDTH - 2 * _MARGIN) // _BARS
    for bar, count in enumerate(counts):
        height = round(_TALLEST * float(np.log1p(count) / np.log1p(counts.max()))) if count else 0
        left = _MARGIN + bar * width
        picture[_BASE - height : _BASE, left : left + width - 3] = 2 + HEAT_STEPS


def _png(picture: NDArray[np.uint8]) -> bytes:
    """`picture` (rows x columns of colour numbers) as a PNG with a palette."""
    height, width = picture.shape
    lines = np.zeros((height, width + 1), np.uint8)
    lines[:, 1:] = picture
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    colours = bytes(channel for colour in palette() for channel in colour)
    parts = [
        (b"IHDR", header),
        (b"PLTE", colours),
        (b"IDAT", zlib.compress(lines.tobytes(), 9)),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def histogram_bins(flat: Sequence[Any] | None) -> list[tuple[float, float, int]]:
    """The filled bins of a histogram column's value, ascending; empty for None."""
    return [(float(lower), float(upper), int(count)) for lower, upper, count in flat or () if count]
