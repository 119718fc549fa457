"""What the benchmarks compute besides timing."""

from __future__ import annotations

import gzip
import importlib
import json
import os
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from bench import demo, measure, peer, results, workload

pytestmark = pytest.mark.slow

passes = importlib.import_module("bench.pass")


def test_bytes_over_the_wire_are_gzip_unless_that_is_larger(tmp_path: Path):
    text, noise = tmp_path / "a.html", tmp_path / "b.bin"
    text.write_bytes(b"word " * 1000)
    noise.write_bytes(os.urandom(500))
    assert demo.over_the_wire(text) == len(gzip.compress(b"word " * 1000, 6)) < 200
    assert demo.over_the_wire(noise) == 500


def test_a_verdict_names_the_goal():
    assert results.verdict(4999.0, 5000.0) == "≤ 5,000: met"
    assert results.verdict(5001.0, 5000.0) == "≤ 5,000: **missed**"
    assert results.verdict(40.0, 40.0, least=True) == "≥ 40: met"
    assert results.verdict(39.9, 40.0, least=True) == "≥ 40: **missed**"
    assert results.verdict(1.051, 1.05, digits=2) == "≤ 1.05: **missed**"


def test_the_stopwatch_keeps_every_stage_and_refuses_a_skipped_one():
    watch = demo.Stopwatch()
    watch.begin("Reading", "tokens")
    watch.update(1, 2)
    watch.end("done")
    watch.note("A remark.")
    assert list(watch.seconds) == ["Reading"]
    assert 0 <= watch.seconds["Reading"] < 1
    with pytest.raises(RuntimeError, match="was skipped"):
        watch.skip("Writing", "nothing changed")


def test_a_cold_page_is_the_sum_of_its_parts():
    assert demo.ColdPage("a/0/1.html", {"a": 1, "b": 2}).total == 3


def test_sizes_leave_folders_out(tmp_path: Path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "file").write_bytes(b"12345")
    assert demo.size_of(tmp_path.rglob("*")) == 5


def test_a_section_replaces_itself_and_leaves_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "RESULTS.md"
    monkeypatch.setattr(results, "RESULTS", path)
    results.write_section("## The demo\n\nold\n")
    assert path.read_text() == "# Results\n\n## The demo\n\nold\n"
    path.write_text("# Results\n\n## First\n\none\n\n## The demo\n\nold\n\n## Last\n\nthree\n")
    results.write_section("## The demo\n\nnew\n")
    assert path.read_text() == "# Results\n\n## First\n\none\n\n## The demo\n\nnew\n\n## Last\n\nthree\n"


def test_the_machine_is_named_without_its_address():
    assert "cores" in results.machine()
    assert "Python 3." in results.machine()


TINY = workload.Shape("tiny", 2, "blocks.0.hook_resid_post", 64, 300, 96, 1000, l0=8, context_size=32)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("workload")
    workload.make(folder, TINY)
    return folder


