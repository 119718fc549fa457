"""Measures sites: bytes, rendering, opening a feature, searching, the map, Lighthouse. Writes RESULTS.md.

    python bench/site.py                           (24k and 131k features, the map of 1,000,000 too; an hour)
    python bench/site.py --quick                   (2,048 features, once each; writes nothing)
    python bench/site.py --sizes 24k --parts render,open
    python bench/site.py --lighthouse FOLDER       (where `npm install lighthouse` was run)

The atlases are made up by `bench/synthetic_atlas.py`, under `--work` (build/bench); what is there already is
used again. Run it on an otherwise idle machine. A figure that could not be measured says why.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
# Pages a second "of one core": helpers that wait for work would count as work.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from bench.results import machine, verdict, versions, write_section  # noqa: E402
from bench.synthetic_atlas import SLUG  # noqa: E402

SIZES = {"2k": 2048, "24k": 24_576, "131k": 131_072, "1M": 1_000_000}
"""Name of an atlas → its features."""

LEAN = 500_000
"""From so many features on an atlas has no examples, and its site no pages and shards of features."""

RENDERINGS = 3
"""Times a site is rendered at most."""

LEAN_PARTS = ("sizes", "search", "map")
"""What is measured of such an atlas."""

PARTS = ("render", "again", "sizes", "open", "search", "map", "lighthouse")

GOALS = {
    "pages a second": 1500.0,
    "page": 3500.0,
    "shard": 6500.0,
    "search ms": 250.0,
    "search bytes": 250_000.0,
    "first frame": 1000.0,
    "frame": 60.0,
    "lighthouse": 95.0,
}

LIBRARIES = ("feature-atlas", "pyarrow", "numpy", "jinja2", "deflate", "playwright")

Line = tuple[str, str, str]
"""Figure, value, goal."""


@dataclass
class Bench:
    """One atlas and what to measure of it."""

    name: str
    work: Path
    runs: int
    """Fresh browser contexts per figure."""
    lighthouse: Path | None = None
    lines: list[Line] = field(default_factory=list)

    @property
    def features(self) -> int:
        """Features of the atlas."""
        return SIZES[self.name]

    @property
    def lean(self) -> bool:
        """Whether its features have no pages."""
        return self.features >= LEAN

    @property
    def data(self) -> Path:
        """The dataset."""
        return self.work / self.name / "data"

    @property
    def site(self) -> Path:
        """Its site."""
        return self.work / self.name / "site"

    def say(self, figure: str, value: str, goal: str = "") -> None:
        """Add a line to the table, and show it."""
        self.lines.append((figure, value, goal))
        print(f"{self.name:>5}  {figure}: {value}  {goal}", flush=True)

    def addresses(self, count: int) -> Iterator[tuple[str, str]]:
        """Pairs of paths of random feature pages, far apart, the same every time."""
        rng = random.Random(0)  # noqa: S311 - a sample, not a secret
        for _ in range(count):
            chosen = rng.sample(range(self.features), 2)
            yield tuple(f"{SLUG}/{feature // 1000}/{feature}.html" for feature in chosen)

    def words(self, count: int) -> Iterator[tuple[str, str]]:
        """Pairs of words that explanations have, the same every time."""
        from atlas.store import AtlasStore
        from atlas.text import words

        texts = AtlasStore.open(self.data).read("explanations", SLUG, ["text"])["text"].to_pylist()
        rng = random.Random(1)  # noqa: S311 - a sample, not a secret
        for _ in range(count):
            yield tuple(max(words(text), key=len) for text in rng.sample(texts, 2))


def make_dataset(bench: Bench) -> None:
    """The dataset, unless it is there."""
    from bench.synthetic_atlas import make_synthetic
    from bench.synthetic_world import Scale

    if not (bench.data / "manifest.json").is_file():
        shutil.rmtree(bench.data, ignore_errors=True)
        make_synthetic(bench.data, Scale(bench.features, lean=bench.lean))


def measure_render(bench: Bench) -> None:
    """Pages a second of one core."""
    from bench.site_render import render, render_features

    # Sites of earlier runs go last: where much was just deleted, a file system looks long for room.
    sites = [bench.site.with_name(f"site{number}") for number in range(min(bench.runs, RENDERINGS))]
    old = bench.site.with_name("old")
    if bench.site.exists():
        bench.site.rename(old)
    alone = [bench.site.with_name(f"pages{number}") for number in range(len(sites))]
    pairs = [
        (render_features(bench.data, pages), render(bench.data, site))
        for pages, site in zip(alone, sites, strict=True)
    ]
    sites[0].rename(bench.site)
    for site in (old, *sites[1:], *alone):
        shutil.rmtree(site, ignore_errors=True)
    for number, what in enumerate(("with their data", "with the whole site")):
        took = [pair[number] for pair in pairs]
        speed = statistics.median(each.features / each.cpu for each in took)
        goal = verdict(speed, GOALS["pages a second"], least=True)
        bench.say(f"feature pages a second of one core, {what}", f"{speed:,.0f}", goal)
        bench.say("… seconds on the clock", f"{statistics.median(each.wall for each in took):,.0f}")


def measure_again(bench: Bench) -> None:
    """One changed explanation, on copies of dataset and site."""
    from bench.site_render import render_again

    copy = bench.work / f"{bench.name}-again"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(bench.data, copy / "data")
    shutil.copytree(bench.site, copy / "site")
    took = render_again(copy / "data", copy / "site")
    shutil.rmtree(copy)
    bench.say("one changed explanation: files that differ", f"{took.changed:,} of {took.files:,}")
    bench.say("… files written anew", f"{took.written:,}")
    bench.say("… seconds on the clock", f"{took.seconds:,.1f}")
    bench.say("… seconds of one core, everything included", f"{took.cpu:,.1f}")


def measure_bytes(bench: Bench) -> None:
    """Bytes and files on disk."""
    from bench.site_render import measure_sizes

    sizes = measure_sizes(bench.site, bench.features)
    page, shard = sizes.pages / bench.features, sizes.shards / bench.features
    if bench.lean:
        bench.say("search, table and map, bytes per feature", f"{sizes.rest / bench.features:,.0f}")
        return
    bench.say("page, bytes per feature", f"{page:,.0f}", verdict(page, GOALS["page"]))
    bench.say("shard, bytes per feature", f"{shard:,.0f}", verdict(shard, GOALS["shard"]))
    bench.say("search, table, map and lists, bytes per feature", f"{sizes.rest / bench.features:,.0f}")
    bench.say("site", f"{sizes.whole / 1e6:,.1f} MB in {sizes.files:,} files")
    bench.say("largest file", f"{sizes.largest_file:,} bytes")


def measure_open(bench: Bench) -> None:
    """A random feature page, cold and then warm."""
    from bench.site_browser import open_features

    with _chromium() as browser, _hosted(bench.site) as url:
        cold, warm = open_features(browser, url, list(bench.addresses(bench.runs)))
    for name, one in (("cold", cold), ("warm", warm)):
        bench.say(
            f"open a random feature, {name}",
            f"{one.ms:,.0f} ms, {one.bytes:,} bytes, {one.requests} requests",
        )


def measure_search(bench: Bench) -> None:
    """The first result of a first and of a second search."""
    from bench.site_browser import search

    with _chromium() as browser, _hosted(bench.site) as url:
        first, second = search(browser, url, list(bench.words(bench.runs)))
    for name, one in (("first", first), ("second", second)):
        bench.say(
            f"search, {name}: until a result shows", f"{one.ms:,.0f} ms", verdict(one.ms, GOALS["search ms"])
        )
        weight = verdict(one.bytes, GOALS["search bytes"])
        bench.say(f"… bytes until the line is silent, {one.requests} requests", f"{one.bytes:,}", weight)


def measure_map(bench: Bench) -> None:
    """The map's first frame and its movement."""
    from bench.site_browser import map_times

    with _chromium() as browser, _hosted(bench.site) as url:
        times = map_times(browser, url, bench.runs)
    # The goals are those of 131,072 points; a million has to be usable.
    frame = "" if bench.lean else verdict(times.first_frame, GOALS["first frame"])
    bench.say(
        "map, opened over the slow line until drawn",
        f"{times.cold.ms:,.0f} ms, {times.cold.bytes:,} bytes",
    )
    bench.say("map, opened from this machine until drawn", f"{times.first_frame:,.0f} ms", frame)
    for name, ms in (("dragged", times.pan), ("zoomed", times.zoom)):
        goal = "" if bench.lean else verdict(ms, GOALS["frame"])
        bench.say(f"… {name}, a frame ({times.renderer or 'renderer not told'})", f"{ms:,.1f} ms", goal)


