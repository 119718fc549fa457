"""The examples of a feature shard and the effects on them, in the order of `atlas.render.feature_shards`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas.render.windows import flatten, strengths

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    starts, lengths = windows.starts[part], windows.ends[part] - windows.starts[part]
    ends = np.cumsum(lengths)
    flat = _flat(starts, lengths, ends)
    tokens, activations = windows.tokens[flat], windows.activations[flat]
    hot = np.flatnonzero(activations > 0)
    owner = np.searchsorted(ends, hot, side="right")
    found = _Texts(
        peaks=windows.peak[part],
        lengths=lengths,
        hot=np.bincount(owner, minlength=len(lengths)),
        places=hot - (ends - lengths)[owner],
        strengths=strengths(activations[hot], largest[owner]),
        pieces=pieces.tokens(tokens),
    )
    strange = np.flatnonzero(windows.strange[part])
    if strange.size:
        found = _regrouped(found, windows, part.start, strange.tolist(), pieces)
    found.places = _steps(found.places, found.hot)
    return found


def _flat(starts: Integers, lengths: Integers, ends: Integers) -> Integers | slice:
    """Indices of all tokens of the windows that start at `starts`."""
    if len(starts) and (starts[1:] == (starts + lengths)[:-1]).all():
        return slice(int(starts[0]), int(starts[0] + ends[-1]))
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - ends + lengths, lengths)


def _steps(places: Integers, hot: Integers) -> Integers:
    """Each place less the one before it in the same window."""
    steps = np.diff(places, prepend=0)
    firsts = (np.cumsum(hot) - hot)[hot > 0]
    steps[firsts] = places[firsts]
    return steps


def _regrouped(
    found: _Texts, windows: Windows, first: int, strange: list[int], pieces: ShardPieces
) -> _Texts:
    """`found` with the windows `strange` in whole characters: some of their tokens are parts of one."""
    peaks, lengths, hot = found.peaks.copy(), found.lengths.copy(), found.hot.copy()
    bounds = np.concatenate([[0], np.cumsum(lengths)]).tolist()
    marks = np.concatenate([[0], np.cumsum(hot)]).tolist()
    new: list[tuple[Integers, Integers, Integers]] = []
    for at in strange:
        texts, owners = windows.pieces(first + at)
        own = slice(marks[at], marks[at + 1])
        strongest = np.zeros(len(texts), np.int64)
        np.maximum.at(strongest, np.array(owners)[found.places[own]], found.strengths[own])
        places = np.flatnonzero(strongest)
        codes = _codes(windows.tokens_of(first + at), texts, owners, pieces)
        new.append((codes, places, strongest[places]))
        peaks[at], lengths[at], hot[at] = owners[int(peaks[at])], len(texts), len(places)
    return _Texts(
        peaks,
        lengths,
        hot,
        _spliced(found.places, marks, strange, [places for _, places, _ in new]),
        _spliced(found.strengths, marks, strange, [heat for *_, heat in new]),
        _spliced(found.pieces, bounds, strange, [codes for codes, *_ in new]),
    )


def _codes(tokens: NDArray[np.int32], texts: list[str], owners: list[int], pieces: ShardPieces) -> Integers:
    """Numbers of the pieces `texts` that `tokens` make up; whole tokens are pieces by themselves."""
    firsts = tokens[np.searchsorted(owners, np.arange(len(texts)))]
    whole = pieces.whole(firsts)
    codes = np.empty(len(texts), np.int64)
    codes[whole] = pieces.tokens(firsts[whole])
    for at in np.flatnonzero(~whole).tolist():
        codes[at] = pieces.text(texts[at])
    return codes


def _spliced(values: Integers, bounds: list[int], rows: list[int], new: list[Integers]) -> Integers:
    """`values`, of which row n is bounds[n]:bounds[n + 1], with the ascending `rows` replaced by `new`."""
    parts: list[Integers] = []
    done = 0
    for row, replacement in zip(rows, new, strict=True):
        parts += (values[done : bounds[row]], replacement)
        done = bounds[row + 1]
    return np.concatenate([*parts, values[done:]])


@dataclass
class _Effects:
    """The rows of the table effects that belong to an example of the site, gathered one by one."""

    per_feature: Integers
    """[n] rows."""
    heads: list[tuple[int, int, int, int]] = field(default_factory=list[tuple[int, int, int, int]])
    """Rank, pieces, raised, lowered of each row."""
    effects: list[NDArray[np.float32]] = field(default_factory=list["NDArray[np.float32]"])
    """Effects on the pieces of each row."""


def put_effects(packer: Packer, block: Block, pieces: ShardPieces) -> None:
    """Put the effects on the top examples of `block`."""
    found = _Effects(np.zeros(block.size, np.int64))
    lists: dict[str, _Entries] = {}
    kept: list[int] = []
    if block.effects is not None:
        features = block.effects["feature_idx"].to_numpy()
        first, last = np.searchsorted(features, [block.start, block.stop]).tolist()
        rows = block.effects.slice(first, last - first)
        lists = {name: _Entries(rows[name]) for name in ("raised", "lowered")}
        for row, (feature, rank, window, effects) in enumerate(_matched(rows, block)):
            if window >= 0:
                kept.append(row)
                found.per_feature[feature - block.start] += 1
                raised, lowered = (lists[name].size(row) for name in ("raised", "lowered"))
                found.heads.append((rank, len(effects), raised, lowered))
                found.effects.append(effects)
    packer.integers(found.per_feature)
    packer.integers(np.array(found.heads, np.int64).reshape(-1, 4).T.reshape(-1))
    packer.singles(np.concatenate([np.empty(0, np.float32), *found.effects]))
    for entries in lists.values():
        packer.integers(pieces.tokens(pieces.known(entries.take(0, kept).astype(np.int32))))
        packer.singles(entries.take(1, kept))
        packer.singles(entries.take(2, kept))


class _Entries:
    """A column of lists of (token_id, measured, direct)."""

    def __init__(self, column: Any) -> None:
        self._offsets, structs = flatten(column)
        self._fields: list[NDArray[Any]] = [
            structs.field(number).to_numpy(zero_copy_only=False) for number in range(3)
        ]

    def size(self, row: int) -> int:
        return int(self._offsets[row + 1] - self._offsets[row])

    def take(self, number: int, rows: list[int]) -> NDArray[Any]:
        """One field of all entries of `rows`."""
        values = self._fields[number]
        parts = (values[self._offsets[row] : self._offsets[row + 1]] for row in rows)
        return np.concatenate([values[:0], *parts])


def _matched(rows: Any, block: Block) -> Iterator[tuple[int, int, int, NDArray[np.float32]]]:
    """(feature, rank, number of its window or -1, effects on the window's pieces) of each row."""
    windows = block.windows
    numbers = _top_windows(block)
    offsets, values = flatten(rows["effects"])
    effects = values.to_numpy(zero_copy_only=False)
    for row, key in enumerate(zip(rows["feature_idx"].to_pylist(), rows["rank"].to_pylist(), strict=True)):
        window = numbers.get(key, -1)
        own = effects[offsets[row] : offsets[row + 1]]
        if window < 0 or len(own) != windows.whole[window]:
            yield *key, -1, own[:0]
            continue
        skipped = int(windows.skipped[window])
        shown = own[skipped : skipped + int(windows.ends[window] - windows.starts[window])]
        if windows.strange[window]:
            texts, owners = windows.pieces(window)
            shown = np.bincount(owners, weights=shown, minlength=len(texts)).astype(np.float32)
        yield *key, window, shown


def _top_windows(block: Block) -> dict[tuple[int, int], int]:
    """(feature, rank) of each top example → the number of its window."""
    windows = block.windows
    if "top" not in windows.groups:
        return {}
    bounds = windows.bounds(block.start, block.stop)
    first = bounds[0]
    owner = np.repeat(np.arange(block.start, block.stop), np.diff(bounds))
    chosen = np.flatnonzero(windows.group[first : bounds[-1]] == windows.groups.index("top"))
    keys = zip(owner[chosen].tolist(), windows.rank[chosen + first].tolist(), strict=True)
    return dict(zip(keys, (chosen + first).tolist(), strict=True))
