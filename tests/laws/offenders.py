"""Statistics that break one law each: the laws must notice."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from atlas.batch import ActivationBatch
from atlas.schema import column
from atlas.stats.base import PassShape, Selection, State, Statistic, Totals


class _Scalar(Statistic):
    """One number per feature, `self.value`; subclasses get something wrong."""

    columns: ClassVar[tuple[pa.Field, ...]] = (
        column("number", pa.float64(), doc="A number that is made up for a test.", kind="scalar"),
    )

    def __init__(self, shape: PassShape) -> None:
        super().__init__(shape)
        self.value = np.zeros(shape.n_features)
        self.weight = np.zeros(shape.n_features)

    def sums(self, batch: ActivationBatch) -> np.ndarray:
        return np.bincount(batch.feature_idx, batch.activation, self.shape.n_features)

    def update(self, batch: ActivationBatch) -> None:
        self.value += np.round(self.sums(batch) * 2**16)

    def merge(self, other: Any) -> None:
        self.value += other.value
        self.weight += other.weight

    def state(self) -> State:
        return {"value": self.value, "weight": self.weight}

    def load(self, state: State) -> None:
        self.value = state["value"].astype(float)
        self.weight = state["weight"].astype(float)

    def finish(self, totals: Totals) -> dict[str, pa.Array]:
        return {"number": pa.array(self.value)}


class MeanOfMeans(_Scalar):
    """The mean over batches of each batch's mean activation: no merge can be right."""

    def update(self, batch: ActivationBatch) -> None:
        counts = np.bincount(batch.feature_idx, minlength=self.shape.n_features)
        mean = self.sums(batch) / np.maximum(counts, 1)
        self.weight += counts > 0
        self.value += (counts > 0) * (mean - self.value) / np.maximum(self.weight, 1)

    def merge(self, other: Any) -> None:
        self.value = (self.value + other.value) / 2
        self.weight += other.weight


class PlainFloatSum(_Scalar):
    """A float sum in the order of arrival: right to 1e-16, and different bits for every order."""

    def update(self, batch: ActivationBatch) -> None:
        for feature, value in zip(batch.feature_idx, batch.activation, strict=True):
            self.value[feature] += float(value) * 0.1


class CountsBatches(_Scalar):
    """Counts batches, not tokens."""

    def update(self, batch: ActivationBatch) -> None:
        self.value += 1


class KeepsTheLast(_Scalar):
    """Keeps the last activation seen: depends on the order."""

    def update(self, batch: ActivationBatch) -> None:
        self.value[batch.feature_idx] = batch.activation

    def merge(self, other: Any) -> None:
        self.value = np.where(other.value > 0, other.value, self.value)


class Subtracts(_Scalar):
    """Merges by difference: neither commutative nor associative."""

    def update(self, batch: ActivationBatch) -> None:
        self.value += np.bincount(batch.feature_idx, minlength=self.shape.n_features)

    def merge(self, other: Any) -> None:
        self.value -= other.value


class ForgetsItsState(_Scalar):
    """Saves only half of what it knows."""

    def update(self, batch: ActivationBatch) -> None:
        self.weight += np.bincount(batch.feature_idx, minlength=self.shape.n_features)

    def state(self) -> State:
        return {"value": self.value}

    def load(self, state: State) -> None:
        self.value = state["value"].astype(float)

    def finish(self, totals: Totals) -> dict[str, pa.Array]:
        return {"number": pa.array(self.weight)}


class KeepsTheBatch(_Scalar):
    """Looks at the batch only at the end."""

    def __init__(self, shape: PassShape) -> None:
        super().__init__(shape)
        self.batches: list[ActivationBatch] = []

    def update(self, batch: ActivationBatch) -> None:
        self.batches.append(batch)

    def finish(self, totals: Totals) -> dict[str, pa.Array]:
        values = sum(
            (np.round(self.sums(batch) * 2**16) for batch in self.batches), np.zeros(len(self.value))
        )
        return {"number": pa.array(values)}


