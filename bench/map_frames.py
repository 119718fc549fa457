"""How fast the map of a site draws in a browser: the first picture, and frames while it moves."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

FRAMES = 40
"""Moving frames of each kind that are measured."""

_FRAMES = """
async ([kind, count]) => {
  const frame = document.querySelector(".map-frame");
  const box = frame.getBoundingClientRect();
  const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
  const at = (type, dx, more) => frame.dispatchEvent(new PointerEvent(type, {
    pointerId: 1, button: 0, clientX: x + dx, clientY: y + dx / 2, bubbles: true, ...more }));
  const wheel = (deltaY) => frame.dispatchEvent(new WheelEvent("wheel", {
    deltaY, clientX: x, clientY: y, bubbles: true, cancelable: true }));
  const next = () => new Promise((resolve) => requestAnimationFrame(resolve));
  frame.setPointerCapture = () => undefined;
  await next();
  if (kind === "pan") at("pointerdown", 0);
  const times = [await next()];
  for (let step = 1; step <= count; step++) {
    if (kind === "pan") at("pointermove", 60 * Math.sin(step / 6));
    else wheel(step % 20 < 10 ? -60 : 60);
    times.push(await next());
  }
  if (kind === "pan") at("pointerup", 0);
  return times.slice(1).map((time, index) => time - times[index]);
}
"""
"""Moves the map with every frame and returns how long each took, in milliseconds."""

_STILL = """
async () => {
  const next = () => new Promise((resolve) => requestAnimationFrame(resolve));
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const started = performance.now();
  window.dispatchEvent(new Event("resize"));
  const frame = document.querySelector(".map-frame");
  frame.dispatchEvent(new WheelEvent("wheel", { deltaY: 0, bubbles: true, cancelable: true }));
  await new Promise((resolve) => setTimeout(resolve, 121));
  let longest = 0;
  let before = await next();
  for (let step = 0; step < 12; step++) {
    const now = await next();
    longest = Math.max(longest, now - before);
    before = now;
  }
  return longest;
}
"""
"""The longest frame around the moment when a map that has come to rest is drawn in full."""


@dataclass(frozen=True)
class MapFigures:
    """What was measured of one map, in milliseconds."""

    renderer: str
    """`webgl` or `canvas`."""
    n_points: int
    """Points on the map."""
    first_frame: float
    """From the start of the navigation to the first picture with all points."""
    ready: float
    """To the end of loading, table and legend included."""
    pan: float
    """Median frame while it is dragged."""
    pan_slow: float
    """The same, 95 % are faster."""
    zoom: float
    """Median frame while it is zoomed."""
    zoom_slow: float
    """The same, 95 % are faster."""
    full: float
    """Longest frame when the map comes to rest and everything is drawn."""


def measure_map(page: Page, address: str) -> MapFigures:
    """Open the map page at `address` in `page` and move it about; errors are Playwright's."""
    page.goto(address, wait_until="load")
    page.wait_for_selector("atlas-map[data-ready]", state="attached", timeout=120_000)
    first = page.evaluate("performance.getEntriesByName('atlas-map-first-frame')[0].startTime")
    ready = page.evaluate("performance.now()")
    page.wait_for_timeout(500)
    pan, zoom = (sorted(page.evaluate(_FRAMES, [kind, FRAMES])) for kind in ("pan", "zoom"))
    return MapFigures(
        renderer=str(page.locator(".map-frame").get_attribute("data-renderer")),
        n_points=_points(page),
        first_frame=float(first),
        ready=float(ready),
        pan=statistics.median(pan),
        pan_slow=_slow(pan),
        zoom=statistics.median(zoom),
        zoom_slow=_slow(zoom),
        full=float(page.evaluate(_STILL)),
    )


def _slow(times: list[float]) -> float:
    return times[min(len(times) - 1, round(0.95 * (len(times) - 1)))]


def _points(page: Page) -> int:
    page.locator(".map-frame").focus()
    page.keyboard.press("0")
    page.wait_for_timeout(600)
    heading: Any = page.locator("#map-list-title").inner_text()
    return int("".join(letter for letter in str(heading) if letter.isdigit()) or 0)
