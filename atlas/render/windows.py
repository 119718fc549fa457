"""Windows of the corpus: arrays until they are shown, whole characters then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas.text import group_pieces

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

STRENGTHS = 255
"""Strength of a feature's largest activation in the data for scripts."""


class Vocabulary:
    """Text of tokens, alone and in windows. Unknown ids read `<unknown token>`."""

    def __init__(self, table: pa.Table) -> None:
        ids = table["token_id"].to_pylist()
        size = max(ids, default=-1) + 1
        self._bytes: list[bytes | None] = [None] * (size + 1)
        self._texts: list[str] = ["<unknown token>"] * (size + 1)
        self._whole = np.ones(size + 1, np.bool_)
        columns = (table[name].to_pylist() for name in ("bytes", "special", "piece"))
        for token, data, special, piece in zip(ids, *columns, strict=True):
            if special:
                self._texts[token] = piece or "<special token>"
                continue
            self._bytes[token] = data
            try:
                self._texts[token] = data.decode("utf-8")
            except UnicodeDecodeError:
                self._texts[token] = "".join(found.text for found in group_pieces([data]))
                self._whole[token] = False

    def known(self, ids: NDArray[np.int32]) -> NDArray[np.int32]:
        """`ids` with unknown ones replaced by the one that stands for them."""
        unknown = len(self._texts) - 1
        return np.where((ids < 0) | (ids >= unknown), unknown, ids).astype(np.int32)

    def whole(self, ids: NDArray[np.int32]) -> NDArray[np.bool_]:
        """For each of the known `ids` whether it is whole characters by itself."""
        return self._whole[ids]

    def text(self, token_id: int) -> str:
        """Exact text of one token; a byte that is no part of a character stands as `<0xE6>`."""
        return self._texts[token_id if 0 <= token_id < len(self._texts) else -1]

    def texts(self, ids: Sequence[int]) -> list[str]:
        """Texts of known `ids`, each whole by itself."""
        return list(map(self._texts.__getitem__, ids))

    def pieces(self, ids: Sequence[int]) -> tuple[list[str], list[int]]:
        """Whole-character pieces of the window of known `ids`, and for each token its piece's index."""
        groups = group_pieces([self._bytes[token] for token in ids])
        texts: list[str] = []
        owners: list[int] = []
        for number, group in enumerate(groups):
            special = self._bytes[ids[group.start]] is None
            texts.append(self._texts[ids[group.start]] if special else group.text)
            owners += [number] * (group.stop - group.start)
        return texts, owners


@dataclass(frozen=True)
class Window:
    """One example of a feature, as text."""

    activation: float
    """Activation at its own token."""
    document_idx: int
    """Document it is from."""
    peak: int
    """Index of its own piece in `pieces`."""
    pieces: list[str]
    """The text in whole characters."""
    heat: dict[int, float]
    """Index of each piece that fired → its largest activation."""

    def near(self, before: int, after: int) -> Window:
        """At most so many pieces before and after the example's own."""
        first, last = max(0, self.peak - before), self.peak + after + 1
        heat = {place - first: value for place, value in self.heat.items() if first <= place < last}
        return replace(self, peak=self.peak - first, pieces=self.pieces[first:last], heat=heat)


@dataclass(frozen=True)
class Coded:
    """Windows as numbers, for a data file; all lists have one entry per window but `pieces`."""

    pieces: list[str]
    """The texts that the windows are made of."""
    indices: list[list[int]]
    """The window as indices into `pieces`."""
    heat: list[list[int]]
    """Flat pairs (index into the window, strength 1 … STRENGTHS)."""
    peaks: list[int]
    """Index into the window of the example's own piece."""


