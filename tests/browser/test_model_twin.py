"""The model in a real browser against the same model in a notebook, and both against torch.

Two real builds: the bundled GPT-2 with two SAEs, and stories260K, a Llama that nobody here made. Over http
and from a folder, with no way to any other machine.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import atlas
from atlas.reader.windows import well_formed
from tests.support import requirements
from tests.support.in_browser import PageModel
from tests.support.requirements import ROOT
from tests.support.runnable import Runnable, Torch, small_demo, small_stories
from tests.support.web import published

if TYPE_CHECKING:
    from tests.support.browser import Visitor

pytestmark = pytest.mark.slow

TOLERANCE = 1e-3
"""What an activation or a logit in single precision may be off, relative to max(1, |value|)."""

TEXTS = [
    "def parse(text):\n    return json.loads(text)\n",
    "Once upon a time there was a little girl. " * 20,
    "naïve café, 日本語の文章と絵文字 🤗🏳️‍🌈, שלום, \x00\x1b\u202e",
    "\ud800 lone \udc00\ud83e\udd17\udfff surrogates",
    " ",
    "",
]
PROMPTS = ["def parse(text):\n    if not ", "Once upon a time, there was", "naïve 日本 \ud800"]


def nasty(shared: Path) -> list[str]:
    """More than a thousand strings that tokenizers stumble over."""
    found = json.loads((shared / "data/nasty/blns_even.json").read_text(encoding="utf-8"))
    groups = json.loads((ROOT / "tests/support/hostile_strings.json").read_text(encoding="utf-8"))
    found += [text for group in groups.values() for text in group if isinstance(text, str)]
    dice = random.Random(11)  # noqa: S311 - a fixed draw
    ranges = [(0, 0x7F), (0, 0x24F), (0x300, 0x36F), (0x590, 0x7FF), (0x2000, 0x206F), (0x3040, 0x30FF)]
    ranges += [(0xAC00, 0xD7A3), (0xD800, 0xDFFF), (0xFE00, 0xFFFF), (0x1F300, 0x1FAFF), (0x10000, 0x10FFFF)]
    while len(found) < 1200:
        spans = dice.choices(ranges, k=dice.randrange(1, 4))
        found.append("".join(chr(dice.randint(*dice.choice(spans))) for _ in range(dice.randrange(1, 40))))
    return found


@dataclass
class Twins:
    """One build, in a notebook, in torch, and where a browser finds it."""

    built: Runnable
    data: atlas.Atlas
    torch: Torch

    @property
    def slugs(self) -> list[str]:
        return list(self.built.saes)


@pytest.fixture(scope="module")
def finished() -> dict[str, Twins]:
    """Builds by name: pytest ends a parametrised fixture at every change of parameter, whatever the order."""
    return {}


@pytest.fixture(scope="module")
def twins(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    demo_dir: Path,
    finished: dict[str, Twins],
) -> Twins:
    if request.param in finished:
        return finished[request.param]
    if not (ROOT / "themes/default/dist/model-worker.js").is_file():
        requirements.missing(
            "the scripts are not bundled", fix="cd themes/default && npm ci && npm run build"
        )
    if request.param == "stories":
        built = small_stories(request.getfixturevalue("shared_dir"), tmp_path_factory.mktemp("stories"))
    else:
        built = small_demo(demo_dir, tmp_path_factory, request.param)
    finished[request.param] = Twins(built, atlas.open(built.data), Torch(built))
    return finished[request.param]


Opened = Callable[[str, str], PageModel]
EVERYWHERE = pytest.mark.parametrize(
    ("twins", "place"),
    [("fp32", "file"), ("fp32", "http"), ("int8", "file"), ("stories", "file"), ("stories", "http")],
    indirect=["twins"],
)
"""The bundled model as it is and in bytes, and the stories; by double click and from a host."""


@pytest.fixture
def opened(visit: Visitor, twins: Twins, place: str) -> Iterator[Opened]:
    """`opened(slug, need)`: a page of the site with that graph loaded, on which nothing may go wrong."""
    with published(twins.built.site, place) as address:
        window = visit()
        yield PageModel(window.open(f"{address}index.html")).open
        assert window.record.problems(address) == []


def relative(found: Any, expected: Any) -> float:
    """Largest difference, relative to max(1, |expected|); 0 where there is nothing."""
    one, other = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    assert one.shape == other.shape
    return float((np.abs(one - other) / np.maximum(1, np.abs(other))).max(initial=0))


@EVERYWHERE
class TestActivations:
    def test_three_times_the_same(self, twins: Twins, opened: Opened):
        for slug in twins.slugs:
            page = opened(slug, "activations")
            pairs: list[tuple[np.ndarray, np.ndarray]] = []
            for text in TEXTS:
                seen = page.activations(text)
                found = twins.data.activations(text, slug)
                assert tuple(seen["ids"]) == found.token_ids
                assert (seen["windows"], seen["replaced"]) == (found.windows, found.replaced)
                assert seen["bos"] == found.bos.tolist()
                assert [[p["text"], p["start"], p["stop"]] for p in seen["pieces"]] == [
                    [piece.text, piece.start, piece.stop] for piece in found.pieces
                ]
                values = np.array(seen["values"]).reshape(found.values.shape)
                assert relative(values, found.values) <= TOLERANCE
                if found.windows:
                    pairs.append((values, twins.torch.activations(slug, well_formed(text)[0])))
            browser, torch = (np.concatenate(part) for part in zip(*pairs, strict=True))
            self.compare_with_torch(twins.data, browser, torch)

    def compare_with_torch(self, data: atlas.Atlas, values: np.ndarray, expected: np.ndarray) -> None:
        """In single precision nearly equal; in bytes as near as the gate asks."""
        if data.store.manifest.browser_model["precision"] == "fp32":
            assert relative(values, expected) <= TOLERANCE
            return
        fires = expected > 0
        assert np.median(np.abs(values - expected)[fires] / expected[fires]) <= 0.05
        assert ((values > 0) != fires).sum() <= 0.05 * fires.sum()


@pytest.mark.parametrize(("twins", "place"), [("fp32", "file"), ("stories", "file")], indirect=["twins"])
def test_a_thousand_nasty_strings(twins: Twins, opened: Opened, shared_dir: Path):
    strings = nasty(shared_dir)
    assert len(strings) > 1000
    page = opened(twins.slugs[0], "activations")
    runtime = twins.data._model._runtime
    for text in strings:
        seen = page.tokenise(text)
        valid, replaced = well_formed(text)
        assert (seen["ids"], seen["replaced"]) == (runtime.encode(valid), replaced), ascii(text)
        assert seen["ids"] == twins.torch.ids(valid), ascii(text)


@EVERYWHERE
class TestSteering:
    def test_token_for_token(self, twins: Twins, opened: Opened):
        for slug in twins.slugs:
            page = opened(slug, "steer")
            largest = twins.data.table("features", slug)["max_activation"].to_numpy()
            fires = [int(feature) for feature in np.argsort(-largest)[:3]]
            runs: list[tuple[dict[int, float], Any, float, int]] = [
                ({}, "add", 0.0, 0),
                ({}, "add", 1.0, 5),
                ({fires[0]: 0.7, fires[1]: -0.4}, "add", 0.0, 0),
                ({fires[0]: 0.7, fires[1]: -0.4}, "add", 0.8, 2**32 - 1),
                ({fires[2]: 0.5, fires[0]: 0.2}, "clamp", 1.0, 77),
                (dict.fromkeys(fires, 0.0), "ablate", 1.2, 3),
            ]
            for prompt in PROMPTS:
                for strengths, mode, temperature, seed in runs:
                    self.compare(page, twins.data, slug, prompt, strengths, mode, temperature, seed)

    def compare(
        self,
        page: PageModel,
        data: atlas.Atlas,
        slug: str,
        prompt: str,
        strengths: dict[int, float],
        mode: Any,
        temperature: float,
        seed: int,
    ) -> None:
        largest = data.table("features", slug)["max_activation"].to_pylist()
        steered = [
            {
                "feature": feature,
                "mode": "add" if mode == "add" else "clamp",
                "strength": 0.0 if mode == "ablate" else strength * largest[feature],
            }
            for feature, strength in strengths.items()
        ]
        steps = page.generate(prompt, steered, tokens=15, temperature=temperature, seed=seed)
        assert page.steps == steps
        made = data.steer(
            prompt, strengths, mode=mode, sae=slug, n_tokens=15, temperature=temperature, seed=seed
        )
        assert tuple(step["id"] for step in steps) == made.token_ids
        assert "".join(step["text"] for step in steps) == made.text
        assert relative([step["probability"] for step in steps], made.probabilities) <= TOLERANCE
        if strengths:
            assert relative([step["measured"] for step in steps], made.measured) <= TOLERANCE

    def test_the_reference_runs_match(self, twins: Twins, opened: Opened):
        checks = [check for slug in twins.slugs for check in opened(slug, "steer").check_runs()]
        assert len(checks) == 3
        assert all(check["match"] and check["largest"] <= TOLERANCE for check in checks), checks
