"""Every column and every example equals the dense reference in `tests/support/oracle.py`."""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas.stats import pairs, pool
from atlas.stream.copies import count_copies
from atlas.stream.examples import example_rows
from atlas.stream.statistics import StatisticSet
from tests.support import oracle
from tests.support.oracle import Options, Recording
from tests.support.recordings import (
    RecordedContexts,
    batches_of,
    copied,
    recording,
    shape_of,
    shuffled,
    totals_of,
)

RELATIVE = 1e-6
"""Columns are float32; the oracle is exact."""
CANCELLING = {"variance_activation": 2, "std_activation": 1, "activation_skew": 0, "activation_kurtosis": 0}
"""Column → the power of the activation it is in."""


def passed(source: Recording, order: int = 0) -> StatisticSet:
    statistics = StatisticSet(shape_of(source))
    for batch in batches_of(source, shuffled(source, order)):
        statistics.update(batch)
    return statistics


def assert_close(found: Any, wanted: Any, where: str) -> None:
    """Equal; floats to `RELATIVE`, and the small differences of large numbers to that of those."""
    if isinstance(wanted, float) and found is not None:
        assert found == pytest.approx(wanted, rel=RELATIVE, abs=1e-45), where
    elif isinstance(wanted, list):
        assert len(found) == len(wanted), where
        for number, (one, other) in enumerate(zip(found, wanted, strict=True)):
            assert_close(one, other, f"{where}[{number}]")
    elif isinstance(wanted, dict):
        assert found.keys() == wanted.keys(), where
        for key in wanted:
            assert_close(found[key], wanted[key], f"{where}.{key}")
    else:
        assert found == wanted, where


def assert_columns(source: Recording, order: int = 0) -> None:
    found = passed(source, order).features(totals_of(source)).to_pydict()
    wanted = oracle.columns(source)
    assert set(found) == {"feature_idx", *wanted}
    assert found["feature_idx"] == list(range(source.n_features))
    for name, values in wanted.items():
        for feature, value in enumerate(values):
            mine = found[name][feature]
            if name in CANCELLING and value is not None:
                # Differences of almost equal sums: exact only to what they cancel.
                scale = float(found["mean_activation"][feature]) ** CANCELLING[name]
                assert mine == pytest.approx(value, rel=RELATIVE, abs=max(1e-6 * scale, 1e-45)), (
                    f"{name} of {feature}"
                )
            else:
                assert_close(mine, value, f"{name} of feature {feature}")


def assert_examples(source: Recording, order: int = 0) -> None:
    assert rows_of(passed(source, order), source) == oracle.examples(source)


def rows_of(statistics: StatisticSet, source: Recording, step: int = 100) -> list[dict[str, Any]]:
    """The rows of the examples table, written for `step` features at a time."""
    contexts, features = RecordedContexts(source), statistics.features(totals_of(source))
    blocks = [
        statistics.selections(start, min(start + step, source.n_features), features)
        for start in range(0, source.n_features, step)
    ]
    copies = count_copies(chain.from_iterable(blocks), contexts)
    tables = [example_rows(block, contexts, copies, shape_of(source)) for block in blocks]
    return [row for table in tables for row in table.to_pylist()]


