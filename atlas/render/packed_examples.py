"""The examples of feature shards and the effects on them, in the order of `atlas.render.feature_shards`."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas.render.packed_columns import steps
from atlas.render.windows import strengths
from atlas.stats.lists import flat_numbers, flatten
from atlas.stats.ragged import offsets, ranges, row_bounds

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from atlas.render.dataset import Block
    from atlas.render.packed_columns import Shards
    from atlas.render.packing import Cuts, Packer
    from atlas.render.windows import Vocabulary, Windows

    Integers = NDArray[np.int64]


def put_examples(
    shards: Shards, read: Block, vocabulary: Vocabulary, largest: NDArray[np.float64], documents: list[str]
) -> tuple[list[list[str]], list[list[str]]]:
    """Put the examples of all features of `read`; returns the names of each shard's documents and groups.

    `largest` [n] are the features' largest activations. `documents` are the names of all documents, and at
    the end what stands for an unknown one.
    """
    windows, packer = read.windows, shards.packer
    bounds = np.array(windows.bounds(read.start, read.stop))
    owner = np.repeat(np.arange(read.size), np.diff(bounds))
    cuts = shards.cuts(bounds)
    groups = _Groups(windows, owner, read.size).put(shards)
    texts = _Texts(windows, vocabulary, largest[owner])
    packer.singles(windows.activation, cuts)
    known = np.where(windows.document_idx < 0, len(documents), windows.document_idx)
    used, document = _numbered(np.minimum(known, len(documents) - 1), cuts)
    for values in (
        document,
        windows.context_idx,
        windows.position,
        windows.copies,
        texts.peaks,
        texts.lengths,
        texts.hot,
    ):
        _put_based(packer, values, cuts)
    hot = texts.hot_bounds[cuts].tolist()
    packer.integers(texts.places, hot)
    packer.integers(texts.strengths, hot)
    texts.put(shards, cuts)
    return [list(map(documents.__getitem__, part)) for part in used], groups


def _numbered(values: Integers, cuts: Cuts) -> tuple[list[list[int]], Integers]:
    """Of each shard its different `values` (none negative), ascending; and each value's place among them."""
    span = int(values.max()) + 1 if values.size else 1
    shards = np.repeat(np.arange(len(cuts) - 1), np.diff(cuts))
    used, place = np.unique(shards * span + values, return_inverse=True)
    ends = np.searchsorted(used, np.arange(len(cuts)) * span)
    plain: list[int] = (used % span).tolist()
    return [plain[first:last] for first, last in itertools.pairwise(ends.tolist())], place - ends[shards]


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
        self._lengths = np.diff(self._starts, append=len(owner))
        self._codes, self._names = windows.group[self._starts], windows.groups
        self._lower, self._upper = lower[self._starts], upper[self._starts]

    def put(self, shards: Shards) -> list[list[str]]:
        """Put the groups of all features; returns the names of each shard's."""
        packer, cuts = shards.packer, shards.cuts(row_bounds(self._counts))
        used, codes = _numbered(self._codes.astype(np.int64), cuts)
        packer.integers(self._counts, shards.edges.tolist())
        packer.integers(codes, cuts)
        packer.integers(self._lengths, cuts)
        packer.singles(self._lower, cuts)
        packer.singles(self._upper, cuts)
        return [list(map(self._names.__getitem__, part)) for part in used]


def _put_based(packer: Packer, values: NDArray[Any], cuts: Cuts) -> None:
    """Put the smallest of each shard's `values`, and each value less that."""
    counts = np.diff(cuts)
    least = np.zeros(len(counts), np.int64)
    filled = np.flatnonzero(counts)
    if filled.size:
        least[filled] = np.minimum.reduceat(values, np.asarray(cuts)[filled])
    packer.signed(least, range(len(counts) + 1))
    packer.integers(values - np.repeat(least, counts), cuts)


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
        self._bounds = bounds
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
        self.hot_bounds: Integers = row_bounds(self.hot)
        """[n_windows + 1] the first of these, of all of them, and the end."""
        self.places: Integers = steps(places[firsts] - bounds[owner], self.hot_bounds)
        """Of all pieces with heat: index in the window, less that of the one before."""
        self.strengths: Integers = np.maximum.reduceat(heat, firsts) if firsts.size else heat
        """Of the same."""

    def put(self, shards: Shards, windows: Cuts) -> None:
        """Put all pieces, as their numbers in each shard; shard n has windows[n] to windows[n + 1] - 1."""
        cuts: list[int] = self._bounds[windows].tolist()
        grouped = np.flatnonzero(self._ids < 0)
        # The pieces of several tokens come after the others: until then they pass for the most common one.
        texts = [self._grouped[-1 - number] for number in self._ids[grouped].tolist()]
        if texts:
            self._ids[grouped] = shards.pieces.commonest
        codes = shards.pieces.tokens(self._ids, cuts)
        owners = (np.searchsorted(cuts, grouped, side="right") - 1).tolist()
        codes[grouped] = list(map(shards.pieces.text, owners, texts))
        shards.packer.integers(codes, cuts)


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
    starts_window = first[np.searchsorted(first, at, side="right") - 1] == at
    begins = np.flatnonzero(starts_window | (np.diff(at, prepend=-1) != 1)).tolist()
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


def put_effects(shards: Shards, read: Block, effects: pa.Table, vocabulary: Vocabulary) -> None:
    """Put the effects on the top examples of all features of `read`, the rows `effects` of their table."""
    packer = shards.packer
    kept, lengths, values = _shown_effects(effects, read)
    features, ranks = (effects[name].to_numpy()[kept] for name in ("feature_idx", "rank"))
    counts = np.bincount(features - read.start, minlength=read.size)
    cuts = shards.cuts(row_bounds(counts))
    listed = [_Listed(effects[name], kept, vocabulary) for name in ("raised", "lowered")]
    packer.integers(counts, shards.edges.tolist())
    for numbers in (ranks, lengths, *(each.counts for each in listed)):
        packer.integers(numbers, cuts)
    packer.singles(values, row_bounds(lengths)[cuts].tolist())
    for each in listed:
        each.put(shards, cuts)


class _Listed:
    """A list of tokens with two numbers each, of those rows of the table effects that are shown."""

    def __init__(self, column: pa.ChunkedArray, kept: Integers, vocabulary: Vocabulary) -> None:
        bounds, entries = flatten(column)
        self.counts: Integers = np.diff(bounds)[kept]
        """[n_kept] entries of each row."""
        chosen = ranges(bounds[kept], self.counts)
        tokens, self._measured, self._direct = (
            entries.field(number).to_numpy(zero_copy_only=False)[chosen] for number in range(3)
        )
        self._tokens = vocabulary.known(tokens.astype(np.int32))

    def put(self, shards: Shards, rows: Cuts) -> None:
        """Put the entries, shard n having those of the kept rows[n] to rows[n + 1] - 1."""
        cuts = row_bounds(self.counts)[rows].tolist()
        shards.packer.integers(shards.pieces.tokens(self._tokens, cuts), cuts)
        shards.packer.singles(self._measured, cuts)
        shards.packer.singles(self._direct, cuts)


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
