"""Measures the model in the browser: bytes, loading, activations, steering. Writes a section of RESULTS.md.

    python bench/browser_model.py                       (the demo and a model of GPT-2 small's shape)
    python bench/browser_model.py --only demo --runs 1  (a quick look, which writes nothing)
    python bench/browser_model.py --hooks 5 8 11        (SAEs at three depths of the large model)

Both atlases are built under `--work` (build/bench/browser); what is there already is used again. Run it on an
otherwise idle machine. Real Chromium, WebAssembly, one thread; every figure is the median of fresh contexts.
The large model's time stands beside that of its matrix products alone, in the same runtime: what is left is
all that another graph of the same model could save.
"""

from __future__ import annotations

import argparse
import bisect
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench import browser_floor, browser_workload  # noqa: E402
from bench.results import machine, verdict, versions, write_section  # noqa: E402
from bench.site_browser import Fetch, Reader, median, reader  # noqa: E402
from bench.static_host import hosted  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from atlas import Atlas

GOALS = {"first": 3_000.0, "run": 120.0, "download": 100e6}
"""Milliseconds to the demo's first activation; per 32 tokens of the large model, and bytes to its first."""

LIBRARIES = ("feature-atlas", "onnxruntime", "tokenizers", "playwright")

TOKENS, CONTINUED = 32, 20
"""Tokens of the text whose activations are timed, BOS included; tokens of a continuation."""

REPEATS = 7
"""Runs in one page, of which the median counts; the first is left out."""

SOURCE = (
    """\
def parse(text):
    if not text:
        raise ValueError('empty text')
    return json.loads(text)
"""
    * 4
)
"""What is read, cut to `TOKENS` tokens."""

_OPEN = """async ([sae, need, text]) => {
  globalThis.tasks = [];
  new PerformanceObserver((list) => tasks.push(...list.getEntries().map(({ duration }) => duration)))
    .observe({ type: "longtask" });
  const begun = performance.now();
  const { lazy, shards } = atlasCore;
  const info = await shards.loadShard("model/index");
  await Promise.all([lazy.loadBundle("model"), lazy.loadBundle("model-worker")]);
  globalThis.model = await atlasModel.open(info, sae, need, () => undefined);
  const open = performance.now() - begun;
  if (need === "activations") await model.activations(text);
  return { open, first: performance.now() - begun };
}"""
"""Opens a graph and runs it once: milliseconds until it was open, and until the first activations."""

_CANCEL = """async ([sae]) => {
  const begun = performance.now();
  const { lazy, shards } = atlasCore;
  const info = await shards.loadShard("model/index");
  await Promise.all([lazy.loadBundle("model"), lazy.loadBundle("model-worker")]);
  const asked = new AbortController();
  let told = 0;
  const tell = ({ loaded }) => {
    if (loaded === 0 || told !== 0) return;
    told = performance.now();
    asked.abort();
  };
  await atlasModel.open(info, sae, "activations", tell, asked.signal).catch(() => undefined);
  return { told: told - begun, cancel: performance.now() - told };
}"""
"""Stops loading at the first bytes told: milliseconds until then, and from then until it has ended."""

_RUN = """async ([text, repeats]) => {
  const times = [];
  let found;
  for (let run = 0; run <= repeats; run += 1) {
    const begun = performance.now();
    found = await model.activations(text);
    times.push(performance.now() - begun);
  }
  const { ids, values, nFeatures } = found;
  const last = [...values.subarray((ids.length - 1) * nFeatures)];
  return { times: times.slice(1), ids, last, task: Math.max(0, ...tasks) };
}"""
"""Activations again and again: milliseconds of each, ids, the last token's row, the page's longest task."""

_STEER = """async ([text, feature, strength, tokens]) => {
  const begun = performance.now();
  const steered = [{ feature, mode: "add", strength }];
  const steps = await model.generate(text, steered, { tokens, temperature: 0, seed: 0 }, () => undefined);
  return { ms: performance.now() - begun, ids: steps.map(({ id }) => id) };
}"""


@dataclass(frozen=True)
class Figures:
    """What was measured of one atlas; milliseconds and bytes."""

    cold: Fetch
    """From the click to the first activation, nothing in the cache, from this machine."""
    open: float
    """… of which until the model was open."""
    line: Fetch
    """The same over a line of 20 Mbit/s and 40 ms."""
    warm: Fetch
    """On a second page, everything in the cache."""
    run: float
    """Activations of `TOKENS` tokens."""
    task: float
    """Longest task of the page itself meanwhile, loading included."""
    told: float
    """From the click to the first bytes told, over that line."""
    cancel: float
    """From cancelling there until the load had ended."""
    step: float
    """A token of a steered continuation, the reading of the prompt shared among them."""
    steer: Fetch
    """From the click until the steering graph is open, when the activations' files are in the cache."""
    python: float
    """`TOKENS` tokens in Python, one thread."""
    error: float
    """Largest difference from Python of an activation of the last token, relative to max(1, |value|)."""
    same: bool
    """Whether the continuation is Python's, token for token."""