CASES: dict[str, Recording] = {
    "distinct": recording(21),
    "ties": recording(22, levels=4),
    "only ties": recording(23, levels=1),
    "single context": recording(24, n_contexts=1),
    "one token": recording(25, n_contexts=1, context_size=1, masked=0.0),
    "all dead": recording(26, n_features=1),
    "nothing counted": recording(27, masked=1.1),
    "nothing masked": recording(28, masked=0.0),
    "dense": recording(29, density=0.95),
    "many contexts of two": recording(30, n_contexts=60, context_size=2),
    "one long context": recording(31, n_contexts=1, context_size=200),
    "huge": recording(32, scale=1e30),
    "tiny": recording(33, scale=1e-30),
    "subnormal": recording(42, scale=1e-42),
    "one interval": recording(34, options=Options(seed=1, intervals=1, per_interval=4)),
    "many intervals": recording(35, n_contexts=40, options=Options(seed=1, intervals=20, per_interval=2)),
    "no window": recording(36, options=Options(seed=1, before=0, after=0)),
    "wide window": recording(37, options=Options(seed=1, before=50, after=50)),
    "few examples": recording(38, options=Options(seed=1, top=1, per_interval=1, random=1)),
    "many examples": recording(39, options=Options(seed=1, top=200, per_interval=50, random=100)),
    "copies": copied(recording(43, n_contexts=30)),
    "copies and ties": copied(recording(44, n_contexts=20, levels=2), 2),
    "one text": copied(recording(45, n_contexts=20), 1),
    "everything sampled": recording(46, options=Options(seed=1, counter=30)),
    "one context sampled": recording(47, options=Options(seed=1, sample=1)),
    "nothing sampled": recording(48, options=Options(seed=1, sample=0)),
    "no counter-examples": recording(49, options=Options(seed=1, counter=0)),
    "many features": recording(51, n_features=40, options=Options(seed=1, sample=150)),
    "no samples": recording(40, options=Options(seed=1, per_interval=0, random=0)),
    "negative seed": recording(41, options=Options(seed=-5)),
}


@pytest.mark.parametrize("name", CASES)
def test_columns(name: str):
    assert_columns(CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_examples(name: str):
    assert_examples(CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_with_buffers_that_are_always_full(name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pool, "_MIN_PENDING", 0)
    monkeypatch.setattr(pairs, "_MIN_PENDING", 0)
    for order in (1, 2):
        assert_columns(CASES[name], order)
        assert_examples(CASES[name], order)


@given(seed=st.integers(0, 2**32), options=st.data())
def test_any_recording(seed: int, options: st.DataObject):
    draw = options.draw
    source = recording(
        seed,
        n_contexts=draw(st.integers(1, 25), label="contexts"),
        context_size=draw(st.integers(1, 20), label="context size"),
        n_features=3,
        density=draw(st.floats(0.01, 0.99), label="density"),
        levels=draw(st.sampled_from([None, 1, 2, 7]), label="levels"),
        options=Options(
            seed=seed,
            top=4,
            intervals=draw(st.integers(1, 20), label="intervals"),
            per_interval=3,
            random=4,
            before=5,
            after=2,
            sample=draw(st.integers(0, 300), label="sample"),
            counter=draw(st.integers(0, 5), label="counter-examples"),
        ),
    )
    if draw(st.booleans(), label="copies"):
        source = copied(source, draw(st.integers(1, 4), label="texts"))
    assert_columns(source, seed)
    assert_examples(source, seed)


def test_an_exact_tie_is_broken_by_context_then_position():
    source = recording(50, n_contexts=4, context_size=3, n_features=2, masked=0.0)
    source.activations[:] = 0
    source.activations[[3, 3, 1, 1, 2], [2, 0, 2, 1, 0], 1] = 0.5
    source.__post_init__()
    source.token_ids[:] = np.arange(12).reshape(4, 3)
    found = rows_of(passed(source, order=3), source)
    rows = [(row["context_idx"], row["position"]) for row in found if row["group"] == "top"]
    expected = [(1, 1), (2, 0), (3, 0)] if source.counted[3, 0] else [(1, 1), (2, 0)]
    assert rows == expected


def test_a_range_of_features_is_the_same_as_all():
    source = CASES["distinct"]
    statistics = passed(source)
    whole = rows_of(statistics, source)
    for step in (1, 2, 3):
        assert rows_of(statistics, source, step) == whole


def test_the_oracle_is_not_blind():
    """One changed activation changes what the oracle says: it reads what it is given."""
    source = CASES["distinct"]
    changed = Recording(
        source.activations.copy(), source.token_ids, source.counted, source.document_idx, source.options
    )
    context, position = np.argwhere(source.firing[:, :, 1] > 0)[0]
    changed.activations[context, position, 1] *= 50
    changed.__post_init__()
    assert oracle.columns(changed) != oracle.columns(source)
    assert oracle.examples(changed) != oracle.examples(source)


def test_the_oracle_masks():
    source = CASES["distinct"]
    assert (source.activations > 0).sum() > (source.firing > 0).sum()
    assert sum(oracle.columns(source)["firing_tokens"]) == (source.firing > 0).sum()
