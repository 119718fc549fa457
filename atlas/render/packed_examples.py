"""The examples of a feature shard and the effects on them, in the order of `atlas.render.feature_shards`."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas.render.windows import strengths
from atlas.stats.lists import flat_numbers, flatten
from atlas.stats.ragged import offsets, ranges

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas.render.dataset import Block
    from atlas.render.packing import Packer
    from atlas.render.pieces import ShardPieces
    from atlas.render.windows import Windows

    Integers = NDArray[np.int64]


def put_examples(
    packer: Packer,
    block: Block,
    pieces: ShardPieces,
    documents: list[str],
    largest: NDArray[np.float64],
) -> list[str]:
    """Put the examples of `block`, whose features have `largest` activations; returns documents' names."""
    windows = block.windows
    bounds = np.array(windows.bounds(block.start, block.stop))
    part = slice(int(bounds[0]), int(bounds[-1]))
    owner = np.repeat(np.arange(block.size), np.diff(bounds))
    _put_groups(packer, windows, part, owner, block.size)
    texts = _texts(windows, part, pieces, largest[owner])
    used, document = np.unique(windows.document_idx[part], return_inverse=True)
    packer.singles(windows.activation[part])
    for values in (
        document,
        windows.context_idx[part],
        windows.position[part],
        windows.copies[part],
        texts.peaks,
        texts.lengths,
        texts.hot,
    ):
        _put_based(packer, values)
    packer.many(texts.places)
    packer.many(texts.strengths)
    packer.many(texts.pieces)
    return [documents[number] if 0 <= number < len(documents) else "" for number in used.tolist()]


def _put_groups(packer: Packer, windows: Windows, part: slice, owner: Integers, size: int) -> None:
    group, lower, upper = windows.group[part], windows.lower[part], windows.upper[part]
    starts = np.flatnonzero(
        (np.diff(owner, prepend=-1) != 0)
        | (np.diff(group, prepend=-1) != 0)
        | (lower != np.roll(lower, 1))
        | (upper != np.roll(upper, 1))
    )
    packer.integers(np.bincount(owner[starts], minlength=size))
    packer.integers(group[starts])
    packer.integers(np.diff(starts, append=len(owner)))
    packer.singles(lower[starts])
    packer.singles(upper[starts])


def _put_based(packer: Packer, values: NDArray[Any]) -> None:
    least = int(values.min()) if values.size else 0
    packer.signed(np.array([least]))
    packer.integers(values - least)


@dataclass
class _Texts:
    """Windows as pieces with heat; of the arrays, the first three have one entry per window."""

    peaks: Integers
    """Index of each window's own piece in it."""
    lengths: Integers
    """Pieces."""
    hot: Integers
    """Pieces with heat."""
    places: Integers
    """Of all pieces with heat: index in the window, less that of the one before."""
    strengths: Integers
    """Of the same."""
    pieces: Integers
    """All pieces of all windows."""


def _texts(windows: Windows, part: slice, pieces: ShardPieces, largest: NDArray[np.float64]) -> _Texts:
    starts, peaks = windows.starts[part], windows.peak[part]
    lengths = windows.ends[part] - starts
    flat = _flat(starts, lengths)
    tokens, activations = windows.tokens[flat], windows.activations[flat]
    hot = np.flatnonzero(activations > 0)
    owner = np.searchsorted(np.cumsum(lengths), hot, side="right")
    heat = strengths(activations[hot], largest[owner])
    if not windows.strange[part].any():
        codes = pieces.tokens(tokens)
    else:
        first = offsets(lengths)
        piece_of, codes = _grouped(tokens, first, pieces)
        bounds = np.append(piece_of[first], codes.size)
        strongest = np.zeros(codes.size, np.int64)
        np.maximum.at(strongest, piece_of[hot], heat)
        hot = np.flatnonzero(strongest)
        heat, owner = strongest[hot], np.searchsorted(bounds[1:], hot, side="right")
        peaks, lengths = piece_of[first + peaks] - bounds[:-1], np.diff(bounds)
    places, counts = hot - offsets(lengths)[owner], np.bincount(owner, minlength=len(lengths))
    return _Texts(peaks, lengths, counts, _steps(places, counts), heat, codes)


def _grouped(tokens: NDArray[np.int32], first: Integers, pieces: ShardPieces) -> tuple[Integers, Integers]:
    """(the piece each of `tokens` is part of, the numbers of all pieces) of windows that start at `first`."""
    cut = ~pieces.whole(tokens)
    at = np.flatnonzero(cut)
    # A character can only be where parts of one stand side by side in one window.
    begins = np.flatnonzero(np.isin(at, first) | (np.diff(at, prepend=-1) != 1)).tolist()
    parts: list[int] = tokens[at].tolist()
    flags, texts = list[bool](), list[str]()
    for start, stop in itertools.pairwise([*begins, len(parts)]):
        for text, length in pieces.group(parts[start:stop]):
            flags += (True, *[False] * (length - 1))
            texts.append(text)
    leads = np.ones(tokens.size, np.bool_)
    leads[at] = flags
    firsts = np.flatnonzero(leads)
    alone = ~cut[firsts]
    codes = np.empty(firsts.size, np.int64)
    codes[alone] = pieces.tokens(tokens[firsts[alone]])
    codes[~alone] = [pieces.text(text) for text in texts]
    return np.cumsum(leads) - 1, codes