def text_of(data: Atlas, slug: str) -> str:
    """The longest beginning of a source text that takes at most `TOKENS` tokens, BOS included."""
    lengths = range(1, len(SOURCE))
    beyond = bisect.bisect(lengths, TOKENS, key=lambda n: len(data.activations(SOURCE[:n], slug).token_ids))
    return SOURCE[: lengths[beyond - 1]]


def first(one: Reader, address: str, slug: str, need: str, text: str) -> tuple[Fetch, float]:
    """Open a page, then the model: (until its first activation, milliseconds until it was open)."""
    one.page.goto(f"{address}test.html")
    one.page.wait_for_load_state("networkidle")
    one.fetched(0)
    found = one.page.evaluate(_OPEN, [slug, need, text])
    one.page.wait_for_load_state("networkidle")
    return one.fetched(found["first"]), found["open"]


def stopped(one: Reader, address: str, slug: str) -> tuple[float, float]:
    """Stop loading at its first progress: milliseconds (until that came, from then until it had ended)."""
    one.page.goto(f"{address}test.html")
    one.page.wait_for_load_state("networkidle")
    found = one.page.evaluate(_CANCEL, [slug])
    return found["told"], found["cancel"]


def measure(browser: Browser, data: Atlas, site: Path, slug: str, runs: int) -> Figures:
    """Everything of one atlas, from `runs` fresh contexts."""
    text = text_of(data, slug)
    found = data.activations(text, slug)
    feature = found.top(1)[0].feature_idx
    largest = float(data.feature(feature, slug)["max_activation"])
    made = data.steer(text, {feature: 1.0}, sae=slug, n_tokens=CONTINUED)
    cold, opened, line, warm, steer, times, tasks, steps, stops = [], [], [], [], [], [], [], [], []
    error, same = 0.0, True
    with hosted(site) as address:
        for _ in range(runs):
            with reader(browser) as one:
                line.append(first(one, address, slug, "activations", text)[0])
            with reader(browser) as one:
                stops.append(stopped(one, address, slug))
            with reader(browser, slow=False) as one:
                fetch, ms = first(one, address, slug, "activations", text)
                cold.append(fetch)
                opened.append(ms)
                run = one.page.evaluate(_RUN, [text, REPEATS])
                times += run["times"]
                tasks.append(run["task"])
                error = max(error, relative(np.array(run["last"]), found.values[-1]))
                same = same and tuple(run["ids"]) == found.token_ids
                warm.append(first(one, address, slug, "activations", text)[0])
                steer.append(first(one, address, slug, "steer", text)[0])
                went = one.page.evaluate(_STEER, [text, feature, largest, CONTINUED])
                steps.append(went["ms"] / CONTINUED)
                same = same and tuple(went["ids"]) == made.token_ids
    return Figures(
        cold=median(cold), open=statistics.median(opened), line=median(line), warm=median(warm),
        run=statistics.median(times), task=max(tasks), step=statistics.median(steps), steer=median(steer),
        python=in_python(data, slug, text), error=error, same=same,
        told=statistics.median(told for told, _ in stops), cancel=max(cancel for _, cancel in stops),
    )  # fmt: skip


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    """Largest difference, relative to max(1, |expected|)."""
    return float((np.abs(found - expected) / np.maximum(1, np.abs(expected))).max())


def in_python(data: Atlas, slug: str, text: str) -> float:
    """Milliseconds of the same activations in Python, the median of `REPEATS`."""
    times = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        data.activations(text, slug)
        times.append(1000 * (time.perf_counter() - begun))
    return statistics.median(times)