class SharesArrays(_Scalar):
    """Merging into a fresh one takes the other's array instead of copying it."""

    def update(self, batch: ActivationBatch) -> None:
        self.value += np.bincount(batch.feature_idx, minlength=self.shape.n_features)

    def merge(self, other: Any) -> None:
        other.value += self.value
        self.value = other.value


class SumsWhenLookedAt(_Scalar):
    """`finish` changes the memory."""

    def finish(self, totals: Totals) -> dict[str, pa.Array]:
        self.value += 1
        return super().finish(totals)


class WrongType(_Scalar):
    """Gives float32 where float64 is declared."""

    def finish(self, totals: Totals) -> dict[str, pa.Array]:
        return {"number": pa.array(self.value, pa.float32())}


class NotFinite(_Scalar):
    """Divides by zero for a feature that never fired."""

    def finish(self, totals: Totals) -> dict[str, pa.Array]:
        with np.errstate(all="ignore"):
            return {"number": pa.array(self.value / self.value)}


class Terse(_Scalar):
    """Its column says next to nothing."""

    columns: ClassVar[tuple[pa.Field, ...]] = (
        column("number", pa.float64(), doc="Some number", kind="scalar"),
    )


class SumsInSinglePrecision(_Scalar):
    """Adds up each batch in float32: right to 1e-7, and other bits for every batch size."""

    def update(self, batch: ActivationBatch) -> None:
        sums = np.zeros(self.shape.n_features, dtype=np.float32)
        np.add.at(sums, batch.feature_idx, batch.activation)
        self.value += sums.astype(np.float64)


class DropsCopiesByArrival(_Scalar):
    """Of firings on equal tokens only the first one that comes along counts."""

    def __init__(self, shape: PassShape) -> None:
        super().__init__(shape)
        self.seen: dict[tuple[int, int], float] = {}

    def update(self, batch: ActivationBatch) -> None:
        events = zip(batch.feature_idx, batch.event_token_id, batch.activation, strict=True)
        for feature, token, value in events:
            self.seen.setdefault((int(feature), int(token)), float(value))

    def merge(self, other: Any) -> None:
        self.seen = {**other.seen, **self.seen}

    def state(self) -> State:
        keys = sorted(self.seen)
        return {"keys": np.array(keys).reshape(-1, 2), "values": np.array([self.seen[key] for key in keys])}

    def load(self, state: State) -> None:
        keys = [(int(feature), int(token)) for feature, token in state["keys"].tolist()]
        self.seen = dict(zip(keys, state["values"].tolist(), strict=True))

    def finish(self, totals: Totals) -> dict[str, pa.Array]:
        value = np.zeros(self.shape.n_features)
        for (feature, _), strength in sorted(self.seen.items()):
            value[feature] += np.round(strength * 2**16)
        return {"number": pa.array(value)}


class CountsContextsOfABatch(_Scalar):
    """Takes the place of a context in its batch for its number in the corpus."""

    def update(self, batch: ActivationBatch) -> None:
        self.value += np.bincount(batch.feature_idx, batch.context, self.shape.n_features)


class BestOfEveryBatch(_Scalar):
    """Adds up the strongest firing of every batch, as if that were a list of the strongest."""

    def update(self, batch: ActivationBatch) -> None:
        best = np.zeros(self.shape.n_features)
        np.maximum.at(best, batch.feature_idx, np.round(batch.activation * 2**16))
        self.value += best


class PairsOfNeighbours(_Scalar):
    """Counts pairs of contexts that come one after the other: lost where a worker's share begins."""

    def __init__(self, shape: PassShape) -> None:
        super().__init__(shape)
        self.last = np.zeros(shape.n_features, dtype=bool)

    def update(self, batch: ActivationBatch) -> None:
        for context in range(len(batch.context_idx)):
            fires = np.zeros(self.shape.n_features, dtype=bool)
            fires[batch.feature_idx[batch.context == context]] = True
            self.value += fires & self.last
            self.last = fires

    def state(self) -> State:
        return {"value": self.value, "last": self.last.astype(np.uint8)}

    def load(self, state: State) -> None:
        self.value, self.last = state["value"].astype(float), state["last"].astype(bool)


