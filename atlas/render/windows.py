"""Windows of the corpus: arrays until they are shown, whole characters then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas.render.choice import Choice
from atlas.stats.lists import flat_numbers
from atlas.stats.ragged import ranges
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

    @property
    def size(self) -> int:
        """One more than the largest known id: the place of the token that stands for unknown ones."""
        return len(self._texts)

    def known(self, ids: NDArray[np.int32]) -> NDArray[np.int32]:
        """`ids` with unknown ones replaced by the one that stands for them."""
        unknown = len(self._texts) - 1
        if not ids.size or (ids.min() >= 0 and ids.max() < unknown):
            return ids.astype(np.int32, copy=False)
        return np.where((ids < 0) | (ids >= unknown), unknown, ids).astype(np.int32)

    def whole(self, ids: NDArray[np.int32]) -> NDArray[np.bool_]:
        """For each of the known `ids` whether it is whole characters by itself."""
        return self._whole.take(ids)

    def text(self, token_id: int) -> str:
        """Exact text of one token; a byte that is no part of a character stands as `<0xE6>`."""
        return self._texts[token_id if 0 <= token_id < len(self._texts) else -1]

    def texts(self, ids: Sequence[int]) -> list[str]:
        """Texts of known `ids`, each whole by itself."""
        return list(map(self._texts.__getitem__, ids))

    def pieces(self, ids: Sequence[int]) -> tuple[list[str], list[int]]:
        """Whole-character pieces of the window of known `ids`, and for each token its piece's index."""
        texts: list[str] = []
        owners: list[int] = []
        cut = np.flatnonzero(~self._whole[list(ids)])
        # Only between parts of characters can there be a character: whole tokens stand alone.
        stretches = np.split(cut, np.flatnonzero(np.diff(cut) > 1) + 1) if cut.size else []
        for first, stop in [(int(cuts[0]), int(cuts[-1]) + 1) for cuts in stretches] + [(len(ids), len(ids))]:
            whole = self.texts(ids[len(owners) : first])
            owners += range(len(texts), len(texts) + len(whole))
            texts += whole
            for text, length in self.group(ids[first:stop]):
                owners += [len(texts)] * length
                texts.append(text)
        return texts, owners

    def group(self, ids: Sequence[int]) -> list[tuple[str, int]]:
        """(text, number of tokens) of the pieces that known neighbours make up, none of them whole."""
        found = group_pieces([self._bytes[token] for token in ids])
        return [(piece.text, piece.stop - piece.start) for piece in found]


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


