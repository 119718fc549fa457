"""The examples of a feature shard and the effects on them, in the order of `atlas.render.feature_shards`.

What can be done for all features of a read at once is done once for them, as in `packed_columns`.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas.render.windows import strengths
from atlas.stats.lists import flat_numbers, flatten
from atlas.stats.ragged import offsets, ranges, row_bounds

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from atlas.render.dataset import Block
    from atlas.render.packing import Packer
    from atlas.render.pieces import ShardPieces
    from atlas.render.windows import Vocabulary, Windows

    Integers = NDArray[np.int64]


class ReadExamples:
    """The examples of all features of a read."""

    def __init__(
        self, read: Block, vocabulary: Vocabulary, largest: NDArray[np.float64], documents: list[str]
    ) -> None:
        """`largest` [n] are the features' largest activations, `documents` the names of all documents."""
        self._start = read.start
        self._windows = read.windows
        self._documents = documents
        bounds = np.array(read.windows.bounds(read.start, read.stop))
        self._bounds: list[int] = bounds.tolist()
        owner = np.repeat(np.arange(read.size), np.diff(bounds))
        self._groups = _Groups(read.windows, owner, read.size)
        self._texts = _Texts(read.windows, vocabulary, largest[owner])

    def put(self, packer: Packer, pieces: ShardPieces, first: int, last: int) -> tuple[list[str], list[str]]:
        """Put those of the features first <= i < last, counted from the first of the read.

        Returns the names of their documents, and of their groups.
        """
        windows, texts = self._windows, self._texts
        part = slice(self._bounds[first], self._bounds[last])
        groups = self._groups.put(packer, slice(first, last))
        used, document = np.unique(windows.document_idx[part], return_inverse=True)
        packer.singles(windows.activation[part])
        for values in (
            document,
            windows.context_idx[part],
            windows.position[part],
            windows.copies[part],
            texts.peaks[part],
            texts.lengths[part],
            texts.hot[part],
        ):
            _put_based(packer, values)
        hot = slice(texts.hot_bounds[part.start], texts.hot_bounds[part.stop])
        packer.integers(texts.places[hot])
        packer.integers(texts.strengths[hot])
        packer.integers(texts.codes(part, pieces))
        known = self._documents
        return [known[number] if 0 <= number < len(known) else "" for number in used.tolist()], groups


class _Groups:
    """Where groups of examples begin, of all features of a read: [n_groups] each."""

    def __init__(self, windows: Windows, owner: Integers, size: int) -> None:
        lower, upper = windows.lower, windows.upper
        self._starts = np.flatnonzero(
            (np.diff(owner, prepend=-1) != 0)
            | (np.diff(windows.group, prepend=-1) != 0)
            | (lower != np.roll(lower, 1))
            | (upper != np.roll(upper, 1))
        )
        self._counts = np.bincount(owner[self._starts], minlength=size)
        self._bounds: list[int] = row_bounds(self._counts).tolist()
        self._lengths = np.diff(self._starts, append=len(owner))
        self._names = windows.groups
        self._codes = windows.group[self._starts]
        self._lower, self._upper = lower[self._starts], upper[self._starts]

    def put(self, packer: Packer, features: slice) -> list[str]:
        """Put the groups of `features`; returns their names."""
        part = slice(self._bounds[features.start], self._bounds[features.stop])
        used, codes = np.unique(self._codes[part], return_inverse=True)
        packer.integers(self._counts[features])
        packer.integers(codes)
        packer.integers(self._lengths[part])
        packer.singles(self._lower[part])
        packer.singles(self._upper[part])
        return [self._names[code] for code in used.tolist()]


def _put_based(packer: Packer, values: NDArray[Any]) -> None:
    least = int(values.min()) if values.size else 0
    packer.signed(np.array([least]))
    packer.integers(values - least)


