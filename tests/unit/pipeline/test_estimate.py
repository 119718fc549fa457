"""What a dry run promises: sizes from weighed pages, honest sums, and whose limits are exceeded."""

from __future__ import annotations

import dataclasses

import pytest

from atlas.cli.estimate import estimate_text, size
from atlas.config import EnrichConfig, SiteConfig
from atlas.pipeline.estimate import HOST_LIMITS, Estimate, _speed, effect_tokens
from atlas.pipeline.miniature import SLUG, make_miniature
from atlas.pipeline.modelsize import NOTHING
from atlas.pipeline.weigh import Scales
from atlas.render.output import Output
from atlas.render.site import render_site
from atlas.schema import MODEL_TABLES, SAE_TABLES
from atlas.sources.engines.base import ModelFacts
from tests.support.synthetic import make_atlas

FOUND = Estimate(
    tokens=1_000_000,
    whole_corpus=False,
    tokens_per_second=12_345.6,
    features=4096,
    seconds={"opening": 3.2, "reading": 81.0, "pages": 12.4},
    memory_bytes=870_000_000,
    data_bytes=18_700_000,
    site_bytes=91_000_000,
    least_site_bytes=40_000_000,
    pages=4109,
    files=4418,
    model=NOTHING,
    site_budget=1_000_000_000,
    notes=(),
)


def found(**changes):
    return dataclasses.replace(FOUND, **changes)


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    return make_atlas(tmp_path_factory.mktemp("short") / "data", n_features=64)


@pytest.fixture
def config():
    return SiteConfig.model_validate(
        {"title": "t", "model": {"name": "m"}, "saes": [{"folder": "f"}], "corpus": {"kind": "text"}}
    )


@pytest.fixture
def without_scripts(monkeypatch):
    """Pages are weighed without the bundles, which are not built on every machine that runs these tests."""
    monkeypatch.setattr("atlas.render.builder.require_scripts", lambda *_: None)


def test_the_answer_is_one_line_per_figure():
    text = estimate_text(FOUND, "build/data", "build/site")
    assert text.splitlines() == [
        "features  4,096",
        "tokens    1,000,000 (the budget), 12,346 a second",
        "time      about 1 min 37 s (opening 3 s, reading 1 min 21 s, pages 12 s)",
        "memory    at least 870 MB",
        "dataset   about 18.7 MB in build/data",
        "site      about 91 MB, 4,109 pages, 4,418 files in build/site",
        "hosts     no limit of the usual static hosts is exceeded",
    ]


def test_a_small_corpus_and_unknown_memory_are_said():
    text = estimate_text(found(whole_corpus=True, memory_bytes=0, notes=("odd SAE",)), "d", "s")
    assert "1,000,000 (all of the corpus)" in text
    assert "memory    not known" in text
    assert text.endswith("note      odd SAE")


def test_every_exceeded_limit_is_named_with_a_way_out():
    big = found(site_bytes=1_100_000_000, files=131_072, site_budget=None)
    assert [line.split(" takes ")[0] for line in big.exceeded] == [
        "GitHub Pages",
        "Hugging Face (a Space or a repository)",
    ]
    many = found(files=100_001)
    assert many.exceeded == [
        "Hugging Face (a Space or a repository) takes 100,000 files: put one SAE into each"
    ]
    assert len(found(site_bytes=60_000_000_000, site_budget=None).exceeded) == len(HOST_LIMITS)
    assert FOUND.exceeded == []
    text = estimate_text(big, "d", "s").splitlines()
    assert text[6].startswith("hosts     GitHub Pages takes 1 GB")
    assert text[7].startswith("          Hugging Face")


def test_a_site_over_its_budget_is_announced():
    assert not FOUND.over_budget
    assert not found(site_budget=None).over_budget
    over = found(site_budget=39_000_000)
    assert over.over_budget
    assert not over.shortened
    assert "over render.site_budget: the build would be refused" in estimate_text(over, "d", "s")


