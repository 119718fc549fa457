"""What rendering changes of the process, and that it changes it back."""

from __future__ import annotations

import gc
from pathlib import Path

import pyarrow as pa
import pytest

from atlas.config import RenderConfig
from atlas.render.memory import RARELY, steady_memory
from atlas.render.output import Output
from atlas.render.site import render_site
from atlas.store import AtlasStore


def state() -> tuple[tuple[int, int, int], str]:
    return gc.get_threshold(), pa.default_memory_pool().backend_name


def test_inside_memory_is_kept_and_garbage_left_alone():
    before = state()
    with steady_memory():
        assert state() == ((RARELY, *before[0][1:]), "system")
        assert pa.array([1, 2]).to_pylist() == [1, 2]
        assert gc.isenabled()
    assert state() == before


def test_it_is_put_back_after_an_error():
    before = state()
    with pytest.raises(ZeroDivisionError), steady_memory():
        raise ZeroDivisionError
    assert state() == before


def test_arrays_outlive_it():
    with steady_memory():
        array = pa.array(range(1000))
    assert array.to_pylist() == list(range(1000))


def test_a_site_is_written_within_it(store: AtlasStore, tmp_path: Path):
    before, seen = state(), list[tuple[tuple[int, int, int], str]]()
    with Output(tmp_path / "site") as out:
        render_site(store, RenderConfig(), out, lambda *_: seen.append(state()), scripts=False)
    assert set(seen) == {((RARELY, *before[0][1:]), "system")}
    assert state() == before