class _Texts:
    """All windows of a read as pieces with heat."""

    def __init__(self, windows: Windows, vocabulary: Vocabulary, largest: NDArray[np.float64]) -> None:
        """`largest` [n_windows] are the largest activations of the windows' features."""
        starts, counts = windows.starts, windows.ends - windows.starts
        flat = _flat(starts, counts)
        tokens, activations = windows.tokens[flat], windows.activations[flat]
        first = offsets(counts)
        self._ids, self._grouped, inner = _pieces(tokens, first, vocabulary)
        edges = np.append(first, tokens.size)
        bounds = edges - np.searchsorted(inner, edges)
        self._bounds: list[int] = bounds.tolist()
        self.peaks: Integers = _places(first + windows.peak, inner) - bounds[:-1]
        """[n_windows] index of each window's own piece in it."""
        self.lengths: Integers = np.diff(bounds)
        """[n_windows] pieces."""
        fired = np.flatnonzero(activations > 0)
        owner = np.searchsorted(np.cumsum(counts), fired, side="right")
        heat = strengths(activations[fired], largest[owner])
        places = _places(fired, inner)
        firsts = np.flatnonzero(np.diff(places, prepend=-1))
        owner = owner[firsts]
        self.hot: Integers = np.bincount(owner, minlength=len(counts))
        """[n_windows] pieces with heat."""
        self.hot_bounds: list[int] = row_bounds(self.hot).tolist()
        """[n_windows + 1] the first of these, of all of them, and the end."""
        self.places: Integers = _steps(places[firsts] - bounds[owner], self.hot)
        """Of all pieces with heat: index in the window, less that of the one before."""
        self.strengths: Integers = np.maximum.reduceat(heat, firsts) if firsts.size else heat
        """Of the same."""

    def codes(self, windows: slice, pieces: ShardPieces) -> Integers:
        """All pieces of `windows`, as numbers of `pieces`."""
        ids = self._ids[self._bounds[windows.start] : self._bounds[windows.stop]]
        grouped = np.flatnonzero(ids < 0)
        if not grouped.size:
            return pieces.tokens(ids)
        codes = np.empty(ids.size, np.int64)
        alone = ids >= 0
        codes[alone] = pieces.tokens(ids[alone])
        codes[grouped] = [pieces.text(self._grouped[-1 - number]) for number in ids[grouped].tolist()]
        return codes


def _places(tokens: Integers, inner: Integers) -> Integers:
    """The pieces that `tokens` are part of, where the tokens `inner` begin none."""
    return tokens - np.searchsorted(inner, tokens, side="right")


def _pieces(
    tokens: NDArray[np.int32], first: Integers, vocabulary: Vocabulary
) -> tuple[NDArray[np.int32], list[str], Integers]:
    """The pieces of the known `tokens` of windows that start at `first`.

    [n_pieces] the token of each where it is one that is whole by itself, else -1 - index into the texts; the
    texts of the others; which of `tokens` are in a piece but not its first.
    """
    at = np.flatnonzero(~vocabulary.whole(tokens))
    if not at.size:
        return tokens, [], at
    # A character can only be where parts of one stand side by side in one window.
    begins = np.flatnonzero(np.isin(at, first) | (np.diff(at, prepend=-1) != 1)).tolist()
    parts: list[int] = tokens[at].tolist()
    flags, texts = list[bool](), list[str]()
    for start, stop in itertools.pairwise([*begins, len(parts)]):
        for text, length in vocabulary.group(parts[start:stop]):
            flags += (True, *[False] * (length - 1))
            texts.append(text)
    leads = np.array(flags)
    ids = tokens.copy()
    ids[at[leads]] = -1 - np.arange(len(texts))
    inner = at[~leads]
    return np.delete(ids, inner), texts, inner


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


class ReadEffects:
    """The effects on the top examples of all features of a read."""

    def __init__(self, read: Block, effects: pa.Table, vocabulary: Vocabulary) -> None:
        """`effects` are the rows of the table effects of these features."""
        kept, self._lengths, self._effects = _shown_effects(effects, read)
        features, self._ranks = (effects[name].to_numpy()[kept] for name in ("feature_idx", "rank"))
        self._counts = np.bincount(features - read.start, minlength=read.size)
        self._rows: list[int] = row_bounds(self._counts).tolist()
        self._places: list[int] = row_bounds(self._lengths).tolist()
        self._lists = [_Listed(effects[name], kept, vocabulary) for name in ("raised", "lowered")]

    def put(self, packer: Packer, pieces: ShardPieces, first: int, last: int) -> None:
        """Put those of the features first <= i < last, counted from the first of the read."""
        packer.integers(self._counts[first:last])
        part = slice(self._rows[first], self._rows[last])
        for values in (self._ranks, self._lengths, *(listed.counts for listed in self._lists)):
            packer.integers(values[part])
        packer.singles(self._effects[self._places[part.start] : self._places[part.stop]])
        for listed in self._lists:
            listed.put(packer, pieces, part)


class _Listed:
    """A list of tokens with two numbers each, of those rows of the table effects that are shown."""

    def __init__(self, column: pa.ChunkedArray, kept: Integers, vocabulary: Vocabulary) -> None:
        bounds, entries = flatten(column)
        self.counts: Integers = np.diff(bounds)[kept]
        """[n_kept] entries of each row."""
        self._bounds: list[int] = row_bounds(self.counts).tolist()
        chosen = ranges(bounds[kept], self.counts)
        tokens, self._measured, self._direct = (
            entries.field(number).to_numpy(zero_copy_only=False)[chosen] for number in range(3)
        )
        self._tokens = vocabulary.known(tokens.astype(np.int32))

    def put(self, packer: Packer, pieces: ShardPieces, rows: slice) -> None:
        """Put the entries of the kept `rows`."""
        part = slice(self._bounds[rows.start], self._bounds[rows.stop])
        packer.integers(pieces.tokens(self._tokens[part]))
        packer.singles(self._measured[part])
        packer.singles(self._direct[part])


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
        places = row_bounds(lengths).tolist()
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
