"""What the model adds is told before it is exported, near enough to plan with."""

from __future__ import annotations

from typing import Any

import pytest

from atlas.cli.estimate import estimate_text
from atlas.export.onnx.precision import LIMITS
from atlas.pipeline import modelsize
from atlas.pipeline.modelsize import NOTHING, ModelSize, model_size
from atlas.pipeline.space import needed
from atlas.render.model import RUNTIME_RATIO, WEIGHT_RATIO
from atlas.sources.engines.base import ModelFacts
from atlas.sources.saes.base import SaeFacts
from tests.support.fakes import site_config
from tests.unit.pipeline.test_estimate import FOUND


def model(layers: int, width: int, vocabulary: int) -> ModelFacts:
    facts: dict[str, Any] = dict.fromkeys(ModelFacts.__dataclass_fields__, "")
    return ModelFacts(**facts | {"n_layers": layers, "d_model": width, "vocabulary_size": vocabulary})


def sae(width: int, features: int) -> SaeFacts:
    return SaeFacts("t", "s", "standard", "h", width, features, "float32", "", True, 128, "")


DEMO = model(4, 192, 4096), [sae(192, 2048)] * 2
SMALL = model(12, 768, 50_257), [sae(768, 24_576)]


def config(**options: Any) -> Any:
    return site_config(**{"browser_model": True} | options)


def test_nothing_is_added_where_none_is_wanted():
    assert model_size(config(browser_model=False), *SMALL) == NOTHING
    assert (NOTHING.data, NOTHING.site, NOTHING.files) == (0, 0, 0)


def test_the_demo_is_weighed_rightly():
    """Measured: 13.8 MB of files, 3.1 MB of directions, 21.4 MB of the site in 278 files."""
    found = model_size(config(), *DEMO)
    assert found.precision == "fp32"
    assert found.data == pytest.approx(13.8e6 + 3.1e6, rel=0.1)
    assert 21.4e6 <= found.site <= 1.3 * 21.4e6
    assert found.files == pytest.approx(278, abs=12)


@pytest.mark.parametrize(
    ("sizes", "precision"), [(DEMO, "fp32"), ((model(6, 384, 20_000), []), "fp16"), (SMALL, "int8")]
)
def test_auto_follows_the_limits_of_the_export(sizes: Any, precision: str):
    found = model_size(config(), *sizes)
    assert found.precision == precision
    limit = LIMITS.get(precision)
    assert limit is None or found.data <= limit + 4 * sum(each.d_sae * each.d_in for each in sizes[1]) + 10**6


def test_a_precision_that_was_asked_for_is_taken():
    sizes = [model_size(config(browser_precision=name), *SMALL) for name in ("fp32", "fp16", "int8")]
    assert [size.precision for size in sizes] == ["fp32", "fp16", "int8"]
    assert sizes[0].site > sizes[1].site > sizes[2].site


def test_by_hand():
    found = model_size(config(browser_precision="fp16"), model(2, 10, 100), [sae(10, 50)])
    weights = 12 * 2 * 100 + 100 * 10 + 50 * 10
    files = 2 * weights + modelsize.GRAPH_BYTES
    assert found.data == files + 4 * 500
    assert found.site == round(WEIGHT_RATIO * (files + 2 * 500) + RUNTIME_RATIO * modelsize.RUNTIME_BYTES)
    assert found.files == 1 + 1 + 7 + 4


def test_the_runtime_for_graphics_processors_counts_where_it_is_wanted():
    plain = model_size(config(), *DEMO)
    found = model_size(config(render={"webgpu": True}), *DEMO)
    assert found.site - plain.site == pytest.approx(RUNTIME_RATIO * modelsize.WEBGPU_BYTES, abs=1)
    # Measured: 16,923,928 bytes of runtime and worker are 4.87 MB of the site.
    assert found.site - plain.site == pytest.approx(4.87e6, rel=0.05)
    assert found.files - plain.files == 9
    assert found.data == plain.data


def test_room_on_the_disk_is_asked_for_it():
    plain = needed(config(), 100, 1000, 1000)
    found = needed(config(), 100, 1000, 1000, ModelSize("fp32", 5_000, 7_000, 3))
    assert found.data - plain.data == 5_000
    assert found.site - plain.site == 7_000


def test_a_dry_run_tells_it():
    import dataclasses

    assert "browsers" not in estimate_text(FOUND, "data", "site")
    told = estimate_text(
        dataclasses.replace(FOUND, model=ModelSize("int8", 1, 245_000_000, 9)), "data", "site"
    )
    assert "model     245 MB of the site, stored in int8, for readers' browsers" in told


def test_the_guide_says_the_same_of_gpt2():
    from pathlib import Path

    text = (Path(__file__).parents[3] / "docs/browser-model.md").read_text(encoding="utf-8")
    for features in (24_576, 4_096):
        found = model_size(config(), model(12, 768, 50_257), [sae(768, features)])
        rounded = 5 * round(found.site / 5e6)
        line = next(line for line in text.splitlines() if f"{features:,} features" in line)
        assert f"| {rounded} MB |" in line