class TestWorkload:
    def test_rows_begin_with_bos_and_nothing_else_is_bos(self):
        rows = workload.zipf_rows(TINY, 3)
        assert rows.shape == (32, 32)
        assert (rows[:, 0] == 0).all()
        assert 1 <= rows[:, 1:].min() <= rows.max() < 300
        counts = np.sort(np.bincount(rows[:, 1:].reshape(-1)))[::-1]
        assert counts[0] > 5 * counts[10] > 0

    def test_more_tokens_begin_alike(self):
        few, many = workload.zipf_rows(TINY, 3), workload.zipf_rows(replace(TINY, tokens=5000), 3)
        assert len(many) == 157
        assert (many[: len(few)] == few).all()
        assert (workload.zipf_rows(TINY, 4) != few).any()

    def test_densities_span_three_decades(self):
        found = workload.densities(20_000, 40.0, np.random.default_rng(0))
        assert found.sum() == pytest.approx(40.0)
        assert np.mean(found == 0) == pytest.approx(workload.DEAD, abs=0.01)
        alive = found[found > 0]
        assert alive.max() / alive.min() == pytest.approx(1000, rel=0.02)
        low, middle, high = np.histogram(np.log10(alive / alive.min()), bins=3)[0]
        assert low == pytest.approx(middle, rel=0.1)
        assert high == pytest.approx(middle, rel=0.1)

    def test_no_feature_fires_on_more_than_half(self):
        assert workload.densities(10, 9.0, np.random.default_rng(0)).max() == 0.5

    def test_what_is_loaded_fires_as_often_as_asked(self, tiny: Path):
        work = workload.load(tiny)
        built = measure.run_pass(work)
        assert built.l0 == pytest.approx(TINY.l0, rel=0.3)
        assert work.shape == TINY

    def test_the_floor_encodes_what_the_product_does(self, tiny: Path):
        work = workload.load(tiny)
        x = torch.randn(20, 64)
        bias, W_enc = work.plain
        torch.testing.assert_close(
            torch.addmm(bias, x, W_enc).relu(), work.sae.encode(x), atol=1e-4, rtol=1e-4
        )

    def test_the_pass_packs_the_rows_of_the_floor(self, tiny: Path):
        from atlas.sources.packing import pack

        work = workload.load(tiny)
        corpus = workload.RowsAsDocuments(work.token_ids)
        words = work.engine.tokens
        packed = pack(corpus, words, context_size=32, prepend_bos=True, token_budget=work.token_ids.size)
        assert (np.stack([context.token_ids for context in packed]) == work.token_ids).all()

    def test_fewer_tokens_are_the_first_ones(self, tiny: Path):
        few = workload.load(tiny, 100)
        assert few.token_ids.tolist() == workload.load(tiny).token_ids[:4].tolist()
        assert few.config().corpus.tokens == 128

    def test_equal_seeds_give_equal_inputs(self, tiny: Path, tmp_path: Path):
        workload.make(tmp_path, TINY)
        one, other = (torch.load(folder / "sae.pt") for folder in (tiny, tmp_path))
        assert all(torch.equal(one[name], other[name]) for name in one)

    def test_thresholds(self):
        inputs = torch.from_numpy(np.random.default_rng(0).normal(0, 1, (4000, 3)).astype(np.float32))
        directions = torch.eye(3)
        found = workload.thresholds(inputs, directions, np.array([0.1, 0.0, 1e-5]))
        assert float((inputs[:, 0] > found[0]).float().mean()) == pytest.approx(0.1, abs=0.001)
        assert found[1] == 1e4
        # Rarer than one in the sample: the normal quantile, 4.26 for one in 100,000.
        assert float(found[2]) == pytest.approx(4.26, abs=0.15)