def test_a_site_that_a_budget_shortens_is_announced_and_weighs_its_budget():
    assert not FOUND.shortened
    shortened = found(site_budget=50_000_000, site_bytes=1_100_000_000)
    assert shortened.shortened
    assert not shortened.over_budget
    assert shortened.written_bytes == 50_000_000
    assert shortened.exceeded == []
    text = estimate_text(shortened, "d", "s")
    assert "over render.site_budget: the site would hold fewer and shorter examples" in text
    assert "about 50 MB" in text
    assert FOUND.written_bytes == FOUND.site_bytes


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1200, "1.2 kB"), (18_740_000, "18.7 MB"), (94_500_000, "94.5 MB"),
     (999_499_999, "999 MB"), (999_999_999, "1 GB"), (2.5e9, "2.5 GB"), (6e12, "6,000 GB")],
)  # fmt: skip
def test_sizes_in_words(count, text):
    assert size(count) == text


def test_speed_leaves_out_the_first_batch():
    # The first 4,000 tokens took 30 s of warming up; the other 12,000 took 6 s.
    marks = [(130.0, 4000), (132.0, 8000), (134.0, 12000), (136.0, 16000), (136.0, 16000)]
    assert _speed(100.0, marks) == pytest.approx(2000)


def test_speed_of_a_single_batch_is_that_of_the_batch():
    assert _speed(100.0, [(102.0, 500), (102.0, 500)]) == pytest.approx(250)


@pytest.mark.parametrize(
    ("options", "layers", "expected"),
    [
        ({}, 2, 64 * 128 / 2),
        ({"effect_examples": 3}, 2, 3 * 64 * 128 / 2),
        ({"effects": "off"}, 2, 0),
        ({}, 200, 0),
        ({"effects": "on"}, 200, 64 * 128 / 2),
    ],
)
def test_effects_take_as_long_as_reading_half_a_context_for_each_example(options, layers, expected):
    model = ModelFacts("m", "transformers", "gpt2", layers, 256, 1000, 64, "float32", "cpu", "0", "0")
    assert effect_tokens(EnrichConfig(**options), model, 64, 128) == expected


def test_a_miniature_is_a_whole_atlas_of_the_chosen_features(short, tmp_path):
    mini = make_miniature(tmp_path / "mini", short, "beta", [7, 2, 7])
    (entry,) = mini.manifest.saes
    assert (entry.slug, entry.n_features) == (SLUG, 3)
    for name in SAE_TABLES.keys() - MODEL_TABLES:
        assert mini.has(name, SLUG), name
    features = mini.read("features", SLUG)
    assert features["feature_idx"].to_pylist() == [0, 1, 2]
    fired = short.read("features", "beta")["firing_tokens"].to_pylist()
    assert features["firing_tokens"].to_pylist() == [fired[7], fired[2], fired[7]]
    counts = [short.read_features("examples", "beta", i, i + 1).num_rows for i in (7, 2, 7)]
    assert [mini.read_features("examples", SLUG, i, i + 1).num_rows for i in range(3)] == counts
    assert mini.verify() == []


def test_weighing_a_pass_of_the_same_length_gives_the_sites_own_size(
    short, config, tmp_path, without_scripts
):
    """Oracle: render the dataset that was weighed, and look."""
    site = tmp_path / "site"
    with Output(site) as out:
        report = render_site(short, config.render, out, scripts=False)
    copy = make_atlas(tmp_path / "copy", n_features=64)
    weight = Scales(copy, config, tmp_path, tmp_path, 1.0).weigh()
    assert weight.pages == report.pages
    assert weight.files == pytest.approx(report.files, rel=0.2)
    heavy = (report.page_bytes + report.shard_bytes) / report.features
    assert weight.feature_bytes == pytest.approx(heavy, rel=0.3)
    assert weight.feature_seconds > 0


def test_a_longer_pass_weighs_more_but_never_more_than_full_features(config, tmp_path, without_scripts):
    weights = [
        Scales(make_atlas(tmp_path / str(longer), n_features=48), config, tmp_path, tmp_path, longer).weigh()
        for longer in (1.0, 1000.0, 100_000.0)
    ]
    sizes = [weight.feature_bytes for weight in weights]
    assert sizes == sorted(sizes)
    assert weights[0].growth < weights[1].growth
    # From some length on every feature has all the examples it may have.
    assert sizes[2] == pytest.approx(sizes[1], rel=1e-6)
    assert weights[2].growth == pytest.approx(weights[1].growth)
    assert weights[2].data_bytes > weights[0].data_bytes