def _flat(starts: Integers, lengths: Integers) -> Integers | slice:
    """Indices of all tokens of the windows that start at `starts`."""
    if len(starts) and (starts[1:] == (starts + lengths)[:-1]).all():
        return slice(int(starts[0]), int(starts[-1] + lengths[-1]))
    return ranges(starts, lengths)


def _steps(places: Integers, hot: Integers) -> Integers:
    """Each place less the one before it in the same window."""
    steps = np.diff(places, prepend=0)
    firsts = offsets(hot)[hot > 0]
    steps[firsts] = places[firsts]
    return steps


def _spliced(
    values: NDArray[Any], bounds: list[int], rows: list[int], new: list[NDArray[Any]]
) -> NDArray[Any]:
    """`values`, of which row n is bounds[n]:bounds[n + 1], with the ascending `rows` replaced by `new`."""
    parts: list[NDArray[Any]] = []
    done = 0
    for row, replacement in zip(rows, new, strict=True):
        parts += (values[done : bounds[row]], replacement)
        done = bounds[row + 1]
    return np.concatenate([*parts, values[done:]])


def put_effects(packer: Packer, block: Block, pieces: ShardPieces) -> None:
    """Put the effects on the top examples of `block`."""
    if block.effects is None:
        packer.integers(np.zeros(block.size, np.int64))
        return
    features = block.effects["feature_idx"].to_numpy()
    first, last = np.searchsorted(features, [block.start, block.stop]).tolist()
    rows = block.effects.slice(first, last - first)
    kept, lengths, effects = _shown_effects(rows, block)
    features, ranks = (rows[name].to_numpy()[kept] for name in ("feature_idx", "rank"))
    listed = [flatten(rows[name]) for name in ("raised", "lowered")]
    counts = [np.diff(bounds)[kept] for bounds, _ in listed]
    packer.integers(np.bincount(features - block.start, minlength=block.size))
    packer.integers(np.concatenate([ranks, lengths, *counts]))
    packer.singles(effects)
    for (bounds, entries), count in zip(listed, counts, strict=True):
        chosen = ranges(bounds[kept], count)
        tokens, measured, direct = (
            entries.field(number).to_numpy(zero_copy_only=False)[chosen] for number in range(3)
        )
        packer.integers(pieces.tokens(pieces.known(tokens.astype(np.int32))))
        packer.singles(measured)
        packer.singles(direct)


def _shown_effects(rows: Any, block: Block) -> tuple[Integers, Integers, NDArray[np.float32]]:
    """(which of the table's `rows` are of an example of the site, how many pieces each, effects on all)."""
    windows = block.windows
    number = _top_windows(block, rows["feature_idx"].to_numpy(), rows["rank"].to_numpy())
    bounds, values = flat_numbers(rows["effects"])
    kept = np.flatnonzero(number >= 0)
    kept = kept[np.diff(bounds)[kept] == windows.whole[number[kept]]]
    number = number[kept]
    lengths = windows.ends[number] - windows.starts[number]
    effects = values[ranges(bounds[kept] + windows.skipped[number], lengths)]
    strange = np.flatnonzero(windows.strange[number]).tolist()
    if strange:
        places = np.concatenate([[0], np.cumsum(lengths)]).tolist()
        grouped: list[NDArray[np.float32]] = []
        for row in strange:
            texts, owners = windows.pieces(int(number[row]))
            own = effects[places[row] : places[row + 1]]
            grouped.append(np.bincount(owners, weights=own, minlength=len(texts)).astype(np.float32))
            lengths[row] = len(texts)
        effects = _spliced(effects, places, strange, grouped)
    return kept, lengths, effects


def _top_windows(block: Block, features: Integers, ranks: Integers) -> Integers:
    """[n] number of the window of each top example, by feature and rank; -1 where the site has none."""
    windows = block.windows
    bounds = np.array(windows.bounds(block.start, block.stop))
    part = slice(int(bounds[0]), int(bounds[-1]))
    owner = np.repeat(np.arange(block.start, block.stop), np.diff(bounds))
    top = windows.groups.index("top") if "top" in windows.groups else -1
    chosen = np.flatnonzero(windows.group[part] == top)
    keys = owner[chosen] << 32 | windows.rank[part][chosen]
    order = np.argsort(keys, kind="stable")
    wanted = features.astype(np.int64) << 32 | ranks
    at = np.searchsorted(keys[order], wanted)
    found = np.full(len(wanted), -1, np.int64)
    inside = np.flatnonzero(at < keys.size)
    hits = inside[keys[order][at[inside]] == wanted[inside]]
    found[hits] = chosen[order][at[hits]] + part.start
    return found
