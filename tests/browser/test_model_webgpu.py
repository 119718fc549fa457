"""The model on a graphics processor: one that Chromium imitates in software, with the real runtime for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.support import axe
from tests.support.browser import QUIET, Visit, Visitor
from tests.support.in_browser import ModelRefusedError, PageModel
from tests.support.model_site import model_dataset, model_site
from tests.support.requirements import chromium_path
from tests.support.synthetic import BOS
from tests.support.toy_model import WINDOW, ToyModel, make_toy
from tests.support.web import published

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from atlas.store import AtlasStore

REAL = "Object.defineProperty(GPUAdapterInfo.prototype, 'isFallbackAdapter', { get: () => false });"
"""Takes the imitation for a real one, which readers are offered."""
IN_WORKER = """
const Real = Blob;
globalThis.Blob = class extends Real {{
  constructor(parts, options) {{
    super(options?.type === 'text/javascript' ? [{first!r}, ...parts] : parts, options);
  }}
}};
"""
"""Runs something ahead of the worker's own source."""
NO_ADAPTER = "GPU.prototype.requestAdapter = () => Promise.resolve(null);"
NO_DEVICE = (
    "GPUAdapter.prototype.requestDevice = () => Promise.reject(new DOMException('busy', 'OperationError'));"
)
LOSING = """
const real = GPUAdapter.prototype.requestDevice;
GPUAdapter.prototype.requestDevice = async function (wanted) {
  const device = await real.call(this, wanted);
  addEventListener('message', ({ data }) => { if (data.argument?.text === 'LOSE') device.destroy(); });
  return device;
};
"""
"""Loses the graphics processor when a certain text comes."""
WRONG = """
const real = GPUDevice.prototype.createShaderModule;
GPUDevice.prototype.createShaderModule = function (wanted) {
  return real.call(this, { ...wanted, code: wanted.code.replaceAll('max(', 'min(') });
};
"""
"""A graphics processor that computes something else."""

Opened = Callable[..., tuple[Visit, str]]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> AtlasStore:
    return model_dataset(tmp_path_factory.mktemp("webgpu"))


@pytest.fixture(scope="module")
def toy(store: AtlasStore) -> ToyModel:
    return make_toy(int(store.manifest.model["vocabulary_size"]), store.manifest.saes[0].n_features)


@pytest.fixture(scope="module")
def site(store: AtlasStore) -> Path:
    """A site that brings the runtime."""
    return model_site(store, webgpu=True)


@pytest.fixture(scope="module")
def processor(chromium: Browser) -> Iterator[Browser]:
    """A Chromium with a graphics processor."""
    browser = chromium.browser_type.launch(
        executable_path=chromium_path(),
        headless=True,
        chromium_sandbox=False,
        args=[*QUIET, "--enable-unsafe-webgpu"],
    )
    yield browser
    browser.close()


@pytest.fixture
def opened(processor: Browser, site: Path) -> Iterator[Opened]:
    """`opened("test.html", first=…, worker=…)`: a page with scripts ahead of its own and its worker's."""
    visitor = Visitor(processor)
    visits: list[Visit] = []

    def start(path: str, *, first: str = REAL, worker: str = "", scheme: Any = "light") -> tuple[Visit, str]:
        visits.append(visitor(scheme=scheme))
        visits[-1].page.context.add_init_script(first + (IN_WORKER.format(first=worker) if worker else ""))
        return visits[-1], visits[-1].open(f"{site.as_uri()}/{path}").url

    yield start
    problems = [line for one in visits for line in one.record.problems(site.as_uri())]
    visitor.close()
    assert problems == []


def by_hand(toy: ToyModel, slug: str, text: str) -> np.ndarray:
    """Activations of `text`, its windows included, from the toy's definition."""
    room = WINDOW[slug] - (slug == "alpha")
    own = list(text.encode())
    windows = [[BOS] * (slug == "alpha") + own[at : at + room] for at in range(0, len(own), room)]
    return np.concatenate([toy.activations(slug, window) for window in windows])


@pytest.mark.parametrize(("slug", "place"), [("alpha", "file"), ("beta", "http")])
def test_activations_are_those_of_the_definition(
    processor: Browser, site: Path, toy: ToyModel, slug: str, place: str
):
    visitor = Visitor(processor)
    with published(site, place) as address:
        visit = visitor()
        model = PageModel(visit.open(f"{address}index.html")).open(slug, runtime="webgpu")
        assert model.runtime == ("webgpu", "")
        found = model.activations("def naïve(text): 日本")
        expected = by_hand(toy, slug, "def naïve(text): 日本")
        values = np.reshape(found["values"], expected.shape)
        assert np.abs(values - expected).max() <= 1e-3 * np.abs(expected).max()
        assert visit.record.problems(address) == []
    visitor.close()