class TestPassBenchmark:
    def test_both_sides_are_measured(self, tiny: Path):
        work = workload.load(tiny)
        floor = measure.run_floor(work)
        built = measure.run_pass(work)
        assert floor.cpu > 0
        assert built.reading.cpu > 0
        assert built.writing.wall > 0
        assert built.whole.cpu == built.reading.cpu + built.writing.cpu
        assert measure.cheapest_rows(work) in {None, 256, 64, 32}

    def test_a_profile_names_every_statistic_and_adds_up(self, tiny: Path):
        from atlas.plugins import available

        shares = measure.profile(workload.load(tiny))
        assert {f"statistic {name}" for name in available("atlas.statistics")} <= set(shares)
        assert list(shares.values()) == sorted(shares.values(), reverse=True)
        losses = "losses, on the first 16,384 tokens however many there are"
        assert {"finding events", "reconstruction", losses, "finish and tables"} <= set(shares)

    def test_time_within_is_counted_once(self):
        def busy(seconds: float) -> None:
            end = time.process_time() + seconds
            while time.process_time() < end:
                pass

        tools = SimpleNamespace(inner=lambda: busy(0.02))
        tools.outer = lambda: (busy(0.01), tools.inner(), tools.inner())
        with measure.timed({"in": (tools, "inner"), "out": (tools, "outer")}) as spent:
            tools.outer()
        assert spent["in"] >= 0.04
        assert 0.01 <= spent["out"] < spent["in"]
        assert not hasattr(tools.inner, "mock_calls")

    def test_a_failing_call_is_still_timed(self):
        tools = SimpleNamespace(divide=lambda: 1 / 0)
        with measure.timed({"divide": (tools, "divide")}) as spent, pytest.raises(ZeroDivisionError):
            tools.divide()
        assert spent["divide"] >= 0

    def test_state_leaves_examples_out(self):
        from atlas.stats.base import Statistic

        class Plain:
            columns = ("a column",)
            selections = Statistic.selections

            def state(self):
                return {"a": np.zeros(10, np.int64), "b": np.zeros(4, np.int8)}

        class Shows(Plain):
            columns = ()

            def selections(self, start: int, stop: int, features: object) -> list[object]:
                return []

        class Both(Shows):
            columns = ("a column",)

        members = {"plain": Plain(), "other": Plain(), "shows": Shows(), "both": Both()}
        shape = SimpleNamespace(n_features=4)
        found = SimpleNamespace(statistics=SimpleNamespace(members=members, shape=shape))
        assert measure.state_bytes(found) == (2 * 84 / 4, 84 / 4)

    def test_costs_add(self):
        one, other = measure.Cost(1.0, 2.0), measure.Cost(0.25, 0.5)
        assert one + other == measure.Cost(1.25, 2.5)
        assert one - other == measure.Cost(0.75, 1.5)

    def test_the_line_through_two_measurements(self):
        assert peer.extrapolated({128: 10.0, 512: 40.0}, 4096) == 320.0
        assert peer.extrapolated({512: 41.0, 128: 11.0, 256: 0.0}, 4096) == 321.0

    def test_the_table_of_the_peer(self):
        cost = measure.Cost
        theirs = {512: [cost(40, 80)], 128: [cost(11, 20), cost(10, 21), cost(9, 19)]}
        ours = {"floor": cost(4, 4), "pass": cost(5, 10), "whole": cost(10, 20)}
        text = peer.peer_table("### T", 4096, ours, theirs)
        assert "| SAEDashboard, 128 features | 10.0 | 20.0 | |" in text
        assert "| … all 4,096, on the line through both | 320.0 | 640.0 | |" in text
        assert "| SAEDashboard / the pass, times | 64.0 | 64.0 | ≥ 40: met |" in text
        assert "| SAEDashboard / all of ours, times | 32.0 | 32.0 | ≥ 40: **missed** |" in text

    def test_without_a_peer_the_table_says_so(self, tmp_path: Path):
        assert "Not run" in peer.against_peer(None, tmp_path, 1000, 1, 1)

    def test_a_peer_is_run_in_its_own_environment(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        script = tmp_path / "peer.py"
        script.write_text(
            "import json, os, sys\nprint('noise')\n"
            "print(json.dumps([sys.argv[1:], os.environ['OMP_NUM_THREADS'], os.environ.get('PYTHONPATH')]))"
        )
        monkeypatch.setenv("PYTHONPATH", "elsewhere")
        import sys

        runner = peer.Peer(script, sys.executable, 8)
        assert runner("a", "b", threads=3) == [["a", "b"], "3", None]

    def test_peak_memory_is_of_this_process(self):
        block = np.ones(40 << 20, dtype=np.uint8)
        assert measure.peak_memory() > block.nbytes

    def test_a_child_measures_one_pass(self, tiny: Path):
        found = passes.child(tiny, 320, 1)
        assert found["cpu"] > 0
        assert found["peak"] > 50 << 20
        assert json.loads(json.dumps(found)) == found
