"""The laws of a statistic, as functions: each raises `AssertionError` naming what differs.

A statistic is a commutative monoid over batches of whole contexts. Equality is exact, bit for bit,
for floats too: sums that depend on the order of the corpus would make a dataset depend on how many
workers built it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from atlas.batch import ActivationBatch
from atlas.schema import TOKEN_LIST, column_info
from atlas.stats.base import Statistic, Totals
from tests.support import oracle_sample
from tests.support.oracle import Recording
from tests.support.recordings import batch_of, batches_of, in_order, shape_of, shuffled, totals_of

Make = Callable[[], Statistic]


def maker(kind: type[Statistic], source: Recording) -> Make:
    """A function that makes a fresh statistic of class `kind` for `source`."""
    return lambda: kind(shape_of(source))


def fed(make: Make, batches: Sequence[ActivationBatch]) -> Statistic:
    """A statistic that saw `batches`."""
    statistic = make()
    for batch in batches:
        statistic.update(batch)
    return statistic


def results(statistic: Statistic, source: Recording) -> dict[str, Any]:
    """All a reader can see of it: columns and examples, floats as their bits."""
    columns = statistic.finish(totals_of(source))
    found: dict[str, Any] = {name: _exact(array) for name, array in columns.items()}
    # What other statistics would have written: all that selections may build on.
    tokens = [oracle_sample.top_tokens(source, feature) for feature in range(source.n_features)]
    features = pa.table({"top_tokens": pa.array(tokens, TOKEN_LIST)} | columns)
    for number, selection in enumerate(statistic.selections(0, source.n_features, features)):
        for name, value in vars(selection).items():
            found[f"example {number} {name}"] = value if isinstance(value, str) else _bits(value)
    return found


def _exact(array: pa.Array) -> list[Any]:
    return [_float_bits(value) for value in array.to_pylist()]


def _float_bits(value: Any) -> Any:
    if isinstance(value, float):
        return value.hex()
    if isinstance(value, dict):
        return {key: _float_bits(part) for key, part in value.items()}
    return [_float_bits(part) for part in value] if isinstance(value, list) else value


def _bits(array: np.ndarray) -> tuple[str, tuple[int, ...], bytes]:
    return str(array.dtype), array.shape, array.tobytes()


def require_same(one: Statistic, other: Statistic, source: Recording, law: str) -> None:
    """Both give the same results and hold the same state."""
    mine, theirs = (results(part, source) for part in (one, other))
    assert mine.keys() == theirs.keys(), law
    for name, value in mine.items():
        assert value == theirs[name], f"{law}: {name} differs"
    states = [{key: _bits(array) for key, array in part.state().items()} for part in (one, other)]
    for name, value in states[0].items():
        assert value == states[1][name], f"{law}: state {name} differs"


def batch_size_does_not_matter(make: Make, source: Recording) -> None:
    whole = fed(make, batches_of(source, in_order(source, len(source.token_ids))))
    for size in (1, 2, 5):
        part = fed(make, batches_of(source, in_order(source, size)))
        require_same(whole, part, source, f"batches of {size}")


def order_does_not_matter(make: Make, source: Recording) -> None:
    whole = fed(make, batches_of(source, in_order(source, 3)))
    for seed in range(3):
        other = fed(make, batches_of(source, shuffled(source, seed)))
        require_same(whole, other, source, f"contexts in random order {seed}")


def merging_is_updating(make: Make, source: Recording) -> None:
    """One worker or many: two workers' merge equals one worker that saw everything."""
    whole = fed(make, batches_of(source, in_order(source, 2)))
    for seed in range(3):
        groups = shuffled(source, seed)
        workers = [fed(make, batches_of(source, [group])) for group in groups]
        merged = make()
        for worker in workers:
            merged.merge(worker)
        require_same(whole, merged, source, f"{len(workers)} workers")


def merging_commutes(make: Make, source: Recording) -> None:
    groups = _halves(source)
    one, other = (fed(make, batches_of(source, [group])) for group in groups)
    one.merge(other)
    back, forth = (fed(make, batches_of(source, [group])) for group in reversed(groups))
    back.merge(forth)
    require_same(one, back, source, "a + b = b + a")


def merging_associates(make: Make, source: Recording) -> None:
    thirds = [list(range(start, len(source.token_ids), 3)) for start in range(3)]
    a, b, c = (fed(make, batches_of(source, [group])) for group in thirds)
    b.merge(c)
    a.merge(b)
    d, e, f = (fed(make, batches_of(source, [group])) for group in thirds)
    d.merge(e)
    d.merge(f)
    require_same(a, d, source, "a + (b + c) = (a + b) + c")