def measure_lighthouse(bench: Bench) -> None:
    """Lighthouse's four scores on home, feature and map, as it rates phones (its default); see there."""
    from bench.lighthouse import scores

    if bench.lighthouse is None:
        raise LookupError("--lighthouse was not given")
    first = next(bench.addresses(1))[0]
    with _hosted(bench.site) as url:
        for name, path in (("home", "index.html"), ("feature", first), ("map", "map.html")):
            runs = [scores(bench.lighthouse, url + path) for _ in range(min(bench.runs, 3))]
            found = {category: statistics.median(run[category] for run in runs) for category in runs[0]}
            goal = verdict(min(found.values()), GOALS["lighthouse"], least=True)
            text = ", ".join(f"{category} {score:.0f}" for category, score in found.items())
            bench.say(f"Lighthouse, {name}", text, goal)


MEASURES: dict[str, Callable[[Bench], None]] = dict(
    zip(
        PARTS,
        (
            measure_render,
            measure_again,
            measure_bytes,
            measure_open,
            measure_search,
            measure_map,
            measure_lighthouse,
        ),
        strict=True,
    )
)


def _chromium():  # noqa: ANN202 - a context manager of a Playwright browser
    from contextlib import contextmanager

    from playwright.sync_api import sync_playwright

    from tests.support.browser import launched

    @contextmanager
    def started():  # noqa: ANN202
        with sync_playwright() as playwright, launched(playwright) as browser:
            yield browser

    return started()


