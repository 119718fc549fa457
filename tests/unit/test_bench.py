"""What the benchmarks compute besides timing."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from bench import demo


def test_bytes_over_the_wire_are_gzip_unless_that_is_larger(tmp_path: Path):
    text, noise = tmp_path / "a.html", tmp_path / "b.bin"
    text.write_bytes(b"word " * 1000)
    noise.write_bytes(os.urandom(500))
    assert demo.over_the_wire(text) == len(gzip.compress(b"word " * 1000, 6)) < 200
    assert demo.over_the_wire(noise) == 500


def test_a_verdict_names_the_goal():
    assert demo.verdict(4999.0, 5000.0) == "≤ 5,000: met"
    assert demo.verdict(5001.0, 5000.0) == "≤ 5,000: **missed**"


def test_the_stopwatch_keeps_every_stage_and_refuses_a_skipped_one():
    watch = demo.Stopwatch()
    watch.begin("Reading", "tokens")
    watch.update(1, 2)
    watch.end("done")
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
    monkeypatch.setattr(demo, "ROOT", tmp_path)
    (tmp_path / "bench").mkdir()
    path = tmp_path / "bench" / "RESULTS.md"
    demo.write_section("## The demo\n\nold\n")
    assert path.read_text() == "# Results\n\n## The demo\n\nold\n"
    path.write_text("# Results\n\n## First\n\none\n\n## The demo\n\nold\n\n## Last\n\nthree\n")
    demo.write_section("## The demo\n\nnew\n")
    assert path.read_text() == "# Results\n\n## First\n\none\n\n## The demo\n\nnew\n\n## Last\n\nthree\n"


def test_the_machine_is_named_without_its_address():
    assert "cores" in demo.machine()
    assert "Python 3." in demo.machine()