class Windows:
    """The examples of the features start <= feature_idx < stop that `choice` lets through.

    The public arrays have one entry per window, in the order of the table examples.
    """

    def __init__(
        self, rows: pa.Table, vocabulary: Vocabulary, start: int, stop: int, choice: Choice | None = None
    ) -> None:
        limits = choice or Choice()
        codes, self.groups = text_codes(rows["group"])
        chosen = _chosen(rows, codes, self.groups, limits)
        self._vocabulary = vocabulary
        self._start = start
        features = rows["feature_idx"].to_numpy()[chosen]
        self._bounds: list[int] = np.searchsorted(features, np.arange(start, stop + 1)).tolist()
        self.group = codes[chosen]
        """Index into `groups`, the names of the groups."""
        self.lower: NDArray[np.float32] = rows["interval_lower"].to_numpy()[chosen]
        self.upper: NDArray[np.float32] = rows["interval_upper"].to_numpy()[chosen]
        self.rank: NDArray[np.int64] = rows["rank"].to_numpy()[chosen]
        self.activation: NDArray[np.float32] = rows["activation"].to_numpy()[chosen]
        self.document_idx: NDArray[np.int64] = rows["document_idx"].to_numpy()[chosen]
        self.context_idx: NDArray[np.int64] = rows["context_idx"].to_numpy()[chosen]
        self.position: NDArray[np.int64] = rows["position"].to_numpy()[chosen]
        self.copies: NDArray[np.int64] = rows["copies"].to_numpy()[chosen]
        self._cut(rows, chosen, limits)

    def _cut(self, rows: pa.Table, chosen: NDArray[np.int64] | slice, limits: Choice) -> None:
        """Cut the chosen windows to their length."""
        offsets, ids = flat_numbers(rows["token_ids"])
        self.tokens = self._vocabulary.known(ids)
        """Tokens of all windows, `starts[n]:ends[n]` those of window n."""
        self.activations: NDArray[np.float32] = flat_numbers(rows["activations"])[1]
        """The feature's activation on each of `tokens`."""
        first, last = offsets[:-1][chosen], offsets[1:][chosen]
        own = first + rows["peak"].to_numpy()[chosen]
        self.whole = last - first
        """Length of the window in the dataset."""
        self.starts = np.maximum(first, own - limits.before)
        self.ends = np.minimum(last, own + limits.after + 1)
        self.skipped = self.starts - first
        """Tokens cut off before the window."""
        self.peak = own - self.starts
        """Index of the example's own token in the window."""
        partial = np.flatnonzero(~self._vocabulary.whole(self.tokens))
        self.strange = np.searchsorted(partial, self.ends) > np.searchsorted(partial, self.starts)
        """Windows with tokens that are only parts of characters."""

    def range(self, start: int, stop: int) -> tuple[int, int]:
        """First window of feature `start`, and one past the last of feature `stop` - 1."""
        return self._bounds[start - self._start], self._bounds[stop - self._start]

    def bounds(self, start: int, stop: int) -> list[int]:
        """[stop - start + 1] numbers of the first window of each feature, and one past the last."""
        return self._bounds[start - self._start : stop - self._start + 1]

    def top(self, feature_idx: int, count: int) -> list[Window]:
        """The strongest examples of a feature, at most `count`."""
        return [self.window(number) for number in self.tops(feature_idx, count)]

    def tops(self, feature_idx: int, count: int) -> list[int]:
        """Numbers of the strongest examples of a feature, at most `count`."""
        numbers, bounds = self._tops
        first, last = bounds[feature_idx - self._start : feature_idx - self._start + 2].tolist()
        return numbers[first : min(first + count, last)].tolist()

    def all_tops(self, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """`tops` of all features one after the other, and how many each has."""
        numbers, bounds = self._tops
        counts = np.minimum(np.diff(bounds), count)
        return numbers[ranges(bounds[:-1], counts)], counts

    @cached_property
    def _tops(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Numbers of all windows of the group 'top', and the first of these of each feature and the end."""
        top = self.groups.index("top") if "top" in self.groups else -1
        numbers = np.flatnonzero(self.group == top)
        return numbers, np.searchsorted(numbers, self._bounds)

    def brief(self, number: int, before: int, after: int) -> tuple[list[str], int]:
        """At most so many pieces before and after the own piece of window `number`, and the index of that."""
        pieces, owners = self.pieces(number)
        peak = owners[int(self.peak[number])]
        start = max(0, peak - before)
        return pieces[start : peak + after + 1], peak - start

    def window(self, number: int) -> Window:
        """Window `number` as text."""
        first, last = int(self.starts[number]), int(self.ends[number])
        activations = self.activations[first:last]
        places = np.flatnonzero(activations > 0)
        fired = dict(zip(places.tolist(), activations[places].tolist(), strict=True))
        ids, peak = self.tokens[first:last].tolist(), int(self.peak[number])
        if self.strange[number]:
            pieces, owners = self.pieces(number)
            heat: dict[int, float] = {}
            for place, value in fired.items():
                heat[owners[place]] = max(value, heat.get(owners[place], 0.0))
            peak = owners[peak]
        else:
            pieces, heat = self._vocabulary.texts(ids), fired
        return Window(short(self.activation[number]), int(self.document_idx[number]), peak, pieces, heat)

    def pieces(self, number: int) -> tuple[list[str], list[int]]:
        """Whole-character pieces of window `number`, and for each of its tokens the piece's index."""
        return self._vocabulary.pieces(self.tokens_of(number).tolist())

    def tokens_of(self, number: int) -> NDArray[np.int32]:
        """Tokens of window `number`."""
        return self.tokens[int(self.starts[number]) : int(self.ends[number])]


def text_codes(column: pa.ChunkedArray) -> tuple[NDArray[np.int32], list[str]]:
    """A column of few texts as indices into the sorted texts."""
    whole: Any = column.combine_chunks().dictionary_encode()
    texts, place = np.unique(np.array(whole.dictionary.to_pylist(), object), return_inverse=True)
    return place.astype(np.int32)[whole.indices.to_numpy(zero_copy_only=False)], texts.tolist()


def _chosen(
    rows: pa.Table, codes: NDArray[np.int32], groups: Sequence[str], limits: Choice
) -> NDArray[np.int64] | slice:
    """The rows that `limits` lets through: of each group (and interval) its first."""
    top = groups.index("top") if "top" in groups else -1
    most = np.where(codes == top, limits.top, limits.others)
    kept = rows["rank"].to_numpy() < most
    return slice(None) if kept.all() else np.flatnonzero(kept)


def strengths(activations: NDArray[Any], maxima: NDArray[Any]) -> NDArray[np.int64]:
    """0 for no activation, else 1 … STRENGTHS, linear: the feature's maximum is STRENGTHS."""
    shares = np.divide(activations, maxima, out=np.ones(len(maxima)), where=maxima > 0)
    return np.where(activations > 0, np.clip(np.rint(STRENGTHS * shares), 1, STRENGTHS), 0).astype(np.int64)


def short(value: float) -> float:
    """The float of the fewest digits that gives `value` back as float32."""
    return float(str(np.float32(value)))