def _hosted(site: Path):  # noqa: ANN202 - a context manager
    from bench.static_host import hosted

    return hosted(site)


def measure(bench: Bench, parts: list[str]) -> None:
    """Every part, in order; a part that fails is a line that says why."""
    make_dataset(bench)
    if bench.lean:
        from bench.site_render import render_overview

        render_overview(bench.data, bench.site)
        parts = [part for part in parts if part in LEAN_PARTS]
    for part in parts:
        try:
            MEASURES[part](bench)
        except Exception as error:  # noqa: BLE001 - the other figures are worth having
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            bench.say(part, f"not measured: {reason[:160]}")


def section(benches: list[Bench], runs: int) -> str:
    """The section of RESULTS.md."""
    tables = []
    for bench in benches:
        rows = "\n".join(f"| {figure} | {value} | {goal} |" for figure, value, goal in bench.lines)
        tables.append(
            f"### {bench.features:,} features\n\n| figure | value | goal |\n|---|---|---|\n{rows}\n"
        )
    head = f"## Sites (`bench/site.py`)\n\n{machine()}. {versions(LIBRARIES)}, {_chromium_version()}."
    return f"""{head} Nothing else running.

Synthetic atlases (`bench/synthetic_atlas.py`): one SAE, every group of examples, made-up words. Opening
and searching: medians of {runs} runs, each in a fresh browser context, on a simulated line of 20 Mbit/s with
40 ms to the first byte; the host compresses with gzip. WebGL is drawn in software, on the same two cores.
Lighthouse rates phones; robots.txt is left out: it asks for that in the page's name, whose policy forbids it.

""" + "\n".join(tables)


def _chromium_version() -> str:
    with _chromium() as browser:
        return f"Chromium {browser.version}"


def main() -> None:
    """Measure; write RESULTS.md unless only a part was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", default="24k,131k,1M", help=f"of {', '.join(SIZES)}")
    parser.add_argument("--parts", default=",".join(PARTS), help=f"of {', '.join(PARTS)}")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "bench")
    parser.add_argument("--lighthouse", type=Path, help="folder whose node_modules hold lighthouse")
    parser.add_argument("--quick", action="store_true", help="2,048 features, one run, nothing written")
    parser.add_argument("--print", action="store_true", help="do not write RESULTS.md")
    wanted = parser.parse_args()
    sizes = ["2k"] if wanted.quick else wanted.sizes.split(",")
    runs = 1 if wanted.quick else wanted.runs
    benches = [Bench(name, wanted.work, runs, wanted.lighthouse) for name in sizes]
    for bench in benches:
        measure(bench, wanted.parts.split(","))
    text = section(benches, runs)
    print(text)
    if not (wanted.quick or wanted.print):
        write_section(text)


if __name__ == "__main__":
    main()