class FirstExamples(_Scalar):
    """Shows the first firings that come along."""

    def __init__(self, shape: PassShape) -> None:
        super().__init__(shape)
        self.found: dict[int, tuple[int, int, float]] = {}

    def update(self, batch: ActivationBatch) -> None:
        for event, feature in enumerate(batch.feature_idx.tolist()):
            place = (
                int(batch.event_context_idx[event]),
                int(batch.position[event]),
                float(batch.activation[event]),
            )
            self.found.setdefault(feature, place)

    def merge(self, other: Any) -> None:
        self.found = {**other.found, **self.found}

    def selections(self, start: int, stop: int, features: pa.Table) -> list[Selection]:
        rows = [(feature, *place) for feature, place in sorted(self.found.items()) if start <= feature < stop]
        feature, context, position, value = (
            (np.array(part) for part in zip(*rows, strict=True)) if rows else [np.zeros(0)] * 4
        )
        nothing = np.zeros(len(rows))
        window = np.zeros((len(rows), self.shape.window_before + 1 + self.shape.window_after))
        return [
            Selection(
                "first", feature, nothing - 1, nothing, nothing, nothing, value, context, position, window
            )
        ]


class KeepsTheFirstCopy(_Scalar):
    """The strongest firing, where of a text the copy that came along first stands for all."""

    def __init__(self, shape: PassShape) -> None:
        super().__init__(shape)
        self.found: dict[tuple[int, ...], float] = {}

    def update(self, batch: ActivationBatch) -> None:
        for event, feature in enumerate(batch.feature_idx.tolist()):
            context, position = int(batch.context[event]), int(batch.position[event])
            text = batch.token_ids[context, max(0, position - 15) : position + 1].tolist()
            self.found.setdefault((feature, *text), float(batch.activation[event]))

    def merge(self, other: Any) -> None:
        self.found = {**other.found, **self.found}

    def state(self) -> State:
        for (feature, *_), value in self.found.items():
            self.value[feature] = max(self.value[feature], value)
        return super().state()

    def finish(self, totals: Totals) -> dict[str, pa.Array]:
        self.state()
        return super().finish(totals)


class SamplesWhatComesFirst(_Scalar):
    """Counts the firings on a token sample that is full after the first four contexts."""

    def __init__(self, shape: PassShape) -> None:
        super().__init__(shape)
        self.taken: set[int] = set()

    def update(self, batch: ActivationBatch) -> None:
        for number, context in enumerate(batch.context_idx.tolist()):
            if len(self.taken) < 4 and batch.counted[number].any():
                self.taken.add(context)
                own = batch.feature_idx[batch.context == number]
                self.value += np.bincount(own, minlength=self.shape.n_features)

    def merge(self, other: Any) -> None:
        super().merge(other)
        self.taken |= other.taken


OFFENDERS: dict[type[Statistic], str] = {
    MeanOfMeans: "batch_size_does_not_matter",
    PlainFloatSum: "order_does_not_matter",
    CountsBatches: "batch_size_does_not_matter",
    KeepsTheLast: "merging_commutes",
    Subtracts: "merging_associates",
    ForgetsItsState: "state_is_everything",
    KeepsTheBatch: "a_batch_is_not_kept",
    SharesArrays: "merging_leaves_the_other_alone",
    SumsWhenLookedAt: "looking_does_not_disturb",
    WrongType: "columns_are_as_declared",
    NotFinite: "columns_are_as_declared",
    Terse: "everything_is_documented",
    FirstExamples: "order_does_not_matter",
    KeepsTheFirstCopy: "order_does_not_matter",
    SamplesWhatComesFirst: "merging_is_updating",
    SumsInSinglePrecision: "batch_size_does_not_matter",
    DropsCopiesByArrival: "order_does_not_matter",
    CountsContextsOfABatch: "batch_size_does_not_matter",
    BestOfEveryBatch: "batch_size_does_not_matter",
    PairsOfNeighbours: "merging_is_updating",
}
"""Offender → a law that must catch it (others may as well)."""
