"""Every installed statistic obeys every law; statistics that break one are caught."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas import plugins
from atlas.stats import pairs, pool
from atlas.stats.base import Statistic
from tests.laws import laws
from tests.laws.offenders import OFFENDERS
from tests.support.oracle import Options, Recording
from tests.support.recordings import batches_of, copied, in_order, recording, shuffled

STATISTICS: dict[str, type[Statistic]] = {
    name: plugins.load("atlas.statistics", name) for name in plugins.available("atlas.statistics")
}

SOURCES = {
    "distinct": lambda: recording(1),
    "ties": lambda: recording(2, levels=3),
    "one context": lambda: recording(3, n_contexts=1),
    "one token": lambda: recording(4, n_contexts=1, context_size=1, masked=0.0),
    "one feature": lambda: recording(5, n_features=1),
    "all dead": lambda: recording(6, density=0.0, n_features=1),
    "nothing counted": lambda: recording(7, masked=1.1),
    "enormous": lambda: recording(8, scale=1e30),
    "minute": lambda: recording(9, scale=1e-40),
    "many intervals": lambda: recording(
        10, options=Options(seed=3, intervals=20, per_interval=1, top=1, random=1)
    ),
    "copies": lambda: copied(recording(12)),
    "copies and ties": lambda: copied(recording(13, levels=2), 2),
    "everything sampled": lambda: recording(14, options=Options(seed=1, top=3, random=1, counter=9)),
    "nothing sampled": lambda: recording(15, options=Options(seed=1, sample=0)),
    "no samples": lambda: recording(11, options=Options(seed=3, per_interval=0, random=0, before=0, after=0)),
}


@pytest.fixture(params=["roomy", "tight"])
def bounds(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Buffers as large as in earnest, or so small that they are emptied and cut all the time."""
    if request.param == "tight":
        monkeypatch.setattr(pool, "_MIN_PENDING", 0)
        monkeypatch.setattr(pairs, "_MIN_PENDING", 0)
        monkeypatch.setattr(pairs, "table_rows", lambda n_features, _: 4 * n_features)
        monkeypatch.setattr(pairs, "LEVEL_BITS", 1)
    return request.param


@pytest.mark.parametrize("law", laws.LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("name", STATISTICS)
@pytest.mark.parametrize("source", SOURCES)
def test_laws(name: str, law, source: str, bounds: str):
    made = SOURCES[source]()
    law(laws.maker(STATISTICS[name], made), made)


@pytest.mark.parametrize("kind", OFFENDERS, ids=lambda kind: kind.__name__)
def test_an_offender_is_caught(kind: type[Statistic]):
    source = copied(recording(1))
    broken: set[str] = set()
    for law in laws.LAWS:
        try:
            law(laws.maker(kind, source), source)
        except AssertionError:
            broken.add(law.__name__)
    assert OFFENDERS[kind] in broken


def test_every_law_catches_someone():
    source = copied(recording(1))
    idle = set()
    for law in laws.LAWS:
        for kind in OFFENDERS:
            try:
                law(laws.maker(kind, source), source)
            except AssertionError:
                break
        else:
            idle.add(law.__name__)
    assert idle == set()


@pytest.mark.parametrize("name", STATISTICS)
@given(seed=st.integers(0, 2**32), order=st.integers(0, 2**32), levels=st.sampled_from([None, 2, 5]))
def test_any_split_of_any_corpus(name: str, seed: int, order: int, levels: int | None):
    source = recording(seed, n_contexts=1 + seed % 9, n_features=4, levels=levels)
    make = laws.maker(STATISTICS[name], source)
    whole = laws.fed(make, batches_of(source, in_order(source, 100)))
    workers = [laws.fed(make, [batch]) for batch in batches_of(source, shuffled(source, order))]
    while len(workers) > 1:
        other = workers.pop(order % len(workers))
        workers[order % len(workers)].merge(other)
    laws.require_same(whole, workers[0], source, "any split")


def test_the_laws_see_a_recording_worth_it():
    """Ties, several batches' worth of contexts, a dead and a dense feature, masked firings."""
    made: Recording = SOURCES["ties"]()
    values = made.firing[made.firing > 0]
    assert len(set(values.tolist())) <= 3
    assert len(values) > 100
    assert not made.firing[:, :, 0].any()
    assert (made.activations[~made.counted] > 0).any()
