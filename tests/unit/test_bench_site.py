"""What the benchmark of sites computes besides timing."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import stat
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from atlas.pipeline import render_dataset
from atlas.store import AtlasStore
from bench import lighthouse, site, site_render
from bench.site_browser import Fetch, median
from bench.static_host import hosted
from bench.synthetic_atlas import SLUG, make_synthetic
from bench.synthetic_world import Scale
from tests.support import requirements


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench-site") / "data"
    make_synthetic(folder, Scale(64, vocabulary=1500, contexts=256))
    return folder


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> site.Bench:
    monkeypatch.setitem(site.SIZES, "tiny", 64)
    return site.Bench("tiny", tmp_path, 2)


class TestRendering:
    def test_sizes_tell_pages_from_shards_from_the_rest(self, tmp_path: Path):
        for name, size in (
            ("index.html", 10),
            ("alpha/index.html", 20),
            ("alpha/0/index.html", 30),
            ("alpha/0/5.html", 100),
            ("alpha/12/12005.html", 200),
            ("data/alpha/features/0.js", 1000),
            ("data/alpha/table.js", 40),
        ):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(b"x" * size)
        found = site_render.measure_sizes(tmp_path, 2)
        assert (found.pages, found.shards, found.whole, found.rest) == (300, 1000, 1400, 100)
        assert (found.files, found.largest_file, found.features) == (7, 1000, 2)

    def test_one_explanation_is_changed_and_nothing_else(self, data: Path, tmp_path: Path):
        shutil.copytree(data, tmp_path / "data")
        store = AtlasStore.open(tmp_path / "data")
        before = {row["feature_idx"]: row for row in store.read("explanations", SLUG).to_pylist()}
        feature = site_render.change_explanation(store, SLUG)
        after = {
            row["feature_idx"]: row
            for row in AtlasStore.open(tmp_path / "data").read("explanations", SLUG).to_pylist()
        }
        assert [number for number in before if before[number] != after[number]] == [feature]
        assert after[feature] == {**before[feature], "text": f"{before[feature]['text']}, seen again"}

    def test_a_rendering_and_the_next_one(self, data: Path, tmp_path: Path, root: Path):
        if not (root / "themes/default/dist/site.js").is_file():
            requirements.missing(
                "the scripts are not bundled", fix="cd themes/default && npm ci && npm run build"
            )
        shutil.copytree(data, tmp_path / "data")
        first = site_render.render(tmp_path / "data", tmp_path / "site")
        assert first.features == 64
        assert first.cpu > 0
        alone = site_render.render_features(tmp_path / "data", tmp_path / "alone")
        assert alone.features == 64
        of_features = site_render.measure_sizes(tmp_path / "alone", 64)
        assert of_features.files == 1 + 64 + 4
        whole = site_render.measure_sizes(tmp_path / "site", 64)
        assert (of_features.pages, of_features.shards) == (whole.pages, whole.shards)
        found = site_render.render_again(tmp_path / "data", tmp_path / "site")
        assert 0 < found.changed <= found.written <= found.files
        fresh = tmp_path / "fresh"
        render_dataset(tmp_path / "data", fresh)
        assert site_render.digests(fresh) == site_render.digests(tmp_path / "site")


class TestHost:
    def test_it_answers_as_a_static_host(self, tmp_path: Path):
        text = "word " * 1000
        (tmp_path / "a.html").write_text(text)
        (tmp_path / "b.png").write_bytes(b"not packed" * 10)
        with hosted(tmp_path) as url:
            with urlopen(f"{url}a.html?v=1") as answer:  # noqa: S310 - loopback
                assert answer.headers["Content-Encoding"] == "gzip"
                assert answer.headers["Cache-Control"] == "max-age=600"
                assert gzip.decompress(answer.read()).decode() == text
            with urlopen(f"{url}b.png") as answer:  # noqa: S310 - loopback
                assert answer.headers["Content-Encoding"] is None
                assert answer.read() == b"not packed" * 10
            for path in ("none.html", "../secret", "%2e%2e/secret"):
                with pytest.raises(HTTPError) as error:
                    urlopen(url + path)  # noqa: S310 - loopback
                assert error.value.code == 404
                error.value.close()


class TestReport:
    def test_a_median_is_of_each_figure(self):
        found = median([Fetch(3.0, 10, 1), Fetch(1.0, 30, 3), Fetch(2.0, 20, 9)])
        assert found == Fetch(2.0, 20, 3)

    def test_what_cannot_be_measured_says_why(self, bench: site.Bench, monkeypatch: pytest.MonkeyPatch):
        def broken(_: site.Bench) -> None:
            raise RuntimeError("no such browser\nand more")

        monkeypatch.setattr(site, "make_dataset", lambda _: None)
        monkeypatch.setitem(site.MEASURES, "open", broken)
        monkeypatch.setitem(site.MEASURES, "sizes", lambda one: one.say("files", "7", "≤ 8: met"))
        site.measure(bench, ["open", "sizes", "lighthouse"])
        assert bench.lines == [
            ("open", "not measured: no such browser", ""),
            ("files", "7", "≤ 8: met"),
            ("lighthouse", "not measured: --lighthouse was not given", ""),
        ]

    def test_the_section_has_a_table_of_each_atlas(self, bench: site.Bench, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(site, "_chromium_version", lambda: "Chromium 1")
        bench.say("files", "7", "≤ 8: met")
        text = site.section([bench], 3)
        assert text.startswith("## Sites (`bench/site.py`)\n")
        assert (
            "### 64 features\n\n| figure | value | goal |\n|---|---|---|\n| files | 7 | ≤ 8: met |\n" in text
        )
        assert "medians of 3 runs" in text
        assert text.endswith("|\n")
        assert max(len(line) for line in text.splitlines()[3:] if not line.startswith("|")) <= 110

    def test_addresses_and_words_are_the_same_every_time(self, bench: site.Bench, data: Path):
        bench.data.parent.mkdir(parents=True, exist_ok=True)
        bench.data.symlink_to(data)
        pairs = list(bench.addresses(5))
        assert pairs == list(bench.addresses(5))
        assert all(re.fullmatch(rf"{SLUG}/0/\d+\.html", path) for pair in pairs for path in pair)
        assert all(first != second for first, second in pairs)
        texts = " ".join(AtlasStore.open(data).read("explanations", SLUG)["text"].to_pylist())
        words = list(bench.words(3))
        assert words == list(bench.words(3))
        assert all(word in texts for pair in words for word in pair)

    def test_every_part_has_a_measure(self):
        assert tuple(site.MEASURES) == site.PARTS


class TestLighthouse:
    def install(self, folder: Path, script: str) -> Path:
        program = folder / "node_modules" / ".bin" / "lighthouse"
        program.parent.mkdir(parents=True)
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        return folder

    def test_scores_are_read(self, tmp_path: Path):
        answer = json.dumps({"categories": {name: {"score": 0.97} for name in lighthouse.CATEGORIES}})
        folder = self.install(tmp_path, f"echo '{answer}'")
        assert lighthouse.scores(folder, "http://127.0.0.1/x") == dict.fromkeys(lighthouse.CATEGORIES, 97.0)

    def test_a_failure_is_told(self, tmp_path: Path):
        folder = self.install(tmp_path, "echo first >&2; echo 'no page' >&2; exit 1")
        with pytest.raises(RuntimeError, match="no page"):
            lighthouse.scores(folder, "http://127.0.0.1/x")
