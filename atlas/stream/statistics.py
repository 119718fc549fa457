"""All installed statistics as one: the members share every batch and never see each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import pyarrow as pa

from atlas.errors import InputError
from atlas.plugins import available, load
from atlas.schema import FEATURE_IDX

if TYPE_CHECKING:
    from atlas.batch import ActivationBatch
    from atlas.stats.base import PassShape, Selection, State, Statistic, Totals

GROUP = "atlas.statistics"


class StatisticSet:
    """One instance of every registered statistic, by name."""

    def __init__(self, shape: PassShape) -> None:
        """`InputError` when two statistics claim the same column."""
        self.shape = shape
        self.members: dict[str, Statistic] = {name: load(GROUP, name)(shape) for name in available(GROUP)}
        self.schema = _features_schema(self.members)
        """Schema of the features table."""

    def update(self, batch: ActivationBatch) -> None:
        """Show one batch to every statistic."""
        for member in self.members.values():
            member.update(batch)

    def merge(self, other: Self) -> None:
        """Take in a set of the same shape that saw other contexts."""
        for name, member in self.members.items():
            member.merge(other.members[name])

    def state(self) -> State:
        """Every statistic's arrays, named '<statistic>.<array>'."""
        return {
            f"{name}.{key}": array
            for name, member in self.members.items()
            for key, array in member.state().items()
        }

    def load(self, state: State) -> None:
        """Replace every statistic's memory."""
        for name, member in self.members.items():
            prefix = f"{name}."
            member.load({key.removeprefix(prefix): state[key] for key in state if key.startswith(prefix)})

    def features(self, totals: Totals) -> pa.Table:
        """The features table: one row per feature, every statistic's columns."""
        columns: dict[str, pa.Array] = {
            "feature_idx": pa.array(range(self.shape.n_features), FEATURE_IDX.type)
        }
        for member in self.members.values():
            columns |= member.finish(totals)
        return pa.table([columns[name] for name in self.schema.names], schema=self.schema)

    def selections(self, start: int, stop: int, features: pa.Table) -> list[Selection]:
        """Every statistic's examples of the features start <= feature_idx < stop.

        `features` is the whole features table, as `features` gives it.
        """
        rows = features.slice(start, stop - start)
        return [
            selection
            for member in self.members.values()
            for selection in member.selections(start, stop, rows)
        ]


def _features_schema(members: dict[str, Statistic]) -> pa.Schema:
    owners: dict[str, str] = {"feature_idx": "the table itself"}
    fields = [FEATURE_IDX]
    for name, member in members.items():
        for field in member.columns:
            if field.name in owners:
                raise InputError(
                    f"the statistics {owners[field.name]} and {name} both write the column {field.name!r}",
                    fix="uninstall one of the packages that provide them",
                )
            owners[field.name] = name
            fields.append(field)
    return pa.schema(fields)