class Windows:
    """All examples of the features start <= feature_idx < stop.

    The public columns are those of the table examples, one entry per window, in its order.
    """

    def __init__(self, rows: pa.Table, vocabulary: Vocabulary, start: int, stop: int) -> None:
        self._vocabulary = vocabulary
        self._start = start
        features = rows["feature_idx"].to_numpy()
        self._bounds: list[int] = np.searchsorted(features, np.arange(start, stop + 1)).tolist()
        self.group: list[str] = rows["group"].to_pylist()
        self.lower = short_floats(rows["interval_lower"])
        self.upper = short_floats(rows["interval_upper"])
        self.activation = short_floats(rows["activation"])
        self.document_idx: list[int] = rows["document_idx"].to_pylist()
        self.context_idx: list[int] = rows["context_idx"].to_pylist()
        self.position: list[int] = rows["position"].to_pylist()
        self.peak: list[int] = rows["peak"].to_pylist()
        self._offsets, ids = flatten(rows["token_ids"])
        _, activations = flatten(rows["activations"])
        self._tokens = vocabulary.known(ids.to_numpy(zero_copy_only=False))
        self._activations: NDArray[np.float32] = activations.to_numpy(zero_copy_only=False)
        partial = np.concatenate([[0], np.cumsum(~vocabulary.whole(self._tokens))])
        self._strange = (np.diff(partial[self._offsets]) > 0).tolist()

    def reason(self, number: int) -> tuple[str, float, float]:
        """Why window `number` was chosen: group and interval bounds."""
        return self.group[number], self.lower[number], self.upper[number]

    def of(self, feature_idx: int) -> range:
        """Numbers of the windows of a feature."""
        at = feature_idx - self._start
        return range(self._bounds[at], self._bounds[at + 1])

    def top(self, feature_idx: int, count: int) -> list[Window]:
        """The strongest examples of a feature, at most `count`."""
        numbers = [number for number in self.of(feature_idx) if self.group[number] == "top"]
        return [self.window(number) for number in numbers[:count]]

    def window(self, number: int) -> Window:
        """Window `number` as text."""
        first, last = int(self._offsets[number]), int(self._offsets[number + 1])
        activations = self._activations[first:last]
        places = np.flatnonzero(activations > 0)
        fired = dict(zip(places.tolist(), activations[places].tolist(), strict=True))
        ids, peak = self._tokens[first:last].tolist(), self.peak[number]
        if self._strange[number]:
            pieces, owners = self._vocabulary.pieces(ids)
            heat: dict[int, float] = {}
            for place, value in fired.items():
                heat[owners[place]] = max(value, heat.get(owners[place], 0.0))
            peak = owners[peak]
        else:
            pieces, heat = self._vocabulary.texts(ids), fired
        return Window(self.activation[number], self.document_idx[number], peak, pieces, heat)

    def coded(self, numbers: Sequence[int], maxima: Sequence[float]) -> Coded:
        """The windows `numbers` as numbers; `maxima` holds the largest activation of each one's feature."""
        rows = np.array(numbers, np.int64)
        lengths = self._offsets[rows + 1] - self._offsets[rows]
        ends = np.cumsum(lengths)
        flat = np.arange(ends[-1] if rows.size else 0) + np.repeat(
            self._offsets[rows] - ends + lengths, lengths
        )
        used, indices = _by_frequency(self._tokens[flat])
        strengths = _strengths(self._activations[flat], np.repeat(np.array(maxima, np.float64), lengths))
        hot = np.flatnonzero(strengths)
        owner = np.searchsorted(ends, hot, side="right")
        pairs = np.column_stack((hot - (ends - lengths)[owner], strengths[hot])).reshape(-1).tolist()
        marks = (2 * np.searchsorted(hot, np.concatenate([[0], ends]))).tolist()
        bounds = [0, *ends.tolist()]
        whole: list[int] = indices.tolist()
        coded = Coded(
            self._vocabulary.texts(used.tolist()),
            [whole[bounds[at] : bounds[at + 1]] for at in range(len(numbers))],
            [pairs[marks[at] : marks[at + 1]] for at in range(len(numbers))],
            [self.peak[number] for number in numbers],
        )
        for at, number in enumerate(numbers):
            if self._strange[number]:
                self._recode(coded, at, number, maxima[at])
        return coded

    def _recode(self, coded: Coded, at: int, number: int, largest: float) -> None:
        """Replace window `at` of `coded`, some of whose tokens are parts of characters."""
        window = self.window(number)
        places = {piece: index for index, piece in enumerate(coded.pieces)}
        for piece in window.pieces:
            if piece not in places:
                places[piece] = len(coded.pieces)
                coded.pieces.append(piece)
        coded.indices[at] = [places[piece] for piece in window.pieces]
        values = np.array(list(window.heat.values()), np.float64)
        strengths = _strengths(values, np.full(values.size, largest)).tolist()
        coded.heat[at] = [number for pair in zip(window.heat, strengths, strict=True) for number in pair]
        coded.peaks[at] = window.peak


def _by_frequency(tokens: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """The distinct `tokens`, most frequent first (short numbers pack better), and each one's index there."""
    used, indices, counts = np.unique(tokens, return_inverse=True, return_counts=True)
    order = np.lexsort((used, -counts))
    ranks = np.empty(used.size, np.int64)
    ranks[order] = np.arange(used.size)
    return used[order], ranks[indices]


def _strengths(activations: NDArray[Any], maxima: NDArray[np.float64]) -> NDArray[np.int64]:
    """0 for no activation, else 1 … STRENGTHS, linear: the feature's maximum is STRENGTHS."""
    shares = np.divide(activations, maxima, out=np.ones(len(maxima)), where=maxima > 0)
    return np.where(activations > 0, np.clip(np.rint(STRENGTHS * shares), 1, STRENGTHS), 0).astype(np.int64)


def short(value: float) -> float:
    """The float of the fewest digits that gives `value` back as float32."""
    return float(str(np.float32(value)))


def short_floats(column: pa.ChunkedArray) -> list[float]:
    """A float32 column as the floats of the fewest digits that give it back; nulls are NaN."""
    values = column.to_numpy().astype(np.float32)
    return [float(text) for text in values.astype(np.str_)]


def flatten(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], Any]:
    """A list column as [n + 1] offsets and the flattened values (an Arrow array) they point into."""
    whole = column.combine_chunks()
    offsets = np.asarray(whole.offsets, np.int64) if len(whole) else np.zeros(1, np.int64)
    return offsets - offsets[0], whole.values.slice(int(offsets[0]), int(offsets[-1] - offsets[0]))