def section(data: Atlas, slug: str, figures: Figures, *, floor: float | None) -> str:
    """The table of one SAE, with the goals of the demo; with `floor`, milliseconds of its matrix products
    alone, those of the large model.
    """
    goals = floor is not None
    facts = data.store.manifest.browser_model
    gate: dict[str, Any] = next(entry["gate"] for entry in facts["saes"] if entry["slug"] == slug)
    cold, steer = figures.cold, figures.steer
    download = verdict(cold.bytes / 1e6, GOALS["download"] / 1e6) if goals else ""
    speed = verdict(figures.run, GOALS["run"]) if goals else ""
    soon, slow = (
        "" if goals else verdict(ms / 1000, GOALS["first"] / 1000) for ms in (cold.ms, figures.line.ms)
    )
    products = f"| … its matrix products alone, in the same runtime, ms | {floor:.1f} | |\n" if goals else ""
    asked = (
        f"gate on {gate['n_tokens']:,} tokens: top-20 overlap; median relative error; flips per token (L0)"
    )
    agreement = (
        f"{gate['top_overlap']:.4f}; {gate['relative_error']:.2g}; {gate['flips']:.2g} ({gate['l0']:.3g})"
    )
    return f"""| figure | value | goal |
|---|---|---|
| precision | {facts["precision"]} | |
| {asked} | {agreement} | |
| bytes to the first activation, MB ({cold.requests} files) | {cold.bytes / 1e6:.1f} | {download} |
| fetched for steering after that, MB (a fresh context caches little) | {steer.bytes / 1e6:.1f} | |
| cold, from the click to the first activation, from this machine, s | {cold.ms / 1000:.2f} | {soon} |
| … of which until the model is open, s | {figures.open / 1000:.2f} | |
| … over a line of 20 Mbit/s and 40 ms, s | {figures.line.ms / 1000:.1f} | {slow} |
| warm, on the next page, s | {figures.warm.ms / 1000:.2f} | |
| activations of {TOKENS} tokens, ms | {figures.run:.1f} | {speed} |
{products}| … in Python, ms | {figures.python:.1f} | |
| a token of a steered continuation, ms | {figures.step:.1f} | |
| longest task of the page meanwhile, ms (0: none of 50 or more) | {figures.task:.0f} | |
| until the first bytes are told, over that line, ms | {figures.told:.0f} | |
| from cancelling until loading has ended, ms | {figures.cancel:.1f} | |
| largest difference from Python, relative | {figures.error:.1e} | |
| tokens and steered continuation are Python's | {"yes" if figures.same else "**no**"} | |
"""


def built(folder: Path, name: str, hooks: Sequence[int]) -> tuple[Path, Path]:
    """Dataset and site of the atlas `name` below `folder`, built if they are not there; the large one with
    SAEs in front of `hooks`.
    """
    data, site = folder / name / "build/data", folder / name / "build/site"
    if not (site / "index.html").is_file():
        config = folder / name / "site_config.yaml"
        (folder / name).mkdir(parents=True, exist_ok=True)
        if name == "demo":
            text = (ROOT / "site_config.yaml").read_text(encoding="utf-8")
            config.write_text(text.replace("atlas/demo/", f"{ROOT}/atlas/demo/"), encoding="utf-8")
        else:
            browser_workload.make(folder / name, hooks)
        # Forced: how well such SAEs reconstruct is nothing to the purpose.
        command = [sys.executable, "-m", "atlas", "build", str(config), "--force"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return data, site


def report(work: Path, names: list[str], runs: int, hooks: Sequence[int]) -> str:
    """Build what is missing, measure, and give the section of RESULTS.md."""
    from playwright.sync_api import sync_playwright

    import atlas
    from tests.support.browser import launched

    parts: list[str] = []
    for name in names:
        folder, site = built(work, name, hooks)
        data = atlas.open(folder)
        with sync_playwright() as playwright, launched(playwright) as browser:
            floors = {} if name == "demo" else floors_of(browser, data)
            for sae in data.saes:
                figures = measure(browser, data, site, sae.slug, runs)
                table = section(data, sae.slug, figures, floor=floors.get(sae.slug))
                parts.append(f"{heading(data, sae.slug, name)} Chromium {browser.version}.\n\n{table}")
    return (
        "## The model in the browser (`bench/browser_model.py`)\n\n"
        f"{machine()}. {versions(LIBRARIES)}. WebAssembly, one thread; medians of {runs} fresh contexts.\n\n"
        + "\n".join(parts)
    )


def heading(data: Atlas, slug: str, name: str) -> str:
    """Title and shape of what was measured."""
    facts = data.store.manifest.browser_model
    shape = facts["model"]
    entry = next(entry for entry in facts["saes"] if entry["slug"] == slug)
    title = "The demo" if name == "demo" else "A random model of the shape of GPT-2 small"
    return (
        f"### {title}: {slug}\n\n{shape['n_layers']} layers, {shape['vocabulary_size']:,} tokens;"
        f" {entry['d_sae']:,} features at `{entry['hook_name']}`."
    )


def floors_of(browser: Browser, data: Atlas) -> dict[str, float]:
    """SAE → milliseconds of the matrix products in front of and in it, on `TOKENS` tokens."""
    shapes = {
        entry["slug"]: list(
            browser_floor.products(entry["d_out"], int(entry["hook_name"].split(".")[1]), entry["d_sae"])
        )
        for entry in data.store.manifest.browser_model["saes"]
    }
    return browser_floor.measure(browser, shapes, TOKENS, REPEATS)


def main() -> None:
    """Measure; write RESULTS.md after a whole run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "bench" / "browser")
    parser.add_argument("--only", choices=["demo", "gpt2"], help="one of the two; writes nothing")
    parser.add_argument("--runs", type=int, default=3, help="fresh contexts per figure")
    parser.add_argument(
        "--hooks", type=int, nargs="+", default=[8], help="blocks that SAEs of the large model stand before"
    )
    options = parser.parse_args()
    names = [options.only] if options.only else ["demo", "gpt2"]
    text = report(options.work, names, options.runs, options.hooks)
    print(text)
    if options.only is None:
        write_section(text)


if __name__ == "__main__":
    main()
