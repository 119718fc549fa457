"""Measures the demo: seconds per stage, bytes per feature, a cold feature page. Writes bench/RESULTS.md.

    make bench        (python bench/demo.py --tokens 100000 for a quick look, which writes nothing)

Run it on an otherwise idle machine. It builds into a folder of its own, so nothing is left over from
an earlier build.
"""

from __future__ import annotations

import argparse
import dataclasses
import gzip
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench.results import machine, verdict, versions, write_section  # noqa: E402

GOALS = {"build": 240.0, "shard": 6_500.0, "html": 3_500.0, "cold": 150_000.0}
"""Seconds of the whole build on two cores; bytes per feature, shard and page; bytes of a cold page."""

LIBRARIES = ("feature-atlas", "torch", "transformers", "sae-lens", "umap-learn", "pyarrow", "numpy")

PAGES = 20
"""Feature pages opened in a browser, chosen at random with a fixed seed."""


class Stopwatch:
    """A `Progress` that keeps the seconds of every stage."""

    def __init__(self) -> None:
        """Nothing measured yet."""
        self.seconds: dict[str, float] = {}
        self._title, self._begun = "", 0.0

    def begin(self, title: str, unit: str) -> None:
        """A stage starts."""
        del unit
        self._title, self._begun = title, time.perf_counter()

    def update(self, done: int, total: int, step: str = "") -> None:
        """Progress within a stage: not measured."""

    def note(self, text: str) -> None:
        """Something to know: not measured."""

    def end(self, outcome: str) -> None:
        """A stage is finished."""
        del outcome
        self.seconds[self._title] = time.perf_counter() - self._begun

    def skip(self, title: str, reason: str) -> None:
        """A stage that did not run would make the sum meaningless."""
        raise RuntimeError(f"{title} was skipped ({reason}): the folder was not empty")


@dataclasses.dataclass
class ColdPage:
    """What a browser with an empty cache fetches for one feature page."""

    address: str
    """Path of the page within the site."""
    parts: dict[str, int]
    """Path within the site → bytes as a static host sends it (gzip level 6)."""

    @property
    def total(self) -> int:
        """All bytes of the page."""
        return sum(self.parts.values())


def build_into(folder: Path, tokens: int | None) -> tuple[Stopwatch, float, list[tuple[str, int]]]:
    """Build the demo into `folder`; returns stages, seconds in all, and (slug, features) of each SAE."""
    from atlas.config import OutputConfig
    from atlas.configfile import load_config
    from atlas.pipeline import build
    from atlas.store import AtlasStore

    loaded = load_config(ROOT / "site_config.yaml")
    output = OutputConfig(data=str(folder / "data"), site=str(folder / "site"))
    changes: dict[str, object] = {"output": output}
    if tokens is not None:
        changes["corpus"] = loaded.config.corpus.model_copy(update={"tokens": tokens})
    loaded = dataclasses.replace(loaded, config=loaded.config.model_copy(update=changes))
    stopwatch = Stopwatch()
    begun = time.perf_counter()
    build(loaded, progress=stopwatch)
    seconds = time.perf_counter() - begun
    saes = AtlasStore.open(folder / "data").manifest.saes
    return stopwatch, seconds, [(sae.slug, sae.n_features) for sae in saes]


def size_of(paths: Iterable[Path]) -> int:
    """Bytes of all files in `paths`."""
    return sum(path.stat().st_size for path in paths if path.is_file())


def over_the_wire(path: Path) -> int:
    """Bytes of a file as a static host sends it: gzip at its usual level, whatever is smaller."""
    data = path.read_bytes()
    return min(len(data), len(gzip.compress(data, 6)))


def cold_pages(site: Path, saes: list[tuple[str, int]]) -> list[ColdPage]:
    """Open random feature pages, each in a fresh browser context, and weigh what they fetched."""
    from playwright.sync_api import sync_playwright

    from tests.support.browser import Visitor, launched
    from tests.support.web import serve_folder

    rng = random.Random(0)  # noqa: S311 - a sample, not a secret
    chosen = [rng.choice(saes) for _ in range(PAGES)]
    addresses = [f"{slug}/{i // 1000}/{i}.html" for slug, count in chosen for i in [rng.randrange(count)]]
    pages: list[ColdPage] = []
    with sync_playwright() as playwright, launched(playwright) as browser, serve_folder(site) as host:
        visitor = Visitor(browser)
        for address in addresses:
            visit = visitor()
            visit.page.goto(host.url(address), wait_until="networkidle")
            visit.page.wait_for_timeout(300)
            names = [unquote(urlsplit(url).path).removeprefix(host.base) for url in visit.record.requests
                     if url.startswith(host.origin)]  # fmt: skip
            pages.append(
                ColdPage(address, {name: over_the_wire(site / name) for name in dict.fromkeys(names)})
            )
            visitor.close()
    return sorted(pages, key=lambda page: page.total)


def report(folder: Path, tokens: int | None) -> str:
    """Build, measure, and give the section of RESULTS.md."""
    stopwatch, seconds, saes = build_into(folder, tokens)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    site, data = folder / "site", folder / "data"
    features = sum(count for _, count in saes)
    files = [path for path in site.rglob("*") if path.is_file()]
    shard_files = [path for slug, _ in saes for path in (site / "data" / slug / "features").rglob("*.js")]
    shards = size_of(shard_files) / features
    html = size_of(path for slug, _ in saes for path in (site / slug).rglob("*.html") if path.stem.isdigit())
    html /= features
    pages = cold_pages(site, saes)
    middle = pages[len(pages) // 2]
    median, largest = statistics.median(page.total for page in pages), pages[-1].total
    stages = "\n".join(f"| {title} | {spent:.1f} |" for title, spent in stopwatch.seconds.items())
    parts = "\n".join(f"| `{name}` | {size:,} |" for name, size in middle.parts.items())
    return f"""## The demo (`bench/demo.py`)

{machine()}. {versions(LIBRARIES)}. One build, nothing else running.

| stage | seconds |
|---|---|
{stages}
| **all** | **{seconds:.1f}** |

| figure | value | goal |
|---|---|---|
| build, seconds | {seconds:.0f} | {verdict(seconds, GOALS["build"])} |
| peak memory, GiB | {peak:.2f} | |
| features | {features:,} | |
| shard bytes per feature, every group of examples | {shards:,.0f} | {verdict(shards, GOALS["shard"])} |
| page bytes per feature (HTML on disk) | {html:,.0f} | {verdict(html, GOALS["html"])} |
| site | {size_of(files) / 1e6:.1f} MB in {len(files):,} files | |
| dataset bytes per feature | {size_of(data.rglob("*")) / features:,.0f} | |
| cold feature page over the wire, median of {PAGES} | {median:,.0f} | {verdict(median, GOALS["cold"])} |
| … largest of {PAGES} | {largest:,} | {verdict(largest, GOALS["cold"])} |

The median page, `{middle.address}`, file by file (gzip level 6, empty cache, until the network is idle):

| file | bytes |
|---|---|
{parts}
"""


def main() -> None:
    """Measure; write RESULTS.md unless the token budget was changed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tokens", type=int, help="another token budget, for a quick look")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        text = report(Path(folder), options.tokens)
    print(text)
    if options.tokens is None:
        write_section(text)


if __name__ == "__main__":
    main()