def updating_goes_on_after_merging(make: Make, source: Recording) -> None:
    """A resumed worker: half merged in, the other half updated on top."""
    first, second = _halves(source)
    resumed = make()
    resumed.merge(fed(make, batches_of(source, [first])))
    resumed.update(batch_of(source, second))
    require_same(fed(make, batches_of(source, [first, second])), resumed, source, "resumed")


def nothing_changes_nothing(make: Make, source: Recording) -> None:
    batches = batches_of(source, in_order(source, 4))
    plain = fed(make, batches)
    nothing = batch_of(source, [])
    silent = batch_of(_silenced(source), [0])
    padded = fed(make, [nothing, batches[0], silent, *batches[1:], nothing])
    require_same(plain, padded, source, "empty batches")
    padded.merge(make())
    require_same(plain, padded, source, "merging a fresh one")
    fresh = make()
    fresh.merge(plain)
    require_same(plain, fresh, source, "merging into a fresh one")


def state_is_everything(make: Make, source: Recording) -> None:
    first, second = _halves(source)
    saved = fed(make, batches_of(source, [first]))
    copied = {name: np.array(array, copy=True) for name, array in saved.state().items()}
    loaded = make()
    loaded.load(copied)
    require_same(saved, loaded, source, "load(state())")
    whole = fed(make, batches_of(source, [first, second]))
    for part in (saved, loaded):
        part.update(batch_of(source, second))
        require_same(whole, part, source, "going on after state()")


def looking_does_not_disturb(make: Make, source: Recording) -> None:
    """`finish`, `selections` and `state` may be called at any time, and twice."""
    watched = make()
    for batch in batches_of(source, in_order(source, 3)):
        watched.update(batch)
        results(watched, source)
        watched.state()
    require_same(fed(make, batches_of(source, in_order(source, 3))), watched, source, "watched")


def a_batch_is_not_kept(make: Make, source: Recording) -> None:
    batch = batch_of(source, range(len(source.token_ids)))
    statistic = fed(make, [batch])
    before = results(statistic, source)
    again = fed(make, [batch_of(source, range(len(source.token_ids)))])
    for array in (batch.feature_idx, batch.row, batch.activation, batch.token_ids, batch.context_idx):
        array[...] = 1
    assert results(statistic, source) == before, "the batch was kept"
    require_same(again, statistic, source, "the batch was kept")


def merging_leaves_the_other_alone(make: Make, source: Recording) -> None:
    first, second = _halves(source)
    one, other = (fed(make, batches_of(source, [group])) for group in (first, second))
    one.merge(other)
    one.update(batch_of(_moved(source), [0]))
    require_same(fed(make, batches_of(source, [second])), other, source, "merge changed its argument")


def columns_are_as_declared(make: Make, source: Recording) -> None:
    for batches in ([], batches_of(source, in_order(source, 4))):
        statistic = fed(make, batches)
        found = statistic.finish(totals_of(source) if batches else Totals(0, 0))
        assert list(found) == [field.name for field in statistic.columns], "columns"
        for field in statistic.columns:
            array = found[field.name]
            assert isinstance(array, pa.Array), field.name
            assert array.type == field.type, field.name
            assert len(array) == source.n_features, field.name
            array.validate(full=True)
            _require_finite(array.to_pylist(), field.name)


def everything_is_documented(make: Make, source: Recording) -> None:
    statistic = make()
    assert type(statistic).__doc__, "class docstring"
    for field in statistic.columns:
        info = column_info(field)
        assert len(info.doc) > 20, field.name
        assert info.doc.rstrip().endswith("."), field.name
        assert info.label, field.name


LAWS = (
    batch_size_does_not_matter,
    order_does_not_matter,
    merging_is_updating,
    merging_commutes,
    merging_associates,
    updating_goes_on_after_merging,
    nothing_changes_nothing,
    state_is_everything,
    looking_does_not_disturb,
    a_batch_is_not_kept,
    merging_leaves_the_other_alone,
    columns_are_as_declared,
    everything_is_documented,
)
"""Every law; each takes (make, source)."""


def _halves(source: Recording) -> list[list[int]]:
    count = len(source.token_ids)
    return [list(range(0, count, 2)), list(range(1, count, 2))]


def _silenced(source: Recording) -> Recording:
    """The same corpus with nothing counted: a silent token that counts is something."""
    return Recording(
        np.zeros_like(source.activations),
        source.token_ids,
        np.zeros_like(source.counted),
        source.document_idx,
        source.options,
    )


def _moved(source: Recording) -> Recording:
    """The same corpus with other, stronger activations."""
    return Recording(
        source.activations + 9, source.token_ids, source.counted, source.document_idx, source.options
    )


def _require_finite(value: Any, name: str) -> None:
    if isinstance(value, float):
        assert np.isfinite(value), f"{name} is not finite"
    elif isinstance(value, dict):
        _require_finite(list(value.values()), name)
    elif isinstance(value, list):
        for part in value:
            _require_finite(part, name)
