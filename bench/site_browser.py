"""What a reader waits for, in Chromium: pages, search and map over a line of 20 Mbit/s and 40 ms."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, CDPSession, Page

LINE = {"offline": False, "latency": 40, "downloadThroughput": 20e6 / 8, "uploadThroughput": 20e6 / 8}
"""Milliseconds from a request to the first byte of its answer; bytes a second."""

SIZE = {"width": 1280, "height": 800}

FRAMES = 40
"""Frames timed while the map moves, after a few to get going."""

_READY = """
addEventListener("input", () => { window.benchTyped = performance.now(); window.benchShown = 0; }, true);
const names = ["data-ready", "data-drawn"];
new MutationObserver(() => {
  const now = performance.now();
  const shown = "[data-ready]:not(html, atlas-map), atlas-map[data-ready] .map-frame[data-drawn]";
  if (!window.benchReady && document.querySelector(shown)) window.benchReady = now;
  const listed = "[role=option] a, [role=option] code";
  if (window.benchTyped && !window.benchShown && document.querySelector(listed)) window.benchShown = now;
}).observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: names });
"""
"""Notes when the page's element had shown its data (a map, its picture), when was typed, when a hit came."""

_MOVE = """async ([frames, kind]) => {
  const frame = document.querySelector("atlas-map .map-frame");
  const box = frame.getBoundingClientRect();
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  const at = (step) => ({ clientX: x + 3 * step, clientY: y + step });
  const send = (type, step) => frame.dispatchEvent(new PointerEvent(type,
    { pointerId: 1, pointerType: "mouse", button: 0, buttons: 1, bubbles: true, ...at(step) }));
  const zoom = (step) => frame.dispatchEvent(new WheelEvent("wheel",
    { deltaY: step % 20 < 10 ? -60 : 60, bubbles: true, cancelable: true, ...at(0) }));
  frame.setPointerCapture = () => undefined;
  frame.hasPointerCapture = () => true;
  const times = [];
  if (kind === "pan") send("pointerdown", 0);
  for (let step = 0; step < frames; step += 1) {
    if (kind === "pan") send("pointermove", step); else zoom(step);
    times.push(await new Promise((done) => requestAnimationFrame(done)));
  }
  if (kind === "pan") send("pointerup", frames);
  return times.slice(1).map((time, index) => time - times[index]);
}"""
"""Moves the map once a frame; gives the milliseconds between frames, which the compositor holds back."""


@dataclass(frozen=True)
class Fetch:
    """What one step took."""

    ms: float
    """From the step's beginning until its result was there."""
    bytes: int
    """Over the line, headers included."""
    requests: int
    """Answers from the line, not from the cache."""


def median(found: Sequence[Fetch]) -> Fetch:
    """Each figure's median."""
    return Fetch(
        statistics.median(one.ms for one in found),
        round(statistics.median(one.bytes for one in found)),
        round(statistics.median(one.requests for one in found)),
    )


class Reader:
    """One fresh browser context with a slow line, and what it fetches."""

    def __init__(self, page: Page, session: CDPSession) -> None:
        self.page = page
        self._sizes: list[int] = []
        session.on("Network.loadingFinished", self._finished)

    def _finished(self, event: dict[str, Any]) -> None:
        # What the cache gave has no encoded length.
        if event["encodedDataLength"]:
            self._sizes.append(int(event["encodedDataLength"]))

    def fetched(self, ms: float) -> Fetch:
        """A step of `ms`, with what has been fetched since the last one."""
        found = Fetch(ms, sum(self._sizes), len(self._sizes))
        self._sizes.clear()
        return found

    def open(self, url: str) -> Fetch:
        """Open a page until its element has shown its data."""
        self.page.goto(url)
        self.page.wait_for_function("() => window.benchReady")
        ms = self.page.evaluate("window.benchReady")
        self.page.wait_for_load_state("networkidle")
        return self.fetched(ms)


@contextmanager
def reader(browser: Browser, *, slow: bool = True) -> Iterator[Reader]:
    """A context without cache or storage, on the slow line or (`slow` False) as fast as this machine."""
    context = browser.new_context(viewport=SIZE, service_workers="block", reduced_motion="reduce")
    context.add_init_script(_READY)
    page = context.new_page()
    page.set_default_timeout(120_000)
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    if slow:
        session.send("Network.emulateNetworkConditions", LINE)
    try:
        yield Reader(page, session)
    finally:
        context.close()


def open_features(browser: Browser, site: str, pairs: Sequence[tuple[str, str]]) -> tuple[Fetch, Fetch]:
    """Medians of (a feature page with nothing cached, a second feature from there) over `pairs` of paths."""
    cold, warm = [], []
    for first, second in pairs:
        with reader(browser) as one:
            cold.append(one.open(site + first))
            warm.append(one.open(site + second))
    return median(cold), median(warm)


def search(browser: Browser, site: str, pairs: Sequence[tuple[str, str]]) -> tuple[Fetch, Fetch]:
    """Medians of (the first result of the first search, of a second one) over `pairs` of words.

    From the last letter typed on the home page until a feature is listed; bytes from then until the line
    is silent.
    """
    first, following = [], []
    for words in pairs:
        with reader(browser) as one:
            one.page.goto(site + "index.html")
            one.page.wait_for_load_state("networkidle")
            one.fetched(0)
            for word, found in zip(words, (first, following), strict=True):
                one.page.keyboard.press("Control+k")
                one.page.keyboard.press("Control+a")
                one.page.keyboard.insert_text(word)
                one.page.wait_for_function("() => window.benchShown")
                ms = one.page.evaluate("window.benchShown - window.benchTyped")
                one.page.wait_for_load_state("networkidle")
                one.page.wait_for_timeout(500)
                found.append(one.fetched(ms))
    return median(first), median(following)


@dataclass(frozen=True)
class MapTimes:
    """Milliseconds; medians."""

    cold: Fetch
    """Over the slow line, from the address until the map is drawn."""
    first_frame: float
    """From this machine's own disk, from the address until the map is drawn."""
    pan: float
    """Between two frames while the map is dragged."""
    zoom: float
    """Between two frames while it is zoomed."""
    renderer: str
    """What drew it."""


def map_times(browser: Browser, site: str, runs: int) -> MapTimes:
    """The map's figures over `runs` fresh contexts, WebGL in software."""
    cold, fast, pans, zooms = [], [], [], []
    renderer = ""
    for _ in range(runs):
        with reader(browser) as one:
            cold.append(_drawn(one, site))
        with reader(browser, slow=False) as one:
            fast.append(_drawn(one, site).ms)
            pans += one.page.evaluate(_MOVE, [FRAMES, "pan"])[5:]
            zooms += one.page.evaluate(_MOVE, [FRAMES, "zoom"])[5:]
            # Where it has been moved to stands in the address, or it has not been moved at all.
            one.page.wait_for_function("() => location.search !== ''", timeout=5000)
            renderer = one.page.locator("atlas-map .map-frame").get_attribute("data-renderer") or ""
    return MapTimes(
        median(cold), statistics.median(fast), statistics.median(pans), statistics.median(zooms), renderer
    )


def _drawn(one: Reader, site: str) -> Fetch:
    """Open the map until a frame after its data was shown has been drawn."""
    found = one.open(site + "map.html")
    return Fetch(max(found.ms, 0.0), found.bytes, found.requests)
