"""Every column and every example equals the dense reference in `tests/support/oracle.py`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas.stats import pairs, pool
from atlas.stream.examples import example_rows
from atlas.stream.statistics import StatisticSet
from tests.support import oracle
from tests.support.oracle import Options, Recording
from tests.support.recordings import (
    RecordedContexts,
    batches_of,
    recording,
    shape_of,
    shuffled,
    totals_of,
)

RELATIVE = 1e-6
"""Columns are float32; the oracle is exact."""


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
            if name in {"std_activation", "activation_skew", "activation_kurtosis"} and value is not None:
                # Differences of almost equal sums: exact only to what they cancel.
                scale = found["mean_activation"][feature] if name == "std_activation" else 1.0
                assert mine == pytest.approx(value, rel=RELATIVE, abs=max(1e-6 * scale, 1e-45)), (
                    f"{name} of {feature}"
                )
            else:
                assert_close(mine, value, f"{name} of feature {feature}")


def assert_examples(source: Recording, order: int = 0) -> None:
    statistics = passed(source, order)
    table = example_rows(
        statistics.selections(0, source.n_features), RecordedContexts(source), shape_of(source)
    )
    assert table.to_pylist() == oracle.examples(source)


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
        ),
    )
    assert_columns(source, seed)
    assert_examples(source, seed)


def test_an_exact_tie_is_broken_by_context_then_position():
    source = recording(50, n_contexts=4, context_size=3, n_features=2, masked=0.0)
    source.activations[:] = 0
    source.activations[[3, 3, 1, 1, 2], [2, 0, 2, 1, 0], 1] = 0.5
    source.__post_init__()
    statistics = passed(source, order=3)
    top = example_rows(statistics.selections(0, 2)[:], RecordedContexts(source), shape_of(source)).to_pylist()
    rows = [(row["context_idx"], row["position"]) for row in top if row["group"] == "top"]
    expected = [(1, 1), (2, 0), (3, 0)] if source.counted[3, 0] else [(1, 1), (2, 0)]
    assert rows == expected


def test_a_range_of_features_is_the_same_as_all():
    source = CASES["distinct"]
    statistics = passed(source)
    contexts, shape = RecordedContexts(source), shape_of(source)
    whole = example_rows(statistics.selections(0, source.n_features), contexts, shape).to_pylist()
    parts = [
        row
        for start in range(0, source.n_features, 2)
        for row in example_rows(statistics.selections(start, start + 2), contexts, shape).to_pylist()
        if row["feature_idx"] < source.n_features
    ]
    assert parts == whole


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