def test_steering_gives_the_tokens_of_webassembly_and_of_the_reference_runs(opened: Opened):
    visit, _ = opened("index.html")
    steered = [
        {"feature": 5, "mode": "add", "strength": 9.0},
        {"feature": 7, "mode": "clamp", "strength": 6.0},
    ]
    continued = []
    for runtime in ("webgpu", "wasm"):
        model = PageModel(visit.page).open("alpha", "steer", runtime=runtime)
        assert model.runtime == (runtime, "")
        continued.append(model.generate("def ", steered, tokens=10, temperature=0.7, seed=3))
        assert all(check["match"] for check in model.check_runs())
        model.close()
    assert [step["id"] for step in continued[0]] == [step["id"] for step in continued[1]]


@pytest.mark.parametrize(
    ("worker", "told"),
    [
        (NO_ADAPTER, "adapter"),
        (NO_DEVICE, "does not run on this graphics"),
        (WRONG, "other numbers than the build stored"),
    ],
    ids=["no adapter", "no device", "wrong numbers"],
)
def test_what_does_not_compute_as_the_build_did_is_left_to_webassembly(
    opened: Opened, toy: ToyModel, worker: str, told: str
):
    visit, _ = opened("index.html", worker=worker)
    model = PageModel(visit.page).open("alpha", runtime="webgpu")
    runtime, refusal = model.runtime
    assert runtime == "wasm"
    assert told in refusal
    expected = by_hand(toy, "alpha", "plain")
    np.testing.assert_allclose(
        np.reshape(model.activations("plain")["values"], expected.shape), expected, atol=1e-4
    )
    assert model.workers(1) == 1


def test_a_graphics_processor_that_is_lost_ends_the_model(opened: Opened):
    visit, _ = opened("index.html", worker=LOSING)
    model = PageModel(visit.page).open("alpha", runtime="webgpu")
    assert len(model.activations("plain")["ids"]) == 6
    with pytest.raises(ModelRefusedError, match="graphics processor"):
        model.activations("LOSE")
    assert model.ending()["kind"] == "gpu"
    assert "was lost" in model.ending()["message"]
    with pytest.raises(ModelRefusedError, match="was lost"):
        model.activations("plain")
    assert model.workers(0) == 0


def loaded(page: Page, state: str) -> str:
    """What the loader says once it is in `state`."""
    page.wait_for_selector(f"atlas-model-loader[data-state={state}]", timeout=120_000)
    return page.locator("atlas-model-loader").inner_text()


def test_readers_choose_it_and_go_on_without_it_when_it_is_lost(opened: Opened):
    visit, _ = opened("test.html", worker=LOSING)
    page = visit.page
    choice = page.get_by_role("checkbox", name="Compute on the graphics processor (WebGPU)")
    choice.wait_for()
    # A small model gains nothing, so it is the reader who asks for it: here by key.
    assert not choice.is_checked()
    choice.focus()
    page.keyboard.press("Space")
    assert choice.is_checked()
    assert axe.violations(page) == []
    page.get_by_role("button", name="Load the model").click()
    assert "computed on the graphics processor" in loaded(page, "open")
    assert not any("model/runtime/" in url for url in visit.record.requests)
    page.locator("#own-text").fill("LOSE")
    said = loaded(page, "failed")
    assert "was lost" in said
    assert "Try again" in said
    assert not choice.is_checked()
    page.locator("#own-text").fill("def parse")
    page.get_by_role("button", name="Try again").click()
    assert "graphics" not in loaded(page, "open")
    page.wait_for_selector(
        "atlas-test-page .strip, atlas-test-page atlas-strip, atlas-test-page [data-token]"
    )


def test_a_refused_graphics_processor_is_told_beside_the_figures(opened: Opened):
    visit, _ = opened("test.html", worker=NO_DEVICE, scheme="dark")
    choice = visit.page.get_by_role("checkbox", name="Compute on the graphics processor (WebGPU)")
    choice.check()
    visit.page.get_by_role("button", name="Load the model").click()
    said = loaded(visit.page, "open")
    assert "computed by WebAssembly. The model does not run on this graphics processor" in said
    assert axe.violations(visit.page) == []


def test_an_imitation_is_not_offered(opened: Opened):
    visit, _ = opened("test.html", first="")
    visit.page.get_by_role("button", name="Load the model").wait_for()
    assert visit.page.get_by_role("checkbox", name="Compute on the graphics").count() == 0


def test_without_the_option_nothing_is_offered(processor: Browser, tmp_path: Path):
    site = model_site(model_dataset(tmp_path))
    visitor = Visitor(processor)
    visit = visitor()
    visit.page.context.add_init_script(REAL)
    page = visit.open(f"{site.as_uri()}/test.html")
    page.get_by_role("button", name="Load the model").wait_for()
    assert page.get_by_role("checkbox", name="Compute on the graphics").count() == 0
    assert not (site / "data" / "model" / "webgpu").exists()
    assert visit.record.problems(site.as_uri()) == []
    visitor.close()
