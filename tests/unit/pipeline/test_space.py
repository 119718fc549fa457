"""Room is asked for before the long run, with figures, and never refused for text that is not there."""

from __future__ import annotations

import shutil
from collections import namedtuple
from types import SimpleNamespace
from typing import Any

import pytest

from atlas.configfile import load_config
from atlas.errors import DiskError
from atlas.pipeline import Job
from atlas.pipeline.space import EXAMPLE_BYTES, SITE_BYTES, needed, require_space
from atlas.pipeline.weigh import TABLE_BYTES
from tests.support.fake_stages import make_project
from tests.support.fakes import site_config

Usage = namedtuple("Usage", "total used free")  # noqa: PYI024 - as shutil's own


def options(**changed: Any) -> Any:
    plain = {"top_examples": 20, "interval_count": 5, "interval_examples": 4, "random_examples": 8}
    plain |= {"counter_examples": 4, "sample_tokens": 1000}
    return site_config(**{"pass": plain | changed}, render={"site_budget": None})


class TestNeeded:
    def test_every_part_by_hand(self):
        need = needed(options(), 1000, 50_257, 1_000_000)
        assert need.contexts == 1_000_000 * 6
        assert need.commits == 2 * (1000 * (2048 + 56 * 64) + 1000 * 512)
        assert need.tables == 1000 * (TABLE_BYTES + 56 * EXAMPLE_BYTES)
        assert need.site == 1000 * SITE_BYTES
        assert need.data == need.contexts + need.commits + need.tables

    def test_a_large_vocabulary_takes_wider_ids(self):
        assert needed(options(), 1, 65_536, 100).contexts == 800
        assert needed(options(), 1, 65_535, 100).contexts == 600

    def test_there_are_no_more_examples_than_tokens(self):
        assert needed(options(), 10, 100, 3).commits == 2 * (10 * (2048 + 3 * 64) + 3 * 512)
        assert needed(options(), 10, 100, 3).tables == 10 * (TABLE_BYTES + 3 * EXAMPLE_BYTES)

    def test_a_site_is_no_larger_than_its_budget(self):
        config = site_config(render={"site_budget": "1MB"})
        assert needed(config, 10_000, 100, 10).site == 1_000_000


class TestRequireSpace:
    @pytest.fixture
    def job(self, tmp_path: Any, fakes: Any) -> Job:
        """A pass over at most a thousand tokens; the text has as many as `contexts` say."""
        del fakes
        return Job(load_config(make_project(tmp_path / "project")))

    def short(self, monkeypatch: pytest.MonkeyPatch, free: int) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**12, 10**12 - free, free))

    def contexts(self, monkeypatch: pytest.MonkeyPatch, *sizes: int) -> list[int]:
        counted: list[int] = []

        def first_contexts(job: Job) -> Any:
            for size in sizes:
                counted.append(size)
                yield SimpleNamespace(n_tokens=size)

        monkeypatch.setattr("atlas.pipeline.job.Job.first_contexts", first_contexts)
        return counted

    def need(self, job: Job, tokens: int) -> int:
        need = needed(job.config, 16, 300, tokens)
        return need.data + need.site

    def test_enough_is_enough(self, job: Job, monkeypatch: pytest.MonkeyPatch):
        counted = self.contexts(monkeypatch, 500, 500)
        self.short(monkeypatch, self.need(job, 1000))
        require_space(job)
        assert counted == [], "nothing is counted where there is room"

    def test_one_byte_less_is_refused_with_figures(self, job: Job, monkeypatch: pytest.MonkeyPatch):
        self.contexts(monkeypatch, 500, 500)
        wanted = self.need(job, 1000)
        self.short(monkeypatch, wanted - 1)
        with pytest.raises(DiskError) as caught:
            require_space(job)
        assert f"about {wanted:,} bytes needed, {wanted - 1:,} bytes free" in caught.value.what
        assert caught.value.where == str(job.data)
        assert "--force" in caught.value.fix
        assert caught.value.exit_code == 4

    def test_a_corpus_smaller_than_the_budget_needs_less(self, job: Job, monkeypatch: pytest.MonkeyPatch):
        counted = self.contexts(monkeypatch, 10, 5)
        self.short(monkeypatch, self.need(job, 15))
        require_space(job)
        assert counted == [10, 5]

    def test_force_tries_all_the_same(self, job: Job, monkeypatch: pytest.MonkeyPatch):
        self.short(monkeypatch, 0)
        job.force = True
        require_space(job)

    def test_two_disks_are_asked_each_for_its_own(self, job: Job, monkeypatch: pytest.MonkeyPatch):
        need = needed(job.config, 16, 300, 1000)
        self.contexts(monkeypatch, 1000)
        job.data.mkdir(parents=True)
        job.site.mkdir(parents=True)
        free = {job.data: need.data, job.site: need.site}
        monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(0, 0, free[path]))
        path_class = type(job.data)
        real = path_class.stat

        def stat(path: Any, **more: Any) -> Any:
            return (
                SimpleNamespace(st_dev=len(path.name)) if path in {job.data, job.site} else real(path, **more)
            )

        job.site = job.site.with_name("another")
        job.site.mkdir()
        free[job.site] = need.site
        monkeypatch.setattr(path_class, "stat", stat)
        require_space(job)
        free[job.site] -= 1
        with pytest.raises(DiskError) as caught:
            require_space(job)
        assert caught.value.where == str(job.site)
