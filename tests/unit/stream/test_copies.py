"""How often an example's text stands in the corpus."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas.stream import copies as copies_module
from atlas.stream.contexts import ContextFiles
from atlas.stream.copies import count_copies
from tests.support.oracle import Recording
from tests.support.oracle_sample import holders, text_at
from tests.support.recordings import RecordedContexts, copied, recording


def asked(*places: tuple[int, int]) -> Any:
    """What a statistic selects: these places."""
    pairs = np.array(places, dtype=np.int64).reshape(-1, 2)
    return SimpleNamespace(context_idx=pairs[:, 0], position=pairs[:, 1].astype(np.int32))


def counted(source: Recording, places: list[tuple[int, int]]) -> list[int]:
    selection = asked(*places)
    found = count_copies([selection], RecordedContexts(source))  # type: ignore[arg-type]
    return found.at(selection.context_idx, selection.position).tolist()


def by_definition(source: Recording, places: list[tuple[int, int]]) -> list[int]:
    texts = holders(source)
    return [len(texts[text_at(source, *place)]) for place in places]


@given(
    seed=st.integers(0, 2**32),
    size=st.integers(1, 40),
    period=st.integers(1, 6),
    at_once=st.sampled_from([1, 70, 1 << 18]),
)
def test_as_defined(seed: int, size: int, period: int, at_once: int):
    source = copied(recording(seed, n_contexts=13, context_size=size, n_features=1), period)
    rng = np.random.default_rng(seed)
    real = np.argwhere(source.token_ids >= 0)
    places = [tuple(place) for place in real[rng.integers(0, len(real), 30)].tolist()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(copies_module, "TOKENS_AT_ONCE", at_once)
        assert counted(source, places) == by_definition(source, places)


def test_a_context_counts_once_however_often_it_repeats_the_text():
    tokens = np.array([[7] * 40, [7] * 40, [8] * 40])
    source = Recording(
        np.zeros((3, 40, 1), np.float32), tokens, np.ones((3, 40), bool), np.zeros((3, 40), int)
    )
    assert counted(source, [(0, 0), (0, 20), (1, 39), (2, 39)]) == [2, 2, 2, 1]


def test_masked_tokens_are_part_of_the_corpus():
    """What the mask leaves out is not counted as fired on, but the text stands there all the same."""
    source = copied(recording(3, masked=0.0), 1)
    source.counted[:] = False
    assert counted(source, [(0, 3)])[0] >= len(source.token_ids) - 1


def test_the_order_of_the_question_does_not_matter():
    source = copied(recording(4))
    places = [(context, position) for context in range(6) for position in (0, 3, 9)]
    forth, back = counted(source, places), counted(source, places[::-1])
    assert forth == back[::-1]
    assert counted(source, places * 3) == forth * 3


def test_several_selections_and_none():
    source = copied(recording(5))
    contexts: Any = RecordedContexts(source)
    one, other = asked((0, 1), (4, 2)), asked((4, 2), (7, 0))
    found = count_copies(iter([one, other]), contexts)
    assert found.place.size == 3
    wanted = by_definition(source, [(4, 2), (7, 0)])
    assert found.at(other.context_idx, other.position).tolist() == wanted
    assert count_copies([], contexts).place.size == 0
    nothing = asked()
    assert count_copies([nothing], contexts).at(nothing.context_idx, nothing.position).size == 0


def test_a_full_sieve_lets_everything_through(monkeypatch: pytest.MonkeyPatch):
    """The table over the first bits only saves time."""
    source = copied(recording(6, n_contexts=30))
    places = [(context, position) for context in range(30) for position in range(8)]
    wanted = by_definition(source, places)
    for bits in (1, 4, 20):
        monkeypatch.setattr(copies_module, "_SIEVE_BITS", range(bits, bits + 1))
        assert counted(source, places) == wanted


def test_from_files(tmp_path: Path):
    source = copied(recording(7, n_contexts=20), 4)
    with ContextFiles(tmp_path, 16, 40, first=100) as files:
        for start in range(0, 20, 6):
            rows = np.arange(start, min(start + 6, 20))
            files.append(
                rows + 100,
                source.token_ids[rows].astype(np.int32),
                source.document_idx[rows].astype(np.int32),
            )
        assert files.numbers == range(100, 120)
        assert files.context_size == 16
        selection = asked((103, 5), (117, 0))
        found = count_copies([selection], files)
        assert found.at(selection.context_idx, selection.position).tolist() == by_definition(
            source, [(3, 5), (17, 0)]
        )


def test_memory_does_not_grow_with_the_corpus(monkeypatch: pytest.MonkeyPatch):
    """Never more contexts in memory than a block holds."""
    source = copied(recording(8, n_contexts=50))
    contexts: Any = RecordedContexts(source)
    read = contexts.read
    sizes: list[int] = []
    monkeypatch.setattr(contexts, "read", lambda numbers: (sizes.append(len(numbers)), read(numbers))[1])
    monkeypatch.setattr(copies_module, "TOKENS_AT_ONCE", 5 * 16)
    count_copies([asked(*((context, 0) for context in range(50)))], contexts)
    assert max(sizes) == 5
    assert sum(sizes) == 2 * 50, "once for the texts asked for, once for the corpus"
